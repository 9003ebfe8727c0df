"""Statements that ask for too much, run as a user's are: analysed in the gate, run by a worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.settings import SupervisorSettings
from querysvc.errors import QueryServiceError
from querysvc.model import Principal, Session
from querysvc.plan import AnalysedStatement, ExecutionPlan, ResourceLimits
from querysvc.service.gate import GateLimits, GatePool
from querysvc.sql.metadata import MemoryMetadata
from tests.support.engine_plans import RecordingControl
from tests.support.local_gateway import LocalGateway

STATEMENTS = Path(__file__).parent.parent / "faults" / "engines" / "resource_abuse.txt"
LIMITS = ResourceLimits(
    memory_bytes=300 << 20,
    spill_bytes=64 << 20,
    timeout_seconds=3.0,
    result_bytes_max=64 << 20,
    threads=2,
)
SECONDS_MAX = LIMITS.timeout_seconds + 2.0
MEMORY_BYTES_MAX = int(LIMITS.memory_bytes * 1.1)
_MADE = {
    "{deep}": "SELECT " + "(1 + " * 900 + "1" + ")" * 900,
    "{long}": "SELECT " + " + ".join(map(str, range(30_000))),
    "{wide}": "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(10_000)),
    "{queries}": "SELECT * FROM (" * 300 + "SELECT 1" + ")" * 300,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a statement ended: its error's name or SUCCEEDED, after how long, with what memory."""

    how: str
    seconds: float
    peak_memory_bytes: int


def abuse_statements() -> dict[str, str]:
    """The statements by name."""
    found = {}
    for line in STATEMENTS.read_text().splitlines():
        if not line.startswith("#"):
            name, sql = line.split(" | ", 1)
            found[name] = _MADE.get(sql, sql)
    return found


class Victim:
    """A gate and an engine with limits, and no tables."""

    def __init__(self) -> None:
        metadata = MemoryMetadata()
        metadata.add_schema("default")
        limits = GateLimits(processes=1, timeout_seconds=LIMITS.timeout_seconds)
        self._gate = GatePool(lambda _: metadata, limits)
        self._engine = DuckDBEngine(LocalGateway({}), SupervisorSettings(idle_workers=1))
        self._runs = 0
        self._gate.classify("SELECT 1")  # waits for a process

    def run(self, sql: str, spool: Path) -> Ended:
        """Run a statement to its end under `LIMITS`."""
        self._runs += 1
        began = time.monotonic()
        with self._peaks() as peaks:
            try:
                self._execute(sql, spool)
                how = "SUCCEEDED"
            except QueryServiceError as error:
                how = error.code.name
            finally:
                spool.unlink(missing_ok=True)
        return Ended(how, time.monotonic() - began, max(peaks, default=0))

    def close(self) -> None:
        """End all processes."""
        self._engine.close()
        self._gate.close()

    def _execute(self, sql: str, spool: Path) -> None:
        deadline = time.monotonic() + LIMITS.timeout_seconds
        session = Session(started_at=datetime.now(UTC))
        statement = self._gate.analyse(sql, session, (), Principal("mallory"))
        assert isinstance(statement, AnalysedStatement)
        limits = replace(LIMITS, timeout_seconds=max(0.1, deadline - time.monotonic()))
        plan = ExecutionPlan(
            f"abuse-{self._runs}", statement.query, statement.columns, (), session, limits
        )
        plan = replace(plan, owner="mallory")
        self._engine.execute(plan, spool, RecordingControl())

    @contextmanager
    def _peaks(self) -> Iterator[list[int]]:
        """The private memory of the workers, sampled every few milliseconds."""
        self._engine.containment_report()  # waits for a worker, which has a zygote
        found: list[int] = []
        stop = threading.Event()
        zygote = psutil.Process(self._engine._supervisor.zygote_id)

        def watch() -> None:
            while not stop.wait(0.005):
                for child in zygote.children():
                    try:
                        memory = child.memory_info()
                    except psutil.Error:
                        continue
                    found.append(memory.rss - memory.shared)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield found
        finally:
            stop.set()
            watcher.join()
