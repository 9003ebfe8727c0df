"""Types and errors of expressions against what a real Trino 476 answered (`cases/*.jsonl`).

Each line has `sql` and either `types` (and for constants `row`) or `error` and `message`.
Statements that only fail when they run are not among them.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from querysvc import tree
from querysvc.errors import StatementError
from tests.support.expressions import select, wire_value

CASES = Path(__file__).parent / "cases"
GROUPS = sorted(path.stem for path in CASES.glob("*.jsonl"))
LOCATED = re.compile(r"(?:io\.trino\S* )?line (\d+):(\d+): (.*)", re.DOTALL)

DIFFERENCES = {
    "SELECT JsonPath '$.a'": "Trino fails to serialise it; literals of such types are refused",
    "SELECT CodePoints 'abc'": "literals of internal types are refused",
    "SELECT JoniRegExp 'abc'": "literals of internal types are refused",
    "SELECT 1 WHERE x -> 1": "the harness reads no WHERE",
    "SELECT 1 WHERE NULL": "the harness reads no WHERE",
    "SELECT row_number(DISTINCT) OVER ()": "the harness reads what the grammar does not",
    "SELECT sum(sum(1))": "the query's analyser finds nested aggregates",
    "SELECT sum(row_number() OVER ())": "the query's analyser finds windows in aggregates",
    "SELECT listagg(x, ',') WITHIN GROUP (ORDER BY x) OVER (PARTITION BY x) "
    "FROM (VALUES 'a') t(x)": "the harness reads no FROM",
    "SELECT (SELECT approx_set(1)) IN (SELECT approx_set(1))": "TYPE_MISMATCH, not internal",
    "SELECT approx_set(1) IN (SELECT approx_set(1))": "TYPE_MISMATCH, not internal",
}


def cases(group: str) -> list[dict[str, Any]]:
    lines = (CASES / f"{group}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def answer(sql: str) -> tuple[str | None, list[str]]:
    try:
        return None, [item.type.wire_name for item in select(sql)]
    except StatementError as error:
        return error.code.name, []


@pytest.mark.parametrize("group", GROUPS)
def test_types_and_error_names_are_trinos(group: str) -> None:
    wrong = []
    for case in cases(group):
        expected = (case.get("error"), case.get("types", []))
        if (answer(case["sql"]) == expected) == (case["sql"] in DIFFERENCES):
            wrong.append((case["sql"], expected, answer(case["sql"])))
    assert wrong == []


@pytest.mark.parametrize("group", ["literals", "zones"])
def test_constants_have_trinos_values(group: str) -> None:
    wrong = []
    for case in cases(group):
        if not case.get("row") or case["sql"] in DIFFERENCES:
            continue
        for item, expected in zip(select(case["sql"]), case["row"], strict=True):
            if isinstance(item, tree.Call) and item.name == "at_timezone":
                instant = item.arguments[0]
                assert isinstance(instant, tree.Literal)
                assert isinstance(instant.value, tuple)
                item = tree.Literal(instant.type, (instant.value[0], "UTC"))
            if isinstance(item, tree.Literal) and wire_value(item) != expected:
                wrong.append((case["sql"], expected, wire_value(item)))
    assert wrong == []


@pytest.mark.parametrize("group", ["literals", "forms", "calls", "json"])
def test_errors_stand_where_trino_puts_them(group: str) -> None:
    wrong = []
    for case in cases(group):
        located = LOCATED.match(case.get("message", ""))
        if located is None or case["error"] == "SYNTAX_ERROR":
            continue
        try:
            select(case["sql"])
        except StatementError as error:
            if error.code.name == case["error"]:
                wanted = (int(located[1]), int(located[2]))
                if (error.line, error.column) != wanted and case["sql"] not in ELSEWHERE:
                    wrong.append((case["sql"], wanted, str(error)))
    assert wrong == []


ELSEWHERE = {
    "SELECT ?",
    "SELECT abs(1) OVER ()",
    "SELECT sum(1) FILTER (WHERE true) OVER ()",
    "SELECT row_number() FILTER (WHERE true) OVER ()",
    "SELECT sum(1) OVER (ORDER BY 1, 2 RANGE 1 PRECEDING)",
}
"""Trino gives the whole SELECT's or window's position; ours is the call's or the frame's."""
