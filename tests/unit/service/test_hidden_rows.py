"""Failures of queries whose rows are filtered tell neither values nor keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Session
from querysvc.plan import AnalysedStatement
from querysvc.state.memory import MemoryState
from tests.unit.service.conftest import ADA, Harness, build, stop

SQL = "SELECT filtered"
BAD = QueryServiceError(ErrorCode.HIVE_BAD_DATA, "'secret' of s3://b/dt=1/x is no integer")
GONE = QueryServiceError(
    ErrorCode.OBJECT_CHANGED, "table t: 2 objects (first: s3://b/owner=eve/x.parquet) changed"
)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = build(MemoryState(), tmp_path)
    harness.dispatcher.start()
    yield harness
    stop(harness)


def told(harness: Harness, failure: QueryServiceError, *, hides_rows: bool) -> str:
    checked = harness.gate.analyse("SELECT 1", Session(), (), ADA)
    assert isinstance(checked, AnalysedStatement)
    harness.gate.statements[SQL] = dataclasses.replace(checked, hides_rows=hides_rows)
    harness.engine.failure = failure
    error = harness.run(SQL).error
    assert error is not None
    assert error.code == failure.code.name
    return error.message


def test_values_and_keys_are_told_to_who_may_read_all_rows(harness: Harness) -> None:
    for failure in (BAD, GONE):
        assert told(harness, failure, hides_rows=False) == failure.message


def test_neither_is_told_when_rows_are_hidden(harness: Harness) -> None:
    message = told(harness, BAD, hides_rows=True)
    assert "secret" not in message
    assert "dt=1" not in message
    message = told(harness, GONE, hides_rows=True)
    assert message == "table t: 2 objects (first: s3://…) changed"
