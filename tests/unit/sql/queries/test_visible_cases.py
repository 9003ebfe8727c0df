"""The visible conformance cases, as far as analysis alone can tell: names, types, error names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from querysvc.errors import CAUGHT_BY_TRY, ErrorCode, StatementError
from querysvc.sql.parser import QUERY, parse
from tests.support.queries import analysed, tpch

FILE = Path(__file__).parents[3] / "conformance" / "data" / "visible.jsonl"

# What Trino finds out only by running the query.
RUN_TIME = {code.name for code in CAUGHT_BY_TRY} | {
    "SUBQUERY_MULTIPLE_ROWS",
    "GENERIC_USER_ERROR",
    "PATH_EVALUATION_ERROR",
}
KNOWN = {
    "v-0707": "JSON_TABLE is refused by name",
    "v-1053": "the case names the catalog tpch, which is not ours",
    "v-1054": "the case names the catalog tpch, which is not ours",
    "v-1088": "Trino fails when it runs the query: recursion deeper than 10",
    "v-1104": "MATCH_RECOGNIZE is refused by name",
    "v-1105": "MATCH_RECOGNIZE is refused by name",
    "v-1124": "Athena takes a trailing semicolon",
    "v-1141": "WITH FUNCTION is refused by name",
    "v-1161": "information_schema is the catalog's to offer",
    "v-1162": "information_schema is the catalog's to offer",
}


def _agrees(case: dict[str, Any]) -> bool:
    wanted = case.get("error_name")
    try:
        result = analysed(case["sql"], tpch())
    except StatementError as error:
        return error.code.name == wanted
    if wanted is not None:
        return wanted in RUN_TIME
    names = [column.name for column in result.columns]
    types = [column.type.wire_name for column in result.columns]
    return names == case["columns"] and types == case["types"]


def _is_query(sql: str) -> bool:
    try:
        return parse(sql).kind == QUERY
    except StatementError as error:
        return error.code in (ErrorCode.SYNTAX_ERROR, ErrorCode.NOT_SUPPORTED)


def test_visible_queries_have_trinos_names_types_and_errors() -> None:
    cases = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    queries = [case for case in cases if _is_query(case["sql"])]
    assert len(queries) > 2200
    wrong = {case["id"] for case in queries if not _agrees(case)}
    assert wrong == set(KNOWN)
