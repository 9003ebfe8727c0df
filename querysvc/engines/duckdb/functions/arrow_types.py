"""Storage forms in Arrow: the type of the batches that vectorised functions return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa

from querysvc.engines.duckdb.lowering.types import not_supported
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
    UNKNOWN,
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

_SCALARS: Final[Mapping[TrinoType, pa.DataType]] = {
    BOOLEAN: pa.bool_(),
    TINYINT: pa.int8(),
    SMALLINT: pa.int16(),
    INTEGER: pa.int32(),
    BIGINT: pa.int64(),
    REAL: pa.float32(),
    DOUBLE: pa.float64(),
    VARBINARY: pa.binary(),
    IPADDRESS: pa.binary(),
    DATE: pa.date32(),
    JSON: pa.string(),
    UNKNOWN: pa.int32(),
    UUID: pa.string(),
    INTERVAL_DAY_TO_SECOND: pa.int64(),
    INTERVAL_YEAR_TO_MONTH: pa.int32(),
}

_SHAPES: Final[Mapping[type[TrinoType], Callable[..., pa.DataType]]] = {
    Varchar: lambda type_: pa.string(),
    Char: lambda type_: pa.string(),
    Decimal: lambda type_: pa.decimal128(type_.precision, type_.scale),
    Time: lambda type_: pa.time64("us"),
    Timestamp: lambda type_: pa.timestamp("us"),
    TimestampTz: lambda type_: pa.struct([("t", pa.timestamp("us")), ("z", pa.string())]),
    TimeTz: lambda type_: pa.struct([("t", pa.time64("us")), ("o", pa.int16())]),
    Array: lambda type_: pa.list_(arrow_type(type_.element)),
    Map: lambda type_: pa.map_(arrow_type(type_.key), arrow_type(type_.value)),
    Row: lambda type_: pa.struct(
        [(f"f{i}", arrow_type(field.type)) for i, field in enumerate(type_.fields)]
    ),
}


def arrow_type(type_: TrinoType) -> pa.DataType:
    """The Arrow type of the Trino type's storage form."""
    scalar = _SCALARS.get(type_)
    if scalar is not None:
        return scalar
    shape = _SHAPES.get(type(type_))
    if shape is None:
        raise not_supported(f"type {type_} in a Python function")
    return shape(type_)
