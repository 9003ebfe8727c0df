"""A session after its start: variables, transaction, cursors, and how each statement is run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import pyarrow as pa

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Principal, QuerySubmission, Session
from querysvc.service.parameter_types import ParameterTypes
from querysvc.service.queries import QueryService
from querysvc.sql.metadata import MetadataReader
from querysvc_drivers.pgwire import messages
from querysvc_drivers.pgwire import statements as st
from querysvc_drivers.pgwire.catalog import CatalogQueries, SessionFacts
from querysvc_drivers.pgwire.copying import BinaryCopy, copy_texts, header_line
from querysvc_drivers.pgwire.errors import (
    DUPLICATE_CURSOR,
    INVALID_CURSOR_NAME,
    UNDEFINED_PREPARED_STATEMENT,
    WireError,
    warning_message,
)
from querysvc_drivers.pgwire.live import LiveQuery
from querysvc_drivers.pgwire.parameters import Value
from querysvc_drivers.pgwire.rows import RowFormat, data_rows
from querysvc_drivers.pgwire.sources import (
    FetchSource,
    LiveSource,
    LocalSource,
    RowSource,
    text_rows,
)
from querysvc_drivers.pgwire.types import Column, Oid
from querysvc_drivers.pgwire.variables import Variables, shown_name

IDLE, IN_TRANSACTION, FAILED = "I", "T", "E"
DEFAULT_SCHEMA: Final = "default"
_WRITE_BYTES: Final = 1 << 20
"""About so many bytes of rows are made and sent at once."""
_PORTALS_MAX: Final = 1000
_INLINE_ROWS_MAX: Final = 100
"""So few rows are encoded at once, without a thread."""
_ENDS_FAILED: Final = frozenset(
    {st.TransactionVerb.COMMIT, st.TransactionVerb.ROLLBACK, st.TransactionVerb.ROLLBACK_TO}
)


class Output(Protocol):
    """Where messages go; `drain` waits for a slow client."""

    def write(self, data: bytes | memoryview) -> None: ...

    async def drain(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SessionServices:
    """What a session needs of the core."""

    queries: QueryService
    parameter_types: ParameterTypes
    metadata_of: Callable[[Principal], MetadataReader]
    catalog: CatalogQueries


@dataclass(slots=True)
class Portal:
    """A statement that gives rows: a bound one, or a cursor."""

    source: RowSource
    formats: tuple[int, ...] = ()
    """As the client asked: none, one for all columns, or one for each."""
    copy: st.Copy | None = None
    is_held: bool = False
    rows: int = 0
    described: tuple[Column, ...] | None = None
    """The columns that the client was told before; others would be misread."""
    statement: st.Statement | None = None


@dataclass(slots=True, eq=False)
class PgSession:
    """The state of one client's session."""

    services: SessionServices
    principal: Principal
    database: str
    variables: Variables
    output: Output
    process_id: int
    status: str = IDLE
    portals: dict[str, Portal] = field(default_factory=dict)
    forget_statement: Callable[[str | None], bool] = lambda _: False
    """Ends a prepared statement (None: all); False when there is none."""
    running: LiveQuery | None = None
    """What a cancel request would end."""
    _schemas: dict[str, str] = field(default_factory=dict)

    async def source(
        self, statement: st.Statement, values: tuple[Value, ...] = ()
    ) -> tuple[RowSource, st.Copy | None]:
        """Begin a statement."""
        self._check_transaction(statement)
        copy = statement if isinstance(statement, st.Copy) else None
        if isinstance(statement, st.Copy):
            statement = statement.query
        if isinstance(statement, st.CatalogQuery):
            return await self._catalog(statement, values), copy
        if isinstance(statement, st.UserQuery):
            return await self._live(statement, values), copy
        handler = _HANDLERS[type(statement)]
        return await handler(self, statement), copy

    async def _live(self, query: st.UserQuery, values: tuple[Value, ...]) -> RowSource:
        zone = self.variables.get("timezone")
        literals = tuple(value.literal(zone) for value in values)
        submission = await self.submission(query, literals)
        live = await LiveQuery.submit(self.services.queries, submission, self.principal)
        self.running = live
        return LiveSource(live)

    async def submission(
        self, query: st.UserQuery, literals: tuple[str, ...] = ()
    ) -> QuerySubmission:
        """The core's form of a statement in this session."""
        ordered = tuple(_value(literals, number) for number in query.translated.parameters)
        session = Session(
            catalog=self.database,
            database=await self.schema(),
            time_zone=self.variables.get("timezone"),
            user=self.principal.name,
            source=self.variables.get("application_name"),
        )
        return QuerySubmission(
            sql=query.translated.sql,
            session=session,
            work_group=self.variables.get("work_group"),
            execution_parameters=ordered,
            timeout_seconds=self.variables.timeout_seconds,
        )

    async def schema(self) -> str:
        """The first schema of search_path that exists."""
        path = self.variables.get("search_path")
        if path not in self._schemas:
            self._schemas = {path: await asyncio.to_thread(self._first_schema, path)}
        return self._schemas[path]

    def _first_schema(self, path: str) -> str:
        metadata = self.services.metadata_of(self.principal)
        for part in path.split(","):
            name = part.strip().strip('"').lower()
            if name in ("", "$user", "pg_catalog"):
                continue
            if metadata.schema_exists(self.database, name):
                return name
        return DEFAULT_SCHEMA

    async def _catalog(self, query: st.CatalogQuery, values: tuple[Value, ...]) -> RowSource:
        answer = await self.catalog_answer(query, tuple(value.text() for value in values))
        if answer is None:
            if isinstance(query.otherwise, StatementError):
                raise query.otherwise
            return await self._live(query.otherwise, values)
        return answer

    async def catalog_answer(
        self, query: st.CatalogQuery, texts: tuple[str | None, ...]
    ) -> LocalSource | None:
        """The rows of a query on pg_catalog; None when it is none."""
        facts = SessionFacts(
            database=self.database,
            schema=await self.schema(),
            user=self.principal.name,
            process_id=self.process_id,
            settings=dict(self.variables.all()),
        )
        answer = await asyncio.to_thread(
            self.services.catalog.answer, query.sql, texts, facts, self.principal
        )
        if answer is None:
            return None
        for name, value in answer.settings:
            self._set(name, value)
        return LocalSource("SELECT {}", answer.columns, answer.batch)

    def _check_transaction(self, statement: st.Statement) -> None:
        ends = isinstance(statement, st.Transaction) and statement.verb in _ENDS_FAILED
        if self.status == FAILED and not ends:
            raise StatementError(
                ErrorCode.TRANSACTION_ALREADY_ABORTED,
                "current transaction is aborted, commands ignored until end of transaction block",
            )
        if (
            self.status == IN_TRANSACTION
            and isinstance(statement, st.UserQuery)
            and statement.may_write
        ):
            raise StatementError(
                ErrorCode.AUTOCOMMIT_WRITE_CONFLICT,
                "Writes are done at once and cannot be rolled back: use autocommit",
            )

    def failed(self) -> None:
        """A statement has failed: so has the transaction around it."""
        if self.status == IN_TRANSACTION:
            self.status = FAILED

    async def close_portals(self, *, including_held: bool = False) -> None:
        """End what a transaction leaves behind."""
        for name, portal in tuple(self.portals.items()):
            if including_held or not portal.is_held:
                del self.portals[name]
                await portal.source.close()

    async def send_rows(self, portal: Portal, rows_max: int | None) -> bool:
        """Send rows of a portal, then how it ended; False when there may be more."""
        columns = await portal.source.columns()
        if columns is not None and portal.described is not None:
            _check_described(portal.described, columns)
        if portal.copy is not None:
            await self._send_copy(portal, columns or ())
        elif columns is not None:
            form = self.row_format(portal, columns)
            sent = await self._send(portal, rows_max, lambda batch: data_rows(batch, form))
            if rows_max is not None and sent == rows_max:
                return False
        else:
            await portal.source.take(None)
        await self._complete(portal)
        return True

    async def _complete(self, portal: Portal) -> None:
        source = portal.source
        tag = await source.tag(portal.rows)
        for warning in await source.warnings():
            self.output.write(warning_message(warning))
        if portal.copy is not None:
            tag = f"COPY {portal.rows}"
        self.output.write(messages.command_complete(tag))

    async def _send(
        self,
        portal: Portal,
        rows_max: int | None,
        encode: Callable[[pa.RecordBatch], bytes | memoryview],
    ) -> int:
        sent = 0
        while rows_max is None or sent < rows_max:
            left = None if rows_max is None else rows_max - sent
            batch = await portal.source.take(left)
            if batch is None:
                break
            sent += batch.num_rows
            portal.rows += batch.num_rows
            for part in _parts(batch):
                if part.num_rows <= _INLINE_ROWS_MAX:
                    data = encode(part)
                else:
                    data = await asyncio.to_thread(encode, part)
                self.output.write(data)
                await self.output.drain()
        return sent

    async def _send_copy(self, portal: Portal, columns: tuple[Column, ...]) -> None:
        assert portal.copy is not None, "the caller has seen it"
        options = portal.copy.options
        code = int(options.is_binary)
        form = RowFormat(columns, (code,) * len(columns), self.variables.get("timezone"))
        self.output.write(messages.copy_out(is_binary=options.is_binary, columns=len(columns)))
        if options.is_binary:
            encode = BinaryCopy(form)
            await self._send(portal, None, encode.rows)
            self.output.write(encode.end())
        else:
            if options.has_header:
                self.output.write(header_line(form, options))
            await self._send(portal, None, lambda batch: copy_texts(batch, form, options))
        self.output.write(messages.COPY_DONE)

    def row_format(self, portal: Portal, columns: tuple[Column, ...]) -> RowFormat:
        """How the portal's rows are written."""
        formats = portal.formats or (0,)
        if len(formats) == 1:
            formats = formats * len(columns)
        if len(formats) != len(columns):
            raise WireError(
                "08P01",
                f"bind message has {len(formats)} result formats but query has"
                f" {len(columns)} columns",
            )
        return RowFormat(columns, formats, self.variables.get("timezone"))

    async def describe_rows(self, portal: Portal) -> None:
        """Send a portal's columns."""
        columns = None if portal.copy is not None else await portal.source.columns()
        if columns is None:
            self.output.write(messages.NO_DATA)
            return
        self.output.write(description(columns, self.row_format(portal, columns).formats))

    def require_room(self) -> None:
        """Refuse a portal more when a session has many: each may hold a query."""
        if len(self.portals) >= _PORTALS_MAX:
            raise WireError("53400", f"more than {_PORTALS_MAX} portals and cursors are open")

    def portal(self, name: str) -> Portal:
        """An open portal or cursor."""
        found = self.portals.get(name)
        if found is None:
            kind = "portal" if not name else "cursor"
            raise WireError(INVALID_CURSOR_NAME, f'{kind} "{name}" does not exist')
        return found

    def _set(self, name: str, value: str | None) -> None:
        told = self.variables.set(name, value)
        if told is not None:
            self.output.write(messages.parameter_status(shown_name(name), told))

    async def _set_variable(self, statement: st.SetVariable) -> RowSource:
        if statement.name is None:
            for name, value in self.variables.reset():
                self.output.write(messages.parameter_status(name, value))
            return LocalSource("RESET")
        self._set(statement.name, statement.value)
        return LocalSource("SET")

    async def _show(self, statement: st.ShowVariable) -> RowSource:
        if statement.name is None:
            rows = [(name, value, "") for name, value in self.variables.all()]
            return text_rows("SHOW", ("name", "setting", "description"), rows)
        name = statement.name
        if name.lower() == "search_path" and not self.variables.get(name):
            return text_rows("SHOW", ("search_path",), [(await self.schema(),)])
        return text_rows("SHOW", (shown_name(name),), [(self.variables.get(name),)])

    async def _transaction(self, statement: st.Transaction) -> RowSource:
        verb = statement.verb
        if verb is st.TransactionVerb.BEGIN:
            warnings = ("there is already a transaction in progress",)
            is_nested = self.status != IDLE
            self.status = IN_TRANSACTION
            return LocalSource("BEGIN", warnings=warnings if is_nested else ())
        if verb in (st.TransactionVerb.COMMIT, st.TransactionVerb.ROLLBACK):
            return await self._end_transaction(verb)
        if self.status == IDLE:
            raise StatementError(
                ErrorCode.NOT_IN_TRANSACTION,
                f"{verb.name.replace('_', ' ')} can only be used in transaction blocks",
            )
        self.status = IN_TRANSACTION
        return LocalSource(verb.value.strip())

    async def _end_transaction(self, verb: st.TransactionVerb) -> RowSource:
        was = self.status
        self.status = IDLE
        await self.close_portals()
        if was == IDLE:
            return LocalSource(verb.value, warnings=("there is no transaction in progress",))
        # A failed transaction is rolled back, whatever is asked for.
        return LocalSource("ROLLBACK" if was == FAILED else verb.value)

    async def _discard(self, statement: st.Discard) -> RowSource:
        if statement.is_all:
            if self.status != IDLE:
                raise WireError("25001", "DISCARD ALL cannot run inside a transaction block")
            await self.close_portals(including_held=True)
            self.forget_statement(None)
            for name, value in self.variables.reset():
                self.output.write(messages.parameter_status(name, value))
        return LocalSource(statement.tag)

    async def _deallocate(self, statement: st.Deallocate) -> RowSource:
        if not self.forget_statement(statement.name):
            raise WireError(
                UNDEFINED_PREPARED_STATEMENT,
                f'prepared statement "{statement.name}" does not exist',
            )
        return LocalSource("DEALLOCATE ALL" if statement.name is None else "DEALLOCATE")

    async def _declare(self, statement: st.DeclareCursor) -> RowSource:
        if self.status == IDLE and not statement.is_held:
            raise WireError("25P01", "DECLARE CURSOR can only be used in transaction blocks")
        self.require_room()
        if statement.name in self.portals:
            raise WireError(DUPLICATE_CURSOR, f'cursor "{statement.name}" already exists')
        source, _ = await self.source(statement.query)
        try:
            await source.columns()
        except BaseException:
            await source.close()
            raise
        formats = (1,) if statement.is_binary else ()
        self.portals[statement.name] = Portal(source, formats, is_held=statement.is_held)
        return LocalSource("DECLARE CURSOR")

    async def _fetch(self, statement: st.Fetch) -> RowSource:
        cursor = self.portal(statement.name)
        return FetchSource(cursor.source, statement.count, is_move=statement.is_move)

    async def _close_cursor(self, statement: st.CloseCursor) -> RowSource:
        if statement.name is None:
            await self.close_portals(including_held=True)
            return LocalSource("CLOSE CURSOR ALL")
        portal = self.portal(statement.name)
        del self.portals[statement.name]
        await portal.source.close()
        return LocalSource("CLOSE CURSOR")

    async def _nothing(self, statement: st.Nothing) -> RowSource:
        return LocalSource(statement.tag)


_HANDLERS: Final[Mapping[type, Callable[[PgSession, Any], Any]]] = {
    # Any: each takes its own kind of statement, which is the key, and gives an awaitable source.
    st.SetVariable: PgSession._set_variable,
    st.ShowVariable: PgSession._show,
    st.Transaction: PgSession._transaction,
    st.Discard: PgSession._discard,
    st.Deallocate: PgSession._deallocate,
    st.DeclareCursor: PgSession._declare,
    st.Fetch: PgSession._fetch,
    st.CloseCursor: PgSession._close_cursor,
    st.Nothing: PgSession._nothing,
}


def description(columns: tuple[Column, ...], formats: tuple[int, ...]) -> bytes:
    """The RowDescription of columns."""
    return messages.row_description(
        messages.FieldDescription(c.name, c.pg.oid, c.pg.size, c.pg.modifier, code)
        for c, code in zip(columns, formats, strict=True)
    )


def _parts(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """The batch in parts of about _WRITE_BYTES."""
    rows = max(1, batch.num_rows * _WRITE_BYTES // max(1, batch.nbytes + 16 * batch.num_rows))
    return [batch.slice(start, rows) for start in range(0, batch.num_rows, rows)]


def _wire_form(column: Column) -> int:
    """What decides how a value's bytes are read: texts of all types are the same."""
    oid = column.pg.oid
    return int(Oid.TEXT) if oid in (Oid.VARCHAR, Oid.BPCHAR) else oid


def _check_described(described: tuple[Column, ...], actual: tuple[Column, ...]) -> None:
    told, given = ([_wire_form(column) for column in columns] for columns in (described, actual))
    if told != given:
        raise WireError("0A000", "cached plan must not change result type")


def _value(literals: tuple[str, ...], number: int) -> str:
    if not 1 <= number <= len(literals):
        raise StatementError(ErrorCode.INVALID_PARAMETER_USAGE, f"there is no parameter ${number}")
    return literals[number - 1]
