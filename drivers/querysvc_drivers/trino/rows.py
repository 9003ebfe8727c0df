"""Rows as the text of JSON lists, built column-wise by Arrow's kernels.

The text of a page is the buffer of one Arrow string array: no Python object is made for a value
of the common types. It took a quarter of the processor time of lists and orjson.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from querysvc.model import ResultColumn
from querysvc.results.json_values import json_converter
from querysvc.results.temporal import timestamp_text
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_drivers.trino.columns import LEGACY_PRECISION, legacy_type
from querysvc_drivers.trino.encoding import Rows

_TEXT: Final = pa.large_string()
_CONTROLS: Final = 0x20
"""Characters below it are escaped by number."""
_UNITS: Final = {0: "s", 3: "ms", 6: "us"}
_DAYS_MIN, _DAYS_MAX = -719_162, 2_932_896  # 0001-01-01, 9999-12-31
_MICROSECONDS_PER_DAY: Final = 86_400_000_000
_PLAIN_FLOATS_MAX: Final = 1e10
_PLAIN_SCALE_MAX: Final = 6
"""Arrow writes decimals of a larger scale with exponents when they are small."""


def rows_json(columns: tuple[ResultColumn, ...], batches: Sequence[pa.RecordBatch]) -> bytes:
    """`[[…],[…]]`: all batches' rows as one JSON list."""
    texts: list[bytes | memoryview] = []
    for batch in batches:
        if batch.num_rows:
            texts += (b",", *_batch_json(columns, batch))
    return b"".join((b"[", *texts[1:], b"]"))


def _batch_json(
    columns: tuple[ResultColumn, ...], batch: pa.RecordBatch
) -> tuple[bytes | memoryview, ...]:
    """`[…],[…]` in parts: the rows without the brackets around them."""
    if not columns:
        return (b",".join([b"[]"] * batch.num_rows),)
    # Between the values of two columns, and of two rows, stands one constant: quotes around values
    # that are all there join the commas and brackets.
    arrays, quotes = [], []
    for column, array in zip(columns, batch.columns, strict=True):
        texts = _json_texts(column.type, array)
        joins_quotes = texts.needs_quotes and not texts.array.null_count
        quotes.append('"' if joins_quotes else "")
        is_bare = texts.needs_quotes and not joins_quotes
        arrays.append(_quoted(texts.array) if is_bare else texts.array)
    parts: list[Any] = []
    for array, quote, following in zip(arrays, quotes, (*quotes[1:], None), strict=True):
        between = f"],[{quotes[0]}" if following is None else f",{following}"
        parts += (array, pa.scalar(quote + between, _TEXT))
    joined = pc.binary_join_element_wise(
        *parts, pa.scalar("", _TEXT), null_handling="replace", null_replacement="null"
    )
    opening = f"[{quotes[0]}".encode()
    # All texts lie one after the other already; the last comma and its bracket go.
    return opening, _bytes(joined)[: -len(opening) - 1].data


def local_rows(rows: tuple[tuple[Any, ...], ...]) -> Rows | None:
    """Rows that the wire itself answers, of JSON values; None for none."""
    if not rows:
        return None
    return Rows(orjson.dumps(rows), 0, len(rows))


def legacy_columns(columns: tuple[ResultColumn, ...]) -> tuple[ResultColumn, ...]:
    """The columns as they are for clients that know no precision of times."""
    return tuple(ResultColumn(column.name, legacy_type(column.type)) for column in columns)


def legacy_batch(columns: tuple[ResultColumn, ...], batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with times rounded to milliseconds, for clients that know no precision."""
    arrays = [
        _rounded(column.type, array) for column, array in zip(columns, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


class _Texts(NamedTuple):
    """Each value's JSON text, NULL for NULL; strings may still want their quotes."""

    array: pa.Array
    needs_quotes: bool = False


def _json_texts(type_: TrinoType, array: pa.Array) -> _Texts:
    convert = _SCALARS.get(type_) or _PARAMETRIC.get(type(type_), _by_values)
    return convert(type_, array)


def _by_values(type_: TrinoType, array: pa.Array) -> _Texts:
    values = json_converter(type_)(array)
    return _dumped(values)


def _dumped(values: list[Any]) -> _Texts:
    texts = (None if value is None else orjson.dumps(value).decode() for value in values)
    return _Texts(pa.array(texts, _TEXT))


def _plain(_: TrinoType, array: pa.Array) -> _Texts:
    return _Texts(array.cast(_TEXT))


def _floats(_: TrinoType, array: pa.Array) -> _Texts:
    texts = array.cast(_TEXT)
    if not pc.all(pc.is_finite(array), min_count=0).as_py():
        for value, text in (("nan", '"NaN"'), ("inf", '"Infinity"'), ("-inf", '"-Infinity"')):
            texts = pc.if_else(pc.equal(texts, value), pa.scalar(text, _TEXT), texts)
    # Arrow writes 1 for 1.0; clients that look at the JSON type alone would take an integer.
    # From ten thousand million on it writes exponents, which are as they should be.
    is_plain = pc.less(pc.abs(array), _PLAIN_FLOATS_MAX)
    is_whole = pc.and_(pc.equal(pc.floor(array), array), is_plain)
    if not pc.any(is_whole, min_count=0).as_py():
        return _Texts(texts)
    whole = _join(texts.filter(is_whole), ".0")
    return _Texts(pc.replace_with_mask(texts, is_whole, whole))


def _strings(_: TrinoType, array: pa.Array) -> _Texts:
    texts = array.cast(_TEXT)
    data = _bytes(texts)
    if data.size and data.min() < _CONTROLS:
        return _dumped(texts.to_pylist())
    if (data == ord("\\")).any():
        texts = pc.replace_substring(texts, "\\", "\\\\")
    if (data == ord('"')).any():
        texts = pc.replace_substring(texts, '"', '\\"')
    return _Texts(texts, needs_quotes=True)


def _decimals(type_: TrinoType, array: pa.Array) -> _Texts:
    assert isinstance(type_, algebra.Decimal), "the table's key"
    if type_.scale > _PLAIN_SCALE_MAX:
        return _by_values(type_, array)
    return _Texts(array.cast(_TEXT), needs_quotes=True)


def _dates(type_: TrinoType, array: pa.Array) -> _Texts:
    if not _is_within(array.cast(pa.int32()), _DAYS_MIN, _DAYS_MAX):
        return _by_values(type_, array)
    return _Texts(array.cast(_TEXT), needs_quotes=True)


def _timestamps(type_: TrinoType, array: pa.Array) -> _Texts:
    assert isinstance(type_, algebra.Timestamp), "the table's key"
    if pa.types.is_string(array.type):  # finer than microseconds
        return _strings(type_, array)
    low, high = _DAYS_MIN * _MICROSECONDS_PER_DAY, (_DAYS_MAX + 1) * _MICROSECONDS_PER_DAY - 1
    if not _is_within(array.cast(pa.int64()), low, high):
        return _by_values(type_, array)
    digits = type_.precision
    unit = _UNITS.get(digits)
    if unit is not None:  # values are rounded to their precision: the cast loses nothing
        return _Texts(array.cast(pa.timestamp(unit), safe=False).cast(_TEXT), needs_quotes=True)
    texts = pc.utf8_slice_codeunits(array.cast(_TEXT), 0, 20 + digits)
    return _Texts(texts, needs_quotes=True)


def _times(type_: TrinoType, array: pa.Array) -> _Texts:
    assert isinstance(type_, algebra.Time), "the table's key"
    digits = type_.precision
    texts = pc.utf8_slice_codeunits(array.cast(_TEXT), 0, 9 + digits if digits else 8)
    return _Texts(texts, needs_quotes=True)


def _bytes(texts: pa.LargeStringArray) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The texts' bytes, one after the other."""
    if not len(texts):
        return np.empty(0, np.uint8)
    offsets, data = texts.buffers()[1:]
    if data is None:
        return np.empty(0, np.uint8)
    ends = np.frombuffer(offsets, np.int64)
    first, last = ends[texts.offset], ends[texts.offset + len(texts)]
    return np.frombuffer(data, np.uint8)[first:last]


def _nothing(_: TrinoType, array: pa.Array) -> _Texts:
    return _Texts(pa.nulls(len(array), _TEXT))


def _quoted(texts: pa.Array) -> pa.Array:
    quote = pa.scalar('"', _TEXT)
    return pc.binary_join_element_wise(quote, texts.cast(_TEXT), quote, pa.scalar("", _TEXT))


def _join(texts: pa.Array, tail: str) -> pa.Array:
    return pc.binary_join_element_wise(texts, pa.scalar(tail, _TEXT), pa.scalar("", _TEXT))


def _is_within(numbers: pa.Array, low: int, high: int) -> bool:
    bounds = pc.min_max(numbers)
    least, greatest = bounds["min"].as_py(), bounds["max"].as_py()
    return least is None or (least >= low and greatest <= high)


_Convert = Callable[[TrinoType, pa.Array], _Texts]
_SCALARS: Final[dict[TrinoType, _Convert]] = {
    **dict.fromkeys((algebra.BOOLEAN, *algebra.INTEGER_TYPES), _plain),
    **dict.fromkeys((algebra.REAL, algebra.DOUBLE), _floats),
    **dict.fromkeys((algebra.JSON, algebra.UUID, algebra.IPADDRESS), _strings),
    algebra.DATE: _dates,
    algebra.UNKNOWN: _nothing,
}
_PARAMETRIC: Final[dict[type, _Convert]] = {
    algebra.Varchar: _strings,
    algebra.Char: _strings,
    algebra.Decimal: _decimals,
    algebra.Time: _times,
    algebra.Timestamp: _timestamps,
}


def _rounded(type_: TrinoType, array: pa.Array) -> pa.Array:
    """The values with fractions of seconds rounded half up to milliseconds."""
    if legacy_type(type_) == type_:
        return array
    if pa.types.is_string(array.type):  # finer than microseconds
        return pa.array([text and _rounded_text(text) for text in array.to_pylist()], pa.string())
    match type_:
        case algebra.Time(precision) if precision > LEGACY_PRECISION:
            return _rounded_times(array)
        case algebra.Timestamp(precision) if precision > LEGACY_PRECISION:
            return _rounded_timestamps(array)
        case algebra.TimestampTz(precision) if precision > LEGACY_PRECISION:
            instants, zones = array.flatten()
            return _struct(array, [_rounded_timestamps(instants), zones])
        case algebra.TimeTz(precision) if precision > LEGACY_PRECISION:
            times, offsets = array.flatten()
            return _struct(array, [_rounded_times(times), offsets])
        case algebra.Array(element):
            values = _rounded(element, array.values)
            return pa.ListArray.from_arrays(array.offsets, values, mask=array.is_null())
        case algebra.Map(key, value):
            keys, items = _rounded(key, array.keys), _rounded(value, array.items)
            return pa.MapArray.from_arrays(array.offsets, keys, items, mask=array.is_null())
        case algebra.Row(fields):
            pairs = zip(fields, array.flatten(), strict=True)
            return _struct(array, [_rounded(field.type, child) for field, child in pairs])
    return array


def _struct(array: pa.StructArray, children: list[pa.Array]) -> pa.StructArray:
    names = [field.name for field in array.type]
    return pa.StructArray.from_arrays(children, names=names, mask=array.is_null())


def _rounded_text(text: str) -> str:
    """A timestamp's text to the millisecond."""
    day, clock, *zone = text.split(" ", 2)
    second, _, fraction = clock.partition(".")
    whole = np.datetime64(f"{day}T{second}", "us").astype(int)
    milliseconds = (int(fraction[:6]) + 500) // 1000
    return " ".join([timestamp_text(int(whole) + milliseconds * 1000, LEGACY_PRECISION), *zone])


def _rounded_timestamps(array: pa.Array) -> pa.Array:
    microseconds = pc.add(array.cast(pa.int64()), 500)
    towards_zero = pc.divide(microseconds, 1000)
    is_above = pc.greater(pc.multiply(towards_zero, 1000), microseconds)
    milliseconds = pc.subtract(towards_zero, is_above.cast(pa.int64()))
    return pc.multiply(milliseconds, 1000).cast(array.type)


def _rounded_times(array: pa.Array) -> pa.Array:
    milliseconds = pc.divide(pc.add(array.cast(pa.int64()), 500), 1000)
    day = _MICROSECONDS_PER_DAY // 1000
    # The last half millisecond of a day is midnight, as in Trino.
    wrapped = pc.if_else(pc.equal(milliseconds, day), pa.scalar(0, pa.int64()), milliseconds)
    return pc.multiply(wrapped, 1000).cast(array.type)
