"""Between the catalog's Hive types and Trino's, as Trino's Hive connector maps them.

A table's column has the Trino type `from_hive` gives; CREATE TABLE AS SELECT stores the Hive type
`to_hive` gives, or fails with NOT_SUPPORTED. Timestamps have Athena's precision, milliseconds.
"""

from collections.abc import Callable
from typing import Any, Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    REAL,
    SMALLINT,
    TINYINT,
    VARBINARY,
    VARCHAR,
    Array,
    Char,
    Decimal,
    Map,
    Row,
    RowField,
    Timestamp,
    TrinoType,
    Varchar,
)
from querysvc_catalog import types as hive

_TIMESTAMP: Final = Timestamp(3)

_FROM_PRIMITIVE: Final[dict[hive.Primitive, TrinoType]] = {
    hive.Primitive.BOOLEAN: BOOLEAN,
    hive.Primitive.TINYINT: TINYINT,
    hive.Primitive.SMALLINT: SMALLINT,
    hive.Primitive.INT: INTEGER,
    hive.Primitive.BIGINT: BIGINT,
    hive.Primitive.FLOAT: REAL,
    hive.Primitive.DOUBLE: DOUBLE,
    hive.Primitive.STRING: VARCHAR,
    hive.Primitive.BINARY: VARBINARY,
    hive.Primitive.TIMESTAMP: _TIMESTAMP,
    hive.Primitive.DATE: DATE,
}
_TO_PRIMITIVE: Final = {type_: primitive for primitive, type_ in _FROM_PRIMITIVE.items()}


def from_hive(type_: hive.HiveType) -> TrinoType:
    """The Trino type of a column of this Hive type; struct fields are folded to lower case."""
    match type_:
        case hive.PrimitiveType(primitive):
            return _FROM_PRIMITIVE[primitive]
        case hive.DecimalType(precision, scale):
            return Decimal(precision, scale)
        case hive.VarcharType(length):
            return Varchar(length)
        case hive.CharType(length):
            return Char(length)
        case hive.ArrayType(element):
            return Array(from_hive(element))
        case hive.MapType(key, value):
            return Map(from_hive(key), from_hive(value))
        case hive.StructType(fields):
            return Row(tuple(RowField(f.name.lower(), from_hive(f.type)) for f in fields))


def to_hive(type_: TrinoType) -> hive.HiveType:
    """The Hive type that stores this Trino type; NOT_SUPPORTED when none does exactly."""
    primitive = _TO_PRIMITIVE.get(type_)
    if primitive is not None:
        return hive.PrimitiveType(primitive)
    convert = _CONVERTERS.get(type(type_))
    if convert is None:
        raise _not_supported(f"Unsupported Hive type: {type_}")
    return convert(type_)


def _not_supported(message: str) -> StatementError:
    return StatementError(ErrorCode.NOT_SUPPORTED, message)


def _varchar(type_: Varchar) -> hive.HiveType:
    if type_.length is None or type_.length > hive.VARCHAR_LENGTH_MAX:
        raise _not_supported(
            f"Unsupported Hive type: {type_}. "
            f"Supported VARCHAR types: VARCHAR(<={hive.VARCHAR_LENGTH_MAX}), VARCHAR."
        )
    # Hive has no varchar(0), the type of '' in Trino: the next wider type holds its one value.
    return hive.VarcharType(max(type_.length, 1))


def _char(type_: Char) -> hive.HiveType:
    if not 1 <= type_.length <= hive.CHAR_LENGTH_MAX:
        raise _not_supported(
            f"Unsupported Hive type: {type_}. Supported CHAR types: CHAR(<={hive.CHAR_LENGTH_MAX})."
        )
    return hive.CharType(type_.length)


def _timestamp(type_: Timestamp) -> hive.HiveType:
    raise _not_supported(
        f"Incorrect timestamp precision for {type_}; the configured precision is MILLISECONDS"
    )


def _row(type_: Row) -> hive.HiveType:
    fields = []
    for field in type_.fields:
        if field.name is None:
            raise _not_supported(
                "Anonymous row type is not supported in Hive. "
                f"Please give each field a name: {type_}"
            )
        fields.append(hive.StructField(field.name, to_hive(field.type)))
    return hive.StructType(tuple(fields))


# Each converter takes the type it stands under; a common argument type would be Never.
_CONVERTERS: Final[dict[type[TrinoType], Callable[[Any], hive.HiveType]]] = {
    Varchar: _varchar,
    Char: _char,
    Decimal: lambda type_: hive.DecimalType(type_.precision, type_.scale),
    Timestamp: _timestamp,
    Array: lambda type_: hive.ArrayType(to_hive(type_.element)),
    Map: lambda type_: hive.MapType(to_hive(type_.key), to_hive(type_.value)),
    Row: _row,
}
