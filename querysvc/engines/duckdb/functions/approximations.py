"""approx_percentile, numeric_histogram and approx_most_frequent, as Trino computes them.

The values are collected in DuckDB, and summarised in Python by `digests`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from querysvc.engines.duckdb.functions.collecting import fixed_argument
from querysvc.engines.duckdb.functions.digests import (
    TDigest,
    most_frequent,
    numeric_histogram,
)
from querysvc.engines.duckdb.functions.lists import INVALID
from querysvc.engines.duckdb.functions.registry import (
    AggregateSite,
    AggregateTable,
    call_python,
)
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.engines.duckdb.lowering.fragments import Sql, cast, conjunction
from querysvc.types.algebra import BIGINT, DOUBLE, Array, TrinoType

_ROUNDED_MAX: Final = 2**63 - 1


def _quantiles(values: list[float], weights: list[float], wanted: list[Any]) -> list[float]:
    for quantile in wanted:
        if quantile is None:
            raise failure(INVALID, "Percentile cannot be null")
        if not 0 <= quantile <= 1:
            raise failure(INVALID, "Percentile must be between 0 and 1")
    for value in values:
        if not math.isfinite(value):
            text = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
            raise failure(INVALID, f"value must be finite; was {text}")
    for weight in weights:
        if not weight >= 1:
            raise failure(INVALID, f"weight must be >= 1, was {weight}")
    return TDigest(values, weights).quantiles(wanted, min(values), max(values))


def _rounded(value: float) -> int:
    return max(-_ROUNDED_MAX - 1, min(_ROUNDED_MAX, math.floor(value + 0.5)))


def _percentiles(type_: TrinoType) -> Callable[..., list[Any]]:
    """The batch function over lists of values, of weights, and of percentiles."""
    finish: Callable[[float], Any] = _rounded if type_ == BIGINT else float

    def percentiles(values: Any, weights: Any, wanted: Any) -> list[Any]:
        return [
            None
            if some is None or quantiles is None
            else [finish(one) for one in _quantiles(some, loads, quantiles)]
            for some, loads, quantiles in zip(
                values.to_pylist(), weights.to_pylist(), wanted.to_pylist(), strict=True
            )
        ]

    return percentiles


def _approx_percentile(site: AggregateSite) -> Sql:
    value = cast(site.arguments[0], "DOUBLE")
    element = site.type.element if isinstance(site.type, Array) else site.type
    quantile_index = 1 if _is_unweighted(site) else 2
    weight = Sql("CAST(1 AS DOUBLE)") if quantile_index == 1 else site.arguments[1]
    some = conjunction([Sql(f"({value} IS NOT NULL)"), Sql(f"({weight} IS NOT NULL)")])
    wanted = fixed_argument(site, quantile_index)
    if not isinstance(site.type, Array):
        wanted = Sql(f"[{wanted}]")
    if len(site.arguments) == quantile_index + 2:
        wanted = _with_accuracy(site, wanted)
    found = call_python(
        site.context,
        _percentiles(element),
        [
            (site.aggregate("list", value, condition=some), Array(DOUBLE)),
            (site.aggregate("list", weight, condition=some), Array(DOUBLE)),
            (wanted, Array(DOUBLE)),
        ],
        Array(element),
    )
    return found if isinstance(site.type, Array) else Sql(f"{found}[1]")


def _is_unweighted(site: AggregateSite) -> bool:
    """(value, percentiles), or (value, percentile): else a weight is second."""
    return len(site.arguments) == 2


def checked_accuracies(wanted: Any, accuracies: Any) -> list[Any]:
    """The percentiles, for valid accuracies: the digest is as accurate as it is."""
    for accuracy in accuracies.to_pylist():
        if accuracy is not None and not 0 < accuracy < 1:
            raise failure(INVALID, "Percentile accuracy must be strictly between 0 and 1")
    return wanted  # type: ignore[no-any-return]  # pyarrow's arrays are untyped here


def _with_accuracy(site: AggregateSite, wanted: Sql) -> Sql:
    return call_python(
        site.context,
        checked_accuracies,
        [(wanted, Array(DOUBLE)), (fixed_argument(site, len(site.arguments) - 1), DOUBLE)],
        Array(DOUBLE),
    )


def histograms(limits: Any, values: Any, weights: Any) -> list[Any]:
    """The buckets for each list of values and of their weights."""
    results: list[Any] = []
    columns = (limits.to_pylist(), values.to_pylist(), weights.to_pylist())
    for limit, some, loads in zip(*columns, strict=True):
        if limit is not None and limit < 2:
            raise failure(INVALID, "numeric_histogram bucket count must be greater than one")
        results.append(None if not some else numeric_histogram(limit, some, loads))
    return results


def _numeric_histogram(site: AggregateSite) -> Sql:
    columns = site.arguments[1:]
    value = cast(columns[0], "DOUBLE")
    weight = columns[1] if len(columns) == 2 else Sql("CAST(1 AS DOUBLE)")
    some = conjunction([Sql(f"({value} IS NOT NULL)"), Sql(f"({weight} IS NOT NULL)")])
    return call_python(
        site.context,
        histograms,
        [
            (fixed_argument(site, 0, is_first=True), BIGINT),
            (site.aggregate("list", value, condition=some), Array(DOUBLE)),
            (site.aggregate("list", weight, condition=some), Array(DOUBLE)),
        ],
        site.type,
    )


def frequencies(limits: Any, values: Any, capacities: Any) -> list[Any]:
    """The most frequent values of each list with their counts."""
    results: list[Any] = []
    columns = (limits.to_pylist(), values.to_pylist(), capacities.to_pylist())
    for limit, some, capacity in zip(*columns, strict=True):
        if limit is not None and limit < 2:
            raise failure(INVALID, "approx_most_frequent bucket count must be greater than one")
        if capacity is not None and capacity < 1:
            raise failure(INVALID, "approx_most_frequent capacity must be positive")
        results.append(None if not some else most_frequent(some, limit, capacity))
    return results


def _approx_most_frequent(site: AggregateSite) -> Sql:
    value = site.arguments[1]
    some = Sql(f"({value} IS NOT NULL)")
    return call_python(
        site.context,
        frequencies,
        [
            (fixed_argument(site, 0, is_first=True), BIGINT),
            (site.aggregate("list", value, condition=some), Array(site.types[1])),
            (fixed_argument(site, 2, is_first=True), BIGINT),
        ],
        site.type,
    )


AGGREGATES: Final[AggregateTable] = {
    "approx_most_frequent": _approx_most_frequent,
    "approx_percentile": _approx_percentile,
    "numeric_histogram": _numeric_histogram,
}
