"""As much of Thrift's compact protocol as Parquet's page headers need: integers by field number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_BOOLEANS: Final = (1, 2)
_BYTE: Final = 3
_INTEGERS: Final = (4, 5, 6)
_DOUBLE: Final = 7
_BINARY: Final = 8
_LISTS: Final = (9, 10)
_STRUCT: Final = 12
_DEPTH_MAX: Final = 16


class ThriftError(Exception):
    """The bytes are not a Thrift struct."""


def read_struct(data: memoryview, position: int, depth: int = 0) -> tuple[dict[int, int], int]:
    """The integer members by field number, and where the struct ends; the rest is skipped."""
    if depth > _DEPTH_MAX:
        raise ThriftError("structs are nested too deep")
    members: dict[int, int] = {}
    number = 0
    while True:
        head = _byte(data, position)
        position += 1
        kind = head & 0x0F
        if kind == 0:
            return members, position
        if head >> 4:
            number += head >> 4
        else:
            number, position = _integer(data, position)
        if kind in _INTEGERS:
            members[number], position = _integer(data, position)
        else:
            position = _skip(data, position, kind, depth)


def _skip(data: memoryview, position: int, kind: int, depth: int) -> int:
    skip = _SKIPS.get(kind)
    if skip is None:
        raise ThriftError(f"there is no type {kind}")
    return skip(data, position, depth)


def _skip_list(data: memoryview, position: int, depth: int) -> int:
    head = _byte(data, position)
    position += 1
    count, kind = head >> 4, head & 0x0F
    if count == 0x0F:
        count, position = _varint(data, position)
    if depth >= _DEPTH_MAX:
        raise ThriftError("lists are nested too deep")
    for _ in range(count):
        # In a list each boolean is a byte of its own.
        position = position + 1 if kind in _BOOLEANS else _skip(data, position, kind, depth + 1)
        if position > len(data):
            raise ThriftError("the bytes end within a list")
    return position


def _skip_binary(data: memoryview, position: int, _depth: int) -> int:
    length, position = _varint(data, position)
    return position + length


_SKIPS: Final[dict[int, Callable[[memoryview, int, int], int]]] = {
    **{kind: lambda _data, position, _depth: position for kind in _BOOLEANS},
    _BYTE: lambda _data, position, _depth: position + 1,
    **{kind: lambda data, position, _depth: _varint(data, position)[1] for kind in _INTEGERS},
    _DOUBLE: lambda _data, position, _depth: position + 8,
    _BINARY: _skip_binary,
    **dict.fromkeys(_LISTS, _skip_list),
    _STRUCT: lambda data, position, depth: read_struct(data, position, depth + 1)[1],
}


def _integer(data: memoryview, position: int) -> tuple[int, int]:
    value, position = _varint(data, position)
    return (value >> 1) ^ -(value & 1), position


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = _byte(data, position)
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ThriftError("an integer does not end")


def _byte(data: memoryview, position: int) -> int:
    try:
        return data[position]
    except IndexError:
        raise ThriftError("the bytes end within a struct") from None
