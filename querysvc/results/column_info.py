"""Athena's ColumnInfo of a result column: its base type's name, precision and scale."""

from __future__ import annotations

from dataclasses import dataclass

from querysvc.model import ResultColumn
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

_UNBOUNDED = 2_147_483_647
_PRECISIONS = {
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "float": 17,
    "double": 17,
    "timestamp": 3,
    "timestamp with time zone": 3,
    "time": 3,
    "time with time zone": 3,
    "varbinary": 1_073_741_824,
}


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column as Athena describes it."""

    name: str
    type: str
    precision: int
    scale: int
    is_case_sensitive: bool


def column_info(column: ResultColumn) -> ColumnInfo:
    """Describe a column in Athena's terms; real is called float."""
    name = _athena_name(column.type)
    precision, scale = _PRECISIONS.get(name, 0), 0
    match column.type:
        case algebra.Decimal(own_precision, own_scale):
            precision, scale = own_precision, own_scale
        case algebra.Varchar(length):
            precision = _UNBOUNDED if length is None else length
        case algebra.Char(length):
            precision = length
    return ColumnInfo(column.name, name, precision, scale, name in ("varchar", "char"))


def _athena_name(type_: TrinoType) -> str:
    return "float" if type_ == algebra.REAL else type_.base_name
