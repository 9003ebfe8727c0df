"""The API's JSON shapes, and how the core's values become them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from querysvc.errors import ErrorCode
from querysvc.model import (
    ErrorInfo,
    Progress,
    QueryExecution,
    QueryState,
    QuerySubmission,
    ResultColumn,
    ResultConfiguration,
    Session,
    Statistics,
)
from querysvc.service.inspection import QueryEstimate

SQL_BYTES_MAX = 262_144


class QueryRequest(BaseModel):
    """A statement to run."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(description="One statement of Athena's SQL; at most 262,144 bytes.")
    catalog: str = Field("awsdatacatalog", description="For names without a catalog.")
    database: str = Field("default", description="For names without a database.")
    work_group: str = "primary"
    parameters: list[str] = Field(
        default_factory=list, description="SQL literals for the `?` of the statement, in order."
    )
    client_request_token: str | None = Field(
        None, min_length=1, max_length=128, description="Same token, same query: safe to retry."
    )
    output_location: str | None = Field(None, description="s3:// prefix for the result object.")
    time_zone: str = Field("UTC", description="The session's time zone.")
    timeout_seconds: float | None = Field(None, gt=0, description="Ends the query after this time.")
    result_reuse_age_max_minutes: int = Field(
        0,
        ge=0,
        le=10080,
        description="Give the result of an equal query over the same objects that is at most this"
        " old; 0 runs it.",
    )

    def submission(self) -> QuerySubmission:
        """The request as the core takes it."""
        return QuerySubmission(
            sql=self.sql,
            session=Session(
                catalog=self.catalog,
                database=self.database,
                time_zone=self.time_zone,
                source="rest",
            ),
            work_group=self.work_group,
            execution_parameters=tuple(self.parameters),
            client_request_token=self.client_request_token,
            result_configuration=ResultConfiguration(output_location=self.output_location),
            timeout_seconds=self.timeout_seconds,
            result_reuse_age_max_minutes=self.result_reuse_age_max_minutes or None,
        )


class Column(BaseModel):
    """A result column with its Trino type."""

    name: str
    type: str

    @classmethod
    def of(cls, column: ResultColumn) -> Column:
        """From the core's value."""
        return cls(name=column.name, type=column.type.wire_name)


class ExecutionError(BaseModel):
    """Why a query failed; `line` and `column` point into the statement, from 1."""

    code: str
    type: str
    message: str
    line: int | None = None
    column: int | None = None
    suggestions: list[str] = Field(
        default_factory=list, description="Names that exist and are like the one that does not."
    )

    @classmethod
    def of(cls, error: ErrorInfo) -> ExecutionError:
        """From the core's value."""
        return cls(
            code=error.code,
            type=ErrorCode[error.code].error_type.value,
            message=error.message,
            line=error.line,
            column=error.column,
            suggestions=list(error.suggestions),
        )


class ExecutionProgress(BaseModel):
    """How far a running query is."""

    fraction: float | None = Field(description="0 to 1; null while unknown.")
    scanned_bytes: int
    planned_bytes: int | None
    rows: int
    stage: str
    rejected_rows: int = Field(description="Rows set aside so far (on_bad_record=quarantine).")

    @classmethod
    def of(cls, progress: Progress) -> ExecutionProgress:
        """From the core's value."""
        return cls(
            fraction=progress.fraction,
            scanned_bytes=progress.scanned_bytes,
            planned_bytes=progress.planned_bytes,
            rows=progress.rows,
            stage=progress.stage,
            rejected_rows=progress.rejected_rows,
        )


_STATISTICS = tuple(Statistics.__dataclass_fields__)


class ExecutionStatistics(BaseModel):
    """What a run took: exact counts, wall-clock milliseconds."""

    scanned_bytes: int
    fetched_bytes: int
    cached_bytes: int
    scanned_files: int
    total_files: int
    scanned_partitions: int
    total_partitions: int
    scanned_row_groups: int
    total_row_groups: int
    skipped_archived_objects: int
    skipped_archived_bytes: int
    rejected_rows: int
    result_rows: int
    result_bytes: int
    queued_milliseconds: int
    planning_milliseconds: int
    execution_milliseconds: int
    publishing_milliseconds: int
    total_milliseconds: int
    peak_memory_bytes: int

    @classmethod
    def of(cls, statistics: Statistics) -> ExecutionStatistics:
        """From the core's value."""
        return cls(**{name: getattr(statistics, name) for name in _STATISTICS})


class Query(BaseModel):
    """A query execution."""

    id: str
    sql: str
    state: QueryState
    statement_type: str | None
    substatement_type: str | None
    catalog: str
    database: str
    work_group: str
    principal: str
    submitted_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    queue_position: int | None
    columns: list[Column] | None
    statistics: ExecutionStatistics
    progress: ExecutionProgress
    error: ExecutionError | None
    output_location: str | None
    update_count: int | None
    reused_previous_result: bool
    warnings: list[str]

    @classmethod
    def of(cls, execution: QueryExecution) -> Query:
        """From the core's value."""
        columns = execution.columns
        return cls(
            id=execution.id,
            sql=execution.sql,
            state=execution.state,
            statement_type=execution.statement_type,
            substatement_type=execution.substatement_type,
            catalog=execution.session.catalog,
            database=execution.session.database,
            work_group=execution.work_group,
            principal=execution.principal,
            submitted_at=execution.submitted_at,
            started_at=execution.started_at,
            completed_at=execution.completed_at,
            queue_position=execution.queue_position,
            columns=None if columns is None else [Column.of(column) for column in columns],
            statistics=ExecutionStatistics.of(execution.statistics),
            progress=ExecutionProgress.of(execution.progress),
            error=None if execution.error is None else ExecutionError.of(execution.error),
            output_location=execution.output_location,
            update_count=execution.update_count,
            reused_previous_result=execution.reused_previous_result,
            warnings=list(execution.warnings),
        )


class QueryList(BaseModel):
    """A page of queries, newest first."""

    queries: list[Query]
    next_page_token: str | None = None


class ResultRows(BaseModel):
    """A page of rows, their values as in Trino's protocol: decimals and times as text."""

    columns: list[Column]
    rows: list[list[Any]]  # a JSON value of the column's type
    next_page_token: str | None = None


class Estimate(BaseModel):
    """What a statement would read; `is_exact` false carries the reason."""

    scanned_bytes: int
    files: int
    partitions: int
    total_partitions: int
    row_groups: int
    total_row_groups: int
    is_exact: bool
    reason: str
    bytes_limit: int | None = Field(description="What the work group lets one query read.")
    is_allowed: bool = Field(description="Whether the run would pass the limit before it reads.")
    refusal: str = Field(description="What the run would fail with.")

    @classmethod
    def of(cls, estimate: QueryEstimate) -> Self:
        """As the service tells it."""
        read, refusal = estimate.read, estimate.refusal
        return cls(
            scanned_bytes=read.scanned_bytes,
            files=read.files,
            partitions=estimate.partitions,
            total_partitions=estimate.total_partitions,
            row_groups=read.row_groups,
            total_row_groups=read.total_row_groups,
            is_exact=read.is_exact,
            reason=read.reason,
            bytes_limit=estimate.bytes_limit,
            is_allowed=refusal is None,
            refusal="" if refusal is None else f"{refusal.code.name}: {refusal.message}",
        )


class Description(BaseModel):
    """What a valid statement is."""

    statement_type: str
    substatement_type: str
    columns: list[Column]
    tables: list[str]
    warnings: list[str]
    advice: list[str] = Field(description="What would make the statement cheaper.")
