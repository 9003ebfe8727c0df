"""Running statements on the core for Flight's threads: wait, stream, cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import (
    Principal,
    QueryExecution,
    QueryState,
    QuerySubmission,
    ResultColumn,
    Session,
)
from querysvc.results.arrow_values import public_batch, public_schema
from querysvc.results.pages import encode_page_token
from querysvc.service.queries import QueryService
from querysvc.service.running import stored_error
from querysvc_drivers.flightsql.errors import translated
from querysvc_drivers.flightsql.statements import Statement

_ROWS: Final = 20_000
_PAUSE_SECONDS_MIN: Final = 0.005
_PAUSE_SECONDS_MAX: Final = 0.1
SESSION: Final = Session(source="flightsql")


def submission(statement: Statement) -> QuerySubmission:
    """The statement as the core takes it."""
    return QuerySubmission(
        statement.sql, session=SESSION, execution_parameters=statement.parameters
    )


class Executions:
    """Submits statements and follows them."""

    def __init__(self, queries: QueryService) -> None:
        self._queries = queries

    def columns(self, statement: Statement) -> tuple[ResultColumn, ...]:
        """Run a statement whose columns only the run tells; raises its error."""
        return self._until_over(self._start(statement), statement.principal).columns or ()

    def update(self, statement: Statement) -> int:
        """Run the statement to its end; how many rows it wrote, -1 when it is not told."""
        count = self._until_over(self._start(statement), statement.principal).update_count
        return -1 if count is None else count

    def rows(
        self, statement: Statement, is_gone: Callable[[], bool]
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The result as it is written; the query ends when its reader is gone.

        Who fetches twice reads the same run: nothing is written twice.
        """
        schema = public_schema(statement.columns or ())
        query_id = statement.query_id or self._start(statement)
        return schema, self._batches(query_id, statement.principal, schema, is_gone)

    def _start(self, statement: Statement) -> str:
        execution = self._queries.submit(submission(statement), statement.principal)
        statement.query_id = execution.id
        return execution.id

    def cancel(self, statement: Statement) -> bool:
        """Ask the statement's query to end; whether there was one."""
        if statement.query_id is None:
            return False
        self._queries.cancel(statement.query_id, statement.principal)
        return True

    def _batches(
        self,
        query_id: str,
        principal: Principal,
        schema: pa.Schema,
        is_gone: Callable[[], bool],
    ) -> Iterator[pa.RecordBatch]:
        row = 0
        pause = _PAUSE_SECONDS_MIN
        try:
            with translated():
                while not is_gone():
                    columns, batches, is_last = self._page(query_id, principal, row)
                    for batch in batches:
                        row += batch.num_rows
                        yield public_batch(columns, schema, batch)
                    if is_last:
                        return
                    pause = _PAUSE_SECONDS_MIN if batches else min(2 * pause, _PAUSE_SECONDS_MAX)
                    time.sleep(pause)
        finally:
            self._end(query_id, principal)

    def _page(
        self, query_id: str, principal: Principal, row: int
    ) -> tuple[tuple[ResultColumn, ...], tuple[pa.RecordBatch, ...], bool]:
        try:
            page = self._queries.results(
                query_id,
                principal,
                page_token=encode_page_token(row),
                rows_max=_ROWS,
                allow_partial=True,
            )
        except QueryServiceError as error:
            if error.code is not ErrorCode.QUERY_NOT_FINISHED:
                raise
            return (), (), False
        return page.columns, page.batches, page.is_complete and page.next_token is None

    def _end(self, query_id: str, principal: Principal) -> None:
        """Nobody reads it any more."""
        if not self._queries.get(query_id, principal).state.is_terminal:
            self._queries.cancel(query_id, principal)

    def _until_over(self, query_id: str, principal: Principal) -> QueryExecution:
        over = threading.Event()
        unsubscribe = self._queries.subscribe(
            query_id, principal, lambda one: over.set() if one.state.is_terminal else None
        )
        try:
            over.wait()
        finally:
            unsubscribe()
        execution = self._queries.get(query_id, principal)
        if execution.state is QueryState.SUCCEEDED:
            return execution
        if execution.error is None:
            raise QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled")
        raise stored_error(execution.error)
