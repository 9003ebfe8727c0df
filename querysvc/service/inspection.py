"""Looking at a statement without running it: its description, and what it would read."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import (
    Principal,
    QuerySubmission,
    ResultColumn,
    Session,
    StatementType,
)
from querysvc.plan import AnalysedStatement, Engine, NoControl, ReadEstimate, ResourceLimits
from querysvc.planning.request import PlanRequest, QueryPlanner
from querysvc.service.clock import Clock
from querysvc.service.execution import limits_of
from querysvc.service.gate import Gate
from querysvc.service.prepared import BoundStatement, PreparedStatements
from querysvc.service.reads import discreet
from querysvc.service.running import refusal
from querysvc.service.statements import table_names
from querysvc.service.submission import session_user
from querysvc.sql.lint import lint
from querysvc.sql.positions import errors_moved
from querysvc.state.repository import SubmissionTerms
from querysvc.state.values import WorkGroup
from querysvc.write_plan import WriteStatement


@dataclass(frozen=True, slots=True)
class StatementDescription:
    """What a valid statement is: its kind, its output, the tables that it reads."""

    statement_type: StatementType
    substatement_type: str
    columns: tuple[ResultColumn, ...]
    tables: tuple[str, ...]
    """Full names: catalog.database.table."""
    warnings: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    """What would make it cheaper (sql.lint)."""


@dataclass(frozen=True, slots=True)
class QueryEstimate:
    """What a query would read, of how many partitions, and whether its work group lets it."""

    read: ReadEstimate
    partitions: int
    total_partitions: int
    bytes_limit: int | None

    @property
    def refusal(self) -> QueryServiceError | None:
        """What the run would fail with before it reads."""
        return refusal(self.read, self.bytes_limit)


class Inspector:
    """Analyses and plans, and runs nothing."""

    def __init__(
        self,
        gate: Gate,
        prepared: PreparedStatements,
        planner: QueryPlanner,
        engine: Engine,
        *,
        clock: Clock,
        limits: ResourceLimits,
    ) -> None:
        self._gate = gate
        self._prepared = prepared
        self._planner = planner
        self._engine = engine
        self._clock = clock
        self._limits = limits

    def describe(self, submission: QuerySubmission, principal: Principal) -> StatementDescription:
        """Analyse the statement; raises its error."""
        statement = self._analyse(submission, principal)
        if isinstance(statement, AnalysedStatement):
            return StatementDescription(
                statement.statement_type,
                statement.substatement_type,
                statement.columns,
                table_names(statement),
                statement.warnings,
                lint(statement),
            )
        bound = self._bound(submission, principal)
        return StatementDescription(*self._gate.classify(bound.sql), (), ())

    def estimate(
        self, submission: QuerySubmission, work_group: WorkGroup, principal: Principal
    ) -> QueryEstimate:
        """Plan the query under the work group's rules, and ask the engine what it would read."""
        statement = self._analyse(submission, principal)
        if isinstance(statement, WriteStatement):
            statement = statement.query
        if not isinstance(statement, AnalysedStatement):
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED, "Only queries and writes can be estimated, not DDL."
            )
        limits = limits_of(self._limits, work_group, SubmissionTerms())
        request = PlanRequest(
            query_id=f"estimate-{uuid.uuid4()}",
            statement=statement,
            session=self._session(submission, principal),
            principal=principal,
            guard=work_group.guard,
            limits=limits,
            go_on=self._until(self._clock.steady_seconds() + limits.timeout_seconds),
        )
        with discreet(statement):
            plan = self._planner.plan(request).plan
            return QueryEstimate(
                self._engine.estimate(plan, NoControl()),
                partitions=sum(len(scan.partitions) for scan in plan.scans),
                total_partitions=sum(scan.total_partitions for scan in plan.scans),
                bytes_limit=plan.limits.scanned_bytes_max,
            )

    def _until(self, deadline: float) -> Callable[[], None]:
        def go_on() -> None:
            if self._clock.steady_seconds() > deadline:
                raise QueryServiceError(
                    ErrorCode.EXCEEDED_TIME_LIMIT, "The estimate exceeded the query's time limit"
                )

        return go_on

    def _analyse(self, submission: QuerySubmission, principal: Principal) -> object:
        session = self._session(submission, principal)
        bound = self._bound(submission, principal)
        with errors_moved(bound.place):
            return self._gate.analyse(bound.sql, session, bound.parameters, principal)

    def _bound(self, submission: QuerySubmission, principal: Principal) -> BoundStatement:
        return self._prepared.bound(
            submission.sql, submission.execution_parameters, submission.work_group, principal
        )

    def _session(self, submission: QuerySubmission, principal: Principal) -> Session:
        session = submission.session
        return dataclasses.replace(
            session,
            started_at=session.started_at or self._clock.now(),
            user=session_user(submission, principal),
        )
