"""Aggregates. https://trino.io/docs/current/functions/aggregate.html"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import (
    AggregateBuilder,
    AggregateSite,
    AggregateTable,
    Unsupported,
    call_macro,
)
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, call, case, cast, field, struct
from querysvc.engines.duckdb.lowering.keys import key_form, needs_key
from querysvc.engines.duckdb.lowering.numbers import (
    DECIMAL_OVERFLOW,
    DIVIDE_HALF_UP,
    from_unscaled,
    unscaled,
)
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.types.algebra import (
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    Decimal,
    TrinoType,
)

# Sums of this many digits cannot pass 38 in any table.
_SAFE_DIGITS: Final = 19

_INTERVALS: Final = (INTERVAL_DAY_TO_SECOND, INTERVAL_YEAR_TO_MONTH)


def _count(site: AggregateSite) -> Sql:
    if site.arguments and needs_key(site.types[0]):
        return site.aggregate("count", key_form(site.arguments[0], site.types[0]))
    return site.aggregate("count", *site.arguments)


def _sum(site: AggregateSite) -> Sql:
    """Whole numbers add up in 128 bits: the cast back is the overflow check."""
    total = site.aggregate("sum", *site.arguments)
    kind = site.types[0]
    if isinstance(kind, Decimal) and kind.precision > _SAFE_DIGITS:
        return bind([total], lambda sum_: _within_decimal(sum_, site.type))
    if site.type.is_integer or site.type in _INTERVALS or site.type.base_name == "real":
        return cast(total, site.result_type)
    return total


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
    average = site.aggregate("avg", *site.arguments)
    if kind in _INTERVALS:
        return cast(Sql(f"round({average})"), site.result_type)
    return cast(average, site.result_type)


def _avg_decimal(site: AggregateSite, kind: Decimal) -> Sql:
    """The sum's digits by the count, halves away from zero."""
    total = site.aggregate("sum", *site.arguments)
    count = site.aggregate("count", *site.arguments)

    def body(sum_: Sql, rows: Sql) -> Sql:
        digits = unscaled(sum_, Decimal(38, kind.scale))
        mean = call_macro(site.context, DIVIDE_HALF_UP, digits, cast(rows, "HUGEINT"))
        return case([(Sql(f"({rows} > 0)"), from_unscaled(mean, kind))])

    return bind([total, count], body)


def _extreme(name: str) -> AggregateBuilder:
    """max and min. Trino orders NaN as any other number would not be: it never wins."""

    def build(site: AggregateSite) -> Sql:
        if len(site.arguments) == 2:
            return _extreme_n(site, name)
        value, kind = site.arguments[0], site.types[0]
        if needs_key(kind):
            return site.aggregate(f"arg_{name}", value, key_form(value, kind))
        if kind.is_floating:
            numbers = site.aggregate(name, value, condition=Sql(f"(NOT isnan({value}))"))
            return Sql(f"coalesce({numbers}, {site.aggregate(name, value)})")
        return site.aggregate(name, value)

    return build


def _extreme_n(site: AggregateSite, name: str) -> Sql:
    return site.aggregate(name, *site.arguments)


def _extreme_by(name: str) -> AggregateBuilder:
    """max_by and min_by: NULL keys do not count, NULL values do."""

    def build(site: AggregateSite) -> Sql:
        value, key, *count = site.arguments
        boxed = struct([("v", value)])
        ordered = _without_nan(key_form(key, site.types[1]), site.types[1], name)
        if count:
            many = site.aggregate(f"arg_{name}", boxed, ordered, *count)
            return Sql(f'list_transform({many}, lambda "e": "e"."v")')
        return field(site.aggregate(f"arg_{name}", boxed, ordered), "v")

    return build


def _without_nan(key: Sql, kind: TrinoType, name: str) -> Sql:
    """A key by which NaN loses to every number."""
    if not kind.is_floating:
        return key
    is_worst = Sql(f"(NOT isnan({key}))" if name == "max" else f"isnan({key})")
    return case([(Sql(f"({key} IS NOT NULL)"), struct([("n", is_worst), ("k", key)]))])


def _any_value(site: AggregateSite) -> Sql:
    return site.aggregate("any_value", *site.arguments)


def _array_agg(site: AggregateSite) -> Sql:
    """NULLs are kept; with DISTINCT, too."""
    return site.aggregate("list", *site.arguments)


def _approx_distinct(site: AggregateSite) -> Sql:
    """The exact count: Trino's sketch is exact for few values, and meant to be near for many."""
    value = key_form(site.arguments[0], site.types[0])
    return site.aggregate("count", value, distinct=True)


def _count_if(site: AggregateSite) -> Sql:
    return cast(site.aggregate("count_if", *site.arguments), "BIGINT")


def _statistic(name: str) -> AggregateBuilder:
    """A floating-point statistic, which reals get as doubles."""

    def build(site: AggregateSite) -> Sql:
        arguments = (cast(argument, "DOUBLE") for argument in site.arguments)
        return cast(site.aggregate(name, *arguments), site.result_type)

    return build


def _geometric_mean(site: AggregateSite) -> Sql:
    value = cast(site.arguments[0], "DOUBLE")
    logarithm = Sql(
        f"CASE WHEN {value} > 0 THEN ln({value}) WHEN {value} = 0 THEN CAST('-inf' AS DOUBLE)"
        f" WHEN {value} IS NOT NULL THEN CAST('nan' AS DOUBLE) END"
    )
    return cast(call("exp", site.aggregate("avg", Sql(f"({logarithm})"))), site.result_type)


AGGREGATES: Final[AggregateTable] = {
    "any_value": _any_value,
    "approx_distinct": _approx_distinct,
    "array_agg": _array_agg,
    "avg": _avg,
    "bitwise_and_agg": "bit_and",
    "bitwise_or_agg": "bit_or",
    "bitwise_xor_agg": "bit_xor",
    "bool_and": "bool_and",
    "bool_or": "bool_or",
    "checksum": Unsupported("its hash is Trino's own"),
    "corr": _statistic("corr"),
    "count": _count,
    "count_if": _count_if,
    "covar_pop": _statistic("covar_pop"),
    "covar_samp": _statistic("covar_samp"),
    "geometric_mean": _geometric_mean,
    "max": _extreme("max"),
    "max_by": _extreme_by("max"),
    "min": _extreme("min"),
    "min_by": _extreme_by("min"),
    "regr_intercept": _statistic("regr_intercept"),
    "regr_slope": _statistic("regr_slope"),
    "stddev": _statistic("stddev_samp"),
    "stddev_pop": _statistic("stddev_pop"),
    "sum": _sum,
    "var_pop": _statistic("var_pop"),
    "variance": _statistic("var_samp"),
}
