"""A query while it runs here: its control, its live result, what watchers see of it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping

import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ErrorInfo, Progress, QueryExecution, ResultColumn
from querysvc.plan import ReadEstimate, ResourceLimits
from querysvc.results.spool import LiveSpool
from querysvc.service.quotas import Meter
from querysvc.service.watch import Watchers
from querysvc.state.repository import ClaimedQuery

_log = structlog.get_logger(__name__)
_EARLIER_RUN_SECONDS_MAX = 30.0


class RunningQuery:
    """One claimed query; it is the engine's ExecutionControl too. Safe to call from any thread."""

    def __init__(
        self, claimed: ClaimedQuery, live: LiveSpool, watchers: Watchers, *, deadline: float
    ) -> None:
        self.claimed = claimed
        self.live = live
        self.deadline = deadline
        """On the steady clock."""
        self.limits = ResourceLimits()
        self.reads: Mapping[str, str] = {}
        """The tables and columns that it reads, for the audit log."""
        self.meter: Meter | None = None
        """What counts the bytes that are read; None until the work group is known."""
        self._watchers = watchers
        self._lock = threading.Lock()
        self._execution = claimed.execution
        self._actions: list[Callable[[], None]] = []
        self._undoes: list[Callable[[], None]] = []
        self._reason: QueryServiceError | None = None
        self._results_exposed = False

    @property
    def id(self) -> str:
        """The query's id."""
        return self.claimed.execution.id

    @property
    def execution(self) -> QueryExecution:
        """The query as it is now."""
        return self._execution

    @property
    def reason(self) -> QueryServiceError | None:
        """Why it was told to stop, if it was."""
        return self._reason

    def describe(self, **changes: object) -> None:
        """Make known what was found out about the query (its columns, its stage)."""
        with self._lock:
            self._execution = dataclasses.replace(self._execution, **changes)  # type: ignore[arg-type]  # members of QueryExecution, by name
            changed = self._execution
        self._watchers.publish(changed)

    def describe_result(self, columns: tuple[ResultColumn, ...]) -> None:
        """Make the result's columns known before its rows are there."""
        self.describe(columns=columns)

    def stop(self, reason: QueryServiceError) -> None:
        """Make the run end soon; the first reason stays."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            actions = tuple(self._actions)
        for action in actions:
            action()

    def on_failure(self, action: Callable[[], None]) -> None:
        """Register what takes back what the query did; done unless it succeeds."""
        with self._lock:
            self._undoes.append(action)

    def undo(self) -> None:
        """Take back what the query did; what fails is logged, and left to the sweeper."""
        with self._lock:
            actions, self._undoes = self._undoes[::-1], []
        for action in actions:
            try:
                action()
            except Exception:
                _log.exception("What a failed query wrote could not be taken back yet.")

    @property
    def results_were_exposed(self) -> bool:
        """Whether a client saw rows: the query must not run a second time then."""
        return self._results_exposed

    def expose_results(self) -> bool:
        """Note that a client saw rows; True the first time."""
        with self._lock:
            is_first = not self._results_exposed
            self._results_exposed = True
            return is_first

    def is_cancelled(self) -> bool:
        """Whether the query should stop."""
        return self._reason is not None

    def on_cancel(self, action: Callable[[], None]) -> None:
        """Register what to do when the query is told to stop; done at once if it was already."""
        with self._lock:
            is_late = self._reason is not None
            if not is_late:
                self._actions.append(action)
        if is_late:
            action()

    def on_estimate(self, estimate: ReadEstimate) -> None:
        """Refuse the run, before the scan, when it would read more than it may."""
        self.raise_if_stopped()
        refused = refusal(estimate, self.limits.scanned_bytes_max)
        if refused is not None:
            raise refused
        if self.meter is not None:
            self.meter.reserve(estimate.scanned_bytes)
        progress = dataclasses.replace(
            self._execution.progress, planned_bytes=estimate.scanned_bytes, stage="reading"
        )
        self.describe(progress=progress)

    def on_progress(self, progress: Progress) -> None:
        """Tell watchers; stop a run that has read more than it may."""
        limit = self.limits.scanned_bytes_max
        if limit is not None and progress.scanned_bytes > limit:
            self.stop(scan_limit_exceeded(progress.scanned_bytes, limit))
        self.describe(progress=progress)

    def on_batch(self, end_offset: int, rows: int) -> None:
        """Rows are complete in the spool."""
        limit = self.limits.result_bytes_max
        if limit is not None and end_offset > limit:
            self.stop(
                QueryServiceError(
                    ErrorCode.RESULT_TOO_LARGE,
                    f"The result is larger than {limit} bytes, the limit of the work group.",
                )
            )
            return
        self.live.add_batch(end_offset, rows)

    def raise_if_stopped(self) -> None:
        """Raise the reason to stop, if there is one."""
        if self._reason is not None:
            raise self._reason


class RunningQueries:
    """The queries that run in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries: dict[str, RunningQuery] = {}
        self._emptied = threading.Condition(self._lock)

    def add(self, running: RunningQuery) -> None:
        """A query has been claimed; waits for an earlier run of it here, which has lost its lease.

        Both would write to the same files.
        """
        with self._lock:
            is_alone = self._emptied.wait_for(
                lambda: running.id not in self._queries, _EARLIER_RUN_SECONDS_MAX
            )
            if not is_alone:
                raise QueryServiceError(
                    ErrorCode.GENERIC_INTERNAL_ERROR, "An earlier run of the query does not end."
                )
            self._queries[running.id] = running

    def remove(self, running: RunningQuery) -> None:
        """A query has ended, or is no longer ours."""
        with self._lock:
            del self._queries[running.id]
            self._emptied.notify_all()

    def get(self, query_id: str) -> RunningQuery | None:
        """The query, if it runs here."""
        return self._queries.get(query_id)

    def all(self) -> tuple[RunningQuery, ...]:
        """All queries that run here."""
        with self._lock:
            return tuple(self._queries.values())

    def wait_until_empty(self, timeout_seconds: float) -> bool:
        """Whether all have ended before the time is up."""
        with self._lock:
            return self._emptied.wait_for(lambda: not self._queries, timeout_seconds)


def refusal(estimate: ReadEstimate, limit: int | None) -> QueryServiceError | None:
    """What a query with this estimate fails with, before it reads, if the limit forbids it."""
    if limit is None or estimate.scanned_bytes <= limit or estimate.may_end_early:
        return None
    return scan_limit_exceeded(estimate.scanned_bytes, limit)


def scan_limit_exceeded(scanned_bytes: int, limit: int) -> QueryServiceError:
    """The query reads more than its work group allows."""
    return QueryServiceError(
        ErrorCode.EXCEEDED_SCAN_LIMIT,
        f"Query exceeded the bytes scanned limit: it reads {scanned_bytes} bytes, the work group's"
        f" limit is {limit}",
    )


def cancelled_by_user() -> QueryServiceError:
    """Somebody asked for it."""
    return QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled")


def reason_info(error: QueryServiceError) -> ErrorInfo:
    """An error as it is stored with the query."""
    return ErrorInfo(error.code.name, error.message, error.line, error.column, error.suggestions)


def stored_error(info: ErrorInfo) -> QueryServiceError:
    """A stored error, to be raised again."""
    code = ErrorCode.__members__.get(info.code, ErrorCode.GENERIC_INTERNAL_ERROR)
    return QueryServiceError(
        code, info.message, line=info.line, column=info.column, suggestions=info.suggestions
    )
