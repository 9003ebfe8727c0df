"""What it costs to check a statement and to make DuckDB's SQL of it: CPU time, no engine runs.

The 99 queries of TPC-DS, and statements of 256 KB in the shapes that grow: lists, rows, unions,
conditions, columns, nesting. Bars: a TPC-DS query under 60 ms median; every large statement ends,
with a plan or with an error by name, within the gate's time limit.
Run: .venv/bin/python benchmarks/analysis.py       (about a minute)
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from support import percentile, record

from querysvc.errors import QueryServiceError
from querysvc.settings import Settings
from tests.support.local_engine import DataSet, LocalEngine
from tests.support.tpc import TPCDS

ROUNDS = 3
MEDIAN_MS_MAX = 60
LARGE_BYTES = 256 * 1024


def repeated(head: str, item: str, separator: str = ", ", tail: str = "") -> str:
    """A statement of LARGE_BYTES with as many items as fit."""
    count = (LARGE_BYTES - len(head) - len(tail)) // (len(item) + len(separator))
    return head + separator.join([item] * count) + tail


def nested(opening: str, inner: str, closing: str, head: str = "SELECT ") -> str:
    """A statement of LARGE_BYTES that nests as deep as fits."""
    depth = (LARGE_BYTES - len(head) - len(inner)) // (len(opening) + len(closing))
    return head + opening * depth + inner + closing * depth


SHAPES: Final[dict[str, str]] = {
    "IN list of numbers": repeated("SELECT 1 WHERE 1 IN (", "12345678", tail=")"),
    "IN list of texts": repeated("SELECT 1 WHERE 'a' IN (", "'abcdefgh'", tail=")"),
    "VALUES": repeated("VALUES ", "(1, 'abc', 2.5, DATE '2024-01-01')"),
    "UNION ALL": repeated("", "SELECT 1 AS a, 'x' AS b", " UNION ALL "),
    "OR of conditions": repeated("SELECT 1 WHERE ", "(ss_item_sk = 1 AND 2 > 1)", " OR ").replace(
        "WHERE", "FROM store_sales WHERE", 1
    ),
    "sum": repeated("SELECT ", "1", " + "),
    "concatenation": repeated("SELECT ", "'a'", " || "),
    "columns": repeated("SELECT ", "ss_item_sk * 2 AS x", tail=" FROM store_sales"),
    "CASE branches": repeated("SELECT CASE 1 ", "WHEN 1 THEN 'abc'", " ", " END"),
    "WITH": "WITH "
    + ", ".join(f"q{i} AS (SELECT a + 1 AS a FROM q{i - 1})" for i in range(1, 6_000)).replace(
        "FROM q0", "FROM (SELECT 1 AS a)"
    )
    + " SELECT * FROM q5999",
    "joins": repeated("SELECT 1 FROM ", "(SELECT 1 AS a)", " CROSS JOIN "),
    "one text": "SELECT '" + "x" * (LARGE_BYTES - 9) + "'",
    "comment": "SELECT 1 /*" + "x" * (LARGE_BYTES - 14) + "*/",
    "parentheses": nested("(", "1", ")"),
    "subqueries": nested("(SELECT ", "1", ")"),
    "functions": nested("abs(", "1", ")"),
    "arrays": nested("ARRAY[", "1", "]"),
    "NOT": nested("NOT ", "true", ""),
    "minus": nested("- ", "1", ""),
    "types": nested("array(", "integer", ")", "SELECT CAST(NULL AS ") + ")",
    "brackets without end": "SELECT " + "(" * (LARGE_BYTES - 7),
}


def milliseconds(action: Callable[[], object]) -> float:
    """CPU time of the action."""
    start = time.process_time()
    action()
    return (time.process_time() - start) * 1000


def tpcds(engine: LocalEngine) -> dict[str, dict[str, float]]:
    """The median of each query's rounds, over the queries."""
    analysis, lowering, whole = [], [], []
    for sql in TPCDS.statements().values():
        statement = engine.analyse(sql)
        engine.lower(statement)
        first = statistics.median(milliseconds(partial(engine.analyse, sql)) for _ in range(ROUNDS))
        second = statistics.median(
            milliseconds(partial(engine.lower, statement)) for _ in range(ROUNDS)
        )
        analysis.append(first)
        lowering.append(second)
        whole.append(first + second)
    return {
        name: {
            "median": round(statistics.median(values), 1),
            "p90": round(percentile(values, 0.9), 1),
            "max": round(max(values), 1),
        }
        for name, values in (("analysis", analysis), ("lowering", lowering), ("both", whole))
    }


def large(engine: LocalEngine, sql: str) -> dict[str, object]:
    """What becomes of a large statement, and how long it takes."""
    answer = "plan"

    def run() -> None:
        nonlocal answer
        try:
            engine.lower(engine.analyse(sql))
        except QueryServiceError as error:
            answer = f"{error.code.name}: {str(error)[:80]}"

    return {"ms": round(milliseconds(run)), "bytes": len(sql), "answer": answer}


def main() -> None:
    """Measure and record."""
    engine = LocalEngine(DataSet(TPCDS.name, "tiny", Path("/nowhere"), TPCDS.tables))
    queries = tpcds(engine)
    shapes = {name: large(engine, sql) for name, sql in SHAPES.items()}
    limit = Settings.model_fields["analysis_timeout_seconds"].default * 1000
    record(
        "analysis",
        {"tpcds_ms": queries, "large": shapes, "gate_limit_ms": limit},
        {
            f"TPC-DS median under {MEDIAN_MS_MAX} ms": queries["both"]["median"] < MEDIAN_MS_MAX,
            "256 KB within the limit": all(int(str(one["ms"])) < limit for one in shapes.values()),
        },
    )


if __name__ == "__main__":
    main()
