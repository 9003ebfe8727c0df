"""Every recorded answer holds, or stands in the list of known differences: strict both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import difference, levels
from tests.support.conformance import ask
from tests.support.local_engine import LocalEngine

DATA = Path(__file__).parent / "data"
KNOWN: dict[str, str] = json.loads((DATA / "visible-known.json").read_text())
CASES = [json.loads(line) for line in (DATA / "visible.jsonl").read_text().splitlines()]
CATEGORIES = sorted({case["category"] for case in CASES})


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    local = LocalEngine()
    yield local
    local.close()


def fails(case: dict[str, Any], actual: dict[str, Any]) -> bool:
    return bool(difference(case, actual)) or not all(levels(case, actual).values())


@pytest.mark.parametrize("category", CATEGORIES)
def test_answers_equal_trinos_but_for_the_known_differences(
    engine: LocalEngine, category: str
) -> None:
    cases = [case for case in CASES if case["category"] == category]
    different = {case["id"] for case in cases if fails(case, ask(engine, case["sql"]))}
    known = {case["id"] for case in cases if case["id"] in KNOWN}
    assert different - known == set(), "differ now"
    assert known - different == set(), "known as different, but equal now: take them off the list"


def test_every_known_difference_has_a_reason_and_a_case() -> None:
    ids = {case["id"] for case in CASES}
    assert KNOWN.keys() <= ids
    assert all(reason.strip() for reason in KNOWN.values())
