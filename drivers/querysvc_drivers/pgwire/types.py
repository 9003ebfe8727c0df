"""Trino's types as PostgreSQL's: the one table of what a column is on this wire.

| Trino | PostgreSQL |
|---|---|
| boolean · tinyint, smallint · integer · bigint | bool · int2 · int4 · int8 |
| real · double · decimal(p, s) | float4 · float8 · numeric(p, s) |
| varchar, unknown · varchar(n) · char(n) | text · varchar(n) · bpchar(n) |
| varbinary · date · uuid · ipaddress · json | bytea · date · uuid · inet · json |
| time(p), timestamp(p), with time zone | time, timetz, timestamp, timestamptz (p) |
| interval day to second, year to month | interval |
| array of one of these | its array type |
| map, row, arrays of arrays, maps or rows | json: maps and rows with names are objects |

A zone's name is not on the wire: a timestamptz is an instant, shown in the session's TimeZone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

VARIABLE: Final = -1
_LENGTH_OFFSET: Final = 4
"""PostgreSQL counts a header of four bytes into the modifiers of varchar, bpchar and numeric."""
PRECISION_MAX: Final = 6


class Oid(IntEnum):
    """PostgreSQL's numbers of types, which never change."""

    BOOL = 16
    BYTEA = 17
    CHAR = 18
    NAME = 19
    INT8 = 20
    INT2 = 21
    INT2VECTOR = 22
    INT4 = 23
    REGPROC = 24
    TEXT = 25
    OID = 26
    XID = 28
    OIDVECTOR = 30
    JSON = 114
    FLOAT4 = 700
    FLOAT8 = 701
    UNKNOWN = 705
    INET = 869
    BPCHAR = 1042
    VARCHAR = 1043
    DATE = 1082
    TIME = 1083
    TIMESTAMP = 1114
    TIMESTAMPTZ = 1184
    INTERVAL = 1186
    TIMETZ = 1266
    NUMERIC = 1700
    REGCLASS = 2205
    REGTYPE = 2206
    UUID = 2950
    JSONB = 3802
    REGNAMESPACE = 4089


ARRAYS: Final[Mapping[int, int]] = {
    Oid.BOOL: 1000,
    Oid.BYTEA: 1001,
    Oid.CHAR: 1002,
    Oid.NAME: 1003,
    Oid.INT2: 1005,
    Oid.INT4: 1007,
    Oid.TEXT: 1009,
    Oid.BPCHAR: 1014,
    Oid.VARCHAR: 1015,
    Oid.INT8: 1016,
    Oid.FLOAT4: 1021,
    Oid.FLOAT8: 1022,
    Oid.OID: 1028,
    Oid.INET: 1041,
    Oid.TIMESTAMP: 1115,
    Oid.DATE: 1182,
    Oid.TIME: 1183,
    Oid.TIMESTAMPTZ: 1185,
    Oid.INTERVAL: 1187,
    Oid.NUMERIC: 1231,
    Oid.TIMETZ: 1270,
    Oid.JSON: 199,
    Oid.UUID: 2951,
}
"""The array type of each element type."""
ELEMENTS: Final[Mapping[int, int]] = {array: element for element, array in ARRAYS.items()}


@dataclass(frozen=True, slots=True)
class PgType:
    """A type on the wire: its number, bytes (-1: they vary) and modifier (-1: none)."""

    oid: int
    size: int = VARIABLE
    modifier: int = -1


@dataclass(frozen=True, slots=True)
class Column:
    """A column of rows on the wire; `type` tells how its Arrow array holds the values."""

    name: str
    pg: PgType
    type: TrinoType


def column(result: ResultColumn) -> Column:
    """A result's column on the wire."""
    return Column(result.name, pg_type(result.type), result.type)


def pg_type(type_: TrinoType) -> PgType:
    """The type on the wire; NOT_SUPPORTED for types that no result can hold."""
    scalar = _SCALARS.get(type_)
    if scalar is not None:
        return scalar
    build = _PARAMETRIC.get(type(type_))
    if build is None:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"Results of type {type_} are not supported"
        )
    return build(type_)


def trino_type(oid: int) -> TrinoType | None:
    """What a client's declared parameter type is in Trino; None for types that it has not."""
    element = ELEMENTS.get(oid)
    if element is not None:
        inner = trino_type(element)
        return None if inner is None else algebra.Array(inner)
    return _DECLARED.get(oid)


def _text(length: int | None, oid: Oid) -> PgType:
    return PgType(oid) if length is None else PgType(oid, VARIABLE, length + _LENGTH_OFFSET)


def _varchar(type_: algebra.Varchar) -> PgType:
    return _text(type_.length, Oid.TEXT if type_.length is None else Oid.VARCHAR)


def _decimal(type_: algebra.Decimal) -> PgType:
    modifier = (type_.precision << 16 | type_.scale) + _LENGTH_OFFSET
    return PgType(Oid.NUMERIC, VARIABLE, modifier)


def _array(type_: algebra.Array) -> PgType:
    element = pg_type(type_.element)
    array = ARRAYS.get(element.oid)
    # PostgreSQL's arrays of arrays are rectangular, Trino's need not be.
    is_nested = isinstance(type_.element, algebra.Array | algebra.Map | algebra.Row)
    if array is None or is_nested:
        return PgType(Oid.JSON)
    return PgType(array, VARIABLE, element.modifier)


def _temporal(oid: Oid, size: int) -> Callable[[Any], PgType]:  # Any: see _PARAMETRIC
    def build(type_: Any) -> PgType:
        if type_.precision > PRECISION_MAX:  # PostgreSQL has none so fine
            return PgType(Oid.TEXT)
        return PgType(oid, size, type_.precision)

    return build


_SCALARS: Final[Mapping[TrinoType, PgType]] = {
    algebra.BOOLEAN: PgType(Oid.BOOL, 1),
    algebra.TINYINT: PgType(Oid.INT2, 2),
    algebra.SMALLINT: PgType(Oid.INT2, 2),
    algebra.INTEGER: PgType(Oid.INT4, 4),
    algebra.BIGINT: PgType(Oid.INT8, 8),
    algebra.REAL: PgType(Oid.FLOAT4, 4),
    algebra.DOUBLE: PgType(Oid.FLOAT8, 8),
    algebra.VARBINARY: PgType(Oid.BYTEA),
    algebra.DATE: PgType(Oid.DATE, 4),
    algebra.UUID: PgType(Oid.UUID, 16),
    algebra.IPADDRESS: PgType(Oid.INET),
    algebra.JSON: PgType(Oid.JSON),
    algebra.UNKNOWN: PgType(Oid.TEXT),
    algebra.INTERVAL_DAY_TO_SECOND: PgType(Oid.INTERVAL, 16),
    algebra.INTERVAL_YEAR_TO_MONTH: PgType(Oid.INTERVAL, 16),
}

_PARAMETRIC: Final[Mapping[type, Callable[[Any], PgType]]] = {
    # Any: each builder takes its own class of types, which is the key.
    algebra.Varchar: _varchar,
    algebra.Char: lambda type_: _text(type_.length, Oid.BPCHAR),
    algebra.Decimal: _decimal,
    algebra.Time: _temporal(Oid.TIME, 8),
    algebra.TimeTz: _temporal(Oid.TIMETZ, 12),
    algebra.Timestamp: _temporal(Oid.TIMESTAMP, 8),
    algebra.TimestampTz: _temporal(Oid.TIMESTAMPTZ, 8),
    algebra.Array: _array,
    algebra.Map: lambda _: PgType(Oid.JSON),
    algebra.Row: lambda _: PgType(Oid.JSON),
}

_DECLARED: Final[Mapping[int, TrinoType]] = {
    Oid.BOOL: algebra.BOOLEAN,
    Oid.INT2: algebra.SMALLINT,
    Oid.INT4: algebra.INTEGER,
    Oid.INT8: algebra.BIGINT,
    Oid.OID: algebra.BIGINT,
    Oid.FLOAT4: algebra.REAL,
    Oid.FLOAT8: algebra.DOUBLE,
    # A number of any precision: its literal's own type counts, this one stands for it in Describe.
    Oid.NUMERIC: algebra.Decimal(38, 0),
    Oid.BYTEA: algebra.VARBINARY,
    Oid.TEXT: algebra.VARCHAR,
    Oid.NAME: algebra.VARCHAR,
    Oid.VARCHAR: algebra.VARCHAR,
    Oid.BPCHAR: algebra.VARCHAR,
    Oid.UUID: algebra.UUID,
    Oid.INET: algebra.IPADDRESS,
    Oid.JSON: algebra.JSON,
    Oid.JSONB: algebra.JSON,
    Oid.DATE: algebra.DATE,
    Oid.TIME: algebra.Time(PRECISION_MAX),
    Oid.TIMETZ: algebra.TimeTz(PRECISION_MAX),
    Oid.TIMESTAMP: algebra.Timestamp(PRECISION_MAX),
    Oid.TIMESTAMPTZ: algebra.TimestampTz(PRECISION_MAX),
}
