"""Arrays, maps, lambdas, aggregates and windows against what a real Trino 476 answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conformance import run
from tests.support.local_engine import LocalEngine

FOLDER = Path(__file__).parent


@pytest.fixture(name="engine")
def _engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    yield engine
    engine.close()


@pytest.mark.parametrize("family", ["aggregates", "arrays", "maps", "windows"])
def test_every_recorded_answer_is_ours(family: str) -> None:
    lines = (FOLDER / f"{family}.jsonl").read_text().split("\n")
    _, _, failures, wrong = run([json.loads(line) for line in lines if line])
    assert not failures, "\n".join(failures[:20])
    assert not wrong


@pytest.mark.parametrize(
    "call",
    [
        "checksum(ROW(nationkey, name))",
        "max(ROW(nationkey, CAST(NULL AS varchar)))",
        "array_sort(array_agg(x), (a, b) -> 1)",
    ],
)
def test_what_cannot_be_exact_is_refused_by_name(engine: LocalEngine, call: str) -> None:
    sql = f"SELECT {call} FROM nation CROSS JOIN UNNEST(sequence(1, 2)) t(x)"
    assert engine.ask(sql).get("error_name") == "NOT_SUPPORTED"


def test_a_comparator_of_a_long_array_sorts_stably(engine: LocalEngine) -> None:
    comparator = "(a, b) -> IF(a % 3 < b % 3, -1, IF(a % 3 = b % 3, 0, 1))"
    answer = engine.ask(f"SELECT array_sort(sequence(1, 100), {comparator})")
    assert answer["rows"] == [[sorted(range(1, 101), key=lambda item: item % 3)]]


def test_a_shuffled_array_keeps_its_elements(engine: LocalEngine) -> None:
    answer = engine.ask("SELECT array_sort(shuffle(sequence(1, 50)))")
    assert answer["rows"] == [[list(range(1, 51))]]


def test_large_groups_do_not_take_quadratic_time(engine: LocalEngine) -> None:
    sql = (
        "SELECT cardinality(multimap_agg(custkey, orderkey)), cardinality(map_agg(orderkey, 1)),"
        " cardinality(array_distinct(array_agg(custkey))) FROM orders"
    )
    assert engine.ask(sql)["rows"] == [[1000, 15000, 1000]]
