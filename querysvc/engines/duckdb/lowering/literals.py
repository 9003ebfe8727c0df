"""Constants of every Trino type as DuckDB constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from querysvc.engines.duckdb.lowering.casts import addresses
from querysvc.engines.duckdb.lowering.casts.picoseconds import picoseconds_constant
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    blob_literal,
    integer_literal,
    struct,
    text_literal,
    typed_null,
)
from querysvc.engines.duckdb.lowering.types import is_fine, not_supported, storage_type
from querysvc.tree import LiteralValue
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    IPADDRESS,
    JSON,
    REAL,
    SMALLINT,
    TINYINT,
    UUID,
    VARBINARY,
    Char,
    Decimal,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)

_PICOSECONDS_PER_MICROSECOND: Final = 1_000_000

# A value's form depends on its type, which the table's key states: hence Any.
_Builder = Callable[[Any, TrinoType], Sql]


def literal(value: LiteralValue, type_: TrinoType) -> Sql:
    """The constant as a DuckDB expression of the type's storage form."""
    if value is None:
        return typed_null(storage_type(type_))
    build = _BY_TYPE.get(type_) or _BY_KIND.get(type(type_))
    if build is None:
        raise not_supported(f"literal of type {type_}")
    storage_type(type_)
    return build(value, type_)


def timestamp_constant(microseconds: int) -> Sql:
    """A TIMESTAMP constant."""
    return Sql(f"make_timestamp({integer_literal(microseconds)})")


def _timestamp(picoseconds: int, type_: TrinoType) -> Sql:
    coarse = timestamp_constant(_microseconds(picoseconds))
    if not is_fine(type_):
        return coarse
    return struct([("t", coarse), ("p", picoseconds_constant(picoseconds))])


def _timestamp_tz(value: tuple[int, str], type_: TrinoType) -> Sql:
    parts = [("t", timestamp_constant(_microseconds(value[0])))]
    if is_fine(type_):
        parts.append(("p", picoseconds_constant(value[0])))
    return struct([*parts, ("z", text_literal(value[1]))])


def _microseconds(picoseconds: int) -> int:
    return picoseconds // _PICOSECONDS_PER_MICROSECOND


def _floating(value: float, type_: TrinoType) -> Sql:
    text = "nan" if math.isnan(value) else repr(float(value))
    return Sql(f"CAST('{text}' AS {storage_type(type_)})")


def _time(picoseconds: int) -> Sql:
    # make_time takes its seconds as a double: exact for microseconds below a minute.
    seconds, micro = divmod(_microseconds(picoseconds), 1_000_000)
    hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    return Sql(f"CAST('{hour:02}:{minute:02}:{second:02}.{micro:06}' AS TIME)")


def _integer(value: int, type_: TrinoType) -> Sql:
    return integer_literal(value, storage_type(type_))


def _text(value: str, type_: TrinoType) -> Sql:
    return text_literal(value.rstrip(" ") if isinstance(type_, Char) else value)


def _address(value: str, _type: TrinoType) -> Sql:
    packed = addresses.packed(value)
    if packed is None:  # with a scope
        raise not_supported(f"literal IPADDRESS '{value}'")
    return blob_literal(packed)


_BY_TYPE: Final[Mapping[TrinoType, _Builder]] = {
    BOOLEAN: lambda value, _: Sql("true" if value else "false"),
    TINYINT: _integer,
    SMALLINT: _integer,
    INTEGER: _integer,
    BIGINT: _integer,
    REAL: _floating,
    DOUBLE: _floating,
    VARBINARY: lambda value, _: blob_literal(value),
    DATE: lambda value, _: Sql(f"(DATE '1970-01-01' + {integer_literal(value, 'INTEGER')})"),
    JSON: _text,
    IPADDRESS: _address,
    UUID: lambda value, _: Sql(f"CAST({text_literal(value)} AS UUID)"),
    INTERVAL_DAY_TO_SECOND: _integer,
    INTERVAL_YEAR_TO_MONTH: _integer,
}

_BY_KIND: Final[Mapping[type[TrinoType], _Builder]] = {
    Varchar: _text,
    Char: _text,
    Decimal: lambda value, type_: Sql(f"CAST('{value:f}' AS {storage_type(type_)})"),
    Time: lambda value, _: _time(value),
    Timestamp: _timestamp,
    TimestampTz: _timestamp_tz,
    TimeTz: lambda value, _: struct(
        [("t", _time(value[0])), ("o", integer_literal(value[1], "SMALLINT"))]
    ),
}
