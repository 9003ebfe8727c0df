"""The Flight SQL server: Arrow over gRPC, on a port of its own.

GetFlightInfo tells a query's schema without running it; DoGet runs it and streams its rows, no
faster than the client takes them. Other statements (SHOW, DDL) run when their columns are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import flight

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, ResultColumn
from querysvc.results.arrow_values import public_schema
from querysvc.service.parameter_types import ParameterTypes
from querysvc.service.queries import QueryService
from querysvc.service.system_listing import Listing
from querysvc.sql.prepared import WRITE_WORDS, first_word
from querysvc_drivers.flightsql.authentication import (
    MIDDLEWARE,
    Authenticate,
    AuthenticationFactory,
    NoHandshake,
)
from querysvc_drivers.flightsql.errors import translated
from querysvc_drivers.flightsql.execution import Executions, submission
from querysvc_drivers.flightsql.literals import parameters_of
from querysvc_drivers.flightsql.messages import expected, new, packed
from querysvc_drivers.flightsql.metadata import COMMANDS
from querysvc_drivers.flightsql.statements import Statement, Statements

_CANCELLED, _NOT_CANCELLABLE = 1, 3
_END_ACTIONS: Final = (1, 2)
"""Commit, and roll back: nothing was written in either case."""
_ACTIONS: Final = {
    "CreatePreparedStatement": "Keep a statement under a handle.",
    "ClosePreparedStatement": "Forget a handle.",
    "CancelQuery": "End the query of a FlightInfo.",
    "BeginTransaction": "Let statements be of a transaction, which cannot write.",
    "EndTransaction": "Commit, or roll back.",
}
_DESCRIBED: Final = (*COMMANDS, "CommandStatementQuery", "CommandPreparedStatementQuery")
_FETCHED: Final = (*COMMANDS, "TicketStatementQuery")
_PUT: Final = (
    *("CommandStatementUpdate", "CommandPreparedStatementUpdate"),
    "CommandPreparedStatementQuery",
)


@dataclass(frozen=True, slots=True)
class FlightServices:
    """What the wire needs of the core."""

    queries: QueryService
    parameter_types: ParameterTypes
    listing_of: Callable[[Principal], Listing]
    authenticate: Authenticate


class FlightSqlServer(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow is untyped
    """Answers Flight SQL's commands; gRPC's threads call it."""

    def __init__(
        self, services: FlightServices, address: str, tls: tuple[Path, Path] | None = None
    ) -> None:
        certificates = None if tls is None else [tuple(one.read_bytes() for one in tls)]
        super().__init__(
            address,
            auth_handler=NoHandshake(),
            tls_certificates=certificates,
            middleware={MIDDLEWARE: AuthenticationFactory(services.authenticate)},
        )
        self._services = services
        self._executions = Executions(services.queries)
        self._statements = Statements()
        self._transactions = Statements()

    def get_flight_info(self, context: Any, descriptor: Any) -> flight.FlightInfo:
        """The schema of a command's rows, and the ticket for them."""
        with translated():
            name, command = expected(descriptor.command, *_DESCRIBED)
            schema, ticket = self._described(name, command, _principal(context), may_run=True)
            endpoint = flight.FlightEndpoint(ticket, [])
            return flight.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def get_schema(self, context: Any, descriptor: Any) -> flight.SchemaResult:
        """The schema alone."""
        with translated():
            name, command = expected(descriptor.command, *_DESCRIBED)
            schema, _ = self._described(name, command, _principal(context), may_run=False)
            return flight.SchemaResult(schema)

    def do_get(self, context: Any, ticket: Any) -> Any:
        """The rows of a ticket."""
        with translated():
            principal = _principal(context)
            name, command = expected(ticket.ticket, *_FETCHED)
            if name in COMMANDS:
                listing = self._services.listing_of(principal)
                return flight.RecordBatchStream(COMMANDS[name].rows(command, listing))
            statement = self._statements.get(_handle(command), principal)
            schema, batches = self._executions.rows(statement, context.is_cancelled)
            return flight.GeneratorStream(schema, batches)

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """Run a statement that has no rows, or bind a prepared one's parameters."""
        with translated():
            principal = _principal(context)
            name, command = expected(descriptor.command, *_PUT)
            if name == "CommandPreparedStatementQuery":
                self._bind(self._statements.get(_handle(command), principal), reader)
                answer = new(
                    "DoPutPreparedStatementResult", prepared_statement_handle=_handle(command)
                )
            else:
                runs = self._updates(name, command, principal, reader)
                counts = [self._executions.update(statement) for statement in runs]
                total = sum(counts) if all(count >= 0 for count in counts) else -1
                answer = new("DoPutUpdateResult", record_count=total)
            writer.write(pa.py_buffer(answer.SerializeToString()))

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        """What DoAction takes."""
        return list(_ACTIONS.items())

    def do_action(self, context: Any, action: Any) -> Iterator[bytes]:
        """Prepare, close, cancel."""
        with translated():
            run = {
                "CreatePreparedStatement": self._prepare,
                "ClosePreparedStatement": self._close,
                "CancelQuery": self._cancel,
                "BeginTransaction": self._begin,
                "EndTransaction": self._end,
            }.get(action.type)
            if run is None:
                raise QueryServiceError(
                    ErrorCode.NOT_SUPPORTED, f"Flight's action {action.type} is not supported"
                )
            name = f"Action{action.type}Request"
            _, request = expected(action.body.to_pybytes(), name)
            return iter(run(request, _principal(context)))

    def _described(
        self, name: str, command: Any, principal: Principal, *, may_run: bool
    ) -> tuple[pa.Schema, flight.Ticket]:
        if name in COMMANDS:
            return COMMANDS[name].schema(command), flight.Ticket(packed(command))
        statement = self._execution(name, command, principal)
        statement.columns = self._columns(statement, may_run=may_run)
        handle = self._statements.add(statement)
        ticket = flight.Ticket(packed(new("TicketStatementQuery", statement_handle=handle)))
        return public_schema(statement.columns), ticket

    def _execution(self, name: str, command: Any, principal: Principal) -> Statement:
        """A statement for one run: binding a prepared one anew changes no ticket given out."""
        if name == "CommandStatementQuery":
            return self._new(command, principal)
        prepared = self._statements.get(_handle(command), principal)
        return Statement(prepared.sql, principal, parameters=prepared.parameters)

    def _new(self, message: Any, principal: Principal) -> Statement:
        """A statement; AUTOCOMMIT_WRITE_CONFLICT for a write inside a transaction."""
        if message.transaction_id:
            self._transactions.get(message.transaction_id, principal)
            if first_word(message.query) in WRITE_WORDS:
                raise QueryServiceError(
                    ErrorCode.AUTOCOMMIT_WRITE_CONFLICT,
                    "Writes are done at once and cannot be rolled back: use autocommit",
                )
        return Statement(message.query, principal)

    def _updates(
        self, name: str, command: Any, principal: Principal, reader: Any
    ) -> list[Statement]:
        """What to run in turn: a prepared statement once for each row of parameters."""
        if name == "CommandStatementUpdate":
            return [self._new(command, principal)]
        prepared = self._statements.get(_handle(command), principal)
        rows = _bound(reader) or (prepared.parameters,)
        return [Statement(prepared.sql, principal, parameters=row) for row in rows]

    def _columns(self, statement: Statement, *, may_run: bool) -> tuple[ResultColumn, ...]:
        described = self._services.parameter_types.describe(
            submission(statement), statement.principal, statement.parameters
        )
        if described.columns is not None:
            return described.columns
        if not may_run:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                "The columns of a statement that is no query are known when it has run",
            )
        return self._executions.columns(statement)

    def _bind(self, statement: Statement, reader: Any) -> None:
        rows = _bound(reader)
        if len(rows) > 1:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"Parameters for {len(rows)} runs of a query at once: bind one row, and run again.",
            )
        if rows:
            (statement.parameters,) = rows

    def _begin(self, _: Any, principal: Principal) -> list[bytes]:
        handle = self._transactions.add(Statement("", principal))
        return [packed(new("ActionBeginTransactionResult", transaction_id=handle))]

    def _end(self, request: Any, principal: Principal) -> list[bytes]:
        if request.action not in _END_ACTIONS:
            message = f"A transaction's end {request.action} is neither commit nor rollback"
            raise QueryServiceError(ErrorCode.INVALID_REQUEST, message)
        self._transactions.remove(request.transaction_id, principal)
        return []

    def _prepare(self, request: Any, principal: Principal) -> list[bytes]:
        statement = self._new(request, principal)
        described = self._services.parameter_types.describe(submission(statement), principal, ())
        fields = [
            pa.field(f"parameter_{number}", pa.null() if kind is None else _arrow(kind))
            for number, kind in enumerate(described.parameters, 1)
        ]
        dataset = public_schema(described.columns or ())
        result = new(
            "ActionCreatePreparedStatementResult",
            prepared_statement_handle=self._statements.add(statement),
            dataset_schema=dataset.serialize().to_pybytes() if described.columns else b"",
            parameter_schema=pa.schema(fields).serialize().to_pybytes(),
        )
        return [packed(result)]

    def _close(self, request: Any, principal: Principal) -> list[bytes]:
        self._statements.remove(request.prepared_statement_handle, principal)
        return []

    def _cancel(self, request: Any, principal: Principal) -> list[bytes]:
        try:
            (endpoint,) = flight.FlightInfo.deserialize(request.info).endpoints
        except (pa.ArrowException, ValueError):
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, "What is to be cancelled is no FlightInfo of ours."
            ) from None
        _, ticket = expected(endpoint.ticket.ticket, "TicketStatementQuery")
        statement = self._statements.get(_handle(ticket), principal)
        result = _CANCELLED if self._executions.cancel(statement) else _NOT_CANCELLABLE
        return [packed(new("ActionCancelQueryResult", result=result))]


def _bound(reader: Any) -> tuple[tuple[str, ...], ...]:
    """The rows of parameters that a client sends."""
    batches = [chunk.data for chunk in reader if chunk.data is not None]
    rows = [batch for batch in batches if batch.num_rows and batch.num_columns]
    return parameters_of(pa.Table.from_batches(rows)) if rows else ()


def _principal(context: Any) -> Principal:
    principal: Principal = context.get_middleware(MIDDLEWARE).principal
    return principal


def _handle(command: Any) -> bytes:
    is_ticket = command.DESCRIPTOR.name == "TicketStatementQuery"
    handle: bytes = command.statement_handle if is_ticket else command.prepared_statement_handle
    return handle


def _arrow(kind: Any) -> pa.DataType:
    return public_schema((ResultColumn("p", kind),)).field(0).type
