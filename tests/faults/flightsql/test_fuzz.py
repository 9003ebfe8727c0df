"""Random, mangled and truncated bytes at Flight SQL: no crash, no hang, nothing left running."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from querysvc_drivers.flightsql.messages import new, packed
from tests.faults.pgwire.test_fuzz import mangled
from tests.support.flight_stack import FlightStack, flight_stack

CALLS = 90
SECONDS_MAX = 20
CALL_SECONDS_MAX = 10.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
SELECT = "SELECT name FROM tpch.tiny.nation WHERE nationkey < 3"
MESSAGES = (
    packed(new("CommandStatementQuery", query=SELECT)),
    packed(new("CommandGetTables", include_schema=True, table_types=["TABLE"])),
    packed(new("CommandGetSqlInfo", info=[0, 1, 500])),
    packed(new("CommandGetDbSchemas", db_schema_filter_pattern="t%")),
    packed(new("CommandGetCrossReference", pk_table="a", fk_table="b")),
    packed(new("TicketStatementQuery", statement_handle=b"nothing")),
    packed(new("CommandPreparedStatementQuery", prepared_statement_handle=b"\xff\0")),
    packed(new("CommandStatementUpdate", query="SHOW TABLES")),
    packed(new("ActionCreatePreparedStatementRequest", query=SELECT + " OR name = ?")),
    packed(new("ActionClosePreparedStatementRequest", prepared_statement_handle=b"x")),
    packed(new("ActionCancelQueryRequest", info=b"no info")),
)
ACTIONS = ("CreatePreparedStatement", "ClosePreparedStatement", "CancelQuery", "Nothing", "")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlightStack]:
    root: Path = tmp_path_factory.mktemp("fuzz")
    with flight_stack(root) as stack:
        yield stack


def options() -> flight.FlightCallOptions:
    return flight.FlightCallOptions(timeout=CALL_SECONDS_MAX)


def info(client: Any, data: bytes, _: random.Random) -> None:
    found = client.get_flight_info(flight.FlightDescriptor.for_command(data), options())
    for endpoint in found.endpoints:
        client.do_get(endpoint.ticket, options()).read_all()


def schema(client: Any, data: bytes, _: random.Random) -> None:
    client.get_schema(flight.FlightDescriptor.for_command(data), options())


def path(client: Any, data: bytes, _: random.Random) -> None:
    client.get_flight_info(flight.FlightDescriptor.for_path(data), options())


def get(client: Any, data: bytes, _: random.Random) -> None:
    client.do_get(flight.Ticket(data), options()).read_all()


def put(client: Any, data: bytes, chance: random.Random) -> None:
    rows = (
        pa.table({"a": [1, 2][: chance.randint(0, 2)], "b": ["x", None][: chance.randint(0, 2)]})
        if (chance.random() < 0.2)
        else pa.table({"a": pa.array([], pa.int64())})
    )
    descriptor = flight.FlightDescriptor.for_command(data)
    writer, reader = client.do_put(descriptor, rows.schema, options())
    with writer:
        writer.write_table(rows)
        writer.done_writing()
        reader.read()


def act(client: Any, data: bytes, chance: random.Random) -> None:
    list(client.do_action(flight.Action(chance.choice(ACTIONS), data), options()))


CALLERS: tuple[Callable[[Any, bytes, random.Random], None], ...] = (
    *(info, schema, path, get, put, act),
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mangled_messages_are_refused_by_name(stack: FlightStack, seed: int) -> None:
    chance = random.Random(seed)
    deadline = time.monotonic() + SECONDS_MAX
    with flight.connect(stack.uri) as client:
        for _ in range(CALLS):
            if time.monotonic() > deadline:
                break
            data = chance.choice(MESSAGES)
            if chance.random() < 0.7:
                data = mangled(data, chance)
            call = chance.choice(CALLERS)
            refused = failure(partial(call, client, data, chance))
            # A timeout is a hang; an internal error is something unforeseen.
            assert not isinstance(refused, flight.FlightTimedOutError), (call, data)
            assert "GENERIC_INTERNAL_ERROR" not in str(refused), (call, data)
    still_serves(stack)


def failure(call: Callable[[], None]) -> Exception | None:
    try:
        call()
    except (flight.FlightError, pa.ArrowException) as refused:
        return refused
    return None


def test_bytes_that_are_no_grpc_do_no_harm(stack: FlightStack) -> None:
    chance = random.Random(4)
    for number in range(60):
        data = chance.randbytes(chance.randint(1, 4000))
        if number % 2:
            data = PREFACE + data
        with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as peer:
            peer.settimeout(0.05)
            try:
                peer.sendall(data)
                if number % 3:
                    peer.recv(65536)
            except (TimeoutError, ConnectionError):
                continue
    still_serves(stack)


def still_serves(stack: FlightStack) -> None:
    """Nothing runs any more, and a client is answered."""
    deadline = time.monotonic() + 20
    while stack.core.engine.running:
        assert time.monotonic() < deadline, "queries were left behind"
        time.sleep(0.02)
    command = packed(new("CommandStatementQuery", query="SELECT 40 + 2"))
    with flight.connect(stack.uri) as client:
        found = client.get_flight_info(flight.FlightDescriptor.for_command(command), options())
        rows = client.do_get(found.endpoints[0].ticket, options()).read_all()
    assert rows.column(0).to_pylist() == [42]
