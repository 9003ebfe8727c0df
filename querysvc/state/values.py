"""The values that the state keeps besides query executions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from querysvc.model import QueryExecution, QueryState, ResultConfiguration


class WorkGroupState(StrEnum):
    """Whether a work group takes queries."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class GuardPolicyName(StrEnum):
    """The storage rules that a work group's queries are held to."""

    STRICT = "strict"
    ATHENA = "athena"


class StorageClassScope(StrEnum):
    """Where two storage classes together are looked for."""

    SCAN = "scan"
    TABLE = "table"
    BUCKET = "bucket"


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """The storage guard's policy with its switches."""

    name: GuardPolicyName = GuardPolicyName.STRICT
    storage_class_scope: StorageClassScope = StorageClassScope.SCAN
    read_restored_glacier_objects: bool = False
    """Policy `athena`: archived objects that were restored are read."""
    allows_requester_pays: bool = False
    """Policy `athena`: the caller accepts the charges."""
    counts_sse_s3_as_unencrypted: bool = False
    """S3 encrypts every new object with SSE-S3; the rule as written counts that as encrypted."""


@dataclass(frozen=True, slots=True)
class WorkGroupLimits:
    """What a work group's queries may take; None is the service's own limit, or none."""

    running_max: int | None = None
    queued_max: int | None = None
    submissions_per_second: float | None = None
    submissions_burst: int | None = None
    running_per_user_max: int | None = None
    """Queries of one principal that run at once; further ones wait."""
    open_per_user_max: int | None = None
    """Queries of one principal that wait or run."""
    scanned_bytes_max: int | None = None
    """BytesScannedCutoffPerQuery: refused from the estimate, before the scan."""
    scanned_bytes_per_hour_max: int | None = None
    """Of all queries together; so is what follows. Hours, days and months are UTC's."""
    scanned_bytes_per_day_max: int | None = None
    scanned_bytes_per_month_max: int | None = None
    result_bytes_max: int | None = None
    timeout_seconds: float | None = None
    memory_bytes: int | None = None
    spill_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class WorkGroup:
    """A work group, in Athena's terms."""

    name: str
    state: WorkGroupState = WorkGroupState.ENABLED
    description: str | None = None
    enforces_configuration: bool = True
    """The work group's result configuration wins over the request's, silently."""
    result_configuration: ResultConfiguration = field(default_factory=ResultConfiguration)
    guard: GuardPolicy = GuardPolicy()
    limits: WorkGroupLimits = WorkGroupLimits()
    publishes_metrics: bool = False
    managed_results_enabled: bool = False
    """Results stay with the service even when requests name an output location."""
    engine_version: str = "AUTO"
    tags: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WorkGroupUpdate:
    """The fields of a work group to change; None leaves a field as it is."""

    state: WorkGroupState | None = None
    description: str | None = None
    enforces_configuration: bool | None = None
    result_configuration: ResultConfiguration | None = None
    guard: GuardPolicy | None = None
    limits: WorkGroupLimits | None = None
    publishes_metrics: bool | None = None
    managed_results_enabled: bool | None = None
    engine_version: str | None = None
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What may be taken with a key, whatever the work group allows; None is no limit.

    Running and open queries and bytes are counted over everything that the key's principal does.
    """

    running_max: int | None = None
    """Queries that run at once; further ones wait."""
    open_max: int | None = None
    """Queries that wait or run."""
    submissions_per_second: float | None = None
    scanned_bytes_max: int | None = None
    """Of one query."""
    scanned_bytes_per_hour_max: int | None = None
    scanned_bytes_per_day_max: int | None = None
    scanned_bytes_per_month_max: int | None = None
    timeout_seconds: float | None = None
    memory_bytes: int | None = None
    spill_bytes: int | None = None
    result_bytes_max: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as stored: never its secret, only the secret's hash."""

    id: str
    secret_hash: str
    principal: str
    roles: frozenset[str] = frozenset()
    work_groups: frozenset[str] | None = None
    """The work groups that the key may use; None is all."""
    description: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    scram_verifier: str | None = field(default=None, repr=False)
    """What checks a SCRAM proof of the key; None for keys made before there were any."""
    limits: KeyLimits = KeyLimits()


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An AWS-style key pair; the secret is encrypted under the state directory's key file."""

    access_key_id: str
    encrypted_secret: bytes
    principal: str
    roles: frozenset[str] = frozenset()
    description: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    limits: KeyLimits = KeyLimits()


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission: who may do what on which resource; a revoked one stays, for the audit."""

    id: str
    grantee: str
    """`user:<name>`, `role:<name>`, `key:<id>`, or `*` for everybody."""
    actions: frozenset[str]
    kind: str
    """What `resource` names: `table`, `location` or `work_group`."""
    resource: str
    columns: tuple[str, ...] | None = None
    row_filter: str | None = None
    """SQL, as Trino's row filters."""
    created_at: datetime | None = None
    created_by: str | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A saved statement, in Athena's terms."""

    id: str
    name: str
    sql: str
    database: str
    work_group: str = "primary"
    description: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """A prepared statement of a work group."""

    name: str
    work_group: str
    sql: str
    description: str | None = None
    modified_at: datetime | None = None


class CrawlerState(StrEnum):
    """What a crawler is at, in Glue's terms."""

    READY = "READY"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"


@dataclass(frozen=True, slots=True)
class CrawlTarget:
    """A location that a crawler looks at."""

    path: str
    exclusions: tuple[str, ...] = ()
    """Glob patterns of objects that it passes over, relative to the path."""


@dataclass(frozen=True, slots=True)
class CrawlEnd:
    """How a crawl ended."""

    status: str
    """SUCCEEDED, CANCELLED or FAILED."""
    started_at: datetime
    seconds: float = 0
    error: str | None = None
    tables_created: int = 0
    tables_updated: int = 0
    tables_deleted: int = 0


@dataclass(frozen=True, slots=True)
class StoredCrawler:
    """A crawler with its state and its last crawls, newest first."""

    name: str
    owner: str
    role: str
    targets: tuple[CrawlTarget, ...]
    database: str
    description: str | None = None
    table_prefix: str = ""
    updates_tables: bool = True
    """Otherwise a table that is there keeps its columns and only gains partitions."""
    delete_behavior: str = "DEPRECATE_IN_DATABASE"
    recrawl_behavior: str = "CRAWL_EVERYTHING"
    configuration: str | None = None
    """Glue's JSON, as it was given."""
    is_one_table: bool = False
    """All under a target is one table."""
    merges_columns: bool = False
    """Columns are added to tables, and none is changed or removed."""
    version: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None
    state: CrawlerState = CrawlerState.READY
    node: str | None = None
    """Where it runs."""
    started_at: datetime | None = None
    crawls: tuple[CrawlEnd, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, over which tables and bytes."""

    occurred_at: datetime
    principal: str
    action: str
    """submit, finish, cancel, read_results, create_key, update_work_group …"""
    subject: str
    """The id or name that the action was about."""
    work_group: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which queries to list; None does not filter."""

    work_group: str | None = None
    states: frozenset[QueryState] | None = None
    principal: str | None = None
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Queries newest first, and the token of the next page."""

    queries: tuple[QueryExecution, ...]
    next_token: str | None = None
