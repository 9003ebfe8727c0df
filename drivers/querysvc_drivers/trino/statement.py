"""A statement between its client and the core: what to answer to each fetch of its next page.

A statement's pages are numbered. The page that was answered last is kept, so that a client whose
connection broke can fetch it again; an older one is gone. Rows are read from the result only when a
client asks for them: a client that does not fetch costs no more than one buffer.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, QueryExecution, QueryState, ResultColumn
from querysvc.results.pages import encode_page_token
from querysvc.service.queries import QueryService
from querysvc.sql.positions import Place
from querysvc.types.algebra import BIGINT
from querysvc_drivers.trino.client_request import ClientRequest
from querysvc_drivers.trino.encoding import Rows
from querysvc_drivers.trino.errors import error_of
from querysvc_drivers.trino.paging import (
    PAGE_BYTES_DEFAULT,
    SEGMENT_BYTES_DEFAULT,
    RowBuffer,
    page_bytes,
)
from querysvc_drivers.trino.rows import legacy_batch, legacy_columns, rows_json

COUNT_COLUMNS: Final = (ResultColumn("rows", BIGINT),)
READ_ROWS_MIN: Final = 1_000
READ_ROWS_MAX: Final = 50_000
"""Rows that one read of the result may bring; the first one brings the least."""
_READ_PAGES: Final = 8
"""A read brings about so many pages, or two segments."""
_POLL_SECONDS_MIN: Final = 0.01
_POLL_SECONDS_MAX: Final = 0.25
"""How often a running query's result is looked at for rows while a client waits: ever less."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one fetch gives: the state, maybe columns and rows; the last page has no next one."""

    execution: QueryExecution | None = None
    """None: the statement ran in no engine."""
    columns: tuple[ResultColumn, ...] | None = None
    rows: Rows | None = None
    error: QueryServiceError | None = None
    is_last: bool = False
    update_type: str | None = None
    update_count: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Answered:
    """The page that was answered last, by its number."""

    token: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    is_compressible: bool = True


class Slugs:
    """Makes the part of a statement's addresses that nobody can guess."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(20)

    def slug(self, token: int) -> str:
        """The slug of a page's address."""
        return "y" + hmac.new(self._secret, str(token).encode(), sha1).hexdigest()

    def is_valid(self, slug: str, token: int) -> bool:
        """Whether the slug is that page's."""
        return hmac.compare_digest(slug.encode(), self.slug(token).encode())


class LiveStatement:
    """A statement that the core runs, as its client sees it."""

    def __init__(
        self,
        queries: QueryService,
        execution: QueryExecution,
        principal: Principal,
        request: ClientRequest,
        place: Place,
    ) -> None:
        self.id = execution.id
        self.principal = principal
        self.request = request
        self._queries = queries
        self._place = place
        self._execution = execution
        self._changed = asyncio.Event()
        self._buffer = RowBuffer()
        self._columns: tuple[ResultColumn, ...] | None = None
        self._read_row = self._sent_row = 0
        self._read_rows = READ_ROWS_MIN
        self._is_drained = self._columns_told = False
        self._failure: QueryServiceError | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def watch(self) -> None:
        """Follow the execution's changes from now on."""
        loop = asyncio.get_running_loop()

        def changed(execution: QueryExecution) -> None:
            loop.call_soon_threadsafe(self._on_change, execution)

        self._unsubscribe = await asyncio.to_thread(
            self._queries.subscribe, self.id, self.principal, changed
        )

    @property
    def runs(self) -> bool:
        """Whether the query still keeps the engine busy, or waits for it."""
        return not self._execution.state.is_terminal

    def _on_change(self, execution: QueryExecution) -> None:
        if not self._execution.state.is_terminal:
            self._execution = execution
        self._changed.set()

    def fail(self, error: QueryServiceError) -> None:
        """Answer every fetch from now on with this error."""
        self._failure = self._failure or error
        self._changed.set()

    def release(self) -> None:
        """Forget rows that were read and not sent: they are read again when they are asked for."""
        self._buffer.clear()
        if self._read_row != self._sent_row:
            self._read_row, self._is_drained = self._sent_row, False

    def close(self) -> None:
        """Forget rows and stop following the execution."""
        self._buffer.clear()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def next_page(self, wait_seconds: float, wanted_bytes: int | None) -> Page:
        """Rows as soon as there are some; the state as it is when there are none in time."""
        deadline = time.monotonic() + wait_seconds
        pause = _POLL_SECONDS_MIN
        while True:
            self._changed.clear()
            execution = self._execution
            try:
                page = await self._page(execution, self._page_bytes(wanted_bytes))
            except QueryServiceError as error:  # such as a type that has no wire form
                self.fail(error)
                continue
            if page is not None:
                return page
            rest = deadline - time.monotonic()
            columns = self._shown(execution)
            # Drivers return from executing a statement as soon as they know its columns.
            if rest <= 0 or (columns is not None and not self._columns_told):
                self._columns_told = columns is not None
                return Page(execution, columns)
            is_running = execution.state is QueryState.RUNNING
            await self._wait(min(rest, pause) if is_running else rest)
            pause = min(2 * pause, _POLL_SECONDS_MAX)

    def _page_bytes(self, wanted: int | None) -> int:
        is_spooling = self.request.encoding is not None
        return page_bytes(wanted, SEGMENT_BYTES_DEFAULT if is_spooling else PAGE_BYTES_DEFAULT)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _page(self, execution: QueryExecution, size: int) -> Page | None:
        error = self._failure or _failure(execution)
        if error is not None:
            self._buffer.clear()
            return Page(execution, error=self._place.moved(error), is_last=True)
        if execution.state is QueryState.QUEUED:
            return None
        update_type = _update_type(execution)
        if update_type is not None:
            return _update_page(execution, update_type)
        if not self._buffer and not self._is_drained:
            await asyncio.to_thread(self._read)
        if self._buffer:
            rows = await asyncio.to_thread(self._take, size)
            return self._last_or_not(execution, rows)
        return self._last_or_not(execution, None) if self._is_over(execution) else None

    def _is_over(self, execution: QueryExecution) -> bool:
        return self._is_drained and execution.state is QueryState.SUCCEEDED and not self._buffer

    def _last_or_not(self, execution: QueryExecution, rows: Rows | None) -> Page:
        is_last = self._is_over(execution)
        return Page(execution, self._shown(execution), rows, is_last=is_last)

    def _read(self) -> None:
        """Read on in the result, as far as it is written."""
        try:
            page = self._queries.results(
                self.id,
                self.principal,
                page_token=encode_page_token(self._read_row),
                rows_max=self._read_rows,
                allow_partial=True,
            )
        except QueryServiceError as error:
            if error.code is not ErrorCode.QUERY_NOT_FINISHED:
                self.fail(error)
            return
        if page.columns or page.is_complete:
            self._columns = page.columns
        self._read_row += page.row_count
        self._buffer.add(page.batches)
        self._is_drained = page.is_complete and page.next_token is None

    def _take(self, size: int) -> Rows:
        batches = self._buffer.take(size)
        columns = own = self._columns or ()
        if not self.request.has_parametric_datetime:
            own = legacy_columns(columns)
            batches = [legacy_batch(columns, batch) for batch in batches]
        count = sum(batch.num_rows for batch in batches)
        rows = Rows(rows_json(own, batches), self._sent_row, count)
        self._sent_row += count
        fitting = _READ_PAGES * count * PAGE_BYTES_DEFAULT // max(1, len(rows.text))
        self._read_rows = min(max(fitting, READ_ROWS_MIN), READ_ROWS_MAX)
        return rows

    def _shown(self, execution: QueryExecution) -> tuple[ResultColumn, ...] | None:
        """The columns, once they are known; not those of a statement that updates."""
        if self._columns is not None:
            return self._columns
        return None if _update_type(execution) else execution.columns


def _failure(execution: QueryExecution) -> QueryServiceError | None:
    if execution.state is QueryState.CANCELLED:
        error = error_of(execution.error) if execution.error else None
        return error or QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled")
    if execution.state is QueryState.FAILED:
        assert execution.error is not None, "a failed execution tells why"
        return error_of(execution.error)
    return None


_UPDATES: Final = {
    "ALTER_DATABASE": "ALTER SCHEMA",
    "ALTER_TABLE": "ALTER TABLE",
    "ALTER_DATABASE_SET_PROPERTIES": "ALTER SCHEMA",
    "ALTER_TABLE_ADD_COLUMNS": "ADD COLUMN",
    "ALTER_TABLE_ADD_PARTITION": "ALTER TABLE",
    "ALTER_TABLE_CHANGE_COLUMN": "ALTER TABLE",
    "ALTER_TABLE_DROP_COLUMN": "DROP COLUMN",
    "ALTER_TABLE_DROP_PARTITION": "ALTER TABLE",
    "ALTER_TABLE_RENAME_COLUMN": "RENAME COLUMN",
    "ALTER_TABLE_RENAME_PARTITION": "ALTER TABLE",
    "ALTER_TABLE_REPLACE_COLUMNS": "ALTER TABLE",
    "ALTER_TABLE_SET_LOCATION": "ALTER TABLE",
    "ALTER_TABLE_SET_PROPERTIES": "SET PROPERTIES",
    "ALTER_TABLE_UNSET_PROPERTIES": "ALTER TABLE",
    "ALTER_VIEW": "ALTER VIEW",
    "CREATE_DATABASE": "CREATE SCHEMA",
    "CREATE_TABLE": "CREATE TABLE",
    "CREATE_TABLE_AS_SELECT": "CREATE TABLE",
    "CREATE_VIEW": "CREATE VIEW",
    "DELETE": "DELETE",
    "DROP_DATABASE": "DROP SCHEMA",
    "DROP_TABLE": "DROP TABLE",
    "DROP_VIEW": "DROP VIEW",
    "INSERT": "INSERT",
    "MERGE": "MERGE",
    "OPTIMIZE": "OPTIMIZE",
    "UNLOAD": "UNLOAD",
    "UPDATE": "UPDATE",
    "VACUUM": "VACUUM",
}
"""The core's subtypes that are updates to JDBC, by Trino's names; all others answer rows."""
_COUNTED: Final = frozenset(
    {"CREATE_TABLE_AS_SELECT", "DELETE", "INSERT", "MERGE", "UNLOAD", "UPDATE"}
)


def _update_type(execution: QueryExecution) -> str | None:
    return _UPDATES.get(execution.substatement_type or "")


def _update_page(execution: QueryExecution, update_type: str) -> Page | None:
    if execution.state is not QueryState.SUCCEEDED:
        return None
    if execution.substatement_type not in _COUNTED:
        return Page(execution, (), is_last=True, update_type=update_type)
    count = execution.update_count or 0
    return Page(
        execution,
        COUNT_COLUMNS,
        Rows(b"[[%d]]" % count, 0, 1),
        is_last=True,
        update_type=update_type,
        update_count=count,
    )
