"""Statements that ask for too much end in time and in their memory.

A few that end soon; all fifty: `python -m benchmarks.resource_abuse`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.resource_abuse import (
    LIMITS,
    MEMORY_BYTES_MAX,
    SECONDS_MAX,
    Victim,
    abuse_statements,
)

STATEMENTS = abuse_statements()
SOON = (
    "cross join kept",
    "map of everything",
    "long text by replace",
    "array per window",
    "cube of many columns",
    "reduce that grows",
    "long statement",
    "nested queries",
)
OURS = {"EXCEEDED_LOCAL_MEMORY_LIMIT", "EXCEEDED_TIME_LIMIT", "EXCEEDED_SPILL_LIMIT"}


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    victim = Victim()
    yield victim
    victim.close()


@pytest.mark.parametrize("name", SOON)
def test_a_statement_that_asks_for_too_much_ends_in_its_limits(
    victim: Victim, tmp_path: Path, name: str
) -> None:
    ended = victim.run(STATEMENTS[name], tmp_path / "spool")
    assert ended.how in OURS | {"RESULT_TOO_LARGE", "STACK_OVERFLOW"}
    assert ended.seconds <= SECONDS_MAX
    assert ended.peak_memory_bytes <= MEMORY_BYTES_MAX


def test_a_query_that_needs_most_of_its_memory_gets_it(victim: Victim, tmp_path: Path) -> None:
    sql = (
        "SELECT count(*) FROM (SELECT sequential_number % 900000, count(*)"
        " FROM TABLE(sequence(1, 2000000)) GROUP BY 1)"
    )
    ended = victim.run(sql, tmp_path / "spool")
    assert ended.how == "SUCCEEDED"
    assert ended.peak_memory_bytes > 0.3 * LIMITS.memory_bytes


def test_there_are_fifty_of_them() -> None:
    assert len(STATEMENTS) == 50
