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

MICROSECONDS: Final = 6
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
    algebra.TINYINT: IntegerType(),
    algebra.SMALLINT: IntegerType(),
    algebra.INTEGER: IntegerType(),
    algebra.BIGINT: LongType(),
    algebra.REAL: FloatType(),
    algebra.DOUBLE: DoubleType(),
    algebra.DATE: DateType(),
    algebra.VARBINARY: BinaryType(),
    algebra.UUID: UUIDType(),
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
    match type_:
        case algebra.Varchar() | algebra.Char():
            return StringType()
        case algebra.Decimal():
            return DecimalType(type_.precision, type_.scale)
        case algebra.Timestamp():
            return TimestampType()
        case algebra.TimestampTz():
            return TimestamptzType()
        case algebra.Time():
            return TimeType()
        case algebra.Array():
            number = new_id()
            return ListType(number, from_trino(type_.element, new_id), element_required=False)
        case algebra.Map():
            key, value = new_id(), new_id()
            return MapType(
                key,
                from_trino(type_.key, new_id),
                value,
                from_trino(type_.value, new_id),
                value_required=False,
            )
        case algebra.Row():
            return StructType(*_fields(type_, new_id))
    found = _FROM_TRINO.get(type_)
    if found is None:
        raise StatementError(ErrorCode.NOT_SUPPORTED, f"Type not supported for Iceberg: {type_}")
    return found


def _fields(type_: algebra.Row, new_id: Callable[[], int]) -> list[NestedField]:
    fields = []
    numbers = [new_id() for _ in type_.fields]
    for number, field in zip(numbers, type_.fields, strict=True):
        if field.name is None:
            raise StatementError(
                ErrorCode.NOT_SUPPORTED, f"Row type field does not have a name: {type_}"
            )
        inner = from_trino(field.type, new_id)
        fields.append(NestedField(number, field.name, inner, required=False))
    return fields


def stored_type(type_: TrinoType) -> TrinoType:
    """The type that values of a Trino type have in an Iceberg table, as Trino stores them."""
    numbers = iter(range(1, 1 << 31))
    return to_trino(from_trino(type_, lambda: next(numbers)))


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
