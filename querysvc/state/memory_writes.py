"""Records of writes in this process."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from querysvc.model import QueryExecution, QueryState
from querysvc.state.repository import LostWrite, WriteIntent

_ENDED_OTHERWISE = (QueryState.FAILED, QueryState.CANCELLED)


@dataclass(slots=True)
class _Write:
    intent: WriteIntent
    commit_sequence: int | None = None
    committed_at: datetime | None = None


class MemoryWrites:
    """The WriteRepository; the class that mixes it in knows the queries."""

    def __init__(self) -> None:
        super().__init__()
        self._writes_lock = threading.Lock()
        self._writes: dict[str, _Write] = {}
        self._commits = 0

    def _holds(self, query_id: str, fencing_token: int) -> bool:
        raise NotImplementedError

    def get_many(self, query_ids: Sequence[str]) -> Mapping[str, QueryExecution]:
        """The queries that exist, by id."""
        raise NotImplementedError

    def intend_write(self, intent: WriteIntent, fencing_token: int) -> bool:
        """Store or replace the intent, if the token still holds the query's lease."""
        if not self._holds(intent.query_id, fencing_token):
            return False
        with self._writes_lock:
            self._writes[intent.query_id] = _Write(intent)
        return True

    def forget_write(self, query_id: str) -> None:
        """Drop an intent that left nothing."""
        with self._writes_lock:
            write = self._writes.get(query_id)
            if write is not None and write.commit_sequence is None:
                del self._writes[query_id]

    def committed_writes(self) -> int:
        """How many writes were committed so far."""
        with self._writes_lock:
            return self._commits

    def hidden_writes(self, committed: int) -> frozenset[str]:
        """The queries whose data a reader that began at that count must not see."""
        with self._writes_lock:
            return frozenset(
                query_id
                for query_id, write in self._writes.items()
                if write.intent.has_data
                and (write.commit_sequence is None or write.commit_sequence > committed)
            )

    def open_writes(self) -> Sequence[WriteIntent]:
        """All intents that are neither committed nor forgotten."""
        with self._writes_lock:
            return [w.intent for w in self._writes.values() if w.commit_sequence is None]

    def lost_writes(self, limit: int) -> Sequence[LostWrite]:
        """Intents of queries that failed, were cancelled, or are unknown."""
        found = self.open_writes()
        queries = self.get_many([intent.query_id for intent in found])
        lost = []
        for intent in found:
            query = queries.get(intent.query_id)
            if query is None or query.state in _ENDED_OTHERWISE:
                lost.append(LostWrite(intent, query.completed_at if query else None))
        return lost[:limit]

    def expire_writes(self, *, committed_before: datetime) -> None:
        """Forget commits that no reader that still lists can have missed."""
        with self._writes_lock:
            self._writes = {
                query_id: write
                for query_id, write in self._writes.items()
                if write.committed_at is None or write.committed_at >= committed_before
            }

    def _commit_write(self, query_id: str, committed_at: datetime) -> None:
        with self._writes_lock:
            write = self._writes.get(query_id)
            if write is None:
                return
            if not write.intent.has_data:
                del self._writes[query_id]
                return
            self._commits += 1
            write.commit_sequence, write.committed_at = self._commits, committed_at
