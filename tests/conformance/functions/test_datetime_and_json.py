"""The functions of dates, times and JSON against what a real Trino 476 answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode
from tests.support.conformance import run
from tests.support.local_engine import LocalEngine

HERE = Path(__file__).parent

REFUSED = ("SELECT parse_datetime('BC 0001', 'G yyyy')",)


@pytest.mark.parametrize("family", ["datetime", "json"])
def test_every_recorded_answer_is_ours(family: str) -> None:
    text = (HERE / f"{family}.jsonl").read_text()
    cases = [json.loads(line) for line in text.split("\n") if line]
    assert cases
    _, _, failures, wrong = run(cases)
    assert not failures, "\n".join(failures[:20])
    assert wrong == 0


@pytest.mark.parametrize("sql", REFUSED)
def test_what_cannot_be_exact_is_refused_by_name(sql: str) -> None:
    engine = LocalEngine()
    answer = engine.ask(sql)
    engine.close()
    assert answer["error_name"] == ErrorCode.NOT_SUPPORTED.name
