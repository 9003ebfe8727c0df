"""A served Flight SQL wire over TPC-H tiny: real service, analyser and DuckDB, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from querysvc_drivers.flightsql.server import FlightServices, FlightSqlServer
from querysvc_drivers.trino.authentication import Authenticate
from tests.support.trino_stack import LocalCore, anyone, local_core


@dataclass(frozen=True)
class FlightStack:
    """The served wire and what is behind it."""

    uri: str
    core: LocalCore

    @property
    def port(self) -> int:
        """The wire's port on the loopback interface."""
        return int(self.uri.rpartition(":")[2])


@contextmanager
def flight_stack(
    root: Path,
    authenticate: Authenticate = anyone,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[FlightStack]:
    """Serve the wire on a free port; `tls` are the certificate and its key."""
    scheme = "grpc" if tls is None else "grpc+tls"
    with local_core(root) as core:
        services = FlightServices(
            core.harness.service, core.parameter_types, lambda _: core.listing, authenticate
        )
        with FlightSqlServer(services, f"{scheme}://127.0.0.1:0", tls) as server:
            yield FlightStack(f"{scheme}://127.0.0.1:{server.port}", core)
