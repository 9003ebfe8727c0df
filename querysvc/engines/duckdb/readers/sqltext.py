"""SQL text of names, constants and types, in storage forms (docs/architecture.md)."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal as PythonDecimal
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.tree import LiteralValue
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

PICOSECONDS_PER_MICROSECOND: Final = 1_000_000

_SCALARS: Final = {
    algebra.BOOLEAN: "BOOLEAN",
    algebra.TINYINT: "TINYINT",
    algebra.SMALLINT: "SMALLINT",
    algebra.INTEGER: "INTEGER",
    algebra.BIGINT: "BIGINT",
    algebra.REAL: "FLOAT",
    algebra.DOUBLE: "DOUBLE",
    algebra.VARBINARY: "BLOB",
    algebra.DATE: "DATE",
    algebra.JSON: "VARCHAR",
    algebra.UUID: "UUID",
    algebra.UNKNOWN: "INTEGER",
    algebra.INTERVAL_DAY_TO_SECOND: "BIGINT",
    algebra.INTERVAL_YEAR_TO_MONTH: "INTEGER",
}


def quote_name(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A string literal; NUL has no place in DuckDB's input, so it is spelled by chr()."""
    if "\x00" in text:
        return "(" + " || chr(0) || ".join(quote_text(part) for part in text.split("\x00")) + ")"
    return "'" + text.replace("'", "''") + "'"


def type_text(type_: TrinoType) -> str:
    """The DuckDB type that holds values of a Trino type."""
    if type_ in _SCALARS:
        return _SCALARS[type_]
    make = _PARAMETRIC.get(type(type_))
    if make is None or _is_too_fine(type_):
        raise QueryServiceError(ErrorCode.NOT_SUPPORTED, f"type {type_} is not supported yet")
    return make(type_)


def literal_text(value: LiteralValue, type_: TrinoType) -> str:
    """A constant of a Trino type (literal forms as in `querysvc.tree`) in storage form."""
    if value is None:
        return f"CAST(NULL AS {type_text(type_)})"
    make = _LITERALS.get(type(type_)) or _SCALAR_LITERALS.get(type_)
    if make is None:
        raise QueryServiceError(ErrorCode.NOT_SUPPORTED, f"constants of type {type_}")
    text = make(value, type_)
    return f"CAST({text} AS {type_text(type_)})"


def _is_too_fine(type_: TrinoType) -> bool:
    return getattr(type_, "precision", 0) > 6 and not isinstance(type_, algebra.Decimal)


def _struct(type_: TrinoType) -> str:
    fields = ", ".join(f'"f{i}" {type_text(child)}' for i, child in enumerate(type_.children))
    return f"STRUCT({fields})"


def _map(type_: TrinoType) -> str:
    key, value = type_.children
    return f"MAP({type_text(key)}, {type_text(value)})"


_PARAMETRIC: Final[dict[type[TrinoType], Callable[[TrinoType], str]]] = {
    algebra.Varchar: lambda _: "VARCHAR",
    algebra.Char: lambda _: "VARCHAR",
    algebra.Decimal: lambda t: f"DECIMAL({t.precision}, {t.scale})",  # type: ignore[attr-defined]
    algebra.Timestamp: lambda _: "TIMESTAMP",
    algebra.TimestampTz: lambda _: "STRUCT(t TIMESTAMP, z VARCHAR)",
    algebra.Time: lambda _: "TIME",
    algebra.TimeTz: lambda _: "STRUCT(t TIME, o SMALLINT)",
    algebra.Array: lambda t: f"{type_text(t.children[0])}[]",
    algebra.Map: _map,
    algebra.Row: _struct,
}


def _number(value: LiteralValue, _type: TrinoType) -> str:
    assert isinstance(value, int | float | PythonDecimal)
    if isinstance(value, float) and not math.isfinite(value):
        return quote_text(str(value))
    return quote_text(repr(value)) if isinstance(value, float) else quote_text(f"{value:f}")


def _text(value: LiteralValue, _type: TrinoType) -> str:
    assert isinstance(value, str)
    return quote_text(value)


def _char(value: LiteralValue, _type: TrinoType) -> str:
    assert isinstance(value, str)
    return quote_text(value.rstrip(" "))


def _date(value: LiteralValue, _type: TrinoType) -> str:
    assert isinstance(value, int)
    return f"DATE '1970-01-01' + CAST({value} AS INTEGER)"


def _timestamp(value: LiteralValue, _type: TrinoType) -> str:
    assert isinstance(value, int)
    return f"make_timestamp({value // PICOSECONDS_PER_MICROSECOND})"


def _timestamp_tz(value: LiteralValue, _type: TrinoType) -> str:
    assert isinstance(value, tuple)
    instant, zone = value
    assert isinstance(zone, str)
    microseconds = instant // PICOSECONDS_PER_MICROSECOND
    return f"struct_pack(t := make_timestamp({microseconds}), z := {quote_text(zone)})"


def _bytes(value: LiteralValue, _type: TrinoType) -> str:
    assert isinstance(value, bytes)
    return f"unhex('{value.hex()}')"


def _integer(value: LiteralValue, _type: TrinoType) -> str:
    return quote_text(str(value))


_LITERALS: Final[dict[type[TrinoType], Callable[[LiteralValue, TrinoType], str]]] = {
    algebra.Varchar: _text,
    algebra.Char: _char,
    algebra.Decimal: _number,
    algebra.Timestamp: _timestamp,
    algebra.TimestampTz: _timestamp_tz,
}
_SCALAR_LITERALS: Final[dict[TrinoType, Callable[[LiteralValue, TrinoType], str]]] = {
    algebra.REAL: _number,
    algebra.DOUBLE: _number,
    algebra.BOOLEAN: lambda value, _: "true" if value else "false",
    algebra.DATE: _date,
    algebra.VARBINARY: _bytes,
    **dict.fromkeys(algebra.INTEGER_TYPES, _integer),
}
