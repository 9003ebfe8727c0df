"""The audit log: who ran, read and changed what.

Entries are written in batches, a second late at most: the queries themselves are durable when they
are acknowledged, and say who submitted them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from querysvc.model import Principal, QueryExecution
from querysvc.service.clock import Clock
from querysvc.state.repository import AuditRepository
from querysvc.state.values import AuditEntry

_PENDING_MAX = 1000


def end_of(execution: QueryExecution, scanned_bytes: int) -> dict[str, str]:
    """What a query was, and what it took."""
    kind = execution.substatement_type or "unknown"
    return {"kind": kind, "scanned_bytes": str(scanned_bytes)}


class AuditLog:
    """Collects entries and writes them; `flush` is called by the housekeeping."""

    def __init__(self, entries: AuditRepository, clock: Clock) -> None:
        self._entries = entries
        self._clock = clock
        self._pending: list[AuditEntry] = []
        self._lock = threading.Lock()

    def record(
        self,
        principal: Principal,
        action: str,
        subject: str,
        *,
        work_group: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Note that the principal did `action` to `subject`."""
        entry = AuditEntry(
            occurred_at=self._clock.now(),
            principal=principal.name,
            action=action,
            subject=subject,
            work_group=work_group,
            details=details or {},
        )
        with self._lock:
            self._pending.append(entry)
            is_full = len(self._pending) >= _PENDING_MAX
        if is_full:
            self.flush()

    def flush(self) -> None:
        """Write what is pending; it stays pending if the store fails."""
        with self._lock:
            pending = list(self._pending)
            self._entries.append_audit(pending)
            del self._pending[: len(pending)]
