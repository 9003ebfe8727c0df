"""A served PostgreSQL wire over TPC-H tiny: real service, analyser and DuckDB, in this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from querysvc.planning.metadata import CatalogMetadata
from querysvc.service.auth import Authenticator, SecretBox
from querysvc.service.clock import SystemClock
from querysvc.service.parameter_types import ParameterTypes
from querysvc.service.system_listing import Listing
from querysvc.service.system_metadata import SystemMetadata
from querysvc.service.system_tables import SystemTablePlanner, SystemTables
from querysvc.state.memory import MemoryState
from querysvc_drivers.pgwire import PgServer, PgServices, PgSettings, SessionServices, server_tls
from querysvc_drivers.pgwire.catalog import CatalogQueries
from tests.support.callable_gate import CallableGate
from tests.support.trino_stack import (
    LocalDuckDb,
    LocalGate,
    LocalPlanner,
    _replace_parts,
    tiny_catalog,
)
from tests.unit.service.conftest import Harness, build, stop


@dataclass
class PgStack:
    """The served wire."""

    port: int
    server: PgServer
    engine: LocalDuckDb
    harness: Harness
    authenticator: Authenticator

    def dsn(self, **more: object) -> str:
        """What libpq is told to connect."""
        told = {"host": "127.0.0.1", "port": self.port, "dbname": "tpch", "user": "eve", **more}
        return " ".join(f"{name}='{value}'" for name, value in told.items())


@contextmanager
def pg_stack(
    root: Path,
    *,
    needs_keys: bool = False,
    certificate: Path | None = None,
    settings: PgSettings | None = None,
) -> Iterator[PgStack]:
    """Serve the wire on a free port; the certificate's key lies beside it as `.key`."""
    state = MemoryState()
    harness = build(state, root)
    catalog = tiny_catalog()
    metadata = SystemMetadata(CatalogMetadata(catalog))
    tables = SystemTables(lambda _: Listing(catalog), state, "node", "http://127.0.0.1:0")
    planner = LocalPlanner()
    engine = LocalDuckDb(planner)
    _replace_parts(harness, LocalGate(metadata), SystemTablePlanner(planner, tables), engine)
    harness.dispatcher.start()
    clock = SystemClock()
    gate = CallableGate()
    authenticator = Authenticator(state, SecretBox(root / "key"), clock, is_required=needs_keys)
    tls, binding = (None, None)
    if certificate is not None:
        tls, binding = server_tls(certificate, certificate.with_suffix(".key"))
    services = PgServices(
        session=SessionServices(
            queries=harness.service,
            parameter_types=ParameterTypes(gate, lambda _: metadata, clock),
            metadata_of=lambda _: metadata,
            catalog=CatalogQueries(gate, lambda _: Listing(catalog)),
        ),
        authenticator=authenticator,
        tls=tls,
        tls_binding=binding,
        settings=settings or PgSettings(),
    )
    try:
        with serving(PgServer(services)) as (server, port):
            yield PgStack(port, server, engine, harness, authenticator)
    finally:
        stop(harness)


@contextmanager
def serving(server: PgServer) -> Iterator[tuple[PgServer, int]]:
    """Run the server in an event loop of its own."""
    loop = uvloop.new_event_loop()  # as uvicorn has it in the service
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        listener = socket.create_server(("127.0.0.1", 0))
        asyncio.run_coroutine_threadsafe(server.start(listener), loop).result(20)
        yield server, listener.getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


if __name__ == "__main__":  # a server to try clients on by hand
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pg_stack(Path(folder)) as stack:
        print(stack.dsn(), flush=True)
        sys.stdin.read()
