"""The port to a catalog store, and what all stores share.

Names arrive normalised (the service does that). Every write is atomic, bumps the table's
generation, and raises the errors named in its docstring; a failed write changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from querysvc_catalog.errors import CatalogError, InvalidInputError
from querysvc_catalog.model import (
    ColumnStatistics,
    Database,
    DatabaseName,
    DataCatalog,
    Partition,
    PartitionValues,
    Table,
    TableName,
    TableVersion,
    UserDefinedFunction,
)
from querysvc_catalog.paging import Page
from querysvc_catalog.predicates import PartitionFilter

SEGMENTS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class CatalogLimits:
    """How many entities a store takes; Glue's own quotas by default, but fewer table versions."""

    databases_max: int = 10_000
    tables_per_database_max: int = 200_000
    partitions_per_table_max: int = 10_000_000
    archived_versions_per_table_max: int = 10_000


@dataclass(frozen=True, slots=True, order=True)
class TableGeneration:
    """A stamp that grows with every write to a table, its partitions and statistics.

    It grows, too, when a table is dropped and another of that name is created.
    """

    table_id: int
    generation: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One of several disjoint parts of a table's partitions that together are all of them."""

    number: int
    total: int

    def __post_init__(self) -> None:
        if not 1 <= self.total <= SEGMENTS_MAX or not 0 <= self.number < self.total:
            raise InvalidInputError(
                f"segment {self.number} of {self.total} is not valid: TotalSegments is 1 to "
                f"{SEGMENTS_MAX}, SegmentNumber from 0 to below it"
            )


@dataclass(frozen=True, slots=True)
class BatchError:
    """Why one item of a batch was left out; `index` is its place in the batch."""

    index: int
    values: PartitionValues
    error: CatalogError


class CatalogRepository(Protocol):
    """A store of data catalogs, databases, tables with versions, and partitions.

    Listings come in the order of names (versions: newest first; partitions: of their identity).
    """

    def create_data_catalog(self, catalog: DataCatalog) -> None:
        """Add a data catalog; AlreadyExistsError."""

    def get_data_catalog(self, name: str) -> DataCatalog:
        """Give a data catalog; EntityNotFoundError."""

    def list_data_catalogs(self, *, page_size: int, token: str | None) -> Page[DataCatalog]:
        """List the data catalogs."""

    def update_data_catalog(self, catalog: DataCatalog) -> None:
        """Replace a data catalog; EntityNotFoundError."""

    def delete_data_catalog(self, name: str) -> None:
        """Remove an empty data catalog; EntityNotFoundError, InvalidInputError if not empty."""

    def create_database(self, database: Database) -> None:
        """Add a database; AlreadyExistsError, EntityNotFoundError of the data catalog."""

    def get_database(self, name: DatabaseName) -> Database:
        """Give a database; EntityNotFoundError."""

    def list_databases(
        self,
        catalog_name: str,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[Database]:
        """List databases of a data catalog; `name_matches` chooses by name."""

    def update_database(self, database: Database) -> None:
        """Replace a database's properties; EntityNotFoundError."""

    def delete_database(self, name: DatabaseName, *, cascade: bool) -> None:
        """Remove a database; EntityNotFoundError, InvalidInputError if it holds tables."""

    def create_table(self, table: Table) -> None:
        """Add a table; AlreadyExistsError, EntityNotFoundError of the database."""

    def get_table(self, name: TableName) -> Table:
        """Give a table; EntityNotFoundError."""

    def list_tables(
        self,
        database: DatabaseName,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[Table]:
        """List tables; EntityNotFoundError of the database."""

    def list_table_names(self, database: DatabaseName) -> tuple[str, ...]:
        """List the names of all tables; EntityNotFoundError of the database."""

    def update_table(
        self, table: Table, *, expected_version: int | None, archive_previous: bool
    ) -> Table:
        """Replace a table under the next version; EntityNotFoundError.

        ConcurrentModificationError if `expected_version` is not the current one;
        InvalidInputError if partitions exist and the number of partition keys changes.
        """

    def delete_table(self, name: TableName) -> None:
        """Remove a table with its versions, partitions and statistics; EntityNotFoundError."""

    def table_generation(self, name: TableName) -> TableGeneration:
        """Give the table's generation; EntityNotFoundError."""

    def get_table_version(self, name: TableName, version_id: int) -> TableVersion:
        """Give the current or an archived version; EntityNotFoundError."""

    def list_table_versions(
        self, name: TableName, *, page_size: int, token: str | None
    ) -> Page[TableVersion]:
        """List the current and the archived versions, newest first; EntityNotFoundError."""

    def delete_table_version(self, name: TableName, version_id: int) -> None:
        """Remove an archived version; EntityNotFoundError, InvalidInputError for the current."""

    def create_partitions(
        self, table: TableName, partitions: Sequence[Partition]
    ) -> tuple[BatchError, ...]:
        """Add partitions; those that exist are left out and reported. EntityNotFoundError."""

    def get_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[Partition, ...]:
        """Give those of the named partitions that exist, in the order asked for."""

    def list_partitions(
        self,
        table: TableName,
        *,
        partition_filter: PartitionFilter | None,
        segment: Segment | None,
        page_size: int,
        token: str | None,
    ) -> Page[Partition]:
        """List the partitions that match; EntityNotFoundError of the table."""

    def list_partition_values(
        self, table: TableName, *, page_size: int, token: str | None
    ) -> Page[PartitionValues]:
        """List the values alone, which is much cheaper; EntityNotFoundError of the table."""

    def count_partitions(self, table: TableName) -> int:
        """Count all partitions, in constant time; EntityNotFoundError of the table."""

    def update_partitions(
        self, table: TableName, changes: Sequence[tuple[PartitionValues, Partition]]
    ) -> tuple[BatchError, ...]:
        """Replace partitions, which may change their values; errors are reported by item."""

    def delete_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[BatchError, ...]:
        """Remove partitions; those that do not exist are reported. EntityNotFoundError."""

    def get_column_statistics(
        self, table: TableName, values: PartitionValues | None, columns: Sequence[str]
    ) -> tuple[ColumnStatistics, ...]:
        """Give the statistics that exist of a table's, or a partition's, columns."""

    def put_column_statistics(
        self,
        table: TableName,
        values: PartitionValues | None,
        statistics: Sequence[ColumnStatistics],
    ) -> None:
        """Set statistics of columns; EntityNotFoundError of the table or partition."""

    def delete_column_statistics(
        self, table: TableName, values: PartitionValues | None, column: str
    ) -> None:
        """Remove one column's statistics; EntityNotFoundError."""

    def create_function(self, function: UserDefinedFunction) -> None:
        """Add a function; AlreadyExistsError, EntityNotFoundError of the database."""

    def get_function(self, database: DatabaseName, name: str) -> UserDefinedFunction:
        """Give a function; EntityNotFoundError."""

    def list_functions(
        self,
        database: DatabaseName,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[UserDefinedFunction]:
        """List the functions of a database; EntityNotFoundError of the database."""

    def update_function(self, function: UserDefinedFunction) -> None:
        """Replace a function; EntityNotFoundError."""

    def delete_function(self, database: DatabaseName, name: str) -> None:
        """Remove a function; EntityNotFoundError."""
