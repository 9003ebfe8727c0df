"""Statistical aggregates: variance, correlation, regression, skewness, kurtosis, geometric mean.

DuckDB fails on sums that are not finite, where Trino answers NaN or NULL: it only sees values whose
squares it can sum, and whether there were others is asked apart.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from querysvc.engines.duckdb.functions.registry import (
    AggregateBuilder,
    AggregateSite,
    AggregateTable,
    BatchFunction,
    call_python,
)
from querysvc.engines.duckdb.lowering.casts.convert import convert
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, bind, call, case, cast, fail
from querysvc.errors import ErrorCode
from querysvc.types.algebra import DOUBLE, Array

_NAN: Final = Sql("CAST('nan' AS DOUBLE)")
_SMALL: Final = "1e140"


def _variance(name: str, *, sample: bool) -> AggregateBuilder:
    """A variance or deviation: NaN when a value is not finite."""

    def build(site: AggregateSite) -> Sql:
        value = cast(site.arguments[0], "DOUBLE")
        if not site.types[0].is_floating:
            return site.aggregate(name, value)
        size = call("abs", value)
        small = site.aggregate(name, value, condition=_is_small(size))
        rows = site.aggregate("count", value)
        enough = Sql(f"({rows} > {1 if sample else 0})")
        return _by_size(site, site.aggregate("max", size), small, case([(enough, _NAN)]))

    return build


def _pairwise(name: str, *, is_null_unless_finite: bool, rows_min: int = 1) -> AggregateBuilder:
    """A statistic of two columns; where Trino wants a finite answer, it is NULL otherwise."""

    def build(site: AggregateSite) -> Sql:
        first, second = (cast(argument, "DOUBLE") for argument in site.arguments)
        size = case(
            [
                (
                    Sql(f"({first} IS NOT NULL AND {second} IS NOT NULL)"),
                    call("greatest", call("abs", first), call("abs", second)),
                )
            ]
        )
        small = site.aggregate(name, first, second, condition=_is_small(size))
        otherwise = NULL if is_null_unless_finite else _NAN
        if rows_min > 1:
            rows = site.aggregate("count", size)
            otherwise = case([(Sql(f"({rows} >= {rows_min})"), otherwise)])

        def body(result: Sql) -> Sql:
            if not is_null_unless_finite:
                return result
            return case([(Sql(f"isfinite({result})"), result)])

        largest = site.aggregate("max", size)
        found = _by_size(site, largest, bind([small], body), otherwise)
        return convert(site.context, found, DOUBLE, site.type)

    return build


def _is_small(size: Sql) -> Sql:
    """Whether DuckDB's sums of squares hold the value; NaN is its greatest number."""
    return Sql(f"({size} < {_SMALL})")


def _by_size(site: AggregateSite, largest: Sql, small: Sql, not_finite: Sql) -> Sql:
    """The statistic of small values, of some that are not finite, or a refusal of the rest."""
    refusal = fail(ErrorCode.NOT_SUPPORTED, f"{site.name} of values of {_SMALL} and more")

    def body(bound: Sql) -> Sql:
        return case(
            [
                (Sql(f"(NOT isfinite({bound}))"), not_finite),
                (Sql(f"({bound} >= {_SMALL})"), refusal),
            ],
            small,
        )

    return bind([largest], body)


def _of_list(function: BatchFunction) -> AggregateBuilder:
    """A function of all values that are not NULL, in Python: sums of powers in SQL cancel."""

    def build(site: AggregateSite) -> Sql:
        value = cast(site.arguments[0], "DOUBLE")
        values = site.aggregate("list", value, condition=Sql(f"({value} IS NOT NULL)"))
        return call_python(site.context, function, [(values, Array(DOUBLE))], DOUBLE)

    return build


def skewness(lists: Any) -> list[float | None]:
    """The skewness of each list of at least three values."""
    results: list[float | None] = []
    for values in lists:
        if not values.is_valid or len(values) < 3:
            results.append(None)
            continue
        second, third = _central_moments(values.values, 2, 3)
        with np.errstate(all="ignore"):
            results.append(float(np.sqrt(len(values)) * third / second**1.5))
    return results


def kurtosis(lists: Any) -> list[float | None]:
    """The excess kurtosis of each list of at least four values, as of a sample."""
    results: list[float | None] = []
    for values in lists:
        n = len(values) if values.is_valid else 0
        if n < 4:
            results.append(None)
            continue
        second, fourth = _central_moments(values.values, 2, 4)
        with np.errstate(all="ignore"):
            variance = second / (n - 1)
            scaled = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * fourth / variance**2
            results.append(float(scaled - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))))
    return results


def _central_moments(values: Any, *powers: int) -> list[np.float64]:
    numbers = np.asarray(values)
    with np.errstate(all="ignore"):
        deviations = numbers - np.mean(numbers)
        return [np.sum(deviations**power) for power in powers]


def _geometric_mean(site: AggregateSite) -> Sql:
    value = cast(site.arguments[0], "DOUBLE")
    logarithm = Sql(
        f"CASE WHEN {value} > 0 THEN ln({value}) WHEN {value} = 0 THEN CAST('-inf' AS DOUBLE)"
        f" WHEN {value} IS NOT NULL THEN CAST('nan' AS DOUBLE) END"
    )
    return cast(call("exp", site.aggregate("avg", Sql(f"({logarithm})"))), site.result_type)


AGGREGATES: Final[AggregateTable] = {
    "corr": _pairwise("corr", is_null_unless_finite=True),
    "covar_pop": _pairwise("covar_pop", is_null_unless_finite=False),
    "covar_samp": _pairwise("covar_samp", is_null_unless_finite=False, rows_min=2),
    "geometric_mean": _geometric_mean,
    "kurtosis": _of_list(kurtosis),
    "regr_intercept": _pairwise("regr_intercept", is_null_unless_finite=True),
    "regr_slope": _pairwise("regr_slope", is_null_unless_finite=True),
    "skewness": _of_list(skewness),
    "stddev": _variance("stddev_samp", sample=True),
    "stddev_pop": _variance("stddev_pop", sample=False),
    "var_pop": _variance("var_pop", sample=False),
    "variance": _variance("var_samp", sample=True),
}
