"""Hive types from values and from Arrow, and the type that holds the values of two."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import pyarrow as pa
import pyarrow.types as arrow

from querysvc.inference.model import UnreadableError
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.types import (
    ArrayType,
    DecimalType,
    HiveType,
    MapType,
    StructField,
    StructType,
    format_type,
    parse_type,
)

_INT: Final = range(-(2**31), 2**31)
_BIGINT: Final = range(-(2**63), 2**63)
_NULLS: Final = frozenset({"", "\\N"})
# A number with a leading zero is a code, such as a postal one: it stays text.
_INTEGER: Final = re.compile(r"-?(0|[1-9]\d{0,18})")
_DOUBLE: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?")
_DATE: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_TIMESTAMP: Final = re.compile(_DATE.pattern + r" ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?")
_WIDER: Final = ("tinyint", "smallint", "int", "bigint", "float", "double")


def of_text(value: str) -> str | None:
    """The type of a cell of a text file; None for NULL."""
    if value in _NULLS:
        return None
    if _INTEGER.fullmatch(value):
        number = int(value)
        return "int" if number in _INT else "bigint" if number in _BIGINT else "string"
    if _DOUBLE.fullmatch(value):
        return "double"
    if value.lower() in ("true", "false"):
        return "boolean"
    if _DATE.fullmatch(value):
        return "date"
    return "timestamp" if _TIMESTAMP.fullmatch(value) else "string"


def of_json(value: Any) -> str | None:
    """The type of a JSON value; None for null and for what holds nothing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if value in _INT else "bigint" if value in _BIGINT else "double"
    if isinstance(value, float):
        return "double"
    if isinstance(value, list):
        element = merged(map(of_json, value))
        return None if element is None else f"array<{element}>"
    if isinstance(value, dict):
        fields = [(name, of_json(item)) for name, item in value.items()]
        known = [f"{_quoted(name)}:{kind}" for name, kind in fields if kind is not None]
        return f"struct<{','.join(known)}>" if known else None
    return "string"


def merged(kinds: Iterable[str | None]) -> str | None:
    """The type that holds values of all these types; None when all are unknown."""
    result: str | None = None
    for kind in kinds:
        if kind is not None and kind != result:
            result = kind if result is None else common(result, kind)
    return result


def common(first: str, second: str) -> str:
    """The type that holds values of both; `string` when nothing else does."""
    if first == second:
        return first
    try:
        return format_type(_common(parse_type(first), parse_type(second)))
    except CatalogError:  # nested beyond what Hive's types may be
        return "string"


def _common(first: HiveType, second: HiveType) -> HiveType:
    match first, second:
        case ArrayType(), ArrayType():
            return ArrayType(_common(first.element, second.element))
        case MapType(), MapType():
            return MapType(_common(first.key, second.key), _common(first.value, second.value))
        case StructType(), StructType():
            names = dict.fromkeys(field.name for field in (*first.fields, *second.fields))
            left = {field.name: field.type for field in first.fields}
            right = {field.name: field.type for field in second.fields}
            return StructType(
                tuple(StructField(name, _either(left.get(name), right.get(name))) for name in names)
            )
        case DecimalType(), DecimalType():
            scale = max(first.scale, second.scale)
            whole = max(first.precision - first.scale, second.precision - second.scale)
            return DecimalType(min(38, whole + scale), scale)
    return parse_type(_simple(format_type(first), format_type(second)))


def _simple(first: str, second: str) -> str:
    if first == second:
        return first
    if first in _WIDER and second in _WIDER:
        return max(first, second, key=_WIDER.index)
    return "timestamp" if {first, second} == {"date", "timestamp"} else "string"


def _either(first: HiveType | None, second: HiveType | None) -> HiveType:
    if first is None or second is None:
        found = first or second
        assert found is not None, "a field has a type on one side"
        return found
    return first if first == second else _common(first, second)


_SIMPLE: Final[tuple[tuple[Callable[[pa.DataType], bool], str], ...]] = (
    (arrow.is_boolean, "boolean"),
    (arrow.is_int8, "tinyint"),
    (arrow.is_int16, "smallint"),
    (arrow.is_uint8, "smallint"),
    (arrow.is_int32, "int"),
    (arrow.is_uint16, "int"),
    (arrow.is_int64, "bigint"),
    (arrow.is_uint32, "bigint"),
    (arrow.is_float32, "float"),
    (arrow.is_float64, "double"),
    (arrow.is_date, "date"),
    (arrow.is_timestamp, "timestamp"),
    (arrow.is_string, "string"),
    (arrow.is_large_string, "string"),
    (arrow.is_binary, "binary"),
    (arrow.is_large_binary, "binary"),
    (arrow.is_null, "string"),
)


def of_arrow(kind: pa.DataType) -> str:
    """The type of a column of Parquet or ORC; UnreadableError when Hive has none for it."""
    if arrow.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if arrow.is_dictionary(kind):
        return of_arrow(kind.value_type)
    if arrow.is_list(kind) or arrow.is_large_list(kind):
        return f"array<{of_arrow(kind.value_type)}>"
    if arrow.is_map(kind):
        return f"map<{of_arrow(kind.key_type)},{of_arrow(kind.item_type)}>"
    if arrow.is_struct(kind):
        fields = (kind.field(index) for index in range(kind.num_fields))
        return f"struct<{','.join(f'{_quoted(one.name)}:{of_arrow(one.type)}' for one in fields)}>"
    for is_kind, name in _SIMPLE:
        if is_kind(kind):
            return name
    raise UnreadableError(f"Hive has no type for {kind}")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
