"""EXPLAIN and EXPLAIN ANALYZE: the plan with what pruning left, and what a run then took."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Progress, ResultColumn, StatementType, Statistics
from querysvc.plan import AnalysedStatement, Engine, ExecutionPlan, ReadEstimate
from querysvc.planning.request import PlannedQuery, QueryPlanner
from querysvc.results.spool import EXPLAINED
from querysvc.service.clock import Clock
from querysvc.service.plan_formats import graphviz_text, json_text, text_lines
from querysvc.service.plan_io import io_text, is_within_limit
from querysvc.service.plan_nodes import plan_nodes, restricted_tables
from querysvc.service.running import RunningQuery
from querysvc.service.statements import (
    RunContext,
    StatementOutcome,
    plan_request,
    run_statistics,
)
from querysvc.sql.explain import Explain, ExplainFormat, ExplainType
from querysvc.types.algebra import BOOLEAN, VARCHAR
from querysvc.write_plan import WriteStatement

_OBJECTS_TOLD: Final = 100
_PLAN_COLUMNS: Final = (ResultColumn("Query Plan", VARCHAR),)
_VALID_COLUMNS: Final = (ResultColumn("Valid", BOOLEAN),)


class ExplainExecutor:
    """Explains queries; only ANALYZE runs them, and drops their rows."""

    def __init__(self, planner: QueryPlanner, engine: Engine, clock: Clock) -> None:
        self._planner = planner
        self._engine = engine
        self._clock = clock

    def execute(self, statement: Explain, context: RunContext) -> StatementOutcome:
        """Write the plan, or what else is asked for, as the result."""
        options, inner = statement.options, statement.statement
        if options.type is ExplainType.VALIDATE:
            return _told(context, _VALID_COLUMNS, True)
        if isinstance(inner, WriteStatement) and not options.is_analyze:
            inner = inner.query  # what would be written
        if not isinstance(inner, AnalysedStatement):
            raise StatementError(
                ErrorCode.NOT_SUPPORTED,
                "EXPLAIN of DDL, and EXPLAIN ANALYZE of writes, are not supported",
            )
        began = self._clock.steady_seconds()
        planned = self._planner.plan(plan_request(inner, context))
        seconds = self._clock.steady_seconds() - began
        context.running.raise_if_stopped()
        if options.is_analyze:
            told, statistics = self._analyze(statement, context, planned, seconds)
        else:
            told, statistics = self._explain(statement, context, planned), Statistics()
        outcome = _told(context, _PLAN_COLUMNS, told)
        return dataclasses.replace(
            outcome,
            statistics=statistics,
            warnings=(*inner.warnings, *planned.warnings),
        )

    def _explain(self, statement: Explain, context: RunContext, planned: PlannedQuery) -> str:
        plan = planned.plan
        estimate = self._engine.estimate(plan, _Control(context.running))
        if statement.options.type is ExplainType.IO:
            return io_text(plan, estimate)
        lines = [_estimate_line(plan, estimate)]
        return _plan_text(statement, plan, lines)

    def _analyze(
        self, statement: Explain, context: RunContext, planned: PlannedQuery, seconds: float
    ) -> tuple[str, Statistics]:
        plan = planned.plan
        # The rows are nobody's: they never come where the result is looked for.
        dropped = context.spool.with_suffix(EXPLAINED)
        try:
            outcome = self._engine.execute(plan, dropped, _Control(context.running, enforces=True))
        finally:
            dropped.unlink(missing_ok=True)
        statistics = run_statistics(outcome, planned, seconds)
        if statement.options.format is ExplainFormat.JSON:
            document = {
                "statistics": {**dataclasses.asdict(statistics), "result_rows": outcome.rows},
                "plan": json.loads(json_text(plan_nodes(plan.query, plan.scans))),
            }
            return json.dumps(document, indent=2, ensure_ascii=False), statistics
        lines = _run_lines(statistics, outcome.rows)
        if statement.options.is_verbose:
            lines += _object_lines(plan)
        return _plan_text(statement, plan, lines), statistics


class _Control:
    """The running query's control, but for rows; an estimate refuses only what is to run."""

    def __init__(self, running: RunningQuery, *, enforces: bool = False) -> None:
        self._running = running
        self._enforces = enforces

    def is_cancelled(self) -> bool:
        return self._running.is_cancelled()

    def on_cancel(self, action: Callable[[], None]) -> None:
        self._running.on_cancel(action)

    def on_estimate(self, estimate: ReadEstimate) -> None:
        if self._enforces:
            self._running.on_estimate(estimate)

    def on_progress(self, progress: Progress) -> None:
        if self._enforces:
            self._running.on_progress(progress)

    def on_batch(self, end_offset: int, rows: int) -> None:
        """The rows are not the result."""


def _told(
    context: RunContext, columns: tuple[ResultColumn, ...], value: object
) -> StatementOutcome:
    context.write_values(columns, [(value,)])
    return StatementOutcome(columns, StatementType.UTILITY, "EXPLAIN")


def _plan_text(statement: Explain, plan: ExecutionPlan, head: list[str]) -> str:
    node = plan_nodes(plan.query, plan.scans)
    match statement.options.format:
        case ExplainFormat.JSON:
            return json_text(node)
        case ExplainFormat.GRAPHVIZ:
            return graphviz_text(node)
    lines = text_lines(node)
    if statement.options.type is ExplainType.DISTRIBUTED:
        lines = ["Fragment 0 [SINGLE]", *(f"    {line}" for line in lines)]
    return "\n".join([*head, *lines])


def _estimate_line(plan: ExecutionPlan, estimate: ReadEstimate) -> str:
    groups = f"Row groups: {estimate.row_groups}/{estimate.total_row_groups}"
    told = f"To read: {estimate.scanned_bytes}B, Files: {estimate.files}, {groups}"
    if not estimate.is_exact:
        told += f" (not exact: {estimate.reason})"
    if not is_within_limit(plan, estimate):
        told += (
            f"; over the work group's limit of {plan.limits.scanned_bytes_max}B: it would not run"
        )
    return told


def _run_lines(statistics: Statistics, rows: int) -> list[str]:
    return [
        (
            f"Planning: {statistics.planning_milliseconds}ms,"
            f" Execution: {statistics.execution_milliseconds}ms,"
            f" Peak Memory: {statistics.peak_memory_bytes}B"
        ),
        (
            f"Input: {statistics.scanned_bytes}B"
            f" (fetched {statistics.fetched_bytes}B, cached {statistics.cached_bytes}B),"
            f" Partitions: {statistics.scanned_partitions}/{statistics.total_partitions},"
            f" Files: {statistics.scanned_files}/{statistics.total_files},"
            f" Row groups: {statistics.scanned_row_groups}/{statistics.total_row_groups}"
        ),
        *_rejected_lines(statistics),
        f"Output: {rows} {'row' if rows == 1 else 'rows'}",
    ]


def _rejected_lines(statistics: Statistics) -> list[str]:
    count = statistics.rejected_rows
    return [f"Rejected: {count} {'row' if count == 1 else 'rows'} set aside"] if count else []


def _object_lines(plan: ExecutionPlan) -> list[str]:
    """The objects of the tables that no policy restricts, by their addresses."""
    restricted = restricted_tables(plan.query)
    addresses = [
        f"Object: {one.address} ({one.size}B)"
        for index, scan in enumerate(plan.scans)
        if index not in restricted
        for partition in scan.partitions
        for one in partition.objects
    ]
    rest = len(addresses) - _OBJECTS_TOLD
    return [*addresses[:_OBJECTS_TOLD], *([f"… {rest} more objects"] if rest > 0 else [])]
