"""Functions that the engine refuses: some of sketches, and machine learning."""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import AggregateTable, ScalarTable, Unsupported

_SKETCH: Final = Unsupported("what Trino's sketch answers depends on when it was compacted")
_LEARNING: Final = Unsupported("models are values of Trino's own formats")

SCALARS: Final[ScalarTable] = {
    **dict.fromkeys(("classify", "features", "regress"), _LEARNING),
}

AGGREGATES: Final[AggregateTable] = {
    **dict.fromkeys(
        (
            "merge(qdigest(v))",
            "qdigest_agg(bigint,bigint,double)",
            "qdigest_agg(double,bigint,double)",
            "qdigest_agg(real,bigint,double)",
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
