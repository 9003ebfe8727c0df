"""QueryService: what every wire calls to run statements and to read their results.

All methods are plain and may block (for I/O, or as long as their `timeout_seconds`): an async edge
calls them in threads. They raise only QueryServiceErrors:

    QUERY_NOT_FOUND         no such id (or not yours: existence is not told)
    PERMISSION_DENIED       the work group or the operation is not open to the principal
    INVALID_REQUEST, QUERY_TEXT_TOO_LARGE, SYNTAX_ERROR, IDEMPOTENCY_MISMATCH, WORK_GROUP_NOT_FOUND
    TOO_MANY_REQUESTS, QUERY_QUEUE_FULL     RefusedForNowError: carries `retry_after_seconds`
    QUERY_NOT_FINISHED, RESULT_EXPIRED      when results are asked for
A failed query does not raise from get and wait: it is told by `QueryExecution.error`. Its results
raise that error.
"""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import (
    Principal,
    QueryExecution,
    QueryState,
    QuerySubmission,
)
from querysvc.results.pages import ResultFormat, ResultPage
from querysvc.service.access import Access
from querysvc.service.admission import Admission
from querysvc.service.audit import AuditLog
from querysvc.service.clock import Clock
from querysvc.service.gate import Gate
from querysvc.service.inspection import Inspector, QueryEstimate, StatementDescription
from querysvc.service.permissions import is_admin, may_cancel, may_see, require_work_group
from querysvc.service.prepared import PreparedStatements
from querysvc.service.result_access import ResultAccess
from querysvc.service.running import RunningQueries, cancelled_by_user, reason_info
from querysvc.service.submission import Submitter
from querysvc.service.watch import Watchers
from querysvc.service.work_groups import WorkGroupService
from querysvc.state.repository import Completion, QueryRepository
from querysvc.state.values import HistoryFilter, HistoryPage

__all__ = ["QueryService", "QueryServiceParts", "StatementDescription"]

_HISTORY_MAX = 1000
_GET_MANY_MAX = 1000


@dataclass(frozen=True, slots=True)
class QueryServiceParts:
    """What the service is made of; `wake` tells the dispatcher that there is work."""

    queries: QueryRepository
    groups: WorkGroupService
    gate: Gate
    prepared: PreparedStatements
    admission: Admission
    running: RunningQueries
    watchers: Watchers
    results: ResultAccess
    inspector: Inspector
    audit: AuditLog
    clock: Clock
    wake: Callable[[], None]
    access_of: Callable[[Principal], Access] = lambda _: Access()
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())


class QueryService:
    """Runs statements for principals; everything durable, everything permission-checked."""

    def __init__(self, parts: QueryServiceParts) -> None:
        self._parts = parts
        self._queries = parts.queries
        self._submitter = Submitter(
            parts.queries,
            parts.groups,
            parts.gate,
            parts.admission,
            prepared=parts.prepared,
            clock=parts.clock,
            access_of=parts.access_of,
        )

    def submit(self, submission: QuerySubmission, principal: Principal) -> QueryExecution:
        """Store a query as QUEUED and return it, or the one that the same client token named.

        A syntax error is raised here (nothing is stored); semantic errors come as state FAILED.
        """
        query_id = self._parts.new_id()
        stored = self._submit(submission, principal, query_id)
        return stored if stored.id == query_id else self._present(stored)

    def submit_watched(
        self,
        submission: QuerySubmission,
        principal: Principal,
        callback: Callable[[QueryExecution], None],
    ) -> tuple[QueryExecution, Callable[[], None]]:
        """Submit and subscribe as one: no change is missed, and nothing is read again for it."""
        query_id = self._parts.new_id()
        unsubscribe = self._parts.watchers.subscribe(query_id, callback)
        try:
            stored = self._submit(submission, principal, query_id)
        except BaseException:
            unsubscribe()
            raise
        if stored.id == query_id:
            return stored, unsubscribe
        unsubscribe()
        return self._present(stored), self.subscribe(stored.id, principal, callback)

    def _submit(
        self, submission: QuerySubmission, principal: Principal, query_id: str
    ) -> QueryExecution:
        stored = self._submitter.submit(submission, principal, query_id)
        if stored.id == query_id:
            self._parts.wake()
        return stored

    def get(self, query_id: str, principal: Principal) -> QueryExecution:
        """The query now: live progress and columns while it runs, position while it is queued."""
        return self._present(self._stored(query_id, principal))

    def get_many(
        self, query_ids: Sequence[str], principal: Principal
    ) -> tuple[tuple[QueryExecution, ...], tuple[str, ...]]:
        """The queries found, in the order asked for, and the ids that were not."""
        if len(query_ids) > _GET_MANY_MAX:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, f"At most {_GET_MANY_MAX} ids can be asked for at once."
            )
        stored = self._queries.get_many(query_ids)
        seen = {key: query for key, query in stored.items() if may_see(principal, query)}
        found = tuple(self._present(seen[key]) for key in query_ids if key in seen)
        return found, tuple(key for key in query_ids if key not in seen)

    def history(
        self,
        history_filter: HistoryFilter,
        principal: Principal,
        *,
        page_token: str | None = None,
        limit: int = 50,
    ) -> HistoryPage:
        """Queries newest first; others' queries only for the admin role."""
        if not is_admin(principal):
            if history_filter.principal not in (None, principal.name):
                return HistoryPage(())
            history_filter = dataclasses.replace(history_filter, principal=principal.name)
        if not 1 <= limit <= _HISTORY_MAX:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, f"The limit must be from 1 to {_HISTORY_MAX}."
            )
        page = self._queries.history(history_filter, page_token=page_token, limit=limit)
        return HistoryPage(tuple(map(self._overlaid, page.queries)), page.next_token)

    def cancel(self, query_id: str, principal: Principal) -> QueryExecution:
        """Ask a query to end; a queued one is CANCELLED at once, a finished one stays as it is."""
        if not may_cancel(principal, self._stored(query_id, principal)):
            raise QueryServiceError(
                ErrorCode.PERMISSION_DENIED,
                f"Access Denied: Cannot kill query {query_id} of another user",
            )
        reason = cancelled_by_user()
        completion = Completion(
            state=QueryState.CANCELLED,
            completed_at=self._parts.clock.now(),
            error=reason_info(reason),
        )
        state = self._queries.cancel(query_id, completion)
        if state in (QueryState.QUEUED, QueryState.RUNNING):
            self._parts.audit.record(principal, "cancel", query_id)
        if state is QueryState.RUNNING:
            running = self._parts.running.get(query_id)
            if running is not None:
                running.stop(reason)
        found = self._stored(query_id, principal)
        if state is QueryState.QUEUED:
            self._parts.watchers.publish(found)
        return self._present(found)

    def wait(
        self, query_id: str, principal: Principal, *, timeout_seconds: float
    ) -> QueryExecution:
        """The query when it has ended, or as it is when the time is up."""
        ended = threading.Event()
        last: list[QueryExecution] = []

        def notice(execution: QueryExecution) -> None:
            if execution.state.is_terminal:
                last.append(execution)
                ended.set()

        unsubscribe = self.subscribe(query_id, principal, notice)
        try:
            is_over = ended.wait(timeout_seconds)
        finally:
            unsubscribe()
        return last[0] if is_over else self.get(query_id, principal)

    def subscribe(
        self, query_id: str, principal: Principal, callback: Callable[[QueryExecution], None]
    ) -> Callable[[], None]:
        """Call back on every change of state or progress, from any thread; returns «unsubscribe».

        The first call comes at once, with the query as it is; the last one with a terminal state
        (which may come twice, when it is reached just then). Callbacks must not block: an event
        loop passes `loop.call_soon_threadsafe`.
        """

        def tell(execution: QueryExecution) -> None:
            if may_see(principal, execution):
                callback(execution)

        unsubscribe = self._parts.watchers.subscribe(query_id, tell)
        try:
            # Read after subscribing: a change between the two is told twice rather than never.
            callback(self.get(query_id, principal))
        except BaseException:
            unsubscribe()
            raise
        return unsubscribe

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
        query = self._for_reading(query_id, principal)
        return self._parts.results.page(
            query, page_token=page_token, rows_max=rows_max, allow_partial=allow_partial
        )

    def batches(
        self, query_id: str, principal: Principal, *, first_row: int = 0
    ) -> Iterator[pa.RecordBatch]:
        """The result's Arrow batches in order, following a running query until it ends.

        The query must have started (wait for its columns with `subscribe`). Raises the query's own
        error if it fails meanwhile.
        """
        query = self._for_reading(query_id, principal)
        return self._parts.results.follow(query, first_row=first_row)

    def stream(
        self, query_id: str, principal: Principal, result_format: ResultFormat
    ) -> Iterator[bytes]:
        """The whole result of a succeeded query, encoded, in chunks with bounded memory."""
        query = self._for_reading(query_id, principal)
        return self._parts.results.stream(query, result_format)

    def result_file(self, query_id: str, principal: Principal) -> Path:
        """The local file of a succeeded query's result text (CSV, or text of DDL and utility)."""
        return self._parts.results.text_file(self._for_reading(query_id, principal))

    def estimate(self, submission: QuerySubmission, principal: Principal) -> QueryEstimate:
        """What a SELECT would read, from listing and footers, without running it."""
        require_work_group(principal, submission.work_group)
        self._parts.admission.check_request(submission)
        group = self._parts.groups.get(submission.work_group)
        return self._parts.inspector.estimate(submission, group, principal)

    def validate(self, submission: QuerySubmission, principal: Principal) -> StatementDescription:
        """Analyse a statement without planning or running it; raises its error."""
        require_work_group(principal, submission.work_group)
        self._parts.admission.check_request(submission)
        return self._parts.inspector.describe(submission, principal)

    def _stored(self, query_id: str, principal: Principal) -> QueryExecution:
        found = self._queries.get(query_id)
        if found is None or not may_see(principal, found):
            raise QueryServiceError(
                ErrorCode.QUERY_NOT_FOUND, f"QueryExecution {query_id} was not found"
            )
        return found

    def _for_reading(self, query_id: str, principal: Principal) -> QueryExecution:
        query = self._overlaid(self._stored(query_id, principal))
        if query.principal != principal.name:
            self._parts.audit.record(principal, "read_results", query_id)
        return query

    def _overlaid(self, stored: QueryExecution) -> QueryExecution:
        """The query with what only its runner here knows."""
        running = self._parts.running.get(stored.id)
        if running is None or stored.state is not QueryState.RUNNING:
            return stored
        return running.execution

    def _present(self, stored: QueryExecution) -> QueryExecution:
        if stored.state is not QueryState.QUEUED:
            return self._overlaid(stored)
        position = self._queries.queue_position(stored.id)
        return dataclasses.replace(stored, queue_position=position)
