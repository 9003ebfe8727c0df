"""Statement executors: who runs which kind of analysed statement.

    EXECUTORS: type of the analysed statement ──► StatementExecutor

DDL, utility and write statements register here (bootstrap passes the table). An executor leaves
its rows in the spool, by the engine or by `RunContext.write_rows`, and tells the outcome.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, ResultColumn, Session, StatementType, Statistics
from querysvc.plan import AnalysedStatement, Engine, ExecutionOutcome, ExecutionPlan
from querysvc.planning.request import PlannedQuery, PlanRequest, QueryPlanner
from querysvc.results.spool import BatchEnd, write_rows
from querysvc.service.clock import Clock
from querysvc.service.reuse import ResultReuse, result_key
from querysvc.service.running import RunningQuery
from querysvc.service.write_transaction import WriteTransaction
from querysvc.state.values import WorkGroup
from querysvc.types.algebra import BIGINT, BOOLEAN, INTEGER, VARCHAR

_ARROW_TYPES: Final = {
    VARCHAR: pa.string(),
    BIGINT: pa.int64(),
    INTEGER: pa.int32(),
    BOOLEAN: pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class RunContext:
    """What an executor may know and use of its run."""

    running: RunningQuery
    session: Session
    principal: Principal
    work_group: WorkGroup
    spool: Path
    output_location: str | None
    """Where the work group's or the request's configuration puts result objects."""
    write: WriteTransaction | None = None
    """What the query may write to S3, and take back."""

    def write_rows(
        self, names: Sequence[str], rows: Sequence[Sequence[str | None]]
    ) -> tuple[ResultColumn, ...]:
        """Spool rows of texts (what SHOW and DESCRIBE answer); gives their columns."""
        columns = tuple(ResultColumn(name, VARCHAR) for name in names)
        self.write_values(columns, rows)
        return columns

    def write_values(
        self, columns: Sequence[ResultColumn], rows: Sequence[Sequence[object]]
    ) -> None:
        """Spool rows that are at hand, of the few types that utility statements answer."""
        arrays = [
            pa.array([row[index] for row in rows], _ARROW_TYPES[column.type])
            for index, column in enumerate(columns)
        ]
        table = pa.Table.from_arrays(arrays, names=[str(index) for index in range(len(columns))])
        self.tell_batches(write_rows(self.spool, table))

    def tell_batches(self, ends: Sequence[BatchEnd]) -> None:
        """Tell of batches that are in the spool."""
        before = 0
        for end in ends:
            self.running.on_batch(end.offset, end.rows - before)
            before = end.rows


@dataclass(frozen=True, slots=True)
class StatementOutcome:
    """What a statement gave; its rows are in the spool."""

    columns: tuple[ResultColumn, ...]
    statement_type: StatementType
    substatement_type: str
    statistics: Statistics = dataclasses.field(default_factory=Statistics)
    update_count: int | None = None
    written_objects: tuple[str, ...] | None = None
    """The objects that a write made: None for statements that are no writes."""
    warnings: tuple[str, ...] = ()
    result_key: str | None = None
    reused_previous_result: bool = False


class StatementExecutor(Protocol):
    """Runs one kind of statement."""

    def execute(self, statement: Any, context: RunContext) -> StatementOutcome:
        """Run it (of the type that it is registered for); raises QueryServiceErrors."""
        ...


Executors = Mapping[type, StatementExecutor]


class SelectExecutor:
    """Plans a query and gives it to the engine."""

    def __init__(
        self, planner: QueryPlanner, engine: Engine, reuse: ResultReuse, clock: Clock
    ) -> None:
        self._planner = planner
        self._engine = engine
        self._reuse = reuse
        self._clock = clock

    def execute(self, statement: AnalysedStatement, context: RunContext) -> StatementOutcome:
        """Run a SELECT."""
        running = context.running
        running.describe_result(statement.columns)
        began = self._clock.steady_seconds()
        planned = self._planner.plan(plan_request(statement, context))
        running.raise_if_stopped()
        planning_seconds = self._clock.steady_seconds() - began
        key = result_key(statement, planned.plan, running.execution.sql)
        is_reused = key is not None and self._takes_earlier_result(key, context)
        outcome = (
            ExecutionOutcome(running.live.rows, Statistics())
            if is_reused
            else self._engine.execute(planned.plan, context.spool, running)
        )
        if outcome.rows != running.live.rows:
            raise QueryServiceError(
                ErrorCode.GENERIC_INTERNAL_ERROR,
                f"The engine told {outcome.rows} rows and wrote {running.live.rows}.",
            )
        statistics = run_statistics(outcome, planned, planning_seconds)
        return StatementOutcome(
            columns=statement.columns,
            statement_type=statement.statement_type,
            substatement_type=statement.substatement_type,
            statistics=statistics,
            warnings=(*statement.warnings, *planned.warnings),
            result_key=key,
            reused_previous_result=is_reused,
        )

    def _takes_earlier_result(self, key: str, context: RunContext) -> bool:
        execution = context.running.execution
        ends = self._reuse.take(
            key,
            query_id=execution.id,
            work_group=execution.work_group,
            age_max_minutes=execution.result_reuse_age_max_minutes or 0,
        )
        if ends is None:
            return False
        context.tell_batches(ends)
        return True


def run_statistics(
    outcome: ExecutionOutcome, planned: PlannedQuery, planning_seconds: float
) -> Statistics:
    """What a planned run took, with what was known before it ran."""
    return dataclasses.replace(
        outcome.statistics,
        planning_milliseconds=round(planning_seconds * 1000),
        skipped_archived_objects=planned.skipped_archived_objects,
        skipped_archived_bytes=planned.skipped_archived_bytes,
        **_totals(planned.plan),
    )


def plan_request(statement: AnalysedStatement, context: RunContext) -> PlanRequest:
    """What the planner is asked for a statement of this run."""
    return PlanRequest(
        query_id=context.running.id,
        statement=statement,
        session=context.session,
        principal=context.principal,
        guard=context.work_group.guard,
        limits=context.running.limits,
        owner=f"{context.work_group.name} {context.principal.name}",
        go_on=context.running.raise_if_stopped,
    )


def table_names(statement: AnalysedStatement) -> tuple[str, ...]:
    """The full names of the tables that a statement reads, each once."""
    names = (
        f"{reference.catalog}.{reference.database}.{reference.table.name}"
        for reference in statement.tables
    )
    return tuple(dict.fromkeys(names))


def _totals(plan: ExecutionPlan) -> dict[str, int]:
    """What pruning started from and left, known before the run."""
    partitions = [partition for scan in plan.scans for partition in scan.partitions]
    return {
        "total_partitions": sum(scan.total_partitions for scan in plan.scans),
        "scanned_partitions": len(partitions),
        "total_files": sum(len(partition.objects) for partition in partitions),
    }
