"""QueryService: what every wire calls to run statements and to read their results.

All methods are plain and may block (for I/O, or as long as their `timeout_seconds`): an async edge
calls them in threads. They raise only QueryServiceErrors:

    QUERY_NOT_FOUND         no such id (or not yours: existence is not told)
    PERMISSION_DENIED       the work group or the operation is not open to the principal
    INVALID_REQUEST, QUERY_TEXT_TOO_LARGE, SYNTAX_ERROR, IDEMPOTENCY_MISMATCH, WORK_GROUP_NOT_FOUND
    TOO_MANY_REQUESTS, QUERY_QUEUE_FULL     RefusedForNowError: carries `retry_after_seconds`
    QUERY_NOT_FINISHED, RESULT_EXPIRED      when results are asked for
A failed query does not raise from get/wait: it is told by `QueryExecution.error`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from querysvc.model import (
    Principal,
    QueryExecution,
    QuerySubmission,
    ResultColumn,
    StatementType,
)
from querysvc.plan import ReadEstimate
from querysvc.results.pages import ResultFormat, ResultPage
from querysvc.state.values import HistoryFilter, HistoryPage


@dataclass(frozen=True, slots=True)
class StatementDescription:
    """What a valid statement is: its kind, its output, the tables that it reads."""

    statement_type: StatementType
    substatement_type: str
    columns: tuple[ResultColumn, ...]
    tables: tuple[str, ...]
    """Full names: catalog.database.table."""
    warnings: tuple[str, ...] = ()


class QueryService:
    """Runs statements for principals; everything durable, everything permission-checked."""

    def submit(self, submission: QuerySubmission, principal: Principal) -> QueryExecution:
        """Store a query as QUEUED and return it, or the one that the same client token named.

        A syntax error is raised here (nothing is stored); semantic errors come as state FAILED.
        """
        raise NotImplementedError

    def get(self, query_id: str, principal: Principal) -> QueryExecution:
        """The query now: live progress and columns while it runs, position while it is queued."""
        raise NotImplementedError

    def get_many(
        self, query_ids: Sequence[str], principal: Principal
    ) -> tuple[tuple[QueryExecution, ...], tuple[str, ...]]:
        """The queries found, in the order asked for, and the ids that were not."""
        raise NotImplementedError

    def history(
        self,
        history_filter: HistoryFilter,
        principal: Principal,
        *,
        page_token: str | None = None,
        limit: int = 50,
    ) -> HistoryPage:
        """Queries newest first; others' queries only for the admin role."""
        raise NotImplementedError

    def cancel(self, query_id: str, principal: Principal) -> QueryExecution:
        """Ask a query to end; a queued one is CANCELLED at once, a finished one stays as it is."""
        raise NotImplementedError

    def wait(
        self, query_id: str, principal: Principal, *, timeout_seconds: float
    ) -> QueryExecution:
        """The query when it has ended, or as it is when the time is up."""
        raise NotImplementedError

    def subscribe(
        self, query_id: str, principal: Principal, callback: Callable[[QueryExecution], None]
    ) -> Callable[[], None]:
        """Call back on every change of state or progress, from any thread; returns «unsubscribe».

        The first call comes at once, with the query as it is; the last one with a terminal state.
        Callbacks must not block: an event loop passes `loop.call_soon_threadsafe`.
        """
        raise NotImplementedError

    def results(
        self,
        query_id: str,
        principal: Principal,
        *,
        page_token: str | None = None,
        rows_max: int = 1000,
        allow_partial: bool = False,
    ) -> ResultPage:
        """A page of the result; `allow_partial` reads what a running query has written so far."""
        raise NotImplementedError

    def batches(
        self, query_id: str, principal: Principal, *, first_row: int = 0
    ) -> Iterator[pa.RecordBatch]:
        """The result's Arrow batches in order, following a running query until it ends.

        Raises the query's own error if it fails meanwhile.
        """
        raise NotImplementedError

    def stream(
        self, query_id: str, principal: Principal, result_format: ResultFormat
    ) -> Iterator[bytes]:
        """The whole result of a succeeded query, encoded, in chunks with bounded memory."""
        raise NotImplementedError

    def result_file(self, query_id: str, principal: Principal) -> Path:
        """The local file of a succeeded query's result text (CSV, or text of DDL and utility)."""
        raise NotImplementedError

    def estimate(self, submission: QuerySubmission, principal: Principal) -> ReadEstimate:
        """What a SELECT would read, from listing and footers, without running it."""
        raise NotImplementedError

    def validate(self, submission: QuerySubmission, principal: Principal) -> StatementDescription:
        """Analyse a statement without planning or running it; raises its error."""
        raise NotImplementedError
