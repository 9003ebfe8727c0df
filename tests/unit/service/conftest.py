"""A whole query service over fakes of what is below it, with a real state and real spools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from querysvc.model import Principal, QueryExecution, QuerySubmission
from querysvc.plan import AnalysedStatement, ResourceLimits
from querysvc.results.files import TextFiles
from querysvc.results.publisher import Publisher
from querysvc.results.spool import SpoolDirectory
from querysvc.service.admission import Admission, AdmissionLimits
from querysvc.service.audit import AuditLog
from querysvc.service.clock import SystemClock
from querysvc.service.dispatch import Dispatcher
from querysvc.service.execution import QueryRunner, RunnerParts
from querysvc.service.inspection import Inspector
from querysvc.service.prepared import PreparedExecutor, PreparedStatements
from querysvc.service.queries import QueryService, QueryServiceParts
from querysvc.service.quotas import Quotas
from querysvc.service.result_access import ResultAccess
from querysvc.service.reuse import ResultReuse
from querysvc.service.running import RunningQueries
from querysvc.service.saved import SavedStatements
from querysvc.service.statement_reading import Prepared
from querysvc.service.statements import SelectExecutor
from querysvc.service.upkeep import Upkeep
from querysvc.service.watch import Watchers
from querysvc.service.work_groups import WorkGroupService
from querysvc.state.database import open_database, sqlite_url
from querysvc.state.memory import MemoryState
from querysvc.state.migrate import upgrade
from querysvc.state.repository import State
from querysvc.state.sql import SqlState
from querysvc.state.values import WorkGroup
from querysvc.telemetry import Metrics
from tests.support.fakes import FakeEngine, FakeGate, FakePlanner
from tests.unit.results.test_publisher import Objects

ADA = Principal("ada")
BOB = Principal("bob")
ADMIN = Principal("root", frozenset({"admin"}))


@dataclass
class Harness:
    """The service and its parts."""

    service: QueryService
    state: State
    engine: FakeEngine
    gate: FakeGate
    planner: FakePlanner
    dispatcher: Dispatcher
    upkeep: Upkeep
    groups: WorkGroupService
    spools: SpoolDirectory
    objects: Objects
    metrics: Metrics
    executors: dict[type, object]
    audit: AuditLog
    running: RunningQueries
    runner: QueryRunner

    def submit(self, sql: str = "SELECT 1", by: Principal = ADA, **terms: object) -> QueryExecution:
        return self.service.submit(QuerySubmission(sql, **terms), by)  # type: ignore[arg-type]

    def run(self, sql: str = "SELECT 1", by: Principal = ADA, **terms: object) -> QueryExecution:
        query = self.submit(sql, by, **terms)
        return self.service.wait(query.id, by, timeout_seconds=30)


def build(
    state: State, root: Path, *, running_max: int = 4, admission: AdmissionLimits | None = None
) -> Harness:
    clock = SystemClock()
    engine, gate, planner, objects = FakeEngine(), FakeGate(), FakePlanner(), Objects()
    spools = SpoolDirectory(root / "results")
    texts = TextFiles(spools, engine.encode_text)
    running, watchers, metrics = RunningQueries(), Watchers(), Metrics()
    audit = AuditLog(state, clock)
    groups = WorkGroupService(state, state, audit, clock)
    groups.ensure_primary(WorkGroup("primary", enforces_configuration=False))
    limits = ResourceLimits(timeout_seconds=60)
    quotas = Quotas(state, clock)
    select = SelectExecutor(planner, engine, ResultReuse(state, spools, clock), clock)
    saved = SavedStatements(state, groups, clock)
    prepared = PreparedStatements(saved)
    executors: dict[type, object] = {
        AnalysedStatement: select,
        **dict.fromkeys(get_args(Prepared), PreparedExecutor(prepared, saved, gate)),
    }
    runner = QueryRunner(
        RunnerParts(
            queries=state,
            groups=groups,
            gate=gate,
            prepared=prepared,
            executors=executors,  # type: ignore[arg-type]
            spools=spools,
            texts=texts,
            publisher=Publisher(objects),
            running=running,
            watchers=watchers,
            audit=audit,
            metrics=metrics,
            clock=clock,
            quotas=quotas,
            limits=limits,
        )
    )
    dispatcher = Dispatcher(
        state,
        runner.run,
        clock,
        node="node",
        running_max=running_max,
        work_group_running_max=100,
        lease_seconds=30,
    )
    service = QueryService(
        QueryServiceParts(
            queries=state,
            groups=groups,
            gate=gate,
            prepared=prepared,
            admission=Admission(state, admission or AdmissionLimits(), clock, quotas.key_limits),
            running=running,
            watchers=watchers,
            results=ResultAccess(state, spools, texts, running),
            inspector=Inspector(gate, prepared, planner, engine, clock=clock, limits=limits),
            audit=audit,
            clock=clock,
            wake=dispatcher.wake,
        )
    )
    upkeep = Upkeep(
        queries=state,
        running=running,
        watchers=watchers,
        dispatcher=dispatcher,
        spools=spools,
        audit=audit,
        clock=clock,
        node="node",
        lease_seconds=30,
        retention_seconds=3600,
        is_shared=False,
    )
    return Harness(
        service,
        state,
        engine,
        gate,
        planner,
        dispatcher,
        upkeep,
        groups,
        spools,
        objects,
        metrics,
        executors,
        audit,
        running,
        runner,
    )


def stop(harness: Harness) -> None:
    harness.dispatcher.stop()
    harness.engine.is_held = False
    harness.engine.release(1000)
    assert harness.dispatcher.join(10)


@pytest.fixture(params=["memory", "sqlite"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    if request.param == "memory":
        yield MemoryState()
        return
    database = open_database(sqlite_url(tmp_path / "state.db"))
    upgrade(database)
    yield SqlState(database)
    database.close()


@pytest.fixture
def harness(state: State, tmp_path: Path) -> Iterator[Harness]:
    """A running service."""
    harness = build(state, tmp_path)
    harness.dispatcher.start()
    yield harness
    stop(harness)
