"""Hive's bucketing function, version 1: which bucket a row belongs to, as Trino's connector has it.

A column's hash is Java's of its value (a text's takes its bytes of UTF-8, signed, and begins with 1
where the type has a length, as Hive's varchar, unlike its string), NULL's is 0; a row's is 31 times
that of the columns before plus the next column's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final  # numpy arrays of several types

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc.write_plan import Buckets, WriteLayout

_MASK: Final = 0x7FFFFFFF


def in_buckets(
    layout: WriteLayout, buckets: Buckets, arrays: Sequence[pa.Array]
) -> Iterator[tuple[int, list[pa.Array]]]:
    """The rows of each bucket that has any."""
    positions = {column.name: i for i, column in enumerate(layout.data_columns)}
    keys = [positions[name] for name in buckets.columns]
    types = [layout.data_columns[i].type for i in keys]
    numbers = bucket_numbers(types, [arrays[i] for i in keys], buckets.count)
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    for bucket, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
        yield bucket, [array.take(pa.array(rows)) for array in arrays]


def bucket_numbers(types: Sequence[TrinoType], arrays: Sequence[pa.Array], count: int) -> Any:
    """Each row's bucket."""
    total = np.zeros(len(arrays[0]), np.uint32)
    for type_, array in zip(types, arrays, strict=True):
        total = total * np.uint32(31) + _hashes(type_, array)  # Java's int wraps as well
    return (total & np.uint32(_MASK)) % np.uint32(count)


def _hashes(type_: TrinoType, array: pa.Array) -> Any:
    make = _HASHES.get(type_)
    hashes = _of_texts(array, int(type_ != algebra.VARCHAR)) if make is None else make(array)
    hashes[pc.is_null(array).to_numpy(zero_copy_only=False)] = 0
    return hashes


def _integers(array: pa.Array) -> Any:
    values = array.cast(pa.int32()) if array.type != pa.date32() else array.view(pa.int32())
    return _filled(values).astype(np.int32).view(np.uint32)


def _filled(array: pa.Array) -> Any:
    return array.fill_null(0).to_numpy(zero_copy_only=False)


def _folded(bits: Any) -> Any:
    return (bits ^ (bits >> np.uint64(32))).astype(np.uint32)


def _bigints(array: pa.Array) -> Any:
    return _folded(_filled(array).astype(np.int64).view(np.uint64))


def _booleans(array: pa.Array) -> Any:
    return _filled(array.cast(pa.int8())).astype(np.uint32)


def _reals(array: pa.Array) -> Any:
    values = _filled(array).astype(np.float32)
    bits = values.view(np.uint32).copy()
    bits[np.isnan(values)] = 0x7FC00000
    return bits


def _doubles(array: pa.Array) -> Any:
    values = _filled(array).astype(np.float64)
    bits = values.view(np.uint64).copy()
    bits[np.isnan(values)] = 0x7FF8000000000000
    return _folded(bits)


def _of_texts(array: pa.Array, initial: int) -> Any:
    encoded = array.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    known = np.array([_text_hash(text, initial) for text in texts], np.uint32)
    indices = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    return known[indices] if len(known) else np.zeros(len(array), np.uint32)


def _text_hash(text: str, initial: int) -> int:
    found = initial
    for byte in text.encode():
        found = (31 * found + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    return found


_HASHES: Final[dict[TrinoType, Callable[[pa.Array], Any]]] = {
    algebra.BOOLEAN: _booleans,
    algebra.TINYINT: _integers,
    algebra.SMALLINT: _integers,
    algebra.INTEGER: _integers,
    algebra.BIGINT: _bigints,
    algebra.REAL: _reals,
    algebra.DOUBLE: _doubles,
    algebra.DATE: _integers,
}
