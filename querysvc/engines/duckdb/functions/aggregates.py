"""Aggregates. https://trino.io/docs/current/functions/aggregate.html"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import (
    AggregateSite,
    AggregateTable,
    call_macro,
)
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, cast
from querysvc.engines.duckdb.lowering.keys import key_form
from querysvc.engines.duckdb.lowering.narrow_decimals import narrowed
from querysvc.engines.duckdb.lowering.numbers import (
    DECIMAL_OVERFLOW,
    DIVIDE_HALF_UP,
    from_unscaled,
    unscaled,
)
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.types.algebra import (
    BIGINT,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    REAL,
    Decimal,
    TrinoType,
)

# Sums of this many digits cannot pass 38 in any table.
_SAFE_DIGITS: Final = 19

# From here on a double is nearer to infinity than to a REAL.
_REAL_MAX: Final = "CAST(3.4028235677973366e38 AS DOUBLE)"
_INTERVALS: Final = (INTERVAL_DAY_TO_SECOND, INTERVAL_YEAR_TO_MONTH)


def _count(site: AggregateSite) -> Sql:
    arguments = (key_form(sql, kind) for sql, kind in zip(site.arguments, site.types, strict=True))
    counted = site.aggregate("count", *arguments)
    # DuckDB counts below zero in a frame of GROUPS that ends before it starts.
    return Sql(f"greatest({counted}, 0)") if site.is_window else counted


def _sum(site: AggregateSite) -> Sql:
    """Whole numbers add up in 128 bits: the cast back is the overflow check."""
    narrow = _narrowed(site)
    if narrow is not None:
        return site.aggregate("sum", narrow)
    total = site.aggregate("sum", *site.arguments)
    kind = site.types[0]
    if isinstance(kind, Decimal) and kind.precision > _SAFE_DIGITS:
        return bind([total], lambda sum_: _within_decimal(sum_, site.type))
    if site.type == REAL:
        return bind([total], _as_real)
    if site.type.is_integer or site.type in _INTERVALS:
        return cast(total, site.result_type)
    return total


def _as_real(total: Sql) -> Sql:
    """The REAL nearest to the sum; infinity beyond the largest."""
    limit = _REAL_MAX
    return case(
        [
            (Sql(f"({total} >= {limit} AND NOT isnan({total}))"), Sql("CAST('inf' AS REAL)")),
            (Sql(f"({total} <= -{limit})"), Sql("CAST('-inf' AS REAL)")),
        ],
        cast(total, "REAL"),
    )


def _narrowed(site: AggregateSite) -> Sql | None:
    """The argument in 18 digits: its sums cannot pass 38."""
    return None if site.is_window else narrowed(site.context, site.nodes[0])


def _within_decimal(total: Sql, kind: TrinoType) -> Sql:
    """DuckDB adds decimals up in 128 bits, which hold a bit more than 38 digits."""
    assert isinstance(kind, Decimal)
    digits = "9" * (38 - kind.scale) + "." + "9" * kind.scale
    limit = Sql(f"CAST('{digits}' AS {storage_type(kind)})")
    return case([(Sql(f"(abs({total}) > {limit})"), DECIMAL_OVERFLOW)], total)


def _avg(site: AggregateSite) -> Sql:
    kind = site.types[0]
    if isinstance(kind, Decimal):
        return _avg_decimal(site, kind)
    values = (cast(site.arguments[0], "DOUBLE"),) if kind == BIGINT else site.arguments
    average = site.aggregate("avg", *values)
    if kind in _INTERVALS:
        return cast(Sql(f"floor({average} + 0.5)"), site.result_type)  # as Java rounds
    return cast(average, site.result_type)


def _avg_decimal(site: AggregateSite, kind: Decimal) -> Sql:
    """The sum's digits by the count, halves away from zero."""
    argument = _narrowed(site) or site.arguments[0]
    total = site.aggregate("sum", argument)
    count = site.aggregate("count", argument)

    def body(sum_: Sql, rows: Sql) -> Sql:
        digits = unscaled(sum_, Decimal(38, kind.scale))
        mean = call_macro(site.context, DIVIDE_HALF_UP, digits, cast(rows, "HUGEINT"))
        return case([(Sql(f"({rows} > 0)"), from_unscaled(mean, kind))])

    return bind([total, count], body)


def _any_value(site: AggregateSite) -> Sql:
    return site.aggregate("any_value", *site.arguments)


def _count_if(site: AggregateSite) -> Sql:
    counted = site.aggregate("count_if", *site.arguments)
    return Sql(f"CAST(coalesce({counted}, 0) AS BIGINT)")


AGGREGATES: Final[AggregateTable] = {
    "any_value": _any_value,
    "avg": _avg,
    "bitwise_and_agg": "bit_and",
    "bitwise_or_agg": "bit_or",
    "bitwise_xor_agg": "bit_xor",
    "bool_and": "bool_and",
    "bool_or": "bool_or",
    "count": _count,
    "count_if": _count_if,
    "sum": _sum,
}
