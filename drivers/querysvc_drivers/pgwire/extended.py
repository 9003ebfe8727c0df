"""The extended protocol: statements are parsed, bound, described and run one step at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from querysvc.errors import StatementError
from querysvc_drivers.pgwire import messages
from querysvc_drivers.pgwire import statements as st
from querysvc_drivers.pgwire.errors import (
    DUPLICATE_CURSOR,
    DUPLICATE_PREPARED_STATEMENT,
    PROTOCOL_VIOLATION,
    UNDEFINED_PREPARED_STATEMENT,
    WireError,
)
from querysvc_drivers.pgwire.lexer import split
from querysvc_drivers.pgwire.parameters import Value, null_literal
from querysvc_drivers.pgwire.session import PgSession, Portal, description
from querysvc_drivers.pgwire.sources import RowSource
from querysvc_drivers.pgwire.types import Column, Oid, column, pg_type, trino_type

_STATEMENTS_MAX: Final = 10_000
"""Prepared statements of one session."""
Start = Callable[[], Coroutine[Any, Any, RowSource]]


@dataclass(slots=True, eq=False)
class Prepared:
    """A parsed statement; None is the empty one."""

    statement: st.Statement | None
    declared: tuple[int, ...]
    types: tuple[int, ...] | None = None
    """The parameters' types, once they are known."""
    columns: tuple[Column, ...] | None = None
    """The columns that the client was told."""
    is_described: bool = False
    """Whether the columns are found out: types may be known without."""


class LazySource:
    """A portal's rows, whose statement begins when somebody asks for them."""

    def __init__(self, start: Start, *, has_rows: bool) -> None:
        self._start = start
        self._has_rows = has_rows
        self._source: RowSource | None = None

    async def columns(self) -> tuple[Column, ...] | None:
        return await (await self._begun()).columns() if self._has_rows else None

    async def take(self, rows_max: int | None) -> pa.RecordBatch | None:
        return await (await self._begun()).take(rows_max)

    async def tag(self, rows: int) -> str:
        return await (await self._begun()).tag(rows)

    async def warnings(self) -> tuple[str, ...]:
        return await (await self._begun()).warnings()

    async def close(self) -> None:
        if self._source is not None:
            await self._source.close()

    async def _begun(self) -> RowSource:
        if self._source is None:
            self._source = await self._start()
        return self._source


class ExtendedProtocol:
    """Prepared statements and portals of a session."""

    def __init__(self, session: PgSession) -> None:
        self._session = session
        self._statements: dict[str, Prepared] = {}
        session.forget_statement = self.forget

    def forget(self, name: str | None) -> bool:
        """End a statement, or all."""
        if name is None:
            self._statements.clear()
            return True
        return self._statements.pop(name, None) is not None

    async def parse(self, message: messages.Parse) -> None:
        """Prepare a statement."""
        if message.name and message.name in self._statements:
            raise WireError(
                DUPLICATE_PREPARED_STATEMENT,
                f'prepared statement "{message.name}" already exists',
            )
        if len(self._statements) >= _STATEMENTS_MAX:
            raise WireError("53400", f"more than {_STATEMENTS_MAX} prepared statements")
        found = split(message.sql)
        if len(found) > 1:
            raise WireError("42601", "cannot insert multiple commands into a prepared statement")
        statement = st.read(found[0][1]) if found else None
        self._statements[message.name] = Prepared(statement, message.types)
        self._session.output.write(messages.PARSE_COMPLETE)

    async def bind(self, message: messages.Bind) -> None:
        """Give a statement its values: a portal."""
        prepared = self._prepared(message.statement)
        session = self._session
        if message.portal and message.portal in session.portals:
            raise WireError(DUPLICATE_CURSOR, f'cursor "{message.portal}" already exists')
        session.require_room()
        values = await self._values(prepared, message)
        await self._drop_portal(message.portal)
        statement = prepared.statement
        copy = statement if isinstance(statement, st.Copy) else None

        async def start() -> RowSource:
            assert statement is not None, "an empty statement is not begun"
            return (await session.source(statement, values))[0]

        session.portals[message.portal] = Portal(
            LazySource(start, has_rows=_has_rows(statement)),
            self._formats(message, statement),
            copy,
            described=prepared.columns,
            statement=statement,
        )
        session.output.write(messages.BIND_COMPLETE)

    def _formats(self, message: messages.Bind, statement: st.Statement | None) -> tuple[int, ...]:
        if isinstance(statement, st.Fetch) and not any(message.result_formats):
            return self._session.portal(statement.name).formats
        return message.result_formats

    def statement_of(self, message: object) -> st.Statement | None:
        """The statement that a message is about, to place its errors in."""
        match message:
            case messages.Execute(name, _) | messages.Describe(True, name):
                portal = self._session.portals.get(name)
                return None if portal is None else portal.statement
            case messages.Bind(_, name) | messages.Describe(False, name):
                prepared = self._statements.get(name)
                return None if prepared is None else prepared.statement
        return None

    async def describe(self, message: messages.Describe) -> None:
        """Tell a statement's parameters and columns, or a portal's columns."""
        session = self._session
        if message.is_portal:
            await session.describe_rows(session.portal(message.name))
            return
        prepared = self._prepared(message.name)
        await self._resolve(prepared)
        session.output.write(messages.parameter_description(prepared.types or ()))
        if prepared.columns is None:
            session.output.write(messages.NO_DATA)
        else:
            session.output.write(description(prepared.columns, (0,) * len(prepared.columns)))

    async def execute(self, message: messages.Execute) -> None:
        """Send rows of a portal."""
        session = self._session
        portal = session.portal(message.portal)
        if portal.statement is None and isinstance(portal.source, LazySource):
            session.output.write(messages.EMPTY_QUERY)
            return
        rows_max = message.rows_max if message.rows_max > 0 else None
        if not await session.send_rows(portal, rows_max):
            session.output.write(messages.PORTAL_SUSPENDED)

    async def close(self, message: messages.Close) -> None:
        """Forget a statement or a portal; there need not be one."""
        if message.is_portal:
            await self._drop_portal(message.name)
        else:
            self.forget(message.name)
        self._session.output.write(messages.CLOSE_COMPLETE)

    async def _drop_portal(self, name: str) -> None:
        portal = self._session.portals.pop(name, None)
        if portal is not None:
            await portal.source.close()

    def _prepared(self, name: str) -> Prepared:
        found = self._statements.get(name)
        if found is None:
            raise WireError(
                UNDEFINED_PREPARED_STATEMENT, f'prepared statement "{name}" does not exist'
            )
        return found

    async def _values(self, prepared: Prepared, message: messages.Bind) -> tuple[Value, ...]:
        count = len(message.values)
        formats = message.formats or (0,)
        if len(formats) == 1:
            formats = formats * count
        if len(formats) != count:
            raise WireError(
                PROTOCOL_VIOLATION,
                f"bind message has {len(message.formats)} parameter formats but {count} parameters",
            )
        wanted = parameter_count(prepared.statement)
        if max(wanted, len(prepared.declared)) != count:
            raise WireError(
                PROTOCOL_VIOLATION,
                f"bind message supplies {count} parameters, but prepared statement"
                f' "{message.statement}" requires {wanted}',
            )
        if prepared.types is None and count:
            await self._resolve(prepared, is_for_values=True)
        values = tuple(
            Value(data, oid, bool(code))
            for data, oid, code in zip(message.values, prepared.types or (), formats, strict=True)
        )
        if not isinstance(prepared.statement, st.CatalogQuery):
            zone = self._session.variables.get("timezone")
            for value in values:
                value.literal(zone)  # what is wrong with a value is told now
        return values

    async def _resolve(self, prepared: Prepared, *, is_for_values: bool = False) -> None:
        """Find out a statement's parameter types and columns, once."""
        if prepared.is_described or (is_for_values and prepared.types is not None):
            return
        statement = prepared.statement
        query = statement.query if isinstance(statement, st.Copy) else statement
        count = max(parameter_count(query), len(prepared.declared))
        declared = prepared.declared + (0,) * (count - len(prepared.declared))
        if is_for_values and all(declared):
            prepared.types = declared
            return
        prepared.is_described = True
        if isinstance(query, st.CatalogQuery):
            await self._resolve_catalog(prepared, query, declared)
        elif isinstance(query, st.UserQuery):
            await self._resolve_query(prepared, query, declared)
        else:
            prepared.types = ()
            prepared.columns = await self._columns_of(query)
        if isinstance(statement, st.Copy):
            prepared.columns = None

    async def _resolve_query(
        self, prepared: Prepared, query: st.UserQuery, declared: tuple[int, ...]
    ) -> None:
        session = self._session
        order = query.translated.parameters
        given = tuple(
            null_literal(trino_type(declared[number - 1])) if declared[number - 1] else None
            for number in order
        )
        # The statement is described with typed NULLs: none is for the values to come.
        submission = await session.submission(query, ("NULL",) * len(declared))
        described = await asyncio.to_thread(
            session.services.parameter_types.describe, submission, session.principal, given
        )
        types = list(declared)
        for number, type_ in zip(order, described.parameters, strict=False):
            if not types[number - 1] and type_ is not None:
                types[number - 1] = pg_type(type_).oid
        prepared.types = tuple(oid or int(Oid.TEXT) for oid in types)
        if described.columns is not None:
            prepared.columns = tuple(map(column, described.columns))
        elif not query.is_write:
            prepared.columns = await self._columns_of(query)

    async def _resolve_catalog(
        self, prepared: Prepared, query: st.CatalogQuery, declared: tuple[int, ...]
    ) -> None:
        session = self._session
        inferred = await asyncio.to_thread(session.services.catalog.parameter_types, query.sql)
        if inferred is None:
            if isinstance(query.otherwise, StatementError):
                raise query.otherwise
            await self._resolve_query(prepared, query.otherwise, declared)
            return
        prepared.types = tuple(
            oid or inferred.get(number, int(Oid.TEXT)) for number, oid in enumerate(declared, 1)
        )
        answer = await session.catalog_answer(query, (None,) * len(prepared.types))
        prepared.columns = None if answer is None else await answer.columns()

    async def _columns_of(self, statement: st.Statement | None) -> tuple[Column, ...] | None:
        """The columns of a statement that is known only by running it."""
        if statement is None or not _has_rows(statement):
            return None
        source, _ = await self._session.source(statement)
        try:
            return await source.columns()
        finally:
            await source.close()


def parameter_count(statement: st.Statement | None) -> int:
    """The highest number of a `$n` in the statement."""
    if isinstance(statement, st.Copy | st.DeclareCursor):
        statement = statement.query
    if isinstance(statement, st.CatalogQuery):
        return statement.parameters
    if isinstance(statement, st.UserQuery):
        return max(statement.translated.parameters, default=0)
    return 0


def _has_rows(statement: st.Statement | None) -> bool:
    """Whether asking for a statement's columns may begin it."""
    if isinstance(statement, st.UserQuery):
        return not statement.is_write
    if isinstance(statement, st.Fetch):
        return not statement.is_move
    return isinstance(statement, st.CatalogQuery | st.ShowVariable)
