"""Full implementations of the core's ports in memory: a gate, a planner, an engine, a clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from querysvc import tree
from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc.model import Principal, Progress, ResultColumn, Session, StatementType, Statistics
from querysvc.plan import (
    AnalysedStatement,
    ExecutionControl,
    ExecutionOutcome,
    ExecutionPlan,
    ReadEstimate,
)
from querysvc.planning.request import PlannedQuery, PlanRequest
from querysvc.results.text_values import text_rows
from querysvc.service.statement_reading import classify
from querysvc.types.algebra import BIGINT

COLUMNS = (ResultColumn("n", BIGINT),)
_QUERY = tree.Query(output=(tree.Field("n", BIGINT),), body=tree.ValuesBody(()))


class ManualClock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.time

    def steady_seconds(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds


class FakeGate:
    """Knows statements by their text; any other query is a SELECT of one bigint column."""

    def __init__(self) -> None:
        self.statements: dict[str, object] = {}

    def classify(self, sql: str) -> tuple[StatementType, str]:
        return classify(sql)

    def analyse(
        self, sql: str, session: Session, parameters: tuple[str, ...], principal: Principal
    ) -> object:
        if "missing" in sql:
            raise StatementError(
                ErrorCode.COLUMN_NOT_FOUND, "Column 'missing' cannot be resolved", line=1, column=8
            )
        return self.statements.get(sql) or AnalysedStatement(_QUERY, (), COLUMNS)


class FakePlanner:
    """Plans nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[PlanRequest] = []

    def plan(self, request: PlanRequest) -> PlannedQuery:
        self.requests.append(request)
        plan = ExecutionPlan(
            query_id=request.query_id,
            query=request.statement.query,
            columns=request.statement.columns,
            scans=(),
            session=request.session,
            limits=request.limits,
        )
        return PlannedQuery(plan, skipped_archived_objects=2, skipped_archived_bytes=20)


class FakeEngine:
    """Writes a real spool: `rows` rows in batches of `batch_rows`.

    `gates` hold it: before each batch it waits for a permit (`release`), unless it is cancelled.
    """

    def __init__(self, rows: int = 10, batch_rows: int = 4) -> None:
        self.rows = rows
        self.batch_rows = batch_rows
        self.scanned_bytes = 100
        self.failure: BaseException | None = None
        self.is_held = False
        self.started = threading.Semaphore(0)
        self.running = 0
        self.running_most = 0
        self.runs: list[str] = []
        self._permits = threading.Semaphore(0)
        self._lock = threading.Lock()

    def release(self, batches: int = 1) -> None:
        """Let a held run write so many batches."""
        self._permits.release(batches)

    def execute(
        self, plan: ExecutionPlan, spool: Path, control: ExecutionControl
    ) -> ExecutionOutcome:
        with self._lock:
            self.runs.append(plan.query_id)
            self.running += 1
            self.running_most = max(self.running, self.running_most)
        try:
            self.started.release()
            return self._write(spool, control)
        finally:
            with self._lock:
                self.running -= 1

    def estimate(self, plan: ExecutionPlan, control: ExecutionControl) -> ReadEstimate:
        return ReadEstimate(self.scanned_bytes, 1)

    def encode_text(self, spool: Path, columns: tuple[ResultColumn, ...], target: Path) -> None:
        table = pa.ipc.open_stream(spool.read_bytes()).read_all()
        with target.open("w") as sink:
            sink.write(",".join(f'"{column.name}"' for column in columns) + "\n")
            for batch in table.to_batches():
                for row in text_rows(columns, batch):
                    sink.write(",".join("" if v is None else f'"{v}"' for v in row) + "\n")

    def close(self) -> None:
        """No workers."""

    def _write(self, spool: Path, control: ExecutionControl) -> ExecutionOutcome:
        control.on_estimate(ReadEstimate(self.scanned_bytes, 1))
        control.on_cancel(lambda: self._permits.release())
        schema = pa.schema([("0", pa.int64())])
        written = 0
        with spool.open("wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            while written < self.rows:
                if self.is_held:
                    self._permits.acquire(timeout=30)
                if control.is_cancelled():
                    raise QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled")
                end = min(written + self.batch_rows, self.rows)
                numbers = pa.array(range(written, end), pa.int64())
                writer.write_batch(pa.RecordBatch.from_arrays([numbers], schema=schema))
                sink.flush()
                control.on_batch(sink.tell(), end - written)
                written = end
                control.on_progress(
                    Progress(written / self.rows, self.scanned_bytes, None, written)
                )
        if self.failure is not None:
            raise self.failure
        return ExecutionOutcome(written, Statistics(scanned_bytes=self.scanned_bytes))
