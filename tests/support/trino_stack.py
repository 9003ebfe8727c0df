"""A served Trino wire over TPC-H tiny: the real service, analyser and DuckDB, in this process."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import uvicorn
from fastapi import FastAPI

from querysvc.engines.duckdb.functions.install import install
from querysvc.engines.duckdb.lowering.errors import to_query_error
from querysvc.engines.duckdb.lowering.lower import lower
from querysvc.engines.duckdb.lowering.settings import statements
from querysvc.engines.duckdb.spool import conform, spool_schema
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, ResultColumn, Session, StatementType, Statistics
from querysvc.plan import (
    ExecutionControl,
    ExecutionOutcome,
    ExecutionPlan,
    ReadEstimate,
    TableReference,
)
from querysvc.planning.metadata import CatalogMetadata
from querysvc.planning.request import PlannedQuery, PlanRequest
from querysvc.service import statement_reading
from querysvc.service.clock import SystemClock
from querysvc.service.parameter_types import ParameterTypes
from querysvc.service.system_listing import Listing
from querysvc.service.system_metadata import SystemMetadata
from querysvc.service.system_tables import SystemTablePlanner, SystemTables
from querysvc.sql.metadata import MetadataReader
from querysvc.state.memory import MemoryState
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.model import Column, Database, DataCatalog, StorageDescriptor, Table
from querysvc_catalog.service import CatalogService
from querysvc_drivers.trino import SegmentStore, TrinoServices, TrinoSettings, router
from querysvc_drivers.trino.authentication import Authenticate
from tests.support.callable_gate import CallableGate
from tests.support.local_engine import TINY
from tests.unit.service.conftest import Harness, build, stop

EVERY_TYPE = {
    "b": ("boolean", "boolean"),
    "t": ("tinyint", "tinyint"),
    "s": ("smallint", "smallint"),
    "i": ("int", "integer"),
    "l": ("bigint", "bigint"),
    "r": ("float", "real"),
    "d": ("double", "double"),
    "dec": ("decimal(12,2)", "decimal(12,2)"),
    "big": ("decimal(38,0)", "decimal(38,0)"),
    "v": ("string", "varchar"),
    "v5": ("varchar(5)", "varchar(5)"),
    "c": ("char(3)", "char(3)"),
    "vb": ("binary", "varbinary"),
    "dt": ("date", "date"),
    "ts3": ("timestamp", "timestamp(3)"),
    "a": ("array<int>", "array(integer)"),
    "m": ("map<string,bigint>", "map(varchar, bigint)"),
    "ro": ("struct<x:int,z:varchar(3)>", "row(x integer, z varchar(3))"),
}
"""A table with a column of every type that a catalog can declare: Hive's and Trino's names."""


class LocalGate:
    """Analyses in this process."""

    def __init__(self, metadata: MetadataReader) -> None:
        self._metadata = metadata

    def classify(self, sql: str) -> tuple[StatementType, str]:
        return statement_reading.classify(sql)

    def analyse(
        self, sql: str, session: Session, parameters: tuple[str, ...], principal: Principal
    ) -> object:
        return statement_reading.analyse(sql, session, self._metadata, parameters)


class LocalPlanner:
    """Plans nothing: the engine below knows where TPC-H tiny lies."""

    def __init__(self) -> None:
        self.tables: dict[str, tuple[TableReference, ...]] = {}

    def plan(self, request: PlanRequest) -> PlannedQuery:
        statement = request.statement
        self.tables[request.query_id] = statement.tables
        plan = ExecutionPlan(
            request.query_id,
            statement.query,
            statement.columns,
            (),
            request.session,
            request.limits,
        )
        return PlannedQuery(plan)


class LocalDuckDb:
    """Runs plans on a DuckDB in this process."""

    def __init__(self, planner: LocalPlanner) -> None:
        self._planner = planner
        self.running = 0

    def execute(
        self, plan: ExecutionPlan, spool: Path, control: ExecutionControl
    ) -> ExecutionOutcome:
        tables = dict(enumerate(map(_relation, self._planner.tables.pop(plan.query_id))))
        lowered = lower(plan.query, tables, plan.session)
        connection = duckdb.connect(":memory:", config={"threads": "2"})
        self.running += 1
        is_late, is_done = threading.Event(), threading.Event()
        clock = threading.Timer(plan.limits.timeout_seconds, _interrupt, (connection, is_late))
        clock.start()
        try:
            for statement in statements():
                connection.execute(statement)
            control.on_cancel(threading.Thread(target=_stop, args=(connection, is_done)).start)
            install(connection, lowered)
            rows = _write(connection, lowered.sql, plan.columns, spool, control)
        except duckdb.Error as error:
            if control.is_cancelled():
                raise QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled") from error
            if is_late.is_set():
                message = f"Query exceeded the maximum time of {plan.limits.timeout_seconds:g} s"
                raise QueryServiceError(ErrorCode.EXCEEDED_TIME_LIMIT, message) from error
            raise to_query_error(error) from error
        finally:
            clock.cancel()
            is_done.set()
            self.running -= 1
            connection.close()
        return ExecutionOutcome(rows, Statistics(result_rows=rows))

    def estimate(self, plan: ExecutionPlan, control: ExecutionControl) -> ReadEstimate:
        return ReadEstimate(0, 0)

    def encode_text(self, spool: Path, columns: tuple[ResultColumn, ...], target: Path) -> None:
        target.write_text("")

    def close(self) -> None:
        """Nothing stays open."""


def _stop(connection: duckdb.DuckDBPyConnection, is_done: threading.Event) -> None:
    """Interrupt until it helps: an interrupt before the query has begun is lost."""
    while not is_done.wait(0.05):
        with contextlib.suppress(duckdb.Error):
            connection.interrupt()


def _interrupt(connection: duckdb.DuckDBPyConnection, is_late: threading.Event) -> None:
    is_late.set()
    connection.interrupt()


def _relation(reference: TableReference) -> str:
    columns = ", ".join(
        f"{'NULL' if column.is_hidden else _quoted(column.name)} AS c{i}"
        for i, column in enumerate(reference.columns)
    )
    return f"(SELECT {columns} FROM read_parquet('{TINY / reference.table.name}.parquet'))"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _write(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    columns: tuple[ResultColumn, ...],
    spool: Path,
    control: ExecutionControl,
) -> int:
    schema, rows = spool_schema(columns), 0
    batches = connection.execute(sql).to_arrow_reader(10_000)
    with spool.open("wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in conform(batches, schema):
            writer.write_batch(batch)
            sink.flush()
            control.on_batch(sink.tell(), batch.num_rows)
            rows += batch.num_rows
    return rows


@dataclass
class Stack:
    """The served wire."""

    url: str
    engine: LocalDuckDb
    harness: Harness
    segments: SegmentStore

    @property
    def port(self) -> int:
        """The wire's port on the loopback interface."""
        return int(self.url.rpartition(":")[2])


def tiny_catalog() -> CatalogService:
    """The catalog `tpch` with the tables that `tiny_metadata` describes."""
    catalog = CatalogService(MemoryCatalogRepository(), lambda: datetime.now(UTC))
    catalog.create_data_catalog(DataCatalog("tpch"))
    catalog.create_database(Database("tiny", "tpch"))
    for entry in json.loads((TINY / "tables.json").read_text()):
        columns = tuple(Column(name, text) for name, text in entry["columns"])
        descriptor = StorageDescriptor(columns=columns, location="s3://lake/x/")
        catalog.create_table(Table(entry["table"], "tiny", "tpch", storage_descriptor=descriptor))
    every = tuple(Column(name, hive) for name, (hive, _) in EVERY_TYPE.items())
    descriptor = StorageDescriptor(columns=every, location="s3://lake/x/")
    catalog.create_table(Table("every_type", "tiny", "tpch", storage_descriptor=descriptor))
    return catalog


def anyone(credentials: object) -> Principal:
    """Authentication is off."""
    return Principal("anonymous", frozenset({"admin"}))


@contextmanager
def trino_stack(
    root: Path,
    settings: TrinoSettings | None = None,
    authenticate: Authenticate = anyone,
    **server: str,
) -> Iterator[Stack]:
    """Serve the wire on a free port; `server` are uvicorn's settings (TLS)."""
    with local_core(root) as core:
        segments = SegmentStore(root / "segments")
        services = TrinoServices(
            queries=core.harness.service,
            metadata_of=lambda _: core.metadata,
            authenticate=authenticate,
            classify=LocalGate(core.metadata).classify,
            parameter_types=core.parameter_types,
            segments=segments,
            settings=settings or TrinoSettings(),
        )
        app = FastAPI()
        app.include_router(router(services))
        with serve(app, **server) as url:
            yield Stack(url, core.engine, core.harness, segments)


@dataclass(frozen=True)
class LocalCore:
    """What every wire is served over."""

    harness: Harness
    engine: LocalDuckDb
    state: MemoryState
    metadata: SystemMetadata
    parameter_types: ParameterTypes
    listing: Listing


@contextmanager
def local_core(root: Path) -> Iterator[LocalCore]:
    """The real service over TPC-H tiny, with analysis and DuckDB in this process."""
    state = MemoryState()
    harness = build(state, root)
    catalog = tiny_catalog()
    metadata = SystemMetadata(CatalogMetadata(catalog))
    tables = SystemTables(lambda _: Listing(catalog), state, "node", "http://127.0.0.1:0")
    planner = LocalPlanner()
    engine = LocalDuckDb(planner)
    _replace_parts(harness, LocalGate(metadata), SystemTablePlanner(planner, tables), engine)
    harness.dispatcher.start()
    types = ParameterTypes(CallableGate(), lambda _: metadata, SystemClock())
    try:
        yield LocalCore(harness, engine, state, metadata, types, Listing(catalog))
    finally:
        stop(harness)


def _replace_parts(
    harness: Harness, gate: LocalGate, planner: SystemTablePlanner, engine: LocalDuckDb
) -> None:
    """Put real analysis, planning and execution into the service of fakes."""
    harness.gate.classify = gate.classify  # type: ignore[method-assign]
    harness.gate.analyse = gate.analyse  # type: ignore[method-assign]
    harness.planner.plan = planner.plan  # type: ignore[method-assign]
    harness.engine.execute = engine.execute  # type: ignore[method-assign]
    harness.engine.encode_text = engine.encode_text  # type: ignore[method-assign]


@contextmanager
def serve(app: FastAPI, **settings: str) -> Iterator[str]:
    """Run an application on a free port of the loopback interface."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", **settings
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        scheme = "https" if "ssl_certfile" in settings else "http"
        yield f"{scheme}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


if __name__ == "__main__":  # a server to try clients on by hand
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder, trino_stack(Path(folder)) as stack:
        print(stack.url, flush=True)
        sys.stdin.read()
