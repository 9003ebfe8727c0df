"""The ports of the state. Three stores implement them under one contract suite.

    memory.MemoryState      in this process, for tests and throw-away services
    sql.SqlState            SQLite (one node) or PostgreSQL (several)

Every method is atomic, and durable when it returns. Times come from the caller, so that tests need
no clock of ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from querysvc.model import (
    ErrorInfo,
    QueryExecution,
    QueryState,
    ResultColumn,
    StatementType,
    Statistics,
)
from querysvc.state.values import (
    ApiKey,
    AuditEntry,
    Grant,
    HistoryFilter,
    HistoryPage,
    KeyPair,
    NamedQuery,
    PreparedStatement,
    StoredCrawler,
    WorkGroup,
)


@dataclass(frozen=True, slots=True)
class SubmissionTerms:
    """What a run must know of its submission beside the QueryExecution."""

    roles: frozenset[str] = frozenset()
    timeout_seconds: float | None = None
    running_per_user_max: int | None = None
    """It is claimed only while fewer queries of its principal run."""


@dataclass(frozen=True, slots=True)
class ClaimedQuery:
    """A RUNNING query whose lease is ours; `fencing_token` grows with every claim of it."""

    execution: QueryExecution
    terms: SubmissionTerms
    fencing_token: int


@dataclass(frozen=True, slots=True)
class Completion:
    """How a query ended."""

    state: QueryState
    completed_at: datetime
    error: ErrorInfo | None = None
    statement_type: StatementType | None = None
    substatement_type: str | None = None
    columns: tuple[ResultColumn, ...] | None = None
    statistics: Statistics = field(default_factory=Statistics)
    output_location: str | None = None
    manifest_location: str | None = None
    update_count: int | None = None
    reused_previous_result: bool = False
    warnings: tuple[str, ...] = ()
    result_key: str | None = None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many queries of a work group wait and run."""

    queued: int
    running: int
    queued_total: int = 0
    """How many wait in all work groups."""


@dataclass(frozen=True, slots=True)
class UsageCap:
    """At most so many bytes since a time."""

    since: datetime
    scanned_bytes_max: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """What recovery did: queries queued again, and queries ended."""

    requeued: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


class QueryRepository(Protocol):
    """Query executions: the durable queue and the history."""

    def add(
        self, execution: QueryExecution, terms: SubmissionTerms, *, fingerprint: str
    ) -> QueryExecution:
        """Store a QUEUED query and return it, or the one that its principal's token names.

        IDEMPOTENCY_MISMATCH when the token named a submission with another fingerprint.
        """
        ...

    def find_token(self, principal: str, token: str) -> tuple[str, str] | None:
        """The (query id, fingerprint) that the principal's client token names."""
        ...

    def get(self, query_id: str) -> QueryExecution | None:
        """The query as stored."""
        ...

    def get_many(self, query_ids: Sequence[str]) -> Mapping[str, QueryExecution]:
        """The queries that exist, by id."""
        ...

    def history(
        self, history_filter: HistoryFilter, *, page_token: str | None, limit: int
    ) -> HistoryPage:
        """A page of queries, newest first. INVALID_REQUEST for a token that is none of ours."""
        ...

    def claim(
        self, owner: str, *, now: datetime, lease_expires_at: datetime, running_max_default: int
    ) -> ClaimedQuery | None:
        """Make one queued query RUNNING for `owner`; no two callers get the same.

        Among work groups below their `running_max` and users below the query's
        `running_per_user_max`: first who has fewest running, then who was served longest ago, then
        the oldest.
        """
        ...

    def renew(
        self, owner: str, query_ids: Sequence[str], *, lease_expires_at: datetime
    ) -> Mapping[str, tuple[int, bool]]:
        """Prolong leases; tells (fencing token, cancel requested) of those still the owner's."""
        ...

    def finish(self, query_id: str, fencing_token: int, completion: Completion) -> bool:
        """End a running query if the token still holds its lease; at most one caller gets True."""
        ...

    def release(self, query_id: str, fencing_token: int) -> bool:
        """Give a claimed query back to the queue, if the token still holds its lease."""
        ...

    def cancel(self, query_id: str, completion: Completion) -> QueryState | None:
        """End a queued query, or mark a running one to be cancelled; the state found."""
        ...

    def expose_results(self, query_id: str, fencing_token: int) -> bool:
        """Note that a client saw rows of the running query: it must not run a second time."""
        ...

    def recover(self, owner: str, *, now: datetime, is_start: bool) -> Recovery:
        """Settle running queries that nobody runs: leases past `now`, and at start the owner's.

        A SELECT that was claimed once and showed nobody a row is queued again; all others FAIL,
        or are CANCELLED where that was asked for.
        """
        ...

    def queue_counts(self, work_group: str) -> QueueCounts:
        """How many queries of the work group wait and run now, and how many of all wait."""
        ...

    def queued_total(self) -> int:
        """How many queries wait in all work groups."""
        ...

    def open_count(self, principal: str) -> int:
        """How many of the principal's queries wait or run now."""
        ...

    def queue_position(self, query_id: str) -> int | None:
        """The 1-based place in the work group's queue when users take turns; None if not queued."""
        ...

    def find_result(self, key: str, *, work_group: str, completed_since: datetime) -> str | None:
        """The newest query of the work group that succeeded with this result key and is kept."""
        ...

    def expire_results(self, *, completed_before: datetime, limit: int) -> Sequence[str]:
        """Mark results of queries that ended before the time as gone; their ids."""
        ...


@dataclass(frozen=True, slots=True)
class WriteIntent:
    """What a running query may leave in S3 and in the catalog, told before it does.

    Objects of data are named after the query; they lie under `locations`.
    """

    query_id: str
    locations: tuple[str, ...] = ()
    table: tuple[str, str, str] | None = None
    """Data catalog, database and name of the table that the query makes or adds partitions to."""
    creates_table: bool = False
    partitions: tuple[tuple[str, ...], ...] = ()
    """The values of partitions that the query registers."""
    result_objects: tuple[str, ...] = ()

    @property
    def has_data(self) -> bool:
        """Whether the query writes data that other queries may see."""
        return bool(self.locations)


@dataclass(frozen=True, slots=True)
class LostWrite:
    """A write whose query ended without committing it."""

    intent: WriteIntent
    ended_at: datetime | None


class WriteRepository(Protocol):
    """Intents of queries that write; a query's success commits its write, in one transaction."""

    def intend_write(self, intent: WriteIntent, fencing_token: int) -> bool:
        """Store or replace the intent, if the token still holds the query's lease."""
        ...

    def forget_write(self, query_id: str) -> None:
        """Drop an intent that left nothing."""
        ...

    def committed_writes(self) -> int:
        """How many writes were committed so far: what a reader takes before it looks."""
        ...

    def hidden_writes(self, committed: int) -> frozenset[str]:
        """The queries whose data a reader that began at that count must not see."""
        ...

    def open_writes(self) -> Sequence[WriteIntent]:
        """All intents that are neither committed nor forgotten."""
        ...

    def lost_writes(self, limit: int) -> Sequence[LostWrite]:
        """Intents of queries that failed, were cancelled, or are unknown."""
        ...

    def expire_writes(self, *, committed_before: datetime) -> None:
        """Forget commits that no reader that still lists can have missed."""
        ...


class WorkGroupRepository(Protocol):
    """Work groups by name."""

    def get_work_group(self, name: str) -> WorkGroup | None: ...

    def list_work_groups(self) -> tuple[WorkGroup, ...]: ...

    def add_work_group(self, work_group: WorkGroup) -> bool:
        """Add it; False when the name is taken."""
        ...

    def replace_work_group(self, expected: WorkGroup, work_group: WorkGroup) -> bool:
        """Replace it if it is still as expected."""
        ...

    def delete_work_group(self, name: str) -> bool: ...


class KeyRepository(Protocol):
    """API keys and AWS-style key pairs; revoked ones stay, for the audit."""

    def get_api_key(self, key_id: str) -> ApiKey | None: ...

    def list_api_keys(self) -> tuple[ApiKey, ...]: ...

    def add_api_key(self, key: ApiKey) -> None: ...

    def revoke_api_key(self, key_id: str, *, revoked_at: datetime) -> bool: ...

    def get_key_pair(self, access_key_id: str) -> KeyPair | None: ...

    def list_key_pairs(self) -> tuple[KeyPair, ...]: ...

    def add_key_pair(self, pair: KeyPair) -> None: ...

    def revoke_key_pair(self, access_key_id: str, *, revoked_at: datetime) -> bool: ...


class UsageRepository(Protocol):
    """How many bytes were read in each hour, by scope: a work group, or a principal."""

    def add_usage(
        self, scope: str, hour: datetime, scanned_bytes: int, caps: Sequence[UsageCap]
    ) -> UsageCap | None:
        """Add bytes (or take some back) unless a cap is exceeded by it: then that cap.

        Caps are asked of nobody when bytes are taken back.
        """
        ...

    def usage_since(self, scope: str, since: datetime) -> int:
        """The bytes of the hours from a time on."""
        ...


class GrantRepository(Protocol):
    """Permissions; revoked ones stay, so that a kind once governed is not open again."""

    def add_grant(self, grant: Grant) -> None: ...

    def list_grants(self) -> tuple[Grant, ...]:
        """All of them, revoked ones too, in the order of their times."""
        ...

    def revoke_grant(self, grant_id: str, *, revoked_at: datetime) -> bool: ...

    def grants_of(self, grantees: Collection[str]) -> tuple[frozenset[str], tuple[Grant, ...]]:
        """The kinds that some grant was ever made of, and the valid grants to these grantees."""
        ...


class SavedRepository(Protocol):
    """Named queries and prepared statements."""

    def get_named_query(self, query_id: str) -> NamedQuery | None: ...

    def list_named_queries(self, work_group: str) -> tuple[NamedQuery, ...]:
        """The work group's, oldest first."""
        ...

    def add_named_query(self, query: NamedQuery) -> None: ...

    def replace_named_query(self, query: NamedQuery) -> bool: ...

    def delete_named_query(self, query_id: str) -> bool: ...

    def get_prepared_statement(self, work_group: str, name: str) -> PreparedStatement | None: ...

    def list_prepared_statements(self, work_group: str) -> tuple[PreparedStatement, ...]:
        """The work group's, by name."""
        ...

    def add_prepared_statement(self, statement: PreparedStatement) -> bool:
        """Add it; False when the name is taken."""
        ...

    def replace_prepared_statement(self, statement: PreparedStatement) -> bool: ...

    def delete_prepared_statement(self, work_group: str, name: str) -> bool: ...

    def delete_saved(self, work_group: str) -> None:
        """Delete all that is saved in the work group."""
        ...


class CrawlerRepository(Protocol):
    """Crawlers by name, with their states."""

    def get_crawler(self, name: str) -> StoredCrawler | None: ...

    def list_crawlers(self) -> tuple[StoredCrawler, ...]:
        """All of them, by name."""
        ...

    def add_crawler(self, crawler: StoredCrawler) -> bool:
        """Add it; False when the name is taken."""
        ...

    def replace_crawler(self, expected: StoredCrawler, crawler: StoredCrawler) -> bool:
        """Replace it if it is still as expected."""
        ...

    def delete_crawler(self, expected: StoredCrawler) -> bool:
        """Delete it if it is still as expected."""
        ...


class TagRepository(Protocol):
    """Tags of resources, by the resource's name (an ARN on AWS's wire)."""

    def tags(self, resource: str) -> Mapping[str, str]: ...

    def set_tags(self, resource: str, tags: Mapping[str, str]) -> None:
        """Add or replace the given tags."""
        ...

    def remove_tags(self, resource: str, keys: Iterable[str]) -> None: ...


class AuditRepository(Protocol):
    """The audit log: appended, never changed."""

    def append_audit(self, entries: Sequence[AuditEntry]) -> None: ...

    def list_audit(
        self, *, principal: str | None = None, page_token: str | None = None, limit: int = 100
    ) -> tuple[tuple[AuditEntry, ...], str | None]:
        """Entries newest first, and the token of the next page."""
        ...


class State(
    QueryRepository,
    WriteRepository,
    WorkGroupRepository,
    KeyRepository,
    GrantRepository,
    UsageRepository,
    SavedRepository,
    CrawlerRepository,
    TagRepository,
    AuditRepository,
    Protocol,
):
    """All of the state, in one store."""

    def check(self) -> None:
        """Raise if the store cannot be reached."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
