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
_ACTIONS: Final = {
    "CreatePreparedStatement": "Keep a statement under a handle.",
    "ClosePreparedStatement": "Forget a handle.",
    "CancelQuery": "End the query of a FlightInfo.",
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
            if name == "CommandStatementUpdate":
                statement = Statement(command.query, principal)
            else:
                statement = self._statements.get(_handle(command), principal)
                self._bind(statement, reader)
            if name == "CommandPreparedStatementQuery":
                answer = new(
                    "DoPutPreparedStatementResult", prepared_statement_handle=_handle(command)
                )
            else:
                count = self._executions.update(statement)
                answer = new("DoPutUpdateResult", record_count=count)
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
            return Statement(command.query, principal)
        prepared = self._statements.get(_handle(command), principal)
        return Statement(prepared.sql, principal, parameters=prepared.parameters)

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
        batches = [chunk.data for chunk in reader if chunk.data is not None]
        rows = [batch for batch in batches if batch.num_rows and batch.num_columns]
        if rows:
            (row,) = pa.Table.from_batches(rows).combine_chunks().to_batches()
            statement.parameters = parameters_of(row)

    def _prepare(self, request: Any, principal: Principal) -> list[bytes]:
        statement = Statement(request.query, principal)
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


def _principal(context: Any) -> Principal:
    principal: Principal = context.get_middleware(MIDDLEWARE).principal
    return principal


def _handle(command: Any) -> bytes:
    is_ticket = command.DESCRIPTOR.name == "TicketStatementQuery"
    handle: bytes = command.statement_handle if is_ticket else command.prepared_statement_handle
    return handle


def _arrow(kind: Any) -> pa.DataType:
    return public_schema((ResultColumn("p", kind),)).field(0).type
