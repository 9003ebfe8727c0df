"""Result columns in the protocol's form: name, type text, and type signature."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeAlias

from querysvc.model import ResultColumn
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

Json: TypeAlias = dict[str, Any]
"""What orjson writes; the protocol's documents have no fixed shape."""

_UNBOUNDED_LENGTH: Final = 2_147_483_647
LEGACY_PRECISION: Final = 3
"""What times and timestamps are rounded to for clients without PARAMETRIC_DATETIME."""

_DATETIMES: Final = (algebra.Time, algebra.TimeTz, algebra.Timestamp, algebra.TimestampTz)


@lru_cache(maxsize=4096)
def column_document(column: ResultColumn, *, parametric_datetime: bool) -> Json:
    """A column as clients parse it."""
    return {
        "name": column.name,
        "type": _type_text(column.type, parametric_datetime=parametric_datetime),
        "typeSignature": type_signature(column.type, parametric_datetime=parametric_datetime),
    }


def column_documents(columns: tuple[ResultColumn, ...], *, parametric_datetime: bool) -> list[Json]:
    """All columns of a result."""
    return [column_document(column, parametric_datetime=parametric_datetime) for column in columns]


def type_signature(type_: TrinoType, *, parametric_datetime: bool = True) -> Json:
    """A type's `typeSignature`: raw type and arguments of kinds LONG, TYPE and NAMED_TYPE."""
    return {
        "rawType": type_.base_name,
        "arguments": _arguments(type_, parametric_datetime),
    }


def legacy_type(type_: TrinoType) -> TrinoType:
    """The type with the precision that clients without PARAMETRIC_DATETIME are sent."""
    match type_:
        case algebra.Array(element):
            return algebra.Array(legacy_type(element))
        case algebra.Map(key, value):
            return algebra.Map(legacy_type(key), legacy_type(value))
        case algebra.Row(fields):
            return algebra.Row(
                tuple(algebra.RowField(field.name, legacy_type(field.type)) for field in fields)
            )
        case algebra.Time() | algebra.TimeTz() | algebra.Timestamp() | algebra.TimestampTz():
            return type(type_)(LEGACY_PRECISION)
    return type_


def _type_text(type_: TrinoType, *, parametric_datetime: bool) -> str:
    if parametric_datetime:
        return type_.wire_name
    match type_:
        case algebra.Array(element):
            return f"array({_type_text(element, parametric_datetime=False)})"
        case algebra.Map(key, value):
            inner = (_type_text(child, parametric_datetime=False) for child in (key, value))
            return f"map({', '.join(inner)})"
        case algebra.Row(fields):
            return f"row({', '.join(_field_text(field) for field in fields)})"
    return type_.base_name if isinstance(type_, _DATETIMES) else type_.wire_name


def _field_text(field: algebra.RowField) -> str:
    text = _type_text(field.type, parametric_datetime=False)
    if field.name is None:
        return text
    # The name is quoted as the full text quotes it.
    whole = algebra.Row((algebra.RowField(field.name, algebra.DATE),)).wire_name
    return f"{whole.removeprefix('row(').removesuffix(' date)')} {text}"


def _long(value: int) -> Json:
    return {"kind": "LONG", "value": value}


def _arguments(type_: TrinoType, parametric: bool) -> list[Json]:
    match type_:
        case algebra.Varchar(length):
            return [_long(_UNBOUNDED_LENGTH if length is None else length)]
        case algebra.Char(length):
            return [_long(length)]
        case algebra.Decimal(precision, scale):
            return [_long(precision), _long(scale)]
        case (
            algebra.Time(precision)
            | algebra.TimeTz(precision)
            | algebra.Timestamp(precision)
            | algebra.TimestampTz(precision)
        ):
            return [_long(precision)] if parametric else []
        case algebra.Row(fields):
            return [_named(field, parametric) for field in fields]
    return [
        {"kind": "TYPE", "value": type_signature(child, parametric_datetime=parametric)}
        for child in type_.children
    ]


def _named(field: algebra.RowField, parametric: bool) -> Json:
    value: Json = {} if field.name is None else {"fieldName": {"name": field.name}}
    value["typeSignature"] = type_signature(field.type, parametric_datetime=parametric)
    return {"kind": "NAMED_TYPE", "value": value}
