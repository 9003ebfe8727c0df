"""The Trino types that an Iceberg table's columns have, and what other types are stored as.

As Trino's Iceberg connector stores them; pyiceberg is not needed to know it.
"""

from __future__ import annotations

from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

MICROSECONDS: Final = 6
_SAME: Final = frozenset(
    {
        algebra.BOOLEAN,
        algebra.INTEGER,
        algebra.BIGINT,
        algebra.REAL,
        algebra.DOUBLE,
        algebra.DATE,
        algebra.VARBINARY,
        algebra.UUID,
    }
)
_STORED: Final[dict[TrinoType, TrinoType]] = {
    **{type_: type_ for type_ in _SAME},
    algebra.TINYINT: algebra.INTEGER,
    algebra.SMALLINT: algebra.INTEGER,
}


def stored_type(type_: TrinoType) -> TrinoType:
    """The type of the column that a new table has for values of a type; NOT_SUPPORTED for none."""
    match type_:
        case algebra.Varchar() | algebra.Char():
            return algebra.VARCHAR
        case algebra.Decimal():
            return type_
        case algebra.Timestamp():
            return algebra.Timestamp(MICROSECONDS)
        case algebra.TimestampTz():
            return algebra.TimestampTz(MICROSECONDS)
        case algebra.Time():
            return algebra.Time(MICROSECONDS)
        case algebra.Array():
            return algebra.Array(stored_type(type_.element))
        case algebra.Map():
            return algebra.Map(stored_type(type_.key), stored_type(type_.value))
        case algebra.Row():
            return algebra.Row(tuple(_field(type_, field) for field in type_.fields))
    found = _STORED.get(type_)
    if found is None:
        raise StatementError(ErrorCode.NOT_SUPPORTED, f"Type not supported for Iceberg: {type_}")
    return found


def _field(type_: algebra.Row, field: algebra.RowField) -> algebra.RowField:
    if field.name is None:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, f"Row type field does not have a name: {type_}"
        )
    return algebra.RowField(field.name, stored_type(field.type))
