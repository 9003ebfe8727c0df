"""Queries whose answers (names, types, errors with positions) a real Trino 476 gave."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from querysvc.errors import StatementError
from querysvc.model import Session
from querysvc.sql.analyser import analyse
from tests.support.queries import STARTED_AT, tpch

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases.jsonl").read_text("utf-8").splitlines()
]
SESSION = Session(catalog="tpch", database="tiny", started_at=STARTED_AT)
METADATA = tpch("tpch")

_NOT_DECORRELATED = "Trino's planner cannot decorrelate it; the analysis is right, and DuckDB can"
_AT_RUN_TIME = "Trino fails when it runs the query"
DIFFERENT = {
    "SELECT 1;": "Athena takes a trailing semicolon",
    "SHOW": "not a query: its grammar is the utility statements' module's",
    "SELECT (TABLE region)": _AT_RUN_TIME,
    "SELECT count(*) FROM nation TABLESAMPLE BERNOULLI (10 * 2)": "refused: only numbers",
    "SELECT extract(year FROM orderdate) AS y, count(*) FROM orders "
    "GROUP BY year(orderdate) ORDER BY y": "keys are compared typed, and both are the same call",
    "SELECT * FROM nation a LEFT JOIN LATERAL (SELECT a.name n2) ON a.nationkey = 1 LIMIT 1": (
        _NOT_DECORRELATED
    ),
    "SELECT (SELECT sum(n.nationkey + r.regionkey) FROM region r) FROM nation n": (
        _NOT_DECORRELATED
    ),
}
ELSEWHERE = {
    "SELECT sum(1) OVER (w ORDER BY name) FROM nation WINDOW w AS (ORDER BY nationkey)",
    "SELECT * FROM TABLE(sequence(1+1, 5, nope => 1))",
    "SELECT * FROM (SELECT ARRAY[1,2] a) t JOIN UNNEST(t.a) u(b) USING (b)",
    (
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t WHERE n<3 ORDER BY 1) "
        "SELECT * FROM t"
    ),
}
"""Cases whose error stands a token further on than Trino's."""


def _answer(sql: str) -> dict[str, object]:
    try:
        result = analyse(sql, SESSION, METADATA)
    except StatementError as error:
        return {"error": error.code.name, "place": f"line {error.line}:{error.column}"}
    return {
        "columns": [column.name for column in result.columns],
        "types": [column.type.wire_name for column in result.columns],
    }


def _wanted(case: dict[str, str], got: dict[str, object]) -> dict[str, object]:
    if "error" not in case:
        return {"columns": case["columns"], "types": case["types"]}
    place = re.match(r"line \d+:\d+", case["message"])
    if place is None or case["sql"] in ELSEWHERE:
        return {"error": case["error"], "place": got.get("place")}
    return {"error": case["error"], "place": place[0]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["sql"][:80])
def test_query_has_trinos_columns_or_trinos_error(case: dict[str, str]) -> None:
    got = _answer(case["sql"])
    if case["sql"] in DIFFERENT:
        assert got != _wanted(case, got), "no longer different: take it off the list"
    else:
        assert got == _wanted(case, got)


def test_every_listed_difference_is_a_case() -> None:
    statements = {case["sql"] for case in CASES}
    assert (set(DIFFERENT) | ELSEWHERE) <= statements
