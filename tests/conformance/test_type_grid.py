"""Every operator, comparison, aggregate and cast over every type's values, as Trino 476 answers.

`type-grid.jsonl` was asked of a live Trino: each type's corner values against each other type's.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import difference, levels
from tests.support.local_engine import LocalEngine

DATA = Path(__file__).parent / "data"
CASES = [json.loads(line) for line in (DATA / "type-grid.jsonl").read_text().splitlines()]
KNOWN = {
    case: reason
    for reason, cases in json.loads((DATA / "type-grid-known.json").read_text()).items()
    for case in cases
}
BATCH = 100


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    yield engine
    engine.close()


def _is_trinos(engine: LocalEngine, case: dict[str, Any]) -> bool:
    actual = engine.ask(case["sql"])
    return not difference(case, actual) and all(levels(case, actual).values())


@pytest.mark.parametrize("start", range(0, len(CASES), BATCH))
def test_answers_are_trinos_or_known(engine: LocalEngine, start: int) -> None:
    cases = CASES[start : start + BATCH]
    failing = {case["id"] for case in cases if not _is_trinos(engine, case)}
    known = {case["id"] for case in cases} & KNOWN.keys()
    assert failing == known
