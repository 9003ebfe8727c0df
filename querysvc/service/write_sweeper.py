"""Clears what writes left that never committed: their process died, or S3 did not answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from querysvc.service.clock import Clock
from querysvc.service.write_transaction import (
    WriteParts,
    fence,
    is_committed_elsewhere,
    take_back_entries,
)
from querysvc.state.repository import LostWrite

_log = structlog.get_logger(__name__)
_AT_ONCE = 100
_COMMITS_KEPT = timedelta(hours=1)
"""Longer than any listing takes: a reader hides what was committed after it began."""


@dataclass(frozen=True, slots=True)
class WriteSweeper:
    """Takes back lost writes."""

    parts: WriteParts
    clock: Clock
    lease_seconds: float
    fenced: set[str] = field(default_factory=set)
    """Lost queries whose late commits are sure to fail."""

    def sweep(self) -> None:
        """Clear each lost write; it is forgotten once no runner of it can be left."""
        self.parts.writes.expire_writes(committed_before=self.clock.now() - _COMMITS_KEPT)
        for lost in self.parts.writes.lost_writes(_AT_ONCE):
            try:
                self._clear(lost)
            except Exception:
                # One location that cannot be reached must not keep the others from being swept.
                _log.exception("A lost write is not cleared yet.", query_id=lost.intent.query_id)

    def _clear(self, lost: LostWrite) -> None:
        intent = lost.intent
        if intent.query_id not in self.fenced:
            # A runner that was held up may be about to commit files that are deleted below.
            fence(self.parts, intent)
            self.fenced.add(intent.query_id)
        if is_committed_elsewhere(self.parts, intent):
            # The query failed all the same: its result is nobody's.
            self.parts.objects.delete(intent.result_objects)
            self._forget(intent.query_id)
            return
        cleared = sum(
            self.parts.objects.clear(location, intent.query_id) for location in intent.locations
        )
        self.parts.objects.delete(intent.result_objects)
        if cleared:
            _log.warning("A lost write was cleared.", query_id=intent.query_id, objects=cleared)
        is_whole = take_back_entries(self.parts, intent)
        if is_whole and self._is_past(lost):
            self._forget(intent.query_id)

    def _forget(self, query_id: str) -> None:
        self.parts.writes.forget_write(query_id)
        self.fenced.discard(query_id)

    def _is_past(self, lost: LostWrite) -> bool:
        """Whether a runner that lost its lease must have noticed by now."""
        if lost.ended_at is None:
            return True
        return self.clock.now() - lost.ended_at > timedelta(seconds=2 * self.lease_seconds)
