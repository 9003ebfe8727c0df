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

from querysvc.service.auth import Authenticator, SecretBox
from querysvc.service.clock import SystemClock
from querysvc_drivers.pgwire import PgServer, PgServices, PgSettings, SessionServices, server_tls
from querysvc_drivers.pgwire.catalog import CatalogQueries
from tests.support.callable_gate import CallableGate
from tests.support.trino_stack import LocalDuckDb, local_core
from tests.unit.service.conftest import Harness


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
    with local_core(root) as core:
        box = SecretBox(root / "key")
        authenticator = Authenticator(core.state, box, SystemClock(), is_required=needs_keys)
        tls, binding = (None, None)
        if certificate is not None:
            tls, binding = server_tls(certificate, certificate.with_suffix(".key"))
        services = PgServices(
            session=SessionServices(
                queries=core.harness.service,
                parameter_types=core.parameter_types,
                metadata_of=lambda _: core.metadata,
                catalog=CatalogQueries(CallableGate(), lambda _: core.listing),
            ),
            authenticator=authenticator,
            tls=tls,
            tls_binding=binding,
            settings=settings or PgSettings(),
        )
        with serving(PgServer(services)) as (server, port):
            yield PgStack(port, server, core.engine, core.harness, authenticator)


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
