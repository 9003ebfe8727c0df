"""What an answer tells beside its rows: progress in statistics, warnings."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Progress, QueryExecution, QueryState, Session, Statistics
from querysvc_drivers.trino.documents import Addresses, Shape, page_document
from querysvc_drivers.trino.statement import Page

RUNNING = QueryExecution(
    id="q",
    sql="SELECT 1",
    session=Session(),
    work_group="primary",
    principal="ada",
    state=QueryState.RUNNING,
    submitted_at=datetime.now(UTC),
    progress=Progress(fraction=0.25, scanned_bytes=1000, rows=7),
)


def told(execution: QueryExecution, **page: Any) -> dict[str, Any]:
    body = page_document(Addresses("q", "info"), Page(execution, **page), Shape(True, None))
    document: dict[str, Any] = json.loads(body)
    return document


def test_a_running_query_tells_its_progress() -> None:
    stats = told(RUNNING)["stats"]
    splits = [stats[f"{name}Splits"] for name in ("total", "completed", "running", "queued")]
    assert splits == [100, 25, 1, 74]
    assert (stats["state"], stats["progressPercentage"], stats["scheduled"]) == (
        *("RUNNING", 25.0),
        True,
    )
    assert (stats["processedBytes"], stats["processedRows"]) == (1000, 7)
    assert stats["rootStage"]["completedSplits"] == 25


def test_what_is_not_known_of_the_progress_is_not_told() -> None:
    unknown = dataclasses.replace(RUNNING, progress=Progress())
    assert "progressPercentage" not in told(unknown)["stats"]


def test_a_query_that_has_ended_tells_what_it_took() -> None:
    statistics = Statistics(scanned_bytes=5000, result_rows=9, peak_memory_bytes=77)
    ended = dataclasses.replace(RUNNING, state=QueryState.SUCCEEDED, statistics=statistics)
    stats = told(ended, is_last=True)["stats"]
    assert (stats["state"], stats["progressPercentage"], stats["completedSplits"]) == (
        *("FINISHED", 100.0),
        100,
    )
    assert (stats["processedBytes"], stats["processedRows"], stats["peakMemoryBytes"]) == (
        *(5000, 9),
        77,
    )
    # Its rows may still be on their way: then it is not finished to its client.
    assert told(ended)["stats"]["state"] == "RUNNING"


def test_warnings_are_told_with_a_code() -> None:
    warned = dataclasses.replace(RUNNING, warnings=("3 objects were skipped",))
    assert told(warned)["warnings"] == [
        {
            "warningCode": {"code": 1, "name": "QUERYSVC_WARNING"},
            "message": "3 objects were skipped",
        }
    ]


@pytest.mark.parametrize("code", [ErrorCode.DIVISION_BY_ZERO, ErrorCode.EXCEEDED_TIME_LIMIT])
def test_an_error_ends_the_statement(code: ErrorCode) -> None:
    document = told(RUNNING, error=QueryServiceError(code, "no"), is_last=True)
    assert document["stats"]["state"] == "FAILED"
    assert document["error"]["errorName"] == code.name
    assert "nextUri" not in document
