"""Statements of the lowering's corners, with the answers that a Trino 476 gave."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import difference, levels
from tests.support.local_engine import LocalEngine

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "answers.jsonl").read_text().splitlines()
]


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    yield engine
    engine.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_answer_is_trinos(engine: LocalEngine, case: dict[str, Any]) -> None:
    actual = engine.ask(case["sql"])
    assert not difference(case, actual), case["sql"]
    assert all(levels(case, actual).values()), (case, actual)
