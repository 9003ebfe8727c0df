"""A served Flight SQL wire over TPC-H tiny: real service, analyser and DuckDB, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from querysvc_drivers.flightsql.server import FlightServices, FlightSqlServer
from tests.support.trino_stack import LocalCore, anyone, local_core


@dataclass(frozen=True)
class FlightStack:
    """The served wire and what is behind it."""

    port: int
    core: LocalCore

    @property
    def uri(self) -> str:
        """What clients connect to."""
        return f"grpc://127.0.0.1:{self.port}"


@contextmanager
def flight_stack(root: Path) -> Iterator[FlightStack]:
    """Serve the wire on a free port; anyone may call."""
    with local_core(root) as core:
        services = FlightServices(
            core.harness.service, core.parameter_types, lambda _: core.listing, anyone
        )
        with FlightSqlServer(services, "grpc://127.0.0.1:0") as server:
            yield FlightStack(server.port, core)
