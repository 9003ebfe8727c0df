"""Trino's 64-bit hashes of values (xxHash64 of their native form), over pyarrow arrays."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from querysvc.engines.duckdb.functions.registry import BatchFunction
from querysvc.engines.duckdb.lowering.types import contains, not_supported
from querysvc.types.algebra import (
    BOOLEAN,
    DATE,
    DOUBLE,
    JSON,
    REAL,
    UUID,
    VARBINARY,
    Array,
    Char,
    Decimal,
    Map,
    Row,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)

_PRIME_1: Final = np.uint64(0x9E3779B185EBCA87)
_PRIME_2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_PRIME_3: Final = np.uint64(0x165667B19E3779F9)
_PRIME_4: Final = np.uint64(0x85EBCA77C2B2AE63)
_PRIME_5: Final = np.uint64(0x27D4EB2F165667C5)

_SHORT_DECIMAL: Final = 18
_SHORT_TIMESTAMP: Final = 3
_WIDE: Final = Context(prec=80)
_LOW_64: Final = (1 << 64) - 1
_DOUBLE_NAN: Final = 0x7FF8000000000000
_REAL_NAN: Final = 0x7FC00000

Hashes = Any  # numpy uint64 arrays; numpy's own types say less than this name


def value_hashes(type_: TrinoType) -> BatchFunction:
    """The batch function from values of the type to their hashes as bigints; NULL stays NULL."""
    if contains(type_, Row):
        raise not_supported(f"the hash of {type_}")

    def hashes(values: Any) -> pa.Array:
        numbers = _hashes(values, type_).view(np.int64)
        return pa.array(numbers, mask=np.asarray(values.is_null()))

    return hashes


def hash_longs(values: Hashes) -> Hashes:
    """xxHash64 of 64-bit numbers."""
    with np.errstate(over="ignore"):
        state = _rotated(values * _PRIME_2, 31) * _PRIME_1
        state = state ^ (_PRIME_5 + np.uint64(8))
        state = _rotated(state, 27) * _PRIME_1 + _PRIME_4
        state = (state ^ (state >> np.uint64(33))) * _PRIME_2
        state = (state ^ (state >> np.uint64(29))) * _PRIME_3
        return state ^ (state >> np.uint64(32))


def _rotated(values: Hashes, bits: int) -> Hashes:
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))


def _hashes(values: Any, type_: TrinoType) -> Hashes:
    """Hashes of the values; whatever stands for NULL is the caller's to mask."""
    maker = _BY_TYPE.get(type_) or _BY_KIND.get(type(type_))
    if maker is not None:
        return maker(values, type_)
    if isinstance(type_, Array):
        return _array_hashes(values, type_)
    if isinstance(type_, Map):
        return _map_hashes(values, type_)
    return _long_hashes(values, type_)


def _longs(values: Any) -> Hashes:
    filled = pc.fill_null(values.cast(pa.int64()), 0)
    return filled.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)


def _long_hashes(values: Any, _type: TrinoType) -> Hashes:
    return hash_longs(_longs(values))


def _boolean_hashes(values: Any, type_: TrinoType) -> Hashes:
    return _long_hashes(values.cast(pa.int8()), type_)


def _double_hashes(values: Any, _type: TrinoType) -> Hashes:
    numbers = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False) + 0.0
    bits = numbers.astype(np.float64).view(np.int64).copy()
    bits[np.isnan(numbers)] = _DOUBLE_NAN
    return hash_longs(bits.view(np.uint64))


def _real_hashes(values: Any, _type: TrinoType) -> Hashes:
    numbers = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False).astype(np.float32)
    numbers = numbers + np.float32(0)
    bits = numbers.view(np.int32).astype(np.int64)
    bits[np.isnan(numbers)] = _REAL_NAN
    return hash_longs(bits.view(np.uint64))


def _decimal_hashes(values: Any, type_: TrinoType) -> Hashes:
    assert isinstance(type_, Decimal)
    scale = type_.scale
    digits = [0 if v is None else int(v.scaleb(scale, _WIDE)) for v in values.to_pylist()]
    if type_.precision <= _SHORT_DECIMAL:
        return hash_longs(np.array(digits, dtype=np.int64).view(np.uint64))
    return _pair_hashes([digit & ((1 << 128) - 1) for digit in digits])


def _pair_hashes(numbers: list[int]) -> Hashes:
    """Hashes of 128-bit numbers: of both halves, xored."""
    high = np.array([number >> 64 for number in numbers], dtype=np.uint64)
    low = np.array([number & _LOW_64 for number in numbers], dtype=np.uint64)
    return hash_longs(high) ^ hash_longs(low)


def _text_hashes(values: Any, _type: TrinoType) -> Hashes:
    import xxhash

    digest = xxhash.xxh64_intdigest
    encoded = values.cast(pa.binary())
    return np.array([0 if v is None else digest(v) for v in encoded.to_pylist()], dtype=np.uint64)


def _uuid_hashes(values: Any, _type: TrinoType) -> Hashes:
    texts = values.cast(pa.string()).to_pylist()
    items = (bytes.fromhex((text or "0" * 32).replace("-", "")) for text in texts)
    swapped = (item[:8][::-1] + item[8:][::-1] for item in items)
    return _pair_hashes([int.from_bytes(item, "big") for item in swapped])


def _time_hashes(values: Any, _type: TrinoType) -> Hashes:
    """Picoseconds of the day."""
    return hash_longs(_longs(values) * np.uint64(1_000_000))


def _timestamp_hashes(values: Any, _type: TrinoType) -> Hashes:
    return hash_longs(_longs(values))


def _timestamp_tz_hashes(values: Any, type_: TrinoType) -> Hashes:
    assert isinstance(type_, TimestampTz)
    micros = _longs(values.field("t")).view(np.int64)
    hashes = hash_longs(np.floor_divide(micros, 1000).view(np.uint64))
    if type_.precision <= _SHORT_TIMESTAMP:
        return hashes
    picos = (np.mod(micros, 1000) * 1_000_000).view(np.uint64)
    return hashes ^ hash_longs(picos)


def _time_tz_hashes(values: Any, _type: TrinoType) -> Hashes:
    """Nanoseconds of the day in UTC."""
    local = _longs(values.field("t")).view(np.int64) * 1000
    offset = _longs(values.field("o")).view(np.int64) * 60_000_000_000
    return hash_longs(np.mod(local - offset, 86_400_000_000_000).view(np.uint64))


def _element_hashes(values: Any, type_: TrinoType) -> list[int]:
    """Hashes of elements, 0 for NULL."""
    hashes = _hashes(values, type_)
    hashes = np.where(np.asarray(values.is_null()), np.uint64(0), hashes)
    return [int(one) for one in hashes]


def _array_hashes(values: Any, type_: Array) -> Hashes:
    elements = iter(_element_hashes(values.flatten(), type_.element))
    results = []
    for length in values.value_lengths().to_pylist():
        result = 0
        for _ in range(length or 0):
            result = (31 * result + next(elements)) & _LOW_64
        results.append(result)
    return np.array(results, dtype=np.uint64)


def _map_hashes(values: Any, type_: Map) -> Hashes:
    entries = values.cast(
        pa.list_(pa.struct([("k", values.type.key_type), ("v", values.type.item_type)]))
    )
    flat = entries.flatten()
    keys = _element_hashes(flat.field("k"), type_.key)
    items = _element_hashes(flat.field("v"), type_.value)
    pairs = iter([key ^ item for key, item in zip(keys, items, strict=True)])
    sums = [
        sum(next(pairs) for _ in range(length or 0)) & _LOW_64
        for length in entries.value_lengths().to_pylist()
    ]
    return np.array(sums, dtype=np.uint64)


_Maker = Callable[[Any, TrinoType], Hashes]

_BY_TYPE: Final[dict[TrinoType, _Maker]] = {
    BOOLEAN: _boolean_hashes,
    DATE: lambda values, type_: _long_hashes(values.cast(pa.int32()), type_),
    DOUBLE: _double_hashes,
    JSON: _text_hashes,
    REAL: _real_hashes,
    UUID: _uuid_hashes,
    VARBINARY: _text_hashes,
}
_BY_KIND: Final[dict[type[TrinoType], _Maker]] = {
    Char: _text_hashes,
    Decimal: _decimal_hashes,
    Time: _time_hashes,
    TimeTz: _time_tz_hashes,
    Timestamp: _timestamp_hashes,
    TimestampTz: _timestamp_tz_hashes,
    Varchar: _text_hashes,
}
