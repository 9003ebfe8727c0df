"""Trino's types as JDBC's metadata tells them: type codes, sizes, digits (of Trino 476)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Final

from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

_OTHER: Final = 2000
_UNBOUNDED: Final = 2_147_483_647


@dataclass(frozen=True, slots=True)
class JdbcType:
    """A column's type in `system.jdbc.columns`: java.sql.Types code and what goes with it."""

    code: int
    column_size: int | None = None
    decimal_digits: int | None = None
    radix: int | None = None
    octet_length: int | None = None


_SCALARS: Final[dict[TrinoType, JdbcType]] = {
    algebra.BOOLEAN: JdbcType(16),
    algebra.TINYINT: JdbcType(-6, 3, radix=10),
    algebra.SMALLINT: JdbcType(5, 5, radix=10),
    algebra.INTEGER: JdbcType(4, 10, radix=10),
    algebra.BIGINT: JdbcType(-5, 19, radix=10),
    algebra.REAL: JdbcType(7, 24, radix=2),
    algebra.DOUBLE: JdbcType(8, 53, radix=2),
    algebra.VARBINARY: JdbcType(-3, _UNBOUNDED, octet_length=_UNBOUNDED),
    algebra.DATE: JdbcType(91, 14),
}
# The texts' widths for the greatest values; a fraction adds its digits and the point.
_TIME_SIZE: Final = 8
_TIME_TZ_SIZE: Final = 14
_TIMESTAMP_SIZE: Final = 21
_TIMESTAMP_TZ_SIZE: Final = 55


def jdbc_type(type_: TrinoType) -> JdbcType:
    """How JDBC's metadata describes the type."""
    match type_:
        case algebra.Decimal(precision, scale):
            return JdbcType(3, precision, scale, 10)
        case algebra.Varchar(length):
            size = _UNBOUNDED if length is None else length
            return JdbcType(12, size, octet_length=size)
        case algebra.Char(length):
            return JdbcType(1, length, octet_length=length)
        case algebra.Time(precision):
            return _datetime(92, _TIME_SIZE, precision)
        case algebra.TimeTz(precision):
            return _datetime(2013, _TIME_TZ_SIZE, precision)
        case algebra.Timestamp(precision):
            return _datetime(93, _TIMESTAMP_SIZE, precision)
        case algebra.TimestampTz(precision):
            return _datetime(2014, _TIMESTAMP_TZ_SIZE, precision)
        case algebra.Array():
            return JdbcType(2003)
    return _SCALARS.get(type_, JdbcType(_OTHER))


def _datetime(code: int, size: int, precision: int) -> JdbcType:
    return JdbcType(code, size + (precision + 1 if precision else 0), precision)


def type_info_rows() -> Iterator[tuple[object, ...]]:
    """The rows of `system.jdbc.types`, in Trino's order."""
    text = resources.files(__package__).joinpath("jdbc_types.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            name, *numbers = line.split("|")
            code, precision, searchable, radix = (int(n) if n else None for n in numbers)
            yield (
                *(name, code, precision, None, None, None, 1, False, searchable),
                *(None, False, None, None, 0, 0, None, None, radix),
            )
