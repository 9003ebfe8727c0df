"""Values in PostgreSQL's text format, a column at a time.

Common types are Arrow's kernels' work; the rest is made value by value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from querysvc.results import temporal
from querysvc.results.json_values import json_converter
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_drivers.pgwire.types import ELEMENTS, Column, Oid, PgType

_TEXT: Final = pa.large_string()
_PLAIN_SCALE_MAX: Final = 6
"""Arrow writes decimals of a larger scale with exponents when they are small."""
_QUOTED_IN_ARRAY: Final = re.compile(r'[\s{}",\\]')
_FAR_YEAR: Final = re.compile(r"^([+-]?)(\d{4,})(-.*)$")
_UTC_ZONES: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Z"})

Texts = list[str | None]


def text_payloads(column: Column, array: pa.Array, zone: str) -> pa.LargeBinaryArray:
    """Each value's text as bytes, NULL for NULL; instants are shown in the zone."""
    oid = column.pg.oid
    if oid == Oid.TIMESTAMPTZ:
        texts = _large(instant_texts(column.type, array, zone))
    elif oid in ELEMENTS:
        texts = _large(_array_texts(column, array, zone))
    else:
        texts = _FORMATS.get(oid, _plain)(column.type, array)
    return texts.cast(pa.large_binary())


def _plain(_: TrinoType, array: pa.Array) -> pa.Array:
    return array.cast(_TEXT)


def _booleans(_: TrinoType, array: pa.Array) -> pa.Array:
    return pc.if_else(array, pa.scalar("t", _TEXT), pa.scalar("f", _TEXT))


def _floats(_: TrinoType, array: pa.Array) -> pa.Array:
    texts = array.cast(_TEXT)
    if pc.all(pc.is_finite(array), min_count=0).as_py():
        return texts
    for value, text in (("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity")):
        texts = pc.if_else(pc.equal(texts, value), pa.scalar(text, _TEXT), texts)
    return texts


def _numerics(type_: TrinoType, array: pa.Array) -> pa.Array:
    if isinstance(type_, algebra.Decimal) and type_.scale <= _PLAIN_SCALE_MAX:
        return array.cast(_TEXT)
    values = array.to_pylist()
    return _large([None if value is None else format(value, "f") for value in values])


def _bytea(_: TrinoType, array: pa.Array) -> pa.Array:
    return _large([None if value is None else rf"\x{value.hex()}" for value in array.to_pylist()])


def _dates(_: TrinoType, array: pa.Array) -> pa.Array:
    return _large(_eras(temporal.date_texts(array)))


def _times(type_: TrinoType, array: pa.Array) -> pa.Array:
    assert isinstance(type_, algebra.Time), "the type of this OID"
    return _large(temporal.time_texts(array, type_.precision))


def _times_tz(type_: TrinoType, array: pa.Array) -> pa.Array:
    assert isinstance(type_, algebra.TimeTz), "the type of this OID"
    return _large(temporal.time_tz_texts(array, type_.precision))


def _timestamps(type_: TrinoType, array: pa.Array) -> pa.Array:
    assert isinstance(type_, algebra.Timestamp), "the type of this OID"
    return _large(_eras(temporal.timestamp_texts(array, type_.precision)))


def instant_texts(type_: TrinoType, array: pa.StructArray, zone: str) -> Texts:
    """Instants as local times of the zone, with its offset: 2020-02-29 12:34:56.789+01."""
    assert isinstance(type_, algebra.TimestampTz), "the type of this OID"
    instants = pc.if_else(array.is_valid(), array.flatten()[0], None)
    if zone in _UTC_ZONES:
        local, ends = instants, ["+00"] * len(array)
    else:
        values = instants.cast(pa.int64()).to_pylist()
        offsets = [
            0 if value is None else temporal.offset_microseconds(zone, value) for value in values
        ]
        local = pc.add(instants, pa.array(offsets, pa.duration("us")))
        ends = [_offset_text(offset) for offset in offsets]
    texts = temporal.timestamp_texts(local, type_.precision)
    return _eras(
        [None if text is None else text + end for text, end in zip(texts, ends, strict=True)]
    )


def _offset_text(microseconds: int) -> str:
    seconds = abs(microseconds) // 1_000_000
    sign = "-" if microseconds < 0 else "+"
    parts = [f"{seconds // 3600:02}", f"{seconds // 60 % 60:02}", f"{seconds % 60:02}"]
    while len(parts) > 1 and parts[-1] == "00":
        parts.pop()
    return sign + ":".join(parts)


def _eras(texts: Texts) -> Texts:
    """Years before 1 and after 9999 as PostgreSQL writes them: 0002-03-04 BC, 10000-01-01."""
    return [
        text if text is None or (text[4:5] == "-" and text[:4] != "0000") else _era(text)
        for text in texts
    ]


def _era(text: str) -> str:
    match = _FAR_YEAR.match(text)
    assert match is not None, "temporal's form"
    sign, digits, rest = match.groups()
    year = -int(digits) if sign == "-" else int(digits)
    return f"{year:04}{rest}" if year > 0 else f"{1 - year:04}{rest} BC"


def _intervals(type_: TrinoType, array: pa.Array) -> pa.Array:
    text = _months if type_ == algebra.INTERVAL_YEAR_TO_MONTH else _milliseconds
    return _large([None if value is None else text(value) for value in array.to_pylist()])


def _months(value: int) -> str:
    years, months = divmod(abs(value), 12)
    sign = "-" if value < 0 else ""
    parts = [f"{sign}{count} {unit}" for count, unit in ((years, "years"), (months, "mons"))]
    return " ".join(part for part in parts if not part.lstrip("-").startswith("0")) or "00:00:00"


def _milliseconds(value: int) -> str:
    sign = "-" if value < 0 else ""
    seconds, fraction = divmod(abs(value), 1000)
    days, seconds = divmod(seconds, 86_400)
    clock = f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    clock += f".{fraction:03}" if fraction else ""
    if not days:
        return clock
    return f"{sign}{days} days" + (f" {clock}" if seconds or fraction else "")


def _json(type_: TrinoType, array: pa.Array) -> pa.Array:
    if type_ == algebra.JSON:
        return array.cast(_TEXT)
    values = json_converter(type_)(array)
    return _large(
        [
            None if value is None else orjson.dumps(_json_value(type_, value)).decode()
            for value in values
        ]
    )


def _json_value(type_: TrinoType, value: Any) -> Any:  # any JSON value, as the type nests
    """A value with its rows as objects, where all their fields have names of their own."""
    if value is None:
        return None
    match type_:
        case algebra.Array(element):
            return [_json_value(element, item) for item in value]
        case algebra.Map(_, item_type):
            return {key: _json_value(item_type, item) for key, item in value.items()}
        case algebra.Row(fields):
            items = [_json_value(f.type, item) for f, item in zip(fields, value, strict=True)]
            names = [field.name for field in fields]
            is_object = None not in names and len(set(names)) == len(names)
            return dict(zip(names, items, strict=True)) if is_object else items
    return value


def _array_texts(column: Column, array: pa.ListArray, zone: str) -> Texts:
    elements = text_payloads(element_column(column), array.flatten(), zone).to_pylist()
    texts: Texts = []
    start = 0
    for count in pc.list_value_length(array).to_pylist():
        if count is None:
            texts.append(None)
            continue
        items = elements[start : start + count]
        start += count
        texts.append("{" + ",".join(map(_array_item, items)) + "}")
    return texts


def element_column(column: Column) -> Column:
    """An array column's elements as a column."""
    assert isinstance(column.type, algebra.Array), "an array's OID"
    oid = ELEMENTS[column.pg.oid]
    return Column(column.name, PgType(oid, modifier=column.pg.modifier), column.type.element)


def _array_item(item: bytes | None) -> str:
    if item is None:
        return "NULL"
    text = item.decode()
    if text and text.upper() != "NULL" and not _QUOTED_IN_ARRAY.search(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _nothing(_: TrinoType, array: pa.Array) -> pa.Array:
    return pa.nulls(len(array), _TEXT)


def _texts(type_: TrinoType, array: pa.Array) -> pa.Array:
    return _nothing(type_, array) if type_ == algebra.UNKNOWN else array.cast(_TEXT)


def _large(texts: Texts) -> pa.Array:
    return pa.array(texts, _TEXT)


_FORMATS: Final[Mapping[int, Callable[[TrinoType, pa.Array], pa.Array]]] = {
    Oid.BOOL: _booleans,
    Oid.FLOAT4: _floats,
    Oid.FLOAT8: _floats,
    Oid.NUMERIC: _numerics,
    Oid.TEXT: _texts,
    Oid.BYTEA: _bytea,
    Oid.DATE: _dates,
    Oid.TIME: _times,
    Oid.TIMETZ: _times_tz,
    Oid.TIMESTAMP: _timestamps,
    Oid.INTERVAL: _intervals,
    Oid.JSON: _json,
}
