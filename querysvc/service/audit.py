"""The audit log: who ran, read and changed what.

Entries are written in batches, a second late at most: the queries themselves are durable when they
are acknowledged, and say who submitted them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from querysvc.model import Principal, QueryExecution
from querysvc.plan import AnalysedStatement, TableReference
from querysvc.service.clock import Clock
from querysvc.state.repository import AuditRepository
from querysvc.state.values import AuditEntry

_PENDING_MAX = 1000
_DETAIL_LENGTH_MAX = 20_000


def reads_of(statement: object) -> dict[str, str]:
    """The tables and columns that a statement reads (a write or an EXPLAIN: its query)."""
    query = statement
    while not isinstance(query, AnalysedStatement):
        query = getattr(query, "query", None)
        if query is None:
            return {}
    told = {
        "tables": ", ".join(dict.fromkeys(map(_name, query.tables))),
        "columns": "; ".join(map(_columns, query.tables)),
    }
    return {name: text[:_DETAIL_LENGTH_MAX] for name, text in told.items() if text}


def end_of(execution: QueryExecution, scanned_bytes: int) -> dict[str, str]:
    """What a query was, and what it took."""
    kind = execution.substatement_type or "unknown"
    return {"kind": kind, "scanned_bytes": str(scanned_bytes)}


def _name(reference: TableReference) -> str:
    return f"{reference.catalog}.{reference.database}.{reference.table.name}"


def _columns(reference: TableReference) -> str:
    names = (reference.columns[index].name for index in reference.used_columns)
    return f"{_name(reference)} ({', '.join(names)})"


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
