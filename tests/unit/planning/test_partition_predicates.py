"""What of a predicate over partition keys is left to the engine, and what it keeps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from querysvc import tree
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Session
from querysvc.plan import TableReference
from querysvc.planning.partition_predicates import (
    VALUES_MAX,
    Values,
    residual_predicate,
    surviving,
)
from querysvc.types.algebra import TrinoType
from tests.support.catalog_world import World


class Evaluator:
    """Keeps rows by a function of Python; remembers what it was asked."""

    def __init__(self, *kept: Values, fails: bool = False) -> None:
        self.kept = kept
        self.fails = fails
        self.asked: list[Sequence[Values]] = []

    def matching(
        self,
        predicate: tree.Expression,
        types: Sequence[TrinoType],
        rows: Sequence[Values],
        session: Session,
    ) -> frozenset[int]:
        self.asked.append(rows)
        if self.fails:
            raise QueryServiceError(ErrorCode.DIVISION_BY_ZERO, "Division by zero")
        return frozenset(index for index, row in enumerate(rows) if row in self.kept)


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    world.run(
        "CREATE EXTERNAL TABLE t (a bigint) PARTITIONED BY (s string, n int, d date, b boolean,"
        " ts timestamp, x double) STORED AS PARQUET LOCATION 's3://b/t/'"
    )
    return world


def reference(world: World, condition: str) -> TableReference:
    (found,) = world.query(f"SELECT a FROM t WHERE {condition}").tables
    return found


@pytest.mark.parametrize(
    "condition",
    [
        "s = 'x' AND n > 3 AND 5 >= n",
        "d BETWEEN DATE '2024-01-01' AND DATE '2024-02-01'",
        "s IN ('a', 'b') AND n IS NULL AND d IS NOT NULL",
        "a = 5",
    ],
)
def test_what_domains_say_is_not_asked_again(world: World, condition: str) -> None:
    assert residual_predicate(reference(world, condition)) is None


@pytest.mark.parametrize(
    "condition",
    [
        "year(d) = 2024",
        "s LIKE 'a%'",
        "n + 1 = 3",
        "s = 'x' OR n = 1",
        "CAST(n AS varchar) = s",
        "b",
        "ts > TIMESTAMP '2024-01-01 00:00:00'",
        "x > 1e0",
        "d > current_date - INTERVAL '7' DAY",
    ],
)
def test_the_rest_is_left_to_the_engine(world: World, condition: str) -> None:
    assert residual_predicate(reference(world, f"s = 'y' AND {condition}")) is not None


@pytest.mark.parametrize("condition", ["a > n", "n > rand()", "(SELECT count(*)) > n"])
def test_what_needs_rows_or_chance_is_never_asked(world: World, condition: str) -> None:
    assert residual_predicate(reference(world, condition)) is None


ROWS: list[Values] = [("a", n, 1, None, None, None) for n in (1, 2, 2)]


def test_distinct_values_of_the_keys_that_matter_are_asked_once(world: World) -> None:
    evaluator = Evaluator((2,))
    kept = surviving(reference(world, "n % 2 = 0"), ROWS, evaluator, Session())
    assert kept == [False, True, True]
    assert evaluator.asked == [[(1,), (2,)]]


def test_a_predicate_that_fails_keeps_all(world: World) -> None:
    evaluator = Evaluator(fails=True)
    assert surviving(reference(world, "1 / n = 1"), ROWS, evaluator, Session()) is None


def test_too_many_values_are_not_asked_about(world: World) -> None:
    evaluator = Evaluator()
    rows: list[Values] = [("a", n, 1, None, None, None) for n in range(VALUES_MAX + 1)]
    assert surviving(reference(world, "n % 2 = 0"), rows, evaluator, Session()) is None
    assert surviving(reference(world, "n % 2 = 0"), rows[1:], evaluator, Session()) is not None
    assert [len(rows) for rows in evaluator.asked] == [VALUES_MAX]
