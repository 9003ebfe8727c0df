"""Storage forms: the DuckDB type that holds a Trino type's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    CODEPOINTS,
    DATE,
    DOUBLE,
    HYPERLOGLOG,
    INTEGER,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    IPADDRESS,
    JONI_REGEXP,
    JSON,
    JSON_2016,
    JSON_PATH,
    JSON_PATH_2016,
    LIKE_PATTERN,
    RE2J_REGEXP,
    REAL,
    SETDIGEST,
    SMALLINT,
    TDIGEST,
    TINYINT,
    UNKNOWN,
    UUID,
    VARBINARY,
    Array,
    Char,
    Decimal,
    Map,
    QDigest,
    Row,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)

MICROSECOND_PRECISION: Final = 6

PATTERNS: Final = (
    *(CODEPOINTS, JONI_REGEXP, RE2J_REGEXP, LIKE_PATTERN, JSON_PATH, JSON_PATH_2016, JSON_2016),
)

_SCALARS: Final[Mapping[TrinoType, str]] = {
    BOOLEAN: "BOOLEAN",
    TINYINT: "TINYINT",
    SMALLINT: "SMALLINT",
    INTEGER: "INTEGER",
    BIGINT: "BIGINT",
    REAL: "FLOAT",
    DOUBLE: "DOUBLE",
    VARBINARY: "BLOB",
    DATE: "DATE",
    JSON: "VARCHAR",
    UUID: "UUID",
    IPADDRESS: "BLOB",
    UNKNOWN: "INTEGER",
    # Sketches hold what they would summarise: the hashes, or the values with their weights.
    HYPERLOGLOG: "BIGINT[]",
    SETDIGEST: "BIGINT[]",
    TDIGEST: "STRUCT(v DOUBLE[], w DOUBLE[])",
    # Texts that Trino compiles before it runs: the functions that take them read the text.
    **dict.fromkeys(PATTERNS, "VARCHAR"),
    INTERVAL_DAY_TO_SECOND: "BIGINT",
    INTERVAL_YEAR_TO_MONTH: "INTEGER",
}


@lru_cache(maxsize=4096)
def storage_type(type_: TrinoType) -> str:
    """The DuckDB type of a Trino type's storage form; NOT_SUPPORTED when there is none."""
    scalar = _SCALARS.get(type_)
    if scalar is not None:
        return scalar
    shape = _SHAPES.get(type(type_))
    if shape is None:
        raise not_supported(f"type {type_}")
    return shape(type_)


def not_supported(construct: str) -> QueryServiceError:
    """The refusal of a construct by name."""
    return QueryServiceError(
        ErrorCode.NOT_SUPPORTED, f"{construct} is not supported by the DuckDB engine"
    )


def contains(type_: TrinoType, *kinds: type[TrinoType]) -> bool:
    """Whether the type is, or is made of, one of the kinds."""
    return isinstance(type_, kinds) or any(contains(child, *kinds) for child in type_.children)


def contains_type(type_: TrinoType, *types: TrinoType) -> bool:
    """Whether the type is, or is made of, one of the types."""
    return type_ in types or any(contains_type(child, *types) for child in type_.children)


def is_fine(type_: TrinoType) -> bool:
    """Whether it is a timestamp with a precision beyond microseconds."""
    return isinstance(type_, Timestamp | TimestampTz) and type_.precision > MICROSECOND_PRECISION


def contains_fine(type_: TrinoType) -> bool:
    """Whether the type is, or is made of, such a timestamp."""
    return is_fine(type_) or any(map(contains_fine, type_.children))


def _fields(type_: Row) -> list[str]:
    return [f"f{i} {storage_type(field.type)}" for i, field in enumerate(type_.fields)]


def _within_microseconds(type_: Time | TimeTz, text: str) -> str:
    if type_.precision > MICROSECOND_PRECISION:
        raise not_supported(f"type {type_}")
    return text


def _timestamp(type_: Timestamp | TimestampTz, zone: str) -> str:
    """What is finer than microseconds stands beside them, as picoseconds."""
    if type_.precision > MICROSECOND_PRECISION:
        return f"STRUCT(t TIMESTAMP, p INTEGER{zone})"
    return f"STRUCT(t TIMESTAMP{zone})" if zone else "TIMESTAMP"


_SHAPES: Final[Mapping[type[TrinoType], Callable[..., str]]] = {
    Varchar: lambda type_: "VARCHAR",
    Char: lambda type_: "VARCHAR",
    Decimal: lambda type_: f"DECIMAL({type_.precision},{type_.scale})",
    Time: lambda type_: _within_microseconds(type_, "TIME"),
    Timestamp: lambda type_: _timestamp(type_, ""),
    TimestampTz: lambda type_: _timestamp(type_, ", z VARCHAR"),
    TimeTz: lambda type_: _within_microseconds(type_, "STRUCT(t TIME, o SMALLINT)"),
    Array: lambda type_: f"{storage_type(type_.element)}[]",
    Map: lambda type_: f"MAP({storage_type(type_.key)}, {storage_type(type_.value)})",
    QDigest: lambda type_: f"STRUCT(v {storage_type(type_.value)}[], w BIGINT[])",
    Row: lambda type_: f"STRUCT({', '.join(_fields(type_))})",
}
