"""Statement statistics in the protocol's form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from querysvc.model import QueryExecution, QueryState
from querysvc_drivers.trino.columns import Json

STATES: Final = {
    QueryState.QUEUED: "QUEUED",
    QueryState.RUNNING: "RUNNING",
    QueryState.SUCCEEDED: "FINISHED",
    QueryState.FAILED: "FAILED",
    QueryState.CANCELLED: "FAILED",
}
_ZEROS: Final = dict.fromkeys(
    (
        *("nodes", "totalSplits", "queuedSplits", "runningSplits", "completedSplits"),
        *("planningTimeMillis", "analysisTimeMillis", "cpuTimeMillis", "wallTimeMillis"),
        *("queuedTimeMillis", "elapsedTimeMillis", "finishingTimeMillis"),
        *("physicalInputTimeMillis", "processedRows", "processedBytes", "physicalInputBytes"),
        *("physicalWrittenBytes", "internalNetworkInputBytes", "peakMemoryBytes", "spilledBytes"),
    ),
    0,
)
_PROGRESS_SPLITS: Final = 100
"""Clients draw progress from splits; a query has a hundred of them here, one a per cent."""


def state_document(state: str) -> Json:
    """Statistics of a statement that ran nothing."""
    return {
        "state": state,
        "queued": state == "QUEUED",
        "scheduled": False,
        **_ZEROS,
    }


def stats_document(execution: QueryExecution, state: str | None = None) -> Json:
    """An execution's statistics; `state` when the protocol's state is not the execution's."""
    document = state_document(state or STATES[execution.state])
    statistics, progress = execution.statistics, execution.progress
    is_over = execution.state.is_terminal
    percent = 100.0 if execution.state is QueryState.SUCCEEDED else (progress.fraction or 0) * 100
    completed = int(percent * _PROGRESS_SPLITS / 100)
    running = 1 if execution.state is QueryState.RUNNING and completed < _PROGRESS_SPLITS else 0
    read = statistics.scanned_bytes if is_over else progress.scanned_bytes
    document.update(
        scheduled=execution.state in (QueryState.RUNNING, QueryState.SUCCEEDED),
        nodes=0 if execution.state is QueryState.QUEUED else 1,
        totalSplits=0 if execution.state is QueryState.QUEUED else _PROGRESS_SPLITS,
        completedSplits=completed,
        runningSplits=running,
        planningTimeMillis=statistics.planning_milliseconds,
        queuedTimeMillis=statistics.queued_milliseconds,
        wallTimeMillis=statistics.execution_milliseconds,
        finishingTimeMillis=statistics.publishing_milliseconds,
        elapsedTimeMillis=statistics.total_milliseconds or _elapsed_milliseconds(execution),
        processedRows=statistics.result_rows if is_over else progress.rows,
        processedBytes=read,
        physicalInputBytes=read,
        peakMemoryBytes=statistics.peak_memory_bytes,
    )
    document["queuedSplits"] = document["totalSplits"] - completed - running
    document["rootStage"] = _stage(document, is_over=is_over)
    if progress.fraction is not None or execution.state is QueryState.SUCCEEDED:
        document["progressPercentage"] = round(percent, 1)
        document["runningPercentage"] = 0.0 if is_over else 1.0
    return document


_STAGE_MEMBERS: Final = (
    *("state", "nodes", "totalSplits", "queuedSplits", "runningSplits", "completedSplits"),
    *("cpuTimeMillis", "wallTimeMillis", "processedRows", "processedBytes", "physicalInputBytes"),
)


def _stage(document: Json, *, is_over: bool) -> Json:
    """The only stage that there is: clients draw their progress from a tree of them."""
    own = {name: document[name] for name in _STAGE_MEMBERS}
    fixed = {"failedTasks": 0, "coordinatorOnly": False, "subStages": []}
    return {"stageId": "0", "done": is_over, **own, **fixed}


def _elapsed_milliseconds(execution: QueryExecution) -> int:
    end = execution.completed_at or datetime.now(UTC)
    return max(0, int((end - execution.submitted_at).total_seconds() * 1000))
