"""Running one claimed query: analyse ► execute ► encode and publish ► finish.

Whatever happens, the query ends once: `finish` compares the fencing token, so that a runner that
lost its lease cannot commit a second result.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # limits are read by their names

import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.exhaustion import exhausted
from querysvc.model import (
    Principal,
    QueryExecution,
    QueryState,
    Session,
)
from querysvc.plan import ResourceLimits
from querysvc.results.files import TextFiles, text_suffix
from querysvc.results.publisher import Publication, Published, Publisher
from querysvc.results.spool import LiveSpool, SpoolDirectory
from querysvc.service.audit import AuditLog, end_of
from querysvc.service.clock import Clock
from querysvc.service.gate import Gate
from querysvc.service.prepared import PreparedStatements
from querysvc.service.quotas import Quotas
from querysvc.service.reads import discreet, reads_of
from querysvc.service.running import RunningQueries, RunningQuery, reason_info
from querysvc.service.statements import Executors, RunContext, StatementOutcome
from querysvc.service.watch import Watchers
from querysvc.service.work_groups import WorkGroupService
from querysvc.service.write_transaction import WriteParts, WriteTransaction
from querysvc.sql.positions import errors_moved
from querysvc.state.repository import ClaimedQuery, Completion, QueryRepository, SubmissionTerms
from querysvc.state.values import KeyLimits, WorkGroup
from querysvc.telemetry import Metrics

_log = structlog.get_logger(__name__)

SHUTTING_DOWN = QueryServiceError(
    ErrorCode.SERVER_SHUTTING_DOWN, "The service stopped while the query was running."
)
_STORE_SECONDS_MAX = 120.0
_STORE_PAUSE_SECONDS = 0.25
LEASE_LOST = QueryServiceError(ErrorCode.SERVER_SHUTTING_DOWN, "Another node took the query over.")


@dataclass(frozen=True, slots=True)
class RunnerParts:
    """What a runner works with."""

    queries: QueryRepository
    groups: WorkGroupService
    gate: Gate
    prepared: PreparedStatements
    executors: Executors
    spools: SpoolDirectory
    texts: TextFiles
    publisher: Publisher | None
    running: RunningQueries
    watchers: Watchers
    audit: AuditLog
    metrics: Metrics
    clock: Clock
    quotas: Quotas
    limits: ResourceLimits
    """The service's own, for work groups that set none."""
    writes: WriteParts | None = None
    """None: nothing is written to S3 (tests)."""


class QueryRunner:
    """Runs claimed queries, one at a time in each calling thread."""

    def __init__(self, parts: RunnerParts) -> None:
        self._parts = parts

    def run(self, claimed: ClaimedQuery) -> None:
        """Run the query to its end, and store how it ended."""
        parts = self._parts
        query_id = claimed.execution.id
        live = LiveSpool(parts.spools.stream_path(query_id))
        deadline = parts.clock.steady_seconds() + parts.limits.timeout_seconds
        running = RunningQuery(claimed, live, parts.watchers, deadline=deadline)
        with structlog.contextvars.bound_contextvars(query_id=query_id):
            parts.running.add(running)
            if claimed.fencing_token > 1:
                # What an earlier run left must not be taken for this run's.
                parts.spools.delete(query_id)
            parts.watchers.publish(claimed.execution)
            try:
                completion = self._complete(running)
                _settle(running, completion)
                final = self._finish(running, completion)
            finally:
                live.close()
                parts.running.remove(running)
            if final is not None:
                parts.watchers.publish(final)
                if final.state in (QueryState.FAILED, QueryState.CANCELLED):
                    parts.spools.delete(query_id)

    def _complete(self, running: RunningQuery) -> Completion | None:
        """How the query ended; None when it goes back to the queue."""
        try:
            return self._succeed(running)
        except QueryServiceError as error:
            return self._fail(running, running.reason or error)
        except Exception as error:
            if running.reason is not None:
                return self._fail(running, running.reason)
            _log.exception("A query failed unexpectedly.")
            return self._fail(running, exhausted(error) or _unexpected(running.id))

    def _succeed(self, running: RunningQuery) -> Completion:
        parts = self._parts
        execution = running.claimed.execution
        work_group = parts.groups.get(execution.work_group)
        principal = Principal(execution.principal, running.claimed.terms.roles)
        key = parts.quotas.key_limits(principal)
        running.limits = limits_of(parts.limits, work_group, running.claimed.terms, key)
        running.meter = parts.quotas.meter(work_group, principal, key)
        running.deadline += running.limits.timeout_seconds - parts.limits.timeout_seconds
        statement = self._analyse(execution, work_group, running)
        running.reads = reads_of(statement)
        running.raise_if_stopped()
        executor = parts.executors.get(type(statement))
        if executor is None:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED, f"Statements like {execution.sql[:40]!r} are not supported"
            )
        context = self._context(running, execution.session, work_group)
        with discreet(statement):
            outcome = executor.execute(statement, context)
        running.raise_if_stopped()
        if outcome.columns:
            parts.spools.commit(running.id, running.live.ends)
        # From here on the result can be seen: the query has succeeded, whoever cancels it now.
        published, milliseconds = self._publish(running, outcome, context)
        return self._completion(running, outcome, published, milliseconds)

    def _analyse(
        self, execution: QueryExecution, work_group: WorkGroup, running: RunningQuery
    ) -> object:
        principal = Principal(execution.principal, running.claimed.terms.roles)
        bound = self._parts.prepared.bound(
            execution.sql, execution.execution_parameters, work_group.name, principal
        )
        with errors_moved(bound.place):
            return self._parts.gate.analyse(
                bound.sql, execution.session, bound.parameters, principal
            )

    def _context(
        self, running: RunningQuery, session: Session, work_group: WorkGroup
    ) -> RunContext:
        claimed = running.claimed
        return RunContext(
            running=running,
            session=session,
            principal=Principal(claimed.execution.principal, claimed.terms.roles),
            work_group=work_group,
            spool=self._parts.spools.stream_path(running.id),
            output_location=claimed.execution.result_configuration.output_location,
            write=WriteTransaction(self._parts.writes, running) if self._parts.writes else None,
        )

    def _publish(
        self, running: RunningQuery, outcome: StatementOutcome, context: RunContext
    ) -> tuple[Published | None, int]:
        parts = self._parts
        if context.output_location is None or parts.publisher is None:
            return None, 0
        running.describe(
            progress=dataclasses.replace(running.execution.progress, stage="publishing")
        )
        began = parts.clock.steady_seconds()
        suffix = text_suffix(outcome.statement_type, outcome.substatement_type)
        publication = Publication(
            query_id=running.id,
            columns=outcome.columns,
            text=parts.texts.ensure(running.id, outcome.columns, suffix),
            configuration=context.running.claimed.execution.result_configuration,
            written_objects=outcome.written_objects,
        )
        if context.write is not None:
            addresses = parts.publisher.addresses(publication, context.output_location)
            context.write.intend(result_objects=addresses)
        published = parts.publisher.publish(publication, context.output_location)
        return published, round((parts.clock.steady_seconds() - began) * 1000)

    def _completion(
        self,
        running: RunningQuery,
        outcome: StatementOutcome,
        published: Published | None,
        publishing_milliseconds: int,
    ) -> Completion:
        execution = running.claimed.execution
        now = self._parts.clock.now()
        ends = running.live.ends
        started_at = execution.started_at or now
        statistics = dataclasses.replace(
            outcome.statistics,
            result_rows=running.live.rows,
            result_bytes=ends[-1].offset if ends else 0,
            queued_milliseconds=_milliseconds(execution.submitted_at, started_at),
            total_milliseconds=_milliseconds(execution.submitted_at, now),
            publishing_milliseconds=publishing_milliseconds,
        )
        self._parts.audit.record(
            Principal(execution.principal),
            "query",
            running.id,
            work_group=execution.work_group,
            details={**running.reads, **end_of(execution, statistics.scanned_bytes)},
        )
        return Completion(
            state=QueryState.SUCCEEDED,
            completed_at=now,
            statement_type=outcome.statement_type,
            substatement_type=outcome.substatement_type,
            columns=outcome.columns,
            statistics=statistics,
            output_location=published.output_location if published else None,
            manifest_location=published.manifest_location if published else None,
            update_count=outcome.update_count,
            warnings=outcome.warnings,
            result_key=outcome.result_key,
            reused_previous_result=outcome.reused_previous_result,
        )

    def _fail(self, running: RunningQuery, error: QueryServiceError) -> Completion | None:
        execution = running.execution
        if error is SHUTTING_DOWN and _may_run_again(running):
            return None
        now = self._parts.clock.now()
        is_cancelled = error.code is ErrorCode.USER_CANCELED
        self._parts.audit.record(
            Principal(execution.principal),
            "query",
            running.id,
            work_group=execution.work_group,
            details={
                "error": error.code.name,
                **running.reads,
                **end_of(execution, execution.progress.scanned_bytes),
            },
        )
        return Completion(
            state=QueryState.CANCELLED if is_cancelled else QueryState.FAILED,
            completed_at=now,
            error=reason_info(error),
            statistics=dataclasses.replace(
                execution.statistics,
                scanned_bytes=execution.progress.scanned_bytes,
                queued_milliseconds=_milliseconds(
                    execution.submitted_at, execution.started_at or now
                ),
                total_milliseconds=_milliseconds(execution.submitted_at, now),
            ),
        )

    def _finish(
        self, running: RunningQuery, completion: Completion | None
    ) -> QueryExecution | None:
        """Store the end; the query as watchers are to see it, None when it is not ours to tell."""
        parts = self._parts
        token = running.claimed.fencing_token
        if completion is None or completion.state is not QueryState.SUCCEEDED:
            # Before anybody is told that the query failed.
            running.undo()
        if completion is None:
            # Before the next runner of this query begins to write to the same files.
            parts.spools.delete(running.id)
            parts.queries.release(running.id, token)
            return parts.queries.get(running.id)
        if not self._store_end(running.id, token, completion):
            _log.warning("A query was taken over by another runner; this result is dropped.")
            running.undo()
            return None
        parts.metrics.query_ended(running.claimed.execution, completion)
        return completed(running.claimed.execution, completion)

    def _store_end(self, query_id: str, token: int, completion: Completion) -> bool:
        """Whether the end is stored and ours; tried while the state cannot be used.

        Only this runner knows how the query ended. A commit whose answer was lost may have been
        made: then what is stored is ours to the microsecond.
        """
        parts = self._parts
        deadline = parts.clock.steady_seconds() + _STORE_SECONDS_MAX
        was_tried = False
        while True:
            try:
                if parts.queries.finish(query_id, token, completion):
                    return True
                stored = parts.queries.get(query_id) if was_tried else None
                return stored is not None and stored.completed_at == completion.completed_at
            except QueryServiceError as error:
                is_late = parts.clock.steady_seconds() > deadline
                if error.code is not ErrorCode.STATE_UNAVAILABLE or is_late:
                    raise
                was_tried = True
                if completion.state is not QueryState.SUCCEEDED:
                    parts.spools.delete(query_id)  # it may be what fills the disk
                time.sleep(_STORE_PAUSE_SECONDS)


def _settle(running: RunningQuery, completion: Completion | None) -> None:
    """Count the bytes that were read, also by a run that will be repeated."""
    read = running.execution.progress.scanned_bytes
    if running.meter is not None:
        running.meter.settle(read if completion is None else completion.statistics.scanned_bytes)


def completed(execution: QueryExecution, completion: Completion) -> QueryExecution:
    """The execution as it is once its completion is stored."""
    told = {
        field.name: value
        for field in dataclasses.fields(completion)
        if (value := getattr(completion, field.name)) is not None
    }
    return dataclasses.replace(execution, queue_position=None, **told)


def limits_of(
    service: ResourceLimits,
    work_group: WorkGroup,
    terms: SubmissionTerms,
    key: KeyLimits | None = None,
) -> ResourceLimits:
    """The work group's limits over the service's; a submission and a key may only lower them."""
    return dataclasses.replace(
        service,
        **{
            name: _lowest(
                getattr(service, name) if own is None else own,
                getattr(key, name, None),
                getattr(terms, name, None),
            )
            for name in _LIMITS
            for own in (getattr(work_group.limits, name),)
        },
    )


_LIMITS = (
    "timeout_seconds",
    "memory_bytes",
    "spill_bytes",
    "scanned_bytes_max",
    "result_bytes_max",
)
"""Of a query: what service, work group, key and submission call alike."""


def _lowest(*limits: float | None) -> Any:
    return min((limit for limit in limits if limit is not None), default=None)


def _may_run_again(running: RunningQuery) -> bool:
    is_select = running.claimed.execution.substatement_type == "SELECT"
    return is_select and not running.results_were_exposed


def _unexpected(query_id: str) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.GENERIC_INTERNAL_ERROR,
        f"The query failed unexpectedly; the log tells more under {query_id}.",
    )


def _milliseconds(since: datetime, until: datetime) -> int:
    return max(0, round((until - since).total_seconds() * 1000))
