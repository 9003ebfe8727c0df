"""Families that the engine refuses: sketches as values, and machine learning."""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import AggregateTable, ScalarTable, Unsupported

_SKETCH: Final = Unsupported("sketches are values of Trino's own formats")
_LEARNING: Final = Unsupported("models are values of Trino's own formats")

SCALARS: Final[ScalarTable] = {
    **dict.fromkeys(
        (
            "cardinality(hyperloglog)",
            "cardinality(setdigest)",
            "empty_approx_set",
            "hash_counts",
            "intersection_cardinality",
            "jaccard_index",
            "quantile_at_value",
            "value_at_quantile",
            "values_at_quantiles",
        ),
        _SKETCH,
    ),
    **dict.fromkeys(("classify", "features", "regress"), _LEARNING),
}

AGGREGATES: Final[AggregateTable] = {
    **dict.fromkeys(
        (
            "$approx_set",
            "approx_set",
            "make_set_digest",
            "merge",
            "merge_set_digest",
            "qdigest_agg",
            "tdigest_agg",
        ),
        _SKETCH,
    ),
    **dict.fromkeys(
        (
            "evaluate_classifier_predictions",
            "learn_classifier",
            "learn_libsvm_classifier",
            "learn_libsvm_regressor",
            "learn_regressor",
        ),
        _LEARNING,
    ),
}
