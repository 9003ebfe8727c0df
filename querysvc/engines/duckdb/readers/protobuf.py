"""Protocol buffers' wire format, as far as ORC's metadata needs it: fields by number, untyped."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from querysvc.engines.duckdb.readers.damage import DamagedFileError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX = 10


class Message:
    """A decoded message: varints and fixed numbers as int, all else as bytes."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        for number, value in _fields(data):
            self._fields.setdefault(number, []).append(value)

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def number(self, number: int, default: int = 0) -> int:
        """An unsigned number; the last one counts."""
        value = self._fields.get(number, [default])[-1]
        if not isinstance(value, int):
            raise DamagedFileError(f"field {number} is no number")
        return value

    def signed(self, number: int) -> int | None:
        """A zigzag-coded number."""
        if number not in self._fields:
            return None
        value = self.number(number)
        return (value >> 1) ^ -(value & 1)

    def double(self, number: int) -> float | None:
        """A double, which the wire has as 64 bits."""
        if number not in self._fields:
            return None
        return float(struct.unpack("<d", struct.pack("<Q", self.number(number)))[0])

    def data(self, number: int) -> bytes | None:
        """The last value as bytes."""
        found = self.all_data(number)
        return found[-1] if found else None

    def text(self, number: int) -> str | None:
        """The last value as text."""
        found = self.data(number)
        return None if found is None else found.decode(errors="replace")

    def all_data(self, number: int) -> list[bytes]:
        """Every value of a repeated field of bytes."""
        found = self._fields.get(number, [])
        return [value for value in found if isinstance(value, bytes)]

    def messages(self, number: int) -> list[Message]:
        """Every message of a repeated field."""
        return [Message(data) for data in self.all_data(number)]

    def numbers(self, number: int) -> list[int]:
        """Every number of a repeated field, packed or not."""
        found: list[int] = []
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                found.append(value)
                continue
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                found.append(one)
        return found


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise DamagedFileError(f"unknown wire type {kind}")
        if at + length > len(data):
            raise DamagedFileError("a field is longer than its message")
        piece = data[at : at + length]
        at += length
        yield key >> 3, piece if kind == _BYTES else int.from_bytes(piece, "little")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = 0
    for shift in range(_VARINT_BYTES_MAX):
        if at >= len(data):
            raise DamagedFileError("a number has no end")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, at
    raise DamagedFileError("a number is too long")
