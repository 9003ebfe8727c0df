"""What the service does again and again for its queries (see housekeeping.py)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import QueryState
from querysvc.results.spool import SpoolDirectory
from querysvc.service.audit import AuditLog
from querysvc.service.clock import Clock
from querysvc.service.dispatch import Dispatcher
from querysvc.service.execution import LEASE_LOST
from querysvc.service.housekeeping import Task
from querysvc.service.running import RunningQueries, cancelled_by_user
from querysvc.service.watch import Watchers
from querysvc.state.repository import QueryRepository

_log = structlog.get_logger(__name__)
_DEADLINE_SECONDS = 0.25
_POLL_SECONDS = 1.0
_FOREIGN_SECONDS = 0.5
_AUDIT_SECONDS = 1.0
_RETENTION_SECONDS = 60.0
_RETENTION_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Leases, deadlines, recovery, waking, retention."""

    queries: QueryRepository
    running: RunningQueries
    watchers: Watchers
    dispatcher: Dispatcher
    spools: SpoolDirectory
    audit: AuditLog
    clock: Clock
    node: str
    lease_seconds: float
    retention_seconds: float
    is_shared: bool
    """Other nodes use the same store: their doings must be looked up."""

    def tasks(self) -> tuple[Task, ...]:
        """What to do, and how often."""
        tasks = [
            Task("deadlines", _DEADLINE_SECONDS, self.stop_late),
            Task("leases", self.lease_seconds / 3, self.renew),
            Task("recovery", self.lease_seconds, self.recover),
            Task("queue", _POLL_SECONDS, self.poll_queue),
            Task("audit", _AUDIT_SECONDS, self.audit.flush),
            Task("retention", _RETENTION_SECONDS, self.expire_results),
        ]
        if self.is_shared:
            tasks.append(Task("foreign cancels", _FOREIGN_SECONDS, self.renew))
            tasks.append(Task("foreign changes", _FOREIGN_SECONDS, self.tell_foreign_changes))
        return tuple(tasks)

    def stop_late(self) -> None:
        """Stop queries that have run for too long."""
        now = self.clock.steady_seconds()
        for running in self.running.all():
            if now > running.deadline:
                running.stop(
                    QueryServiceError(
                        ErrorCode.EXCEEDED_TIME_LIMIT,
                        "Query exceeded the maximum run time limit of"
                        f" {running.limits.timeout_seconds:g} s",
                    )
                )

    def renew(self) -> None:
        """Prolong our leases, and stop what was cancelled elsewhere or is no longer ours."""
        ours = {running.id: running for running in self.running.all()}
        expires_at = self.clock.now() + timedelta(seconds=self.lease_seconds)
        renewed = self.queries.renew(self.node, tuple(ours), lease_expires_at=expires_at)
        for query_id, running in ours.items():
            fencing_token, cancel_requested = renewed.get(query_id, (None, False))
            if cancel_requested:
                running.stop(cancelled_by_user())
            elif fencing_token != running.claimed.fencing_token:
                # Not when it has just ended: its runner is past listening then.
                running.stop(LEASE_LOST)

    def recover(self, *, is_start: bool = False) -> None:
        """Settle queries whose runner is lost."""
        if not is_start:
            # A machine that slept has leases that ran out while its queries still run.
            self.renew()
        recovery = self.queries.recover(self.node, now=self.clock.now(), is_start=is_start)
        if recovery.requeued or recovery.ended:
            _log.warning(
                "Queries had lost their runner.", requeued=recovery.requeued, ended=recovery.ended
            )
        found = self.queries.get_many((*recovery.requeued, *recovery.ended))
        for execution in found.values():
            self.watchers.publish(execution)
        if recovery.requeued:
            self.dispatcher.wake(len(recovery.requeued))

    def poll_queue(self) -> None:
        """Wake the dispatcher for queries that other nodes queued, or whose signal was lost."""
        queued = self.queries.queued_total()
        if queued:
            self.dispatcher.wake(queued)

    def tell_foreign_changes(self) -> None:
        """Tell watchers of queries that run on other nodes."""
        watched = [key for key in self.watchers.watched() if self.running.get(key) is None]
        for execution in self.queries.get_many(watched).values():
            self.watchers.publish(execution)

    def expire_results(self) -> None:
        """Delete results that were kept for their time."""
        before = self.clock.now() - timedelta(seconds=self.retention_seconds)
        while True:
            expired = self.queries.expire_results(completed_before=before, limit=_RETENTION_BATCH)
            for query_id in expired:
                self.spools.delete(query_id)
            if len(expired) < _RETENTION_BATCH:
                return

    def sweep(self) -> None:
        """At start: delete files of results that were never finished."""
        present = tuple(self.spools.query_ids())
        for start in range(0, len(present), _RETENTION_BATCH):
            part = present[start : start + _RETENTION_BATCH]
            known = self.queries.get_many(part)
            for query_id in part:
                query = known.get(query_id)
                # On a shared store another node may be writing here only if it shares the folder.
                if query is None or query.state in (QueryState.FAILED, QueryState.CANCELLED):
                    self.spools.delete(query_id)
