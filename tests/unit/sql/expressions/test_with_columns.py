"""Aggregates, windows and operators over columns of every type, as a real Trino 476 types them.

The first line of the file has the FROM clause, every other one an expression with its answer;
`known` is the reason of a difference, which must then be one.
"""

import json
from pathlib import Path

from querysvc.errors import StatementError
from querysvc.model import Session
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata

FILE = Path(__file__).parent / "cases_with_columns.jsonl"


def answer(sql: str) -> tuple[str | None, list[str]]:
    try:
        statement = analyse(sql, Session(), MemoryMetadata())
    except StatementError as error:
        return error.code.name, []
    return None, [column.type.wire_name for column in statement.columns]


def test_types_and_error_names_over_columns_are_trinos() -> None:
    head, *lines = FILE.read_text(encoding="utf-8").splitlines()
    source = json.loads(head)["from"]
    wrong = []
    for case in map(json.loads, lines):
        expected = (case.get("error"), case.get("types", []))
        actual = answer(f"SELECT {case['sql']} {source}")
        if (actual == expected) == ("known" in case):
            wrong.append((case["sql"], expected, actual))
    assert wrong == []
