"""The values that the core and its wires exchange: sessions, submissions, executions, results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from querysvc.types.algebra import TrinoType


class QueryState(StrEnum):
    """A query execution's state, in Athena's terms."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the execution can no longer change."""
        return self in _TERMINAL


_TERMINAL = frozenset({QueryState.SUCCEEDED, QueryState.FAILED, QueryState.CANCELLED})


class StatementType(StrEnum):
    """Athena's StatementType."""

    DML = "DML"
    DDL = "DDL"
    UTILITY = "UTILITY"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the name that owns queries and results, and the roles that policies refer to."""

    name: str
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Session:
    """What a statement is read against: catalog and database for unqualified names, zone, time."""

    catalog: str = "awsdatacatalog"
    database: str = "default"
    time_zone: str = "UTC"
    started_at: datetime | None = None
    """now(), current_timestamp and NOW-relative projections; set at submission, aware, UTC."""
    user: str = "anonymous"
    source: str = ""
    client_tags: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResultConfiguration:
    """Where and how the result object is written; None: the work group's, then the service's."""

    output_location: str | None = None
    encryption_option: str | None = None
    kms_key: str | None = None
    expected_bucket_owner: str | None = None
    acl_option: str | None = None


@dataclass(frozen=True, slots=True)
class QuerySubmission:
    """A request to run one statement."""

    sql: str
    session: Session = Session()
    work_group: str = "primary"
    execution_parameters: tuple[str, ...] = ()
    """SQL literals for `?`, in order."""
    client_request_token: str | None = None
    result_configuration: ResultConfiguration = ResultConfiguration()
    result_reuse_age_max_minutes: int | None = None
    timeout_seconds: float | None = None
    requires_output_location: bool = False
    """Athena's rule: a query whose result has no place in S3 is refused."""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result: its name and its exact Trino type."""

    name: str
    type: TrinoType


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a run took; counts are exact, times are wall clock."""

    scanned_bytes: int = 0
    """Bytes of data objects that the run read (fetched or from a validated cache)."""
    fetched_bytes: int = 0
    cached_bytes: int = 0
    scanned_files: int = 0
    total_files: int = 0
    scanned_partitions: int = 0
    total_partitions: int = 0
    scanned_row_groups: int = 0
    total_row_groups: int = 0
    skipped_archived_objects: int = 0
    skipped_archived_bytes: int = 0
    rejected_rows: int = 0
    """Rows that the scans met and set aside (`querysvc.on_bad_record=quarantine`)."""
    result_rows: int = 0
    result_bytes: int = 0
    queued_milliseconds: int = 0
    planning_milliseconds: int = 0
    execution_milliseconds: int = 0
    publishing_milliseconds: int = 0
    total_milliseconds: int = 0
    peak_memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running query is; `fraction` is 0-1 and None while unknown."""

    fraction: float | None = None
    scanned_bytes: int = 0
    planned_bytes: int | None = None
    rows: int = 0
    stage: str = ""
    rejected_rows: int = 0


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """A failed execution's error as it is stored and told (see errors.ErrorCode)."""

    code: str
    message: str
    line: int | None = None
    column: int | None = None
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryExecution:
    """One query's life, as Athena's QueryExecution."""

    id: str
    sql: str
    session: Session
    work_group: str
    principal: str
    state: QueryState
    submitted_at: datetime
    statement_type: StatementType | None = None
    substatement_type: str | None = None
    """SELECT, CREATE_TABLE, SHOW_TABLES …"""
    execution_parameters: tuple[str, ...] = ()
    started_at: datetime | None = None
    completed_at: datetime | None = None
    queue_position: int | None = None
    error: ErrorInfo | None = None
    columns: tuple[ResultColumn, ...] | None = None
    statistics: Statistics = Statistics()
    progress: Progress = Progress()
    result_configuration: ResultConfiguration = ResultConfiguration()
    output_location: str | None = None
    """Full s3:// address of the result object, when results are published to S3."""
    manifest_location: str | None = None
    update_count: int | None = None
    reused_previous_result: bool = False
    warnings: tuple[str, ...] = ()
    client_request_token: str | None = None
    result_reuse_age_max_minutes: int | None = None
    """How old an equal result may be that is given instead of running; None and 0: run."""
    result_key: str | None = None
    """The digest of all that the result depends on; None when it may differ from run to run."""
