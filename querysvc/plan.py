"""Plans and ports: what the analyser hands to the planner, and the planner to an engine.

AnalysedStatement   the gate's answer: a typed query with the tables that it reads
TableScan           one of those tables with its surviving partitions and listed objects
ExecutionPlan       all that an engine needs; a worker sees nothing else
Engine              the port that engines implement
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from querysvc.model import Progress, ResultColumn, Session, StatementType, Statistics
from querysvc.tree import Expression, LiteralValue, Query
from querysvc.types.algebra import BIGINT, VARCHAR, TrinoType
from querysvc_catalog.model import StorageDescriptor, Table


@dataclass(frozen=True, slots=True)
class Range:
    """An interval of values of one type (literal form as in `querysvc.tree`); None is unbounded."""

    low: LiteralValue = None
    low_inclusive: bool = False
    high: LiteralValue = None
    high_inclusive: bool = False


@dataclass(frozen=True, slots=True)
class Domain:
    """The values that a column may have: a union of disjoint ascending ranges, and maybe NULL."""

    type: TrinoType
    ranges: tuple[Range, ...]
    allows_null: bool = False


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table as statements see it; partition keys come after the data columns.

    Hidden columns (`$path`, `$file_size`, `$file_modified_time`, `$partition`) come last.
    """

    name: str
    type: TrinoType
    is_partition_key: bool = False
    is_hidden: bool = False


REJECTS: Final = "SYSTEM_REJECTS"
"""The table type of `"t$rejects"`: t's entry, read for the rows that it sets aside."""
REJECT_COLUMNS: Final = (
    TableColumn("path", VARCHAR),
    TableColumn("line", BIGINT),
    TableColumn("byte_offset", BIGINT),
    TableColumn("column_name", VARCHAR),
    TableColumn("value", VARCHAR),
    TableColumn("wanted_type", VARCHAR),
    TableColumn("reason", VARCHAR),
    TableColumn("record", VARCHAR),
)
"""Of a rejects table; the partition keys follow."""


class VersionKind(StrEnum):
    """How a version of a table is named."""

    SNAPSHOT = "SNAPSHOT"
    REFERENCE = "REFERENCE"
    MOMENT = "MOMENT"


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A snapshot's id, the name of a branch or tag, or a moment (milliseconds since the epoch)."""

    kind: VersionKind
    value: int | str


@dataclass(frozen=True, slots=True)
class TableReference:
    """A catalog table that a statement reads, with what is known of the rows that it needs.

    `table` is the catalog's entry as the analyser saw it; `domains` are by column index and may
    admit too much, never too little; `used_columns` are the indexes that some scan refers to.
    """

    catalog: str
    database: str
    table: Table
    columns: tuple[TableColumn, ...]
    used_columns: tuple[int, ...]
    domains: Mapping[int, Domain] = field(default_factory=dict)
    partition_predicate: Expression | None = None
    """A conjunction over partition keys only (ColumnReference(relation=-1, field=column))."""
    generation: int = 0
    """The catalog's stamp of this table, for caches."""
    snapshot_id: int | None = None
    """Of an Iceberg table that is read as it was; None is its current snapshot."""
    only_files: frozenset[str] | None = None
    """Of an Iceberg table: the paths of the data files to read; None: all that domains leave."""


@dataclass(frozen=True, slots=True)
class AnalysedStatement:
    """A checked SELECT-like statement (tree.Scan.table indexes `tables`)."""

    query: Query
    tables: tuple[TableReference, ...]
    columns: tuple[ResultColumn, ...]
    statement_type: StatementType = StatementType.DML
    substatement_type: str = "SELECT"
    is_deterministic: bool = True
    hides_rows: bool = False
    """Whether row filters keep rows from whoever asks: errors must not tell their values."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as one listing pass saw it. Keys are opaque."""

    bucket: str
    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str = "STANDARD"
    version_id: str | None = None

    @property
    def address(self) -> str:
        """`s3://bucket/key`, for people."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class PartitionScan:
    """Objects that share partition values, schema and SerDe.

    `values` are typed literals in the order of the table's partition keys (empty when the table
    has none). `storage_descriptor` is the partition's own (the table's when it has none).
    """

    values: tuple[LiteralValue, ...]
    storage_descriptor: StorageDescriptor
    objects: tuple[StoredObject, ...]


@dataclass(frozen=True, slots=True)
class IcebergField:
    """A field of an Iceberg schema: files hold it under its id, whatever its name is there."""

    id: int
    type: TrinoType
    children: tuple[IcebergField, ...] = ()
    """An array's element, a map's key and value, a row's fields."""
    default: LiteralValue = None
    """The value of rows that were written before the field was added."""
    names: tuple[str, ...] = ()
    """Its names in files without ids, as the table's name mapping tells them."""


@dataclass(frozen=True, slots=True)
class IcebergFile:
    """A data file: its path and partition as the table's metadata spell them."""

    path: str
    partition: str = ""
    constants: tuple[tuple[int, LiteralValue], ...] = ()
    """By field id, the values of columns that the file may lack: its partition's."""
    deletes: tuple[int, ...] = ()
    """Indexes of the deletes that apply to its rows."""


@dataclass(frozen=True, slots=True)
class IcebergDelete:
    """A delete file: of positions, or of rows equal to its own in these fields."""

    equality: tuple[IcebergField, ...] = ()


@dataclass(frozen=True, slots=True)
class IcebergScan:
    """How an Iceberg table's objects are read.

    The scan's first partition holds the objects of `files`, its second those of `deletes`.
    """

    columns: tuple[IcebergField, ...]
    """Of the reference's columns that are not hidden, in order."""
    files: tuple[IcebergFile, ...]
    deletes: tuple[IcebergDelete, ...] = ()


@dataclass(frozen=True, slots=True)
class TableScan:
    """A table reference with its surviving partitions, out of `total_partitions`."""

    reference: TableReference
    partitions: tuple[PartitionScan, ...]
    total_partitions: int = 0
    iceberg: IcebergScan | None = None


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """What one query may take; None is no limit of its own."""

    memory_bytes: int = 2 << 30
    spill_bytes: int = 16 << 30
    timeout_seconds: float = 1800.0
    scanned_bytes_max: int | None = None
    result_bytes_max: int | None = None
    threads: int = 2
    fetch_window_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """One query, ready to run: typed query, exact objects, limits."""

    query_id: str
    query: Query
    columns: tuple[ResultColumn, ...]
    scans: tuple[TableScan, ...]
    session: Session
    limits: ResourceLimits = ResourceLimits()
    owner: str = ""
    """Principal and work group: only their own queries may share an instance; "" shares none."""


@dataclass(frozen=True, slots=True)
class ReadEstimate:
    """What a plan would read, known before it runs; `is_exact` false carries the reason."""

    scanned_bytes: int
    files: int
    row_groups: int = 0
    total_row_groups: int = 0
    is_exact: bool = True
    reason: str = ""
    may_end_early: bool = False
    """A small part of it may do: whether the run reads more than it may, only its counter tells."""


@dataclass(frozen=True, slots=True)
class ExecutionOutcome:
    """A finished execution; its rows are in the spool."""

    rows: int
    statistics: Statistics


class ExecutionControl(Protocol):
    """How the service watches and stops a running execution. Called from engine threads."""

    def is_cancelled(self) -> bool:
        """Whether the query should stop."""
        ...

    def on_cancel(self, action: Callable[[], None]) -> None:
        """Register what to do, at once and from any thread, when the query is cancelled."""
        ...

    def on_estimate(self, estimate: ReadEstimate) -> None:
        """Called after footers are read and before the scan; raises to refuse the run."""
        ...

    def on_progress(self, progress: Progress) -> None:
        """Called a few times a second while running."""
        ...

    def on_batch(self, end_offset: int, rows: int) -> None:
        """A record batch is complete in the spool: its end as file offset, and its rows."""
        ...


class NoControl:
    """An ExecutionControl of a run that nobody watches or stops."""

    def is_cancelled(self) -> bool:
        """It runs to its end, or to its limits."""
        return False

    def on_cancel(self, action: Callable[[], None]) -> None:
        """Nobody cancels it."""

    def on_estimate(self, estimate: ReadEstimate) -> None:
        """Whatever it reads is let through."""

    def on_progress(self, progress: Progress) -> None:
        """Nobody watches."""

    def on_batch(self, end_offset: int, rows: int) -> None:
        """Its rows are looked at when it has ended."""


class Engine(Protocol):
    """Runs plans. Errors are QueryServiceErrors; a cancelled run raises USER_CANCELED."""

    def execute(
        self, plan: ExecutionPlan, spool: Path, control: ExecutionControl
    ) -> ExecutionOutcome:
        """Run the plan and write its rows to `spool` as an Arrow IPC stream.

        Column i of the stream is output i (named by its index); its Arrow type is the storage form
        of the Trino type (docs/architecture.md, «Result batches»); the schema's metadata
        carries the types' and names' texts.
        """
        ...

    def estimate(self, plan: ExecutionPlan, control: ExecutionControl) -> ReadEstimate:
        """Tell what the plan would read, reading footers only."""
        ...

    def encode_text(self, spool: Path, columns: tuple[ResultColumn, ...], target: Path) -> None:
        """Write the spooled rows as Athena's result CSV (header, every value quoted, NULL bare)."""
        ...

    def close(self) -> None:
        """End all worker processes."""
        ...
