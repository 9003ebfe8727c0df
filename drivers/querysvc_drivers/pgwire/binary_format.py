"""Values in PostgreSQL's binary format, a column at a time."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_drivers.pgwire.text_format import element_column, text_payloads
from querysvc_drivers.pgwire.types import ELEMENTS, Column, Oid

_BINARY: Final = pa.large_binary()
_EPOCH_DAYS: Final = 10_957
"""PostgreSQL counts from 2000-01-01."""
_EPOCH_MICROSECONDS: Final = _EPOCH_DAYS * 86_400_000_000
_MILLISECONDS_PER_DAY: Final = 86_400_000
_DIGITS_PER_GROUP: Final = 4
_NARROW_DIGITS_MAX: Final = 15
"""With up to three zeros behind, so many digits fit into 64 bits."""
_NEGATIVE: Final = 0x4000
_INET_FAMILIES: Final = {4: 2, 6: 3}


def binary_payloads(column: Column, array: pa.Array, zone: str) -> pa.LargeBinaryArray:
    """Each value's bytes, NULL for NULL."""
    if column.pg.oid in ELEMENTS:
        return _arrays(column, array, zone)
    convert = _FORMATS.get(column.pg.oid)
    # Texts, JSON and their like are the same in both formats.
    return text_payloads(column, array, zone) if convert is None else convert(column.type, array)


def fixed_payloads(values: Any, kind: Any, array: pa.Array) -> pa.LargeBinaryArray:
    """An array of fixed-width payloads from numpy values; the Arrow array tells its NULLs.

    Any: a numpy array, and the name of a numpy type or the type.
    """
    packed = np.ascontiguousarray(values.astype(kind))
    width = packed.dtype.itemsize
    count = len(array)
    if not array.null_count:
        offsets = np.arange(count + 1, dtype=np.int64) * width
        return _assembled(offsets, packed, None)
    is_valid = np.asarray(array.is_valid())
    offsets = np.concatenate(([0], np.cumsum(is_valid * width))).astype(np.int64)
    return _assembled(offsets, packed[is_valid], is_valid)


def _assembled(offsets: Any, data: Any, is_valid: Any) -> pa.LargeBinaryArray:
    # Any: numpy arrays of several element types
    mask = None if is_valid is None else np.packbits(is_valid, bitorder="little")
    buffers = [
        None if mask is None else pa.py_buffer(mask),
        pa.py_buffer(offsets),
        pa.py_buffer(np.ascontiguousarray(data).view(np.uint8)),
    ]
    return pa.Array.from_buffers(_BINARY, len(offsets) - 1, buffers)


def _numpy(array: pa.Array) -> Any:  # a numpy array of the array's element type
    return pc.fill_null(array, 0).to_numpy(zero_copy_only=False)


def _fixed(arrow_type: pa.DataType, kind: str) -> Callable[[TrinoType, pa.Array], pa.Array]:
    def convert(_: TrinoType, array: pa.Array) -> pa.Array:
        return fixed_payloads(_numpy(array.cast(arrow_type)), kind, array)

    return convert


def _booleans(_: TrinoType, array: pa.Array) -> pa.Array:
    return fixed_payloads(_numpy(array.cast(pa.int8())), "i1", array)


def _dates(_: TrinoType, array: pa.Array) -> pa.Array:
    return fixed_payloads(_numpy(array.cast(pa.int32())) - _EPOCH_DAYS, ">i4", array)


def _times(_: TrinoType, array: pa.Array) -> pa.Array:
    return fixed_payloads(_numpy(array.cast(pa.int64())), ">i8", array)


def _times_tz(_: TrinoType, array: pa.StructArray) -> pa.Array:
    times, offsets = array.flatten()
    packed = np.zeros(len(array), dtype=[("t", ">i8"), ("z", ">i4")])
    packed["t"] = _numpy(times.cast(pa.int64()))
    packed["z"] = _numpy(offsets.cast(pa.int32())) * -60  # seconds west of UTC
    return fixed_payloads(packed, packed.dtype, array)


def _timestamps(_: TrinoType, array: pa.Array) -> pa.Array:
    return fixed_payloads(_numpy(array.cast(pa.int64())) - _EPOCH_MICROSECONDS, ">i8", array)


def _instants(type_: TrinoType, array: pa.StructArray) -> pa.Array:
    return _timestamps(type_, pc.if_else(array.is_valid(), array.flatten()[0], None))


def _intervals(type_: TrinoType, array: pa.Array) -> pa.Array:
    packed = np.zeros(len(array), dtype=[("us", ">i8"), ("days", ">i4"), ("months", ">i4")])
    values = _numpy(array)
    if type_ == algebra.INTERVAL_YEAR_TO_MONTH:
        packed["months"] = values
    else:
        sign, size = np.sign(values), np.abs(values)
        packed["days"] = sign * (size // _MILLISECONDS_PER_DAY)
        packed["us"] = sign * (size % _MILLISECONDS_PER_DAY) * 1000
    return fixed_payloads(packed, packed.dtype, array)


def _bytea(_: TrinoType, array: pa.Array) -> pa.Array:
    return array.cast(_BINARY)


def _uuids(_: TrinoType, array: pa.Array) -> pa.Array:
    texts = array.to_pylist()
    return _each([None if t is None else bytes.fromhex(t.replace("-", "")) for t in texts])


def _addresses(_: TrinoType, array: pa.Array) -> pa.Array:
    return _each([None if text is None else _address(text) for text in array.to_pylist()])


def _address(text: str) -> bytes:
    address = ipaddress.ip_address(text)
    head = bytes((_INET_FAMILIES[address.version], address.max_prefixlen, 0, len(address.packed)))
    return head + address.packed


def _numerics(type_: TrinoType, array: pa.Array) -> pa.Array:
    if isinstance(type_, algebra.Decimal) and type_.precision <= _NARROW_DIGITS_MAX:
        return _narrow_numerics(type_, array)
    values = array.to_pylist()
    return _each([None if value is None else numeric_payload(value) for value in values])


def _narrow_numerics(type_: algebra.Decimal, array: pa.Array) -> pa.Array:
    """Numbers that fit into 64 bits, a group of digits of all rows at a time."""
    is_valid = np.asarray(array.is_valid())
    words = np.frombuffer(array.buffers()[1], np.int64) if len(array) else np.empty(0, np.int64)
    numbers = words[::2][array.offset : array.offset + len(array)] * is_valid
    fraction = -(-type_.scale // _DIGITS_PER_GROUP)
    whole = -(-(type_.precision - type_.scale) // _DIGITS_PER_GROUP)
    count = whole + fraction
    rest = np.abs(numbers) * 10 ** (fraction * _DIGITS_PER_GROUP - type_.scale)
    cells = np.zeros((len(array), 4 + count), dtype=">i2")
    head, groups = cells[:, :4], cells[:, 4:]
    for index in range(count - 1, -1, -1):
        rest, groups[:, index] = np.divmod(rest, 10**_DIGITS_PER_GROUP)
    is_zero = numbers == 0
    leading = np.where(is_zero, count, (groups != 0).argmax(axis=1))
    trailing = np.where(is_zero, 0, (groups[:, ::-1] != 0).argmax(axis=1))
    head[:, 0] = count - leading - trailing
    head[:, 1] = np.where(is_zero, 0, whole - 1 - leading)
    head[:, 2] = np.where(numbers < 0, _NEGATIVE, 0)
    head[:, 3] = type_.scale
    places = np.arange(count)
    is_shown = (places >= leading[:, None]) & (places < (count - trailing)[:, None])
    is_kept = np.hstack([np.ones((len(array), 4), dtype=bool), is_shown]) & is_valid[:, None]
    offsets = np.concatenate(([0], np.cumsum(is_kept.sum(axis=1) * 2))).astype(np.int64)
    return _assembled(offsets, cells[is_kept], is_valid if array.null_count else None)


def numeric_payload(value: Decimal) -> bytes:
    """A number as groups of four decimal digits."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "Trino's decimals are finite"
    scale = max(-exponent, 0)
    padding = -scale % _DIGITS_PER_GROUP
    number = int("".join(map(str, digits))) * 10 ** (padding + max(exponent, 0))
    groups = []
    while number:
        number, group = divmod(number, 10**_DIGITS_PER_GROUP)
        groups.append(group)
    weight = len(groups) - 1 - (scale + padding) // _DIGITS_PER_GROUP
    groups.reverse()
    while groups and groups[-1] == 0:
        groups.pop()
    head = struct.pack(
        ">hhHh", len(groups), weight if groups else 0, _NEGATIVE if sign and groups else 0, scale
    )
    return head + struct.pack(f">{len(groups)}h", *groups)


def _arrays(column: Column, array: pa.ListArray, zone: str) -> pa.Array:
    element = element_column(column)
    items = binary_payloads(element, array.flatten(), zone).to_pylist()
    payloads: list[bytes | None] = []
    start = 0
    for count in pc.list_value_length(array).to_pylist():
        if count is None:
            payloads.append(None)
            continue
        payloads.append(_array(element.pg.oid, items[start : start + count]))
        start += count
    return _each(payloads)


def _array(oid: int, items: list[bytes | None]) -> bytes:
    has_null = None in items
    if not items:
        return struct.pack(">iiI", 0, 0, oid)
    head = struct.pack(">iiIii", 1, int(has_null), oid, len(items), 1)
    cells = [b"\xff\xff\xff\xff" if i is None else struct.pack(">i", len(i)) + i for i in items]
    return head + b"".join(cells)


def _each(payloads: list[bytes | None]) -> pa.Array:
    return pa.array(payloads, _BINARY)


_FORMATS: Final[Mapping[int, Callable[[TrinoType, pa.Array], pa.Array]]] = {
    Oid.BOOL: _booleans,
    Oid.INT2: _fixed(pa.int16(), ">i2"),
    Oid.INT4: _fixed(pa.int32(), ">i4"),
    Oid.INT8: _fixed(pa.int64(), ">i8"),
    Oid.FLOAT4: _fixed(pa.float32(), ">f4"),
    Oid.FLOAT8: _fixed(pa.float64(), ">f8"),
    **dict.fromkeys(
        (Oid.OID, Oid.XID, Oid.REGPROC, Oid.REGCLASS, Oid.REGTYPE, Oid.REGNAMESPACE),
        _fixed(pa.int64(), ">u4"),
    ),
    Oid.DATE: _dates,
    Oid.TIME: _times,
    Oid.TIMETZ: _times_tz,
    Oid.TIMESTAMP: _timestamps,
    Oid.TIMESTAMPTZ: _instants,
    Oid.INTERVAL: _intervals,
    Oid.BYTEA: _bytea,
    Oid.UUID: _uuids,
    Oid.INET: _addresses,
    Oid.NUMERIC: _numerics,
}
