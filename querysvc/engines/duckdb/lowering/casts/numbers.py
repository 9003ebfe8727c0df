"""Casts between numbers and booleans: rounding is half up (away from zero), ranges are checked.

What DuckDB's own cast refuses, `lowering.errors` names as Trino does.
"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.lowering.casts.site import CastBuilder, CastSite, CastTable
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, cast, fail
from querysvc.errors import ErrorCode
from querysvc.types.algebra import Decimal

INTEGERS: Final = ("tinyint", "smallint", "integer", "bigint")
FLOATS: Final = ("real", "double")
NUMBERS: Final = (*INTEGERS, *FLOATS, "decimal")

# Up to these digits a decimal's digits and its power of ten are exact in binary.
_EXACT_DIGITS: Final = {"real": 7, "double": 15}


_NAN_TO_BIGINT: Final = fail(ErrorCode.INVALID_CAST_ARGUMENT, "Cannot cast real NaN to bigint")


def native(site: CastSite) -> Sql:
    """DuckDB's own cast."""
    return cast(site.value, site.target_type)


def _floating_to_integer(site: CastSite) -> Sql:
    return cast(Sql(f"round({site.value})"), site.target_type)


def _real_to_bigint(site: CastSite) -> Sql:
    """Java's rounding of a float ends at the range's ends."""

    def body(value: Sql) -> Sql:
        branches = [
            (Sql(f"isnan({value})"), _NAN_TO_BIGINT),
            (Sql(f"({value} >= 9223372036854775807)"), Sql("9223372036854775807::BIGINT")),
            (Sql(f"({value} <= -9223372036854775807)"), Sql("(-9223372036854775808)::BIGINT")),
        ]
        return case(branches, cast(Sql(f"round({value})"), "BIGINT"))

    return bind([site.value], body)


def _floating_to_decimal(site: CastSite) -> Sql:
    # Trino rounds the shortest decimal text of the number, not its binary value: 1.005 is 1.01.
    return cast(cast(site.value, "VARCHAR"), site.target_type)


def _decimal_to_floating(site: CastSite) -> Sql:
    assert isinstance(site.source, Decimal)
    if site.source.precision <= _EXACT_DIGITS[site.target.base_name]:
        return native(site)
    return cast(cast(site.value, "VARCHAR"), site.target_type)


def _double_to_real(site: CastSite) -> Sql:
    """DuckDB refuses what is too large for a FLOAT; Java gives infinity."""

    def body(value: Sql) -> Sql:
        infinity = Sql(f"CAST(CASE WHEN {value} > 0 THEN 'inf' ELSE '-inf' END AS FLOAT)")
        return case(
            [(Sql(f"(abs({value}) >= 3.4028235677973366e38 AND NOT isnan({value}))"), infinity)],
            cast(value, "FLOAT"),
        )

    return bind([site.value], body)


def _to_boolean(site: CastSite) -> Sql:
    return Sql(f"({site.value} <> 0)")


def _from_boolean(site: CastSite) -> Sql:
    return cast(cast(site.value, "INTEGER"), site.target_type)


def _table() -> dict[tuple[str, str], CastBuilder]:
    table: dict[tuple[str, str], CastBuilder] = {
        (source, target): native
        for source in NUMBERS
        for target in NUMBERS
        if not (source in FLOATS and target in (*INTEGERS, "decimal"))
    }
    for source in FLOATS:
        table.update({(source, target): _floating_to_integer for target in INTEGERS})
        table[source, "decimal"] = _floating_to_decimal
        table["decimal", source] = _decimal_to_floating
    table["double", "real"] = _double_to_real
    table["real", "bigint"] = _real_to_bigint
    for name in NUMBERS:
        table[name, "boolean"] = _to_boolean
        table["boolean", name] = _from_boolean
    return table


CASTS: Final[CastTable] = _table()
