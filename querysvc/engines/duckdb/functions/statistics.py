"""Statistical aggregates: variance, correlation, regression, skewness, kurtosis, geometric mean.

DuckDB fails on sums that are not finite, where Trino answers NaN or NULL: it only sees the finite
values, and whether there were others is asked apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from querysvc.engines.duckdb.functions.registry import (
    AggregateBuilder,
    AggregateSite,
    AggregateTable,
)
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, bind, call, case, cast, operation

_NAN: Final = Sql("CAST('nan' AS DOUBLE)")


def _variance(name: str, *, sample: bool) -> AggregateBuilder:
    """A variance or deviation: NaN when a value is not finite."""

    def build(site: AggregateSite) -> Sql:
        value = cast(site.arguments[0], "DOUBLE")
        if not site.types[0].is_floating:
            return site.aggregate(name, value)
        finite = site.aggregate(name, value, condition=Sql(f"isfinite({value})"))
        others = site.aggregate("count", value, condition=Sql(f"(NOT isfinite({value}))"))
        rows = site.aggregate("count", value)
        enough = Sql(f"({rows} > {1 if sample else 0})")
        return case([(Sql(f"({others} > 0)"), case([(enough, _NAN)]))], finite)

    return build


def _pairwise(name: str, *, is_null_unless_finite: bool) -> AggregateBuilder:
    """A statistic of two columns; where Trino wants a finite answer, it is NULL otherwise."""

    def build(site: AggregateSite) -> Sql:
        first, second = (cast(argument, "DOUBLE") for argument in site.arguments)
        both = Sql(f"(isfinite({first}) AND isfinite({second}))")
        finite = site.aggregate(name, first, second, condition=both)
        others = site.aggregate("count", operation("+", first, second), condition=_not(both))
        otherwise = NULL if is_null_unless_finite else _NAN

        def body(result: Sql) -> Sql:
            if not is_null_unless_finite:
                return result
            return case([(Sql(f"isfinite({result})"), result)])

        return cast(
            case([(Sql(f"({others} > 0)"), otherwise)], bind([finite], body)), site.result_type
        )

    return build


def _not(condition: Sql) -> Sql:
    return Sql(f"(NOT {condition})")


def _moments(powers: Sequence[int], result: str, *, rows_min: int) -> AggregateBuilder:
    """A formula over `{n}` and the central moments `{m2}`, `{m3}` …, from the mean of all values.

    DuckDB's own work with sums of powers, which cancel; and its skewness is another one.
    """

    def build(site: AggregateSite) -> Sql:
        value = cast(site.arguments[0], "DOUBLE")
        values = site.aggregate("list", value, condition=Sql(f"({value} IS NOT NULL)"))

        def body(bound: Sql, mean: Sql) -> Sql:
            def power(exponent: int) -> Sql:
                factors = " * ".join([f'("e" - {mean})'] * exponent)
                return Sql(f'list_sum(list_transform({bound}, lambda "e": {factors}))')

            def formula(*moments: Sql) -> Sql:
                named = {f"m{k}": moment for k, moment in zip(powers, moments, strict=True)}
                n = f"CAST(len({bound}) AS DOUBLE)"
                return Sql(f"({result.format(n=n, **named)})")

            some = Sql(f"(len({bound}) >= {rows_min})")
            return case([(some, bind([power(k) for k in powers], formula))])

        return bind([values], lambda bound: bind([bound, call("list_avg", bound)], body))

    return build


def _geometric_mean(site: AggregateSite) -> Sql:
    value = cast(site.arguments[0], "DOUBLE")
    logarithm = Sql(
        f"CASE WHEN {value} > 0 THEN ln({value}) WHEN {value} = 0 THEN CAST('-inf' AS DOUBLE)"
        f" WHEN {value} IS NOT NULL THEN CAST('nan' AS DOUBLE) END"
    )
    return cast(call("exp", site.aggregate("avg", Sql(f"({logarithm})"))), site.result_type)


_KURTOSIS: Final = (
    "({n} * ({n} + 1)) / (({n} - 1) * ({n} - 2) * ({n} - 3))"
    " * {m4} / (({m2} / ({n} - 1)) * ({m2} / ({n} - 1)))"
    " - 3 * ({n} - 1) * ({n} - 1) / (({n} - 2) * ({n} - 3))"
)

AGGREGATES: Final[AggregateTable] = {
    "corr": _pairwise("corr", is_null_unless_finite=True),
    "covar_pop": _pairwise("covar_pop", is_null_unless_finite=False),
    "covar_samp": _pairwise("covar_samp", is_null_unless_finite=False),
    "geometric_mean": _geometric_mean,
    "kurtosis": _moments((2, 4), _KURTOSIS, rows_min=4),
    "regr_intercept": _pairwise("regr_intercept", is_null_unless_finite=True),
    "regr_slope": _pairwise("regr_slope", is_null_unless_finite=True),
    "skewness": _moments((2, 3), "sqrt({n}) * {m3} / pow({m2}, 1.5)", rows_min=3),
    "stddev": _variance("stddev_samp", sample=True),
    "stddev_pop": _variance("stddev_pop", sample=False),
    "var_pop": _variance("var_pop", sample=False),
    "variance": _variance("var_samp", sample=True),
}
