"""Checked write statements: what the analyser hands to the service and to the file writer.

CreateTableAs, InsertInto, Unload   a typed query, where its rows go, and how files are laid out
ChangeRows                          DELETE, UPDATE, MERGE: a typed query of the rows that change
WriteLayout                         columns, format and partition keys: all that a file writer needs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from querysvc.plan import AnalysedStatement
from querysvc.types.algebra import TrinoType
from querysvc_catalog.model import Table, TableName
from querysvc_catalog.serdes import StorageFormat


class Compression(StrEnum):
    """Codecs as Athena names them."""

    NONE = "NONE"
    GZIP = "GZIP"
    SNAPPY = "SNAPPY"
    ZSTD = "ZSTD"
    LZ4 = "LZ4"
    ZLIB = "ZLIB"
    DEFLATE = "DEFLATE"
    BZIP2 = "BZIP2"


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How objects are written."""

    storage_format: StorageFormat
    compression: Compression
    compression_level: int | None = None
    serde_parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WrittenColumn:
    """A column that is written; its values come as `source_type`, a text type that may be longer.

    Every other difference between the query's type and the table's is a Cast in the typed query:
    only text that would lose characters is refused by the file writer.
    """

    name: str
    type: TrinoType
    hive_type: str
    source_type: TrinoType


@dataclass(frozen=True, slots=True)
class Buckets:
    """Hive's buckets: a partition's rows whose columns' hashes are equal, modulo, share a file."""

    columns: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class IcebergPartition:
    """A field of an Iceberg partition spec: a column's index, and the transform's text."""

    column: int
    transform: str


@dataclass(frozen=True, slots=True)
class IcebergLayout:
    """How rows become an Iceberg table's data files."""

    schema: bytes
    """An Arrow schema, serialized: the columns with their field ids."""
    partitions: tuple[IcebergPartition, ...] = ()
    marker: int | None = None
    """The index of the spool's boolean column that is true of the rows to write; None: all are."""


@dataclass(frozen=True, slots=True)
class WriteLayout:
    """How rows become files: the last `partition_keys` columns are keys, and not in the files.

    The query gives the rows of one partition together.
    """

    format: FileFormat
    columns: tuple[WrittenColumn, ...]
    partition_keys: int = 0
    buckets: Buckets | None = None
    iceberg: IcebergLayout | None = None
    """Of an Iceberg table: known when the write runs."""

    @property
    def data_columns(self) -> tuple[WrittenColumn, ...]:
        """The columns that files hold."""
        return self.columns[: len(self.columns) - self.partition_keys]

    @property
    def key_columns(self) -> tuple[WrittenColumn, ...]:
        """The partition keys."""
        return self.columns[len(self.columns) - self.partition_keys :]


@dataclass(frozen=True, slots=True)
class NewIcebergTable:
    """What an Iceberg table that is to be made has beside its columns."""

    partitioning: tuple[str, ...] = ()
    """Columns and transforms as Athena writes them: `bucket(16, id)`, `day(ts)`, `region`."""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateTableAs:
    """CREATE TABLE … AS query."""

    table: TableName
    query: AnalysedStatement
    layout: WriteLayout
    external_location: str | None = None
    comment: str | None = None
    if_not_exists: bool = False
    with_data: bool = True
    iceberg: NewIcebergTable | None = None


@dataclass(frozen=True, slots=True)
class InsertInto:
    """INSERT INTO a table that exists; `table` is its entry as the analyser saw it."""

    table: Table
    query: AnalysedStatement
    layout: WriteLayout


@dataclass(frozen=True, slots=True)
class Unload:
    """UNLOAD (query) TO a location that holds nothing yet."""

    location: str
    query: AnalysedStatement
    layout: WriteLayout


FileWrite: TypeAlias = CreateTableAs | InsertInto | Unload


class RowAction(StrEnum):
    """What happens to a row."""

    DELETE = "DELETE"
    UPDATE = "UPDATE"
    INSERT = "INSERT"


@dataclass(frozen=True, slots=True)
class ChangeRows:
    """DELETE, UPDATE or MERGE of an Iceberg table's rows (ADR-0025).

    The query's columns are all of the table's (none of them for a DELETE), then those of `CHANGES`:
    whether the row is a new one, with these values; the case that it fell in, -1 for none; the file
    and the place in it of the row that goes, NULL where none does.
    """

    table: Table
    query: AnalysedStatement
    kind: str
    """DELETE, UPDATE or MERGE."""
    actions: frozenset[RowAction]


@dataclass(frozen=True, slots=True)
class OptimizeTable:
    """OPTIMIZE of an Iceberg table: the query gives all its columns of the rows that WHERE admits.

    It says which files are looked at, by the domains of its table; it does not run.
    """

    table: Table
    query: AnalysedStatement


CHANGES: Final = ("$new", "$case", "$path", "$pos")
"""The names of the columns that tell what happens."""

WriteStatement: TypeAlias = FileWrite | ChangeRows | OptimizeTable
