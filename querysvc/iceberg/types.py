"""Between Iceberg's types and Trino's, as Trino's Iceberg connector maps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from querysvc.errors import ErrorCode, StatementError
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc.types.iceberg import MICROSECONDS, stored_type

_TO_TRINO: Final[dict[type, TrinoType]] = {
    BooleanType: algebra.BOOLEAN,
    IntegerType: algebra.INTEGER,
    LongType: algebra.BIGINT,
    FloatType: algebra.REAL,
    DoubleType: algebra.DOUBLE,
    DateType: algebra.DATE,
    TimeType: algebra.Time(MICROSECONDS),
    TimestampType: algebra.Timestamp(MICROSECONDS),
    TimestamptzType: algebra.TimestampTz(MICROSECONDS),
    StringType: algebra.VARCHAR,
    UUIDType: algebra.UUID,
    BinaryType: algebra.VARBINARY,
    FixedType: algebra.VARBINARY,
}
_FROM_TRINO: Final[dict[TrinoType, IcebergType]] = {
    algebra.BOOLEAN: BooleanType(),
    algebra.INTEGER: IntegerType(),
    algebra.BIGINT: LongType(),
    algebra.REAL: FloatType(),
    algebra.DOUBLE: DoubleType(),
    algebra.DATE: DateType(),
    algebra.VARBINARY: BinaryType(),
    algebra.UUID: UUIDType(),
    algebra.VARCHAR: StringType(),
    algebra.Timestamp(MICROSECONDS): TimestampType(),
    algebra.TimestampTz(MICROSECONDS): TimestamptzType(),
    algebra.Time(MICROSECONDS): TimeType(),
}


def to_trino(type_: IcebergType) -> TrinoType:
    """The Trino type of a column of this Iceberg type; NOT_SUPPORTED of version 3's own types."""
    match type_:
        case DecimalType():
            return algebra.Decimal(type_.precision, type_.scale)
        case ListType():
            return algebra.Array(to_trino(type_.element_type))
        case MapType():
            return algebra.Map(to_trino(type_.key_type), to_trino(type_.value_type))
        case StructType():
            fields = type_.fields
            return algebra.Row(
                tuple(algebra.RowField(f.name.lower(), to_trino(f.field_type)) for f in fields)
            )
    found = _TO_TRINO.get(type(type_))
    if found is None:
        raise StatementError(ErrorCode.NOT_SUPPORTED, f"The Iceberg type {type_} is not supported")
    return found


def from_trino(type_: TrinoType, new_id: Callable[[], int]) -> IcebergType:
    """The Iceberg type that stores a Trino type; nested fields are optional and have new ids."""
    return _iceberg(stored_type(type_), new_id)


def _iceberg(type_: TrinoType, new_id: Callable[[], int]) -> IcebergType:
    match type_:
        case algebra.Decimal():
            return DecimalType(type_.precision, type_.scale)
        case algebra.Array():
            number = new_id()
            return ListType(number, _iceberg(type_.element, new_id), element_required=False)
        case algebra.Map():
            key, value = new_id(), new_id()
            inner = (_iceberg(type_.key, new_id), _iceberg(type_.value, new_id))
            return MapType(key, inner[0], value, inner[1], value_required=False)
        case algebra.Row():
            numbers = [new_id() for _ in type_.fields]
            return StructType(
                *(
                    NestedField(number, field.name, _iceberg(field.type, new_id), required=False)
                    for number, field in zip(numbers, type_.fields, strict=True)
                )
            )
    return _FROM_TRINO[type_]


_GLUE: Final[dict[type, str]] = {
    BooleanType: "boolean",
    IntegerType: "int",
    LongType: "bigint",
    FloatType: "float",
    DoubleType: "double",
    DateType: "date",
    TimeType: "string",
    StringType: "string",
    UUIDType: "string",
    TimestampType: "timestamp",
    TimestamptzType: "timestamp",
    FixedType: "binary",
    BinaryType: "binary",
}


def glue_type(type_: IcebergType) -> str:
    """The type that Glue's entry tells of a column, as AWS's own writers put it there."""
    match type_:
        case DecimalType():
            return f"decimal({type_.precision},{type_.scale})"
        case ListType():
            return f"array<{glue_type(type_.element_type)}>"
        case MapType():
            return f"map<{glue_type(type_.key_type)},{glue_type(type_.value_type)}>"
        case StructType():
            fields = ",".join(f"{f.name}:{glue_type(f.field_type)}" for f in type_.fields)
            return f"struct<{fields}>"
    return _GLUE.get(type(type_), "string")
