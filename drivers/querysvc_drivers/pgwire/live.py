"""A statement that the core runs, as a session waits for it and reads its rows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import pyarrow as pa
import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import (
    Principal,
    QueryExecution,
    QueryState,
    QuerySubmission,
    ResultColumn,
    StatementType,
)
from querysvc.results.pages import encode_page_token
from querysvc.service.queries import QueryService
from querysvc.service.running import stored_error

_log = structlog.get_logger(__name__)
_ROWS_MIN: Final = 1_000
_ROWS_MAX: Final = 50_000
"""Rows that one read of the result may bring: the first one brings the least."""
_READ_BYTES: Final = 8 << 20
"""A read should bring no more than this."""
_POLL_SECONDS_MIN: Final = 0.005
_POLL_SECONDS_MAX: Final = 0.25
"""How often a running query's result is looked at for rows: ever less."""
_COUNTED: Final = frozenset(
    {"CREATE_TABLE_AS_SELECT", "DELETE", "INSERT", "MERGE", "UNLOAD", "UPDATE"}
)


class LiveQuery:
    """One execution; `close` ends it if it has not ended."""

    def __init__(
        self, queries: QueryService, execution: QueryExecution, principal: Principal
    ) -> None:
        self.id = execution.id
        self._queries = queries
        self._principal = principal
        self._execution = execution
        self._changed = asyncio.Event()
        self._unsubscribe: Callable[[], None] | None = None
        self._row = 0
        self._rows_max = _ROWS_MIN
        self._is_drained = False

    @classmethod
    async def submit(
        cls, queries: QueryService, submission: QuerySubmission, principal: Principal
    ) -> LiveQuery:
        """Give a statement to the core."""
        submitting = asyncio.ensure_future(asyncio.to_thread(queries.submit, submission, principal))
        try:
            execution = await asyncio.shield(submitting)
        except asyncio.CancelledError:
            # The client is gone while its statement is on the way: it must not run for nobody.
            submitting.add_done_callback(lambda done: _cancel_orphan(queries, done, principal))
            raise
        live = cls(queries, execution, principal)
        try:
            await live._watch()
        except BaseException:
            await live.close()
            raise
        return live

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()

        def changed(execution: QueryExecution) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: so has the server
                loop.call_soon_threadsafe(self._on_change, execution)

        self._unsubscribe = await asyncio.to_thread(
            self._queries.subscribe, self.id, self._principal, changed
        )

    def _on_change(self, execution: QueryExecution) -> None:
        if not self._execution.state.is_terminal:
            self._execution = execution
        self._changed.set()

    @property
    def is_update(self) -> bool:
        """Whether the statement answers a count or nothing, and no rows."""
        execution = self._execution
        is_ddl = execution.statement_type is StatementType.DDL
        return is_ddl or execution.substatement_type in _COUNTED

    async def columns(self) -> tuple[ResultColumn, ...]:
        """The result's columns, as soon as they are known; raises the query's error."""
        while self._execution.columns is None and not self._is_over():
            await self._wait(None)
        return self._execution.columns or ()

    async def next_batch(self) -> pa.RecordBatch | None:
        """The next rows; None behind the last; raises the query's error."""
        pause = _POLL_SECONDS_MIN
        while not self._is_drained:
            self._changed.clear()
            is_over = self._is_over()
            batch = await asyncio.to_thread(self._read)
            if batch is not None:
                return batch
            if self._is_drained or is_over:
                continue
            is_running = self._execution.state is QueryState.RUNNING
            await self._wait(pause if is_running else None)
            pause = min(2 * pause, _POLL_SECONDS_MAX)
        await self.ended()
        return None

    async def ended(self) -> QueryExecution:
        """The execution when it has succeeded; raises its error."""
        while not self._is_over():
            await self._wait(None)
        return self._execution

    async def close(self) -> None:
        """Stop following; cancel what still runs."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if not self._execution.state.is_terminal:
            await self.cancel()

    async def cancel(self) -> None:
        """Ask the core to end the query."""
        with contextlib.suppress(QueryServiceError):
            await asyncio.to_thread(self._queries.cancel, self.id, self._principal)

    def _is_over(self) -> bool:
        """Whether it has succeeded; raises the error of one that has not."""
        execution = self._execution
        if execution.state in (QueryState.FAILED, QueryState.CANCELLED):
            raise _error(execution)
        return execution.state is QueryState.SUCCEEDED

    async def _wait(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def _read(self) -> pa.RecordBatch | None:
        """Read on in the result, as far as it is written."""
        try:
            page = self._queries.results(
                self.id,
                self._principal,
                page_token=encode_page_token(self._row),
                rows_max=self._rows_max,
                allow_partial=True,
            )
        except QueryServiceError as error:
            if error.code is ErrorCode.QUERY_NOT_FINISHED:
                return None
            raise
        self._row += page.row_count
        self._is_drained = page.is_complete and page.next_token is None
        if not page.row_count:
            return None
        table = pa.Table.from_batches(page.batches).combine_chunks()
        batch = table.to_batches()[0]
        fitting = _READ_BYTES * batch.num_rows // max(1, batch.nbytes)
        self._rows_max = min(max(fitting, 1), _ROWS_MAX)
        return batch


def _cancel_orphan(
    queries: QueryService, submitted: asyncio.Future[QueryExecution], principal: Principal
) -> None:
    if submitted.cancelled() or submitted.exception() is not None:
        return

    def cancel() -> None:
        try:
            queries.cancel(submitted.result().id, principal)
        except QueryServiceError as error:
            _log.warning("cancel_failed", query_id=submitted.result().id, error=str(error))

    with contextlib.suppress(RuntimeError):  # the loop ends: so do all queries
        asyncio.get_running_loop().run_in_executor(None, cancel)


def _error(execution: QueryExecution) -> QueryServiceError:
    if execution.error is None:
        return QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled")
    return stored_error(execution.error)
