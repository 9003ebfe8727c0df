"""What the readers share: a scan's files, and the SQL parts that they become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol  # DuckDB's types are not importable here

import pyarrow as pa

from querysvc.engines.duckdb.readers.failures import BadValue
from querysvc.engines.duckdb.readers.page_checksums import PageChecksums
from querysvc.engines.duckdb.readers.sqltext import literal_text, quote_name
from querysvc.engines.duckdb.readers.watch import LineWatch
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import IcebergFile, IcebergScan, StoredObject, TableColumn, TableReference
from querysvc.tree import LiteralValue
from querysvc_catalog.model import StorageDescriptor

if TYPE_CHECKING:
    import duckdb

FILE_INDEX: Final = "CAST(file_index AS BIGINT)"
"""The file's position in the list that a read_* function was given (a virtual column)."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PlanFiles(Protocol):
    """The file system over the plan's objects, as the storage layer implements it."""

    def path(self, object_index: int, suffix: str = "") -> str:
        """The path by which DuckDB opens an object."""
        ...


class PlanReader(Protocol):
    """Planned reads of the plan's objects, as the storage layer implements them."""

    misses: int
    planned_bytes: int
    read_bytes: int
    failure: QueryServiceError | None

    def prefetch(self, ranges: Sequence[tuple[int, int, int]], *, is_kept: bool = False) -> None:
        """Announce (object, offset, length) in the order in which they will be read."""
        ...

    def reserve(self, ranges: Sequence[tuple[int, int, int]], *, is_kept: bool = False) -> None:
        """Count in `planned_bytes` what announcing these ranges fetches; `prefetch` starts them."""
        ...

    def read(self, object_index: int, offset: int, length: int) -> bytes:
        """Read bytes of an object."""
        ...

    def identity(self, object_index: int) -> str:
        """A digest of the object's address and ETag."""
        ...

    def close(self) -> None:
        """End the connection to the gateway."""
        ...


class NoObjects:
    """The reader of a plan without objects: no connection is needed for it."""

    misses = planned_bytes = read_bytes = 0
    failure: QueryServiceError | None = None

    def __len__(self) -> int:
        return 0

    def prefetch(self, ranges: Sequence[tuple[int, int, int]], *, is_kept: bool = False) -> None:
        """Nothing can be announced."""
        self.reserve(ranges, is_kept=is_kept)

    def reserve(self, ranges: Sequence[tuple[int, int, int]], *, is_kept: bool = False) -> None:
        """Nothing can be counted."""
        assert not ranges, "the plan has no objects"

    def read(self, object_index: int, offset: int, length: int) -> bytes:
        """Nothing can be read."""
        raise AssertionError(f"the plan has no object {object_index}")

    def identity(self, object_index: int) -> str:
        """Nothing has an identity."""
        raise AssertionError(f"the plan has no object {object_index}")

    def close(self) -> None:
        """Nothing was opened."""


@dataclass(frozen=True, slots=True)
class File:
    """An object of the plan, by its index, with its partition's values."""

    index: int
    stored: StoredObject
    partition: tuple[LiteralValue, ...]


@dataclass(frozen=True, slots=True)
class IcebergFiles:
    """How the files of an Iceberg table's group are read, and its delete files."""

    scan: IcebergScan
    first: int
    """The plan's index of the first data file: the others follow, in the order of the scan's."""
    deletes: tuple[File, ...] = ()

    def about(self, file: File) -> IcebergFile:
        """What the table's metadata tell of a data file."""
        return self.scan.files[file.index - self.first]


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Files of one table that share a storage descriptor."""

    reference: TableReference
    descriptor: StorageDescriptor
    files: tuple[File, ...]
    iceberg: IcebergFiles | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """SQL over some files: the used columns as "c<i>" in order; and what it will read."""

    sql: str
    ranges: tuple[tuple[int, int, int], ...]
    data_bytes: int
    """Of the ranges, for the order of the parts."""
    files: int
    row_groups: int = 0
    total_row_groups: int = 0


Diagnoser = Callable[[File, BadValue], int | None]
"""Finds the line of a bad value in a file; None when it cannot."""


@dataclass(slots=True)
class ReaderContext:
    """What a reader may use while it builds its parts."""

    connection: duckdb.DuckDBPyConnection
    files: PlanFiles
    client: PlanReader
    footers: Any  # footers.FooterReader; imported there, not here, to keep one direction
    ordinals: list[File] = field(default_factory=list)
    """Files in the order in which parts claimed them, for errors."""
    paths: dict[str, None] = field(default_factory=dict)
    """Every path that a part names, in order: the engine may open these alone."""
    diagnosers: list[tuple[int, int, Diagnoser]] = field(default_factory=list)
    """For ordinals from the first number below the second: how to find a bad value's line."""
    loads: list[Callable[[], object]] = field(default_factory=list)
    """What fills the parts' temporary tables; done when the query runs, so no estimate pays it."""
    watch: LineWatch = field(default_factory=LineWatch)
    """Text readers: tells when the fast path may not do."""
    checksums: PageChecksums = field(default_factory=PageChecksums)
    """Parquet: checks pages where the table asks for it."""
    json_files: list[File] = field(default_factory=list)
    """Files that JSON readers read, to find a malformed line in."""
    reads_json_rows: bool = False
    """JSON readers: take the exact path in Python."""
    reads_json_types: bool = False
    """JSON readers: DuckDB reads some columns as what they are."""
    reads_json_texts: bool = False
    """JSON readers: that did not do; all columns are read as texts."""
    reads_whole_objects: bool = False
    """JSON readers: parse objects, then take values out; else DuckDB's reader of columns."""
    has_large_objects: bool = False
    """JSON readers: some object is larger than the usual buffers."""
    collects_spellings: bool = False
    """JSON readers: look all keys up before the query."""
    is_serial: bool = False
    """Text readers: one thread a file, for quoted line ends."""
    is_exact: bool = False
    """Text readers: take the slow path that follows the SerDe to the letter."""
    is_reread: bool = False
    """Some table is scanned more than once: what Python reads is kept in a temporary table."""
    failure: QueryServiceError | None = None
    """The first error of a stream: DuckDB knows only its text."""
    rejected: int = 0
    """Rows that were set aside."""
    counts_rejects: bool = False
    """The connection has the function that counts them."""

    def start_over(self) -> None:
        """Forget the parts that were built; the paths stay."""
        self.ordinals.clear()
        self.diagnosers.clear()
        self.json_files.clear()
        self.loads.clear()
        self.failure = None
        self.rejected = 0
        self.reads_json_types = False
        self.watch = LineWatch()

    def path(self, file: File, suffix: str) -> str:
        """The path of a file, noted as one that the query may open."""
        path = self.files.path(file.index, suffix)
        self.paths[path] = None
        return path

    def feed(self, table: str, schema: Any, batches: Callable[[], Iterable[Any]]) -> None:
        """Let SQL read Arrow batches by this name; each scan of it calls `batches` anew.

        A table that is scanned more than once is read once, into a temporary table.
        """
        if self.is_reread:
            self.loads.append(lambda: self.load(table, schema, batches()))
        else:
            self.connection.register(table, _Stream(self, schema, batches))

    def load(self, table: str, schema: Any, batches: Iterable[Any]) -> None:
        """Fill a temporary table from a stream of Arrow batches."""
        source = f"{table} source"
        self.connection.register(source, _Stream(self, schema, lambda: batches))
        try:
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {quote_name(table)} AS"
                f" SELECT * FROM {quote_name(source)}"
            )
        finally:
            self.connection.unregister(source)

    def claim(self, files: Sequence[File], diagnoser: Diagnoser | None = None) -> int:
        """Number the files of a part; its file_index plus the result indexes `ordinals`."""
        base = len(self.ordinals)
        self.ordinals.extend(files)
        if diagnoser is not None:
            self.diagnosers.append((base, len(self.ordinals), diagnoser))
        return base

    def line_of(self, bad: BadValue) -> int | None:
        """The line of a bad value, where its format has lines and it can be found."""
        for start, end, diagnose in self.diagnosers:
            if bad.ordinal is not None and start <= bad.ordinal < end:
                return diagnose(self.ordinals[bad.ordinal], bad)
        return None


class _Stream:
    """Arrow batches that DuckDB asks for, from the start with each scan."""

    def __init__(
        self, context: ReaderContext, schema: Any, batches: Callable[[], Iterable[Any]]
    ) -> None:
        self._context = context
        self._schema = schema
        self._batches = batches

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._schema, self._guarded())
        return reader.__arrow_c_stream__(requested_schema)

    def _guarded(self) -> Iterator[Any]:
        # Arrow's C interface turns an error into text; the context keeps it as it was.
        try:
            yield from self._batches()
        except QueryServiceError as failure:
            self._context.failure = self._context.failure or failure
            raise


Reader = Callable[[FileGroup, ReaderContext], list[Part]]


def used_columns(reference: TableReference) -> list[tuple[int, TableColumn]]:
    """The columns that a scan refers to, with their indexes, in order."""
    return [(index, reference.columns[index]) for index in sorted(reference.used_columns)]


def select_list(reference: TableReference, data: dict[int, str], files: Sequence[File]) -> str:
    """The SELECT list of a part: data columns by `data`, the others constant for each file."""
    values = {
        index: data.get(index) or constant_column(reference, index, files)
        for index, _column in used_columns(reference)
    }
    items = [f"{value} AS {quote_name(f'c{index}')}" for index, value in values.items()]
    return ", ".join(items) or 'NULL AS "none"'


def constant_column(reference: TableReference, index: int, files: Sequence[File]) -> str:
    """A partition key or hidden column, whose value each file knows."""
    column = reference.columns[index]
    texts = [literal_text(_file_value(reference, index, file), column.type) for file in files]
    if len(set(texts)) == 1:
        return texts[0]
    return f"([{', '.join(texts)}])[{FILE_INDEX} + 1]"


def read_in_order(files: Sequence[File]) -> tuple[tuple[int, int, int], ...]:
    """Whole objects, one after the other."""
    return tuple((file.index, 0, file.stored.size) for file in files if file.stored.size)


def with_files(group: FileGroup, files: Sequence[File]) -> FileGroup:
    """The same group with fewer files."""
    return replace(group, files=tuple(files))


def _file_value(reference: TableReference, index: int, file: File) -> LiteralValue:
    column = reference.columns[index]
    if column.is_partition_key:
        keys = [i for i, each in enumerate(reference.columns) if each.is_partition_key]
        return file.partition[keys.index(index)]
    return _HIDDEN[column.name](reference, file)


def _modified(_reference: TableReference, file: File) -> LiteralValue:
    delta = file.stored.last_modified - _EPOCH
    milliseconds = (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
    return milliseconds * 10**9, "UTC"


def _partition_name(reference: TableReference, file: File) -> LiteralValue:
    keys = [column.name for column in reference.columns if column.is_partition_key]
    pairs = zip(keys, file.partition, strict=True)
    return "/".join(f"{key}={value!s}" for key, value in pairs)


def _bucket(_reference: TableReference, file: File) -> LiteralValue:
    """The number that Hive, Trino and Athena put into the names of a bucketed table's objects."""
    name = file.stored.key.rpartition("/")[2]
    for pattern in _BUCKETS:
        match = pattern.fullmatch(name)
        if match is not None:
            return int(match[1])
    raise QueryServiceError(
        ErrorCode.HIVE_INVALID_METADATA,
        f"{file.stored.address}: its name does not tell the number of its bucket",
    )


_BUCKETS: Final = tuple(
    map(
        re.compile,
        (
            r"[0-9]{8}_[0-9]{6}_[0-9]{5}_[a-z0-9]{5}_bucket-([0-9]+)(?:[-_.].*)?",
            r"([0-9]+)_[0-9]+.*",
            r"bucket_([0-9]+)(?:_[0-9]+)?",
        ),
    )
)
_HIDDEN: Final[dict[str, Callable[[TableReference, File], LiteralValue]]] = {
    "$path": lambda _reference, file: file.stored.address,
    "$file_size": lambda _reference, file: file.stored.size,
    "$file_modified_time": _modified,
    "$partition": _partition_name,
    "$bucket": _bucket,
}
