"""Sketches as values: HyperLogLog, t-digest and quantile digest.

https://trino.io/docs/current/functions/hyperloglog.html, tdigest.html, qdigest.html

A value holds what its sketch would summarise; the summary is made where it is asked. Trino's own
bytes are never shown, and what depends on when Trino compacts a sketch is refused.
"""

from __future__ import annotations

import math
import struct as binary
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any, Final

from querysvc.engines.duckdb.functions.digests import TDigest
from querysvc.engines.duckdb.functions.lists import INVALID
from querysvc.engines.duckdb.functions.registry import (
    AggregateSite,
    AggregateTable,
    BatchFunction,
    CallSite,
    ScalarBuilder,
    ScalarTable,
    call_python,
)
from querysvc.engines.duckdb.functions.sketches import set_cardinalities
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.fragments import Sql, case, cast, fail, field, struct
from querysvc.engines.duckdb.lowering.types import not_supported
from querysvc.errors import ErrorCode
from querysvc.types.algebra import BIGINT, DOUBLE, TDIGEST, Array, QDigest, TrinoType, Varchar

_MERGED_TDIGEST_MAX: Final = 30
"""So few values Trino's t-digests keep one by one, however they are merged."""
_SET_DIGEST_HASHES: Final = 8192
_QDIGEST_ERROR: Final = 0.01
_QDIGEST_NODES_FACTOR: Final = 1.5


def _present(site: AggregateSite) -> Sql:
    terms = " AND ".join(f"{value} IS NOT NULL" for value in site.arguments)
    return Sql(f"({terms})")


# HyperLogLog: the hashes, each once. Set digest: the hashes, as often as they came.


def murmur_of_numbers(values: Any) -> list[int | None]:
    """The hashes of whole numbers."""
    return [_murmur(None if v is None else binary.pack("<q", v)) for v in values.to_pylist()]


def murmur_of_doubles(values: Any) -> list[int | None]:
    """The hashes of doubles by their bits; there is one NaN."""
    return [
        _murmur(None if v is None else binary.pack("<d", math.nan if math.isnan(v) else v))
        for v in values.to_pylist()
    ]


def murmur_of_texts(values: Any) -> list[int | None]:
    """The hashes of texts."""
    return [_murmur(None if v is None else v.encode()) for v in values.to_pylist()]


def _murmur(value: bytes | None) -> int | None:
    import mmh3

    return None if value is None else mmh3.hash64(value)[0]


def _hash(site: AggregateSite) -> Sql:
    kind, value = site.types[0], site.arguments[0]
    if isinstance(kind, Varchar):
        return call_python(site.context, murmur_of_texts, [(value, kind)], BIGINT)
    if kind == DOUBLE:
        return call_python(site.context, murmur_of_doubles, [(value, kind)], BIGINT)
    if not kind.is_integer:
        raise not_supported(f"function {site.key} of {kind}")
    return call_python(site.context, murmur_of_numbers, [(cast(value, "BIGINT"), BIGINT)], BIGINT)


def _approx_set(site: AggregateSite) -> Sql:
    return site.aggregate("list", _hash(site), condition=_present(site), distinct=True)


def _set_digest(site: AggregateSite) -> Sql:
    return site.aggregate("list", _hash(site), condition=_present(site))


def _merge_lists(site: AggregateSite) -> Sql:
    merged = site.aggregate("list", site.arguments[0], condition=_present(site))
    return Sql(f"flatten({merged})")


def _set_cardinality(bits: int, kept: int) -> ScalarBuilder:
    """The estimate of a sketch with so many index bits; so many hashes it keeps and counts."""

    def set_cardinality(hash_lists: Any) -> list[int | None]:
        return set_cardinalities(hash_lists, bits, kept)

    set_cardinality.__name__ = f"cardinality_{bits}"  # by which the session knows it

    def build(site: CallSite) -> Sql:
        return site.call_python(set_cardinality, (site.arguments[0], Array(BIGINT)))

    return build


def _kept(hashes: list[int]) -> dict[int, int]:
    counts = Counter(hashes)
    if len(counts) >= _SET_DIGEST_HASHES:
        message = "set digests of so many values are not supported"
        raise failure(ErrorCode.NOT_SUPPORTED, message)
    return counts


@by_row
def hash_counts(hashes: list[int]) -> list[tuple[int, int]]:
    """How often each hash of a set digest came."""
    return list(_kept(hashes).items())


@by_row
def intersection_cardinality(first: list[int], second: list[int]) -> int:
    """How many hashes two set digests share."""
    return len(_kept(first).keys() & _kept(second).keys())


@by_row
def jaccard_index(first: list[int], second: list[int]) -> float:
    """The share of common hashes among the least of both, as many as the smaller set has."""
    one, other = _kept(first), _kept(second)
    size = min(len(one), len(other))
    least = sorted(one.keys() | other.keys())[:size]
    return sum(key in one and key in other for key in least) / size if size else math.nan


def _of_sets(function: BatchFunction) -> ScalarBuilder:
    def build(site: CallSite) -> Sql:
        lists = [(argument, Array(BIGINT)) for argument in site.arguments]
        return site.call_python(function, *lists)

    return build


# Digests: parallel lists of values `v` and weights `w`.


def _digest(weight: str) -> Callable[[AggregateSite], Sql]:
    """The aggregate that keeps values with their weights; a weight alone is `weight`."""

    def build(site: AggregateSite) -> Sql:
        value, *weights = site.arguments
        some = _present(site)
        values = site.aggregate("list", value, condition=some)
        kept = site.aggregate("list", weights[0] if weights else Sql(weight), condition=some)
        return case([(Sql(f"({values} IS NOT NULL)"), struct([("v", values), ("w", kept)]))])

    return build


def _merge_tdigests(site: AggregateSite) -> Sql:
    value = site.arguments[0]
    some = Sql(f"({value} IS NOT NULL)")
    parts = [
        (name, Sql(f"flatten({site.aggregate('list', field(value, name), condition=some)})"))
        for name in ("v", "w")
    ]
    return case([(Sql(f"({parts[0][1]} IS NOT NULL)"), _few(*parts))])


def _few(values: tuple[str, Sql], weights: tuple[str, Sql]) -> Sql:
    refusal = fail(ErrorCode.NOT_SUPPORTED, "merge of large t-digests is not supported")
    is_large = Sql(f"(len({values[1]}) > {_MERGED_TDIGEST_MAX})")
    return case([(is_large, refusal)], struct([values, weights]))


def _asked(batch: Callable[[TrinoType], Callable[..., Any]]) -> ScalarBuilder:
    """A function of a digest and of what is asked of it."""

    def build(site: CallSite) -> Sql:
        kind = site.types[0]
        element: TrinoType = kind.value if isinstance(kind, QDigest) else DOUBLE
        weight = BIGINT if isinstance(kind, QDigest) else DOUBLE
        digest = site.arguments[0]
        return site.call_python(
            batch(kind),
            (field(digest, "v"), Array(element)),
            (field(digest, "w"), Array(weight)),
            (site.arguments[1], site.types[1]),
        )

    return build


def _by_row(function: Callable[..., Any], name: str) -> Callable[..., list[Any]]:
    def batch(values: Any, weights: Any, asked: Any) -> list[Any]:
        rows = zip(values.to_pylist(), weights.to_pylist(), asked.to_pylist(), strict=True)
        return [None if None in (v, q) else function(v, w, q) for v, w, q in rows]

    batch.__name__ = name
    return batch


def _value(kind: TrinoType) -> Callable[..., list[Any]]:
    find = _t_values if kind == TDIGEST else _q_values
    return _by_row(lambda v, w, q: find(v, w, [q])[0], "value_at_quantile")


def _values(kind: TrinoType) -> Callable[..., list[Any]]:
    find = _t_values if kind == TDIGEST else _q_values

    def sorted_only(values: list[Any], weights: list[Any], wanted: list[float]) -> list[Any]:
        if any(one > other for one, other in pairwise(wanted)):
            raise failure(INVALID, "percentiles must be sorted in increasing order")
        return find(values, weights, wanted)

    return _by_row(sorted_only, "values_at_quantiles")


def _rank(_kind: TrinoType) -> Callable[..., list[Any]]:
    return _by_row(_q_rank, "quantile_at_value")


def _t_values(values: list[float], weights: list[float], wanted: list[float]) -> list[float]:
    for value in values:
        if not math.isfinite(value):
            raise failure(INVALID, f"value must be finite; was {value}")
    for weight in weights:
        if not weight >= 1:
            raise failure(INVALID, f"weight must be >= 1, was {weight}")
    if any(not 0 <= one <= 1 for one in wanted):
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "quantiles should be in [0, 1] range")
    return TDigest(values, weights).quantiles(wanted, min(values), max(values))


def _ordered(values: list[Any], weights: list[int]) -> tuple[list[Any], list[int]]:
    """The values in order, and the weights up to each; only while Trino would keep each value."""
    counts: dict[Any, int] = {}
    for value, weight in zip(values, weights, strict=True):
        if not weight > 0:
            raise failure(INVALID, f"weight must be > 0, was {weight}")
        counts[value] = counts.get(value, 0) + weight
    ordered = sorted(counts)
    bits = (_sortable(ordered[0]) ^ _sortable(ordered[-1])).bit_length()
    nodes_max = _QDIGEST_NODES_FACTOR * max(int((bits + 1) / _QDIGEST_ERROR), 1)
    if 2 * len(ordered) > nodes_max:
        message = "quantile digests of so many values are not supported"
        raise failure(ErrorCode.NOT_SUPPORTED, message)
    return ordered, list(accumulate(counts[value] for value in ordered))


def _sortable(value: float) -> int:
    """The 64 bits in whose order Trino's digest keeps the value."""
    if isinstance(value, int):
        return value + (1 << 63)
    bits: int = binary.unpack(">q", binary.pack(">d", value))[0]
    return (bits ^ ((bits >> 63) & ((1 << 63) - 1))) + (1 << 63)


def _q_values(values: list[Any], weights: list[int], wanted: list[float]) -> list[Any]:
    if any(not 0 <= one <= 1 for one in wanted):
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "quantile must be between [0,1]")
    ordered, up_to = _ordered(values, weights)
    places = (next((i for i, n in enumerate(up_to) if n > one * up_to[-1]), -1) for one in wanted)
    return [ordered[place] for place in places]


def _q_rank(values: list[Any], weights: list[int], asked: float) -> float | None:
    ordered, up_to = _ordered(values, weights)
    if not ordered[0] <= asked <= ordered[-1]:
        return None
    place = bisect_left(ordered, asked)
    return (up_to[place - 1] if place else 0) / up_to[-1]


SCALARS: Final[ScalarTable] = {
    "cardinality(hyperloglog)": _set_cardinality(12, 0),
    "cardinality(setdigest)": _set_cardinality(11, _SET_DIGEST_HASHES),
    "empty_approx_set": "CAST([] AS BIGINT[])",
    "hash_counts": _of_sets(hash_counts),
    "intersection_cardinality": _of_sets(intersection_cardinality),
    "jaccard_index": _of_sets(jaccard_index),
    "quantile_at_value": _asked(_rank),
    "value_at_quantile": _asked(_value),
    "values_at_quantiles": _asked(_values),
}

AGGREGATES: Final[AggregateTable] = {
    "$approx_set": _approx_set,
    "approx_set": _approx_set,
    "make_set_digest": _set_digest,
    "merge(hyperloglog)": _merge_lists,
    "merge_set_digest": _merge_lists,
    "merge(tdigest)": _merge_tdigests,
    "qdigest_agg": _digest("CAST(1 AS BIGINT)"),
    "tdigest_agg": _digest("CAST(1 AS DOUBLE)"),
}
