"""The state in this process: for tests, and for a service that may forget."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from querysvc.model import QueryExecution, QueryState
from querysvc.state.memory_records import MemoryRecords
from querysvc.state.memory_writes import MemoryWrites
from querysvc.state.repository import (
    ClaimedQuery,
    Completion,
    QueueCounts,
    Recovery,
    SubmissionTerms,
)
from querysvc.state.rules import (
    Fate,
    completion_of_lost_query,
    decode_sequence_token,
    encode_sequence_token,
    fate_of_lost_query,
    idempotency_mismatch,
)
from querysvc.state.values import HistoryFilter, HistoryPage


@dataclass(slots=True)
class _Entry:
    """A stored query: the one mutable thing of this store, touched under its lock only."""

    sequence: int
    execution: QueryExecution
    terms: SubmissionTerms
    owner: str | None = None
    lease_expires_at: datetime | None = None
    fencing_token: int = 0
    cancel_requested: bool = False
    results_exposed: bool = False
    results_expired: bool = False


class MemoryState(MemoryWrites, MemoryRecords):
    """All of the state, lost when the process ends."""

    def __init__(self) -> None:
        super().__init__()
        self._queries_lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._tokens: dict[tuple[str, str], tuple[str, str]] = {}
        self._turns: dict[str, int] = {}

    def check(self) -> None:
        """Always well."""

    def close(self) -> None:
        """Nothing to let go of."""

    def add(
        self, execution: QueryExecution, terms: SubmissionTerms, *, fingerprint: str
    ) -> QueryExecution:
        """Store a QUEUED query, or return the one that its client token names."""
        with self._queries_lock:
            if execution.client_request_token is not None:
                key = (execution.principal, execution.client_request_token)
                query_id, stored = self._tokens.setdefault(key, (execution.id, fingerprint))
                if stored != fingerprint:
                    raise idempotency_mismatch()
                if query_id != execution.id:
                    return self._entries[query_id].execution
            sequence = len(self._entries) + 1
            self._entries[execution.id] = _Entry(sequence, execution, terms)
        return execution

    def find_token(self, principal: str, token: str) -> tuple[str, str] | None:
        """The (query id, fingerprint) that the principal's client token names."""
        with self._queries_lock:
            return self._tokens.get((principal, token))

    def get(self, query_id: str) -> QueryExecution | None:
        """The query as stored."""
        return self.get_many([query_id]).get(query_id)

    def get_many(self, query_ids: Sequence[str]) -> Mapping[str, QueryExecution]:
        """The queries that exist, by id."""
        with self._queries_lock:
            found = {query_id: self._entries.get(query_id) for query_id in query_ids}
        return {key: entry.execution for key, entry in found.items() if entry is not None}

    def history(
        self, history_filter: HistoryFilter, *, page_token: str | None, limit: int
    ) -> HistoryPage:
        """A page of queries, newest first."""
        below = None if page_token is None else decode_sequence_token(page_token)
        with self._queries_lock:
            found = [
                entry
                for entry in reversed(self._entries.values())
                if (below is None or entry.sequence < below)
                and _matches(history_filter, entry.execution)
            ]
        page = found[:limit]
        token = encode_sequence_token(page[-1].sequence) if len(found) > limit else None
        return HistoryPage(tuple(entry.execution for entry in page), token)

    def claim(
        self, owner: str, *, now: datetime, lease_expires_at: datetime, running_max_default: int
    ) -> ClaimedQuery | None:
        """Make one queued query RUNNING for `owner`; no two callers get the same."""
        rooms = {
            group.name: group.limits.running_max
            for group in self.list_work_groups()
            if group.limits.running_max is not None
        }
        with self._queries_lock:
            running = [entry.execution for entry in self._in_state(QueryState.RUNNING)]
            groups = [execution.work_group for execution in running]
            principals = [execution.principal for execution in running]
            candidates = [
                entry
                for entry in self._in_state(QueryState.QUEUED)
                if groups.count(entry.execution.work_group)
                < rooms.get(entry.execution.work_group, running_max_default)
                and _has_room(entry, principals)
            ]
            if not candidates:
                return None
            entry = min(
                candidates,
                key=lambda entry: (
                    principals.count(entry.execution.principal),
                    self._turns.get(entry.execution.principal, 0),
                    entry.sequence,
                ),
            )
            self._turns[entry.execution.principal] = max(self._turns.values(), default=0) + 1
            entry.execution = dataclasses.replace(
                entry.execution, state=QueryState.RUNNING, started_at=now
            )
            entry.owner = owner
            entry.lease_expires_at = lease_expires_at
            entry.fencing_token += 1
            return ClaimedQuery(entry.execution, entry.terms, entry.fencing_token)

    def renew(
        self, owner: str, query_ids: Sequence[str], *, lease_expires_at: datetime
    ) -> Mapping[str, tuple[int, bool]]:
        """Prolong leases; tells (fencing token, cancel requested) of those still the owner's."""
        renewed = {}
        with self._queries_lock:
            for query_id in query_ids:
                entry = self._entries.get(query_id)
                if entry is not None and entry.owner == owner:
                    entry.lease_expires_at = lease_expires_at
                    renewed[query_id] = (entry.fencing_token, entry.cancel_requested)
        return renewed

    def finish(self, query_id: str, fencing_token: int, completion: Completion) -> bool:
        """End a running query if the token still holds its lease."""
        with self._queries_lock:
            entry = self._held(query_id, fencing_token)
            if entry is not None:
                _end(entry, completion)
                if completion.state is QueryState.SUCCEEDED:
                    self._commit_write(query_id, completion.completed_at)
            return entry is not None

    def release(self, query_id: str, fencing_token: int) -> bool:
        """Give a claimed query back to the queue, if the token still holds its lease."""
        with self._queries_lock:
            entry = self._held(query_id, fencing_token)
            if entry is not None:
                _requeue(entry)
            return entry is not None

    def cancel(self, query_id: str, completion: Completion) -> QueryState | None:
        """End a queued query, or mark a running one to be cancelled; the state found."""
        with self._queries_lock:
            entry = self._entries.get(query_id)
            if entry is None:
                return None
            state = entry.execution.state
            if state is QueryState.QUEUED:
                _end(entry, completion)
            elif state is QueryState.RUNNING:
                entry.cancel_requested = True
            return state

    def expose_results(self, query_id: str, fencing_token: int) -> bool:
        """Note that a client saw rows of the running query."""
        with self._queries_lock:
            entry = self._held(query_id, fencing_token)
            if entry is not None:
                entry.results_exposed = True
            return entry is not None

    def recover(self, owner: str, *, now: datetime, is_start: bool) -> Recovery:
        """Settle running queries that nobody runs."""
        requeued: list[str] = []
        ended: list[str] = []
        with self._queries_lock:
            for entry in self._in_state(QueryState.RUNNING):
                assert entry.lease_expires_at is not None, "a running query has a lease"
                if not (entry.lease_expires_at < now or (is_start and entry.owner == owner)):
                    continue
                fate = fate_of_lost_query(
                    substatement_type=entry.execution.substatement_type,
                    claims=entry.fencing_token,
                    cancel_requested=entry.cancel_requested,
                    results_exposed=entry.results_exposed,
                )
                if fate is Fate.REQUEUE:
                    _requeue(entry)
                    requeued.append(entry.execution.id)
                else:
                    _end(entry, completion_of_lost_query(fate, now))
                    ended.append(entry.execution.id)
        return Recovery(tuple(requeued), tuple(ended))

    def queue_counts(self, work_group: str) -> QueueCounts:
        """How many queries of the work group wait and run now, and how many of all wait."""
        with self._queries_lock:
            every = [entry.execution for entry in self._entries.values()]
        states = [execution.state for execution in every if execution.work_group == work_group]
        return QueueCounts(
            states.count(QueryState.QUEUED),
            states.count(QueryState.RUNNING),
            sum(execution.state is QueryState.QUEUED for execution in every),
        )

    def open_count(self, principal: str) -> int:
        """How many of the principal's queries wait or run now."""
        with self._queries_lock:
            return sum(
                entry.execution.principal == principal and not entry.execution.state.is_terminal
                for entry in self._entries.values()
            )

    def queued_total(self) -> int:
        """How many queries wait in all work groups."""
        with self._queries_lock:
            return len(self._in_state(QueryState.QUEUED))

    def queue_position(self, query_id: str) -> int | None:
        """The 1-based place in the work group's queue when users take turns."""
        with self._queries_lock:
            own = self._entries.get(query_id)
            if own is None or own.execution.state is not QueryState.QUEUED:
                return None
            turns: dict[str, int] = {}
            places = []
            for entry in self._in_state(QueryState.QUEUED):
                if entry.execution.work_group == own.execution.work_group:
                    turn = turns.get(entry.execution.principal, 0)
                    turns[entry.execution.principal] = turn + 1
                    places.append((turn, entry.sequence))
        return [sequence for _, sequence in sorted(places)].index(own.sequence) + 1

    def expire_results(self, *, completed_before: datetime, limit: int) -> Sequence[str]:
        """Mark results of queries that ended before the time as gone; their ids."""
        expired: list[str] = []
        with self._queries_lock:
            for entry in self._entries.values():
                completed_at = entry.execution.completed_at
                if len(expired) == limit:
                    break
                if completed_at is None or entry.results_expired:
                    continue
                if completed_at < completed_before:
                    entry.results_expired = True
                    expired.append(entry.execution.id)
        return expired

    def find_result(self, key: str, *, work_group: str, completed_since: datetime) -> str | None:
        """The newest query of the work group that succeeded with this result key and is kept."""
        with self._queries_lock:
            for entry in reversed(self._entries.values()):
                found = entry.execution
                if (found.result_key, found.work_group) != (key, work_group):
                    continue
                if found.state is not QueryState.SUCCEEDED or entry.results_expired:
                    continue
                if found.completed_at is not None and found.completed_at >= completed_since:
                    return found.id
        return None

    def _in_state(self, state: QueryState) -> list[_Entry]:
        return [entry for entry in self._entries.values() if entry.execution.state is state]

    def _holds(self, query_id: str, fencing_token: int) -> bool:
        with self._queries_lock:
            return self._held(query_id, fencing_token) is not None

    def _held(self, query_id: str, fencing_token: int) -> _Entry | None:
        entry = self._entries.get(query_id)
        if entry is None or entry.execution.state is not QueryState.RUNNING:
            return None
        return entry if entry.fencing_token == fencing_token else None


def _has_room(entry: _Entry, running: Sequence[str]) -> bool:
    """Whether fewer of its principal's queries run than may."""
    limit = entry.terms.running_per_user_max
    return limit is None or running.count(entry.execution.principal) < limit


def _matches(history_filter: HistoryFilter, execution: QueryExecution) -> bool:
    after, before = history_filter.submitted_after, history_filter.submitted_before
    return (
        history_filter.work_group in (None, execution.work_group)
        and history_filter.principal in (None, execution.principal)
        and (history_filter.states is None or execution.state in history_filter.states)
        and (after is None or execution.submitted_at > after)
        and (before is None or execution.submitted_at < before)
    )


def _end(entry: _Entry, completion: Completion) -> None:
    outcome = {
        field.name: getattr(completion, field.name)
        for field in dataclasses.fields(completion)
        if getattr(completion, field.name) is not None
    }
    entry.execution = dataclasses.replace(entry.execution, **outcome)
    entry.owner = None
    entry.lease_expires_at = None


def _requeue(entry: _Entry) -> None:
    entry.execution = dataclasses.replace(entry.execution, state=QueryState.QUEUED, started_at=None)
    entry.owner = None
    entry.lease_expires_at = None
