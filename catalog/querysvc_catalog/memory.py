"""The catalog in memory: a complete store for tests and for short-lived services."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TypeVar

from querysvc_catalog import identity
from querysvc_catalog.documents import dump
from querysvc_catalog.errors import (
    AlreadyExistsError,
    CatalogError,
    ConcurrentModificationError,
    EntityKind,
    EntityNotFoundError,
    InvalidInputError,
)
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
from querysvc_catalog.names import check_partition_values
from querysvc_catalog.paging import Page, decode_number_token, decode_text_token, make_page
from querysvc_catalog.predicates import PartitionFilter
from querysvc_catalog.repository import BatchError, CatalogLimits, Segment, TableGeneration

T = TypeVar("T")


@dataclass(slots=True)
class _TableEntry:
    table_id: int
    table: Table
    generation: int = 0
    versions: dict[int, Table] = field(default_factory=dict)
    partitions: dict[str, Partition] = field(default_factory=dict)
    statistics: dict[tuple[str, str], ColumnStatistics] = field(default_factory=dict)
    sorted_identities: list[str] | None = None

    def changed(self) -> None:
        self.generation += 1
        self.sorted_identities = None

    def identities_after(self, token: str | None) -> list[str]:
        if self.sorted_identities is None:
            self.sorted_identities = sorted(self.partitions)
        start = 0 if token is None else bisect.bisect_right(self.sorted_identities, token)
        return self.sorted_identities[start:]

    def drop_partition(self, partition_identity: str) -> None:
        del self.partitions[partition_identity]
        for key in [key for key in self.statistics if key[0] == partition_identity]:
            del self.statistics[key]


@dataclass(slots=True)
class _DatabaseEntry:
    database: Database
    tables: dict[str, _TableEntry] = field(default_factory=dict)
    functions: dict[str, UserDefinedFunction] = field(default_factory=dict)


class MemoryCatalogRepository:
    """A CatalogRepository whose content ends with the process; one lock guards all of it."""

    def __init__(self, limits: CatalogLimits | None = None) -> None:
        self._limits = limits or CatalogLimits()
        self._lock = RLock()
        self._catalogs: dict[str, DataCatalog] = {}
        self._databases: dict[DatabaseName, _DatabaseEntry] = {}
        self._last_table_id = 0

    def create_data_catalog(self, catalog: DataCatalog) -> None:
        """Add a data catalog."""
        with self._lock:
            if catalog.name in self._catalogs:
                raise AlreadyExistsError(EntityKind.DATA_CATALOG, catalog.name)
            self._catalogs[catalog.name] = catalog

    def get_data_catalog(self, name: str) -> DataCatalog:
        """Give a data catalog."""
        with self._lock:
            if name not in self._catalogs:
                raise EntityNotFoundError(EntityKind.DATA_CATALOG, name)
            return self._catalogs[name]

    def list_data_catalogs(self, *, page_size: int, token: str | None) -> Page[DataCatalog]:
        """List the data catalogs."""
        with self._lock:
            return _page_by_name("catalogs", self._catalogs, page_size, token)

    def update_data_catalog(self, catalog: DataCatalog) -> None:
        """Replace a data catalog."""
        with self._lock:
            self.get_data_catalog(catalog.name)
            self._catalogs[catalog.name] = catalog

    def delete_data_catalog(self, name: str) -> None:
        """Remove an empty data catalog."""
        with self._lock:
            self.get_data_catalog(name)
            if any(key.catalog_name == name for key in self._databases):
                raise InvalidInputError(f"DataCatalog {name} is not empty")
            del self._catalogs[name]

    def create_database(self, database: Database) -> None:
        """Add a database."""
        with self._lock:
            self.get_data_catalog(database.catalog_name)
            if database.full_name in self._databases:
                raise AlreadyExistsError(EntityKind.DATABASE, database.name)
            siblings = sum(key.catalog_name == database.catalog_name for key in self._databases)
            identity.check_limit(
                EntityKind.DATABASE, database.name, siblings + 1, self._limits.databases_max
            )
            dump(database)
            self._databases[database.full_name] = _DatabaseEntry(database)

    def get_database(self, name: DatabaseName) -> Database:
        """Give a database."""
        with self._lock:
            return self._database(name).database

    def list_databases(
        self, catalog_name: str, *, page_size: int, token: str | None
    ) -> Page[Database]:
        """List the databases of a data catalog."""
        with self._lock:
            self.get_data_catalog(catalog_name)
            found = {
                key.name: entry.database
                for key, entry in self._databases.items()
                if key.catalog_name == catalog_name
            }
            return _page_by_name("databases", found, page_size, token)

    def update_database(self, database: Database) -> None:
        """Replace a database's properties."""
        with self._lock:
            entry = self._database(database.full_name)
            entry.database = replace(database, create_time=entry.database.create_time)

    def delete_database(self, name: DatabaseName, *, cascade: bool) -> None:
        """Remove a database."""
        with self._lock:
            if self._database(name).tables and not cascade:
                raise InvalidInputError(f"Database {name} is not empty: it holds tables")
            del self._databases[name]

    def create_table(self, table: Table) -> None:
        """Add a table."""
        with self._lock:
            database = self._database(table.full_name.database)
            if table.name in database.tables:
                raise AlreadyExistsError(EntityKind.TABLE, str(table.full_name))
            identity.check_limit(
                EntityKind.TABLE,
                str(table.full_name),
                len(database.tables) + 1,
                self._limits.tables_per_database_max,
            )
            dump(table)  # refuses what the other stores cannot keep
            self._last_table_id += 1
            database.tables[table.name] = _TableEntry(self._last_table_id, table)

    def get_table(self, name: TableName) -> Table:
        """Give a table."""
        with self._lock:
            return self._table(name).table

    def list_tables(
        self,
        database: DatabaseName,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[Table]:
        """List tables."""
        with self._lock:
            found = {
                name: entry.table
                for name, entry in self._database(database).tables.items()
                if name_matches is None or name_matches(name)
            }
            return _page_by_name("tables", found, page_size, token)

    def list_table_names(self, database: DatabaseName) -> tuple[str, ...]:
        """List the names of all tables."""
        with self._lock:
            return tuple(sorted(self._database(database).tables))

    def update_table(
        self, table: Table, *, expected_version: int | None, archive_previous: bool
    ) -> Table:
        """Replace a table under the next version."""
        with self._lock:
            dump(table)
            entry = self._table(table.full_name)
            previous = entry.table
            if expected_version not in (None, previous.version_id):
                raise ConcurrentModificationError(EntityKind.TABLE, str(table.full_name))
            identity.check_keys_count(previous, table, len(entry.partitions))
            if archive_previous:
                identity.check_limit(
                    EntityKind.TABLE_VERSION,
                    str(table.full_name),
                    len(entry.versions) + 1,
                    self._limits.archived_versions_per_table_max,
                )
                entry.versions[previous.version_id] = previous
            entry.table = identity.next_version(previous, table)
            entry.changed()
            return entry.table

    def delete_table(self, name: TableName) -> None:
        """Remove a table."""
        with self._lock:
            self._table(name)
            del self._database(name.database).tables[name.name]

    def table_generation(self, name: TableName) -> TableGeneration:
        """Give the table's generation."""
        with self._lock:
            entry = self._table(name)
            return TableGeneration(entry.table_id, entry.generation)

    def get_table_version(self, name: TableName, version_id: int) -> TableVersion:
        """Give the current or an archived version."""
        with self._lock:
            entry = self._table(name)
            if version_id == entry.table.version_id:
                return TableVersion(entry.table, version_id)
            if version_id not in entry.versions:
                raise identity.version_not_found(name, version_id)
            return TableVersion(entry.versions[version_id], version_id)

    def list_table_versions(
        self, name: TableName, *, page_size: int, token: str | None
    ) -> Page[TableVersion]:
        """List the versions, newest first."""
        with self._lock:
            entry = self._table(name)
            before = decode_number_token("versions", token)
            versions = {**entry.versions, entry.table.version_id: entry.table}
            found = [
                TableVersion(versions[version_id], version_id)
                for version_id in sorted(versions, reverse=True)
                if before is None or version_id < before
            ]
        return make_page("versions", found, page_size, lambda version: version.version_id)

    def delete_table_version(self, name: TableName, version_id: int) -> None:
        """Remove an archived version."""
        with self._lock:
            entry = self._table(name)
            if version_id == entry.table.version_id:
                raise identity.version_is_current(name, version_id)
            if version_id not in entry.versions:
                raise identity.version_not_found(name, version_id)
            del entry.versions[version_id]

    def create_partitions(
        self, table: TableName, partitions: Sequence[Partition]
    ) -> tuple[BatchError, ...]:
        """Add partitions."""
        with self._lock:
            entry = self._table(table)
            added: dict[str, Partition] = {}
            errors: list[BatchError] = []
            for index, partition in enumerate(partitions):
                try:
                    key = _identity(entry.table, partition.values)
                    if key in entry.partitions or key in added:
                        raise identity.partition_exists(entry.table, partition.values)
                    added[key] = partition
                except CatalogError as error:
                    errors.append(BatchError(index, partition.values, error))
            identity.check_limit(
                EntityKind.PARTITION,
                f"of {table}",
                len(entry.partitions) + len(added),
                self._limits.partitions_per_table_max,
            )
            if added:
                entry.partitions.update(added)
                entry.changed()
            return tuple(errors)

    def get_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[Partition, ...]:
        """Give those of the named partitions that exist."""
        with self._lock:
            entry = self._table(table)
            keys = [identity.partition_identity(item) for item in values]
            return tuple(entry.partitions[key] for key in keys if key in entry.partitions)

    def list_partitions(
        self,
        table: TableName,
        *,
        partition_filter: PartitionFilter | None,
        segment: Segment | None,
        page_size: int,
        token: str | None,
    ) -> Page[Partition]:
        """List the partitions that match."""
        with self._lock:
            entry = self._table(table)
            found: list[Partition] = []
            for key in entry.identities_after(decode_text_token("partitions", token)):
                if segment and identity.segment_hash(key) % segment.total != segment.number:
                    continue
                partition = entry.partitions[key]
                if partition_filter is None or partition_filter.matches(partition.values):
                    found.append(partition)
                    if len(found) > page_size:
                        break
        return make_page(
            "partitions", found, page_size, lambda item: identity.partition_identity(item.values)
        )

    def list_partition_values(
        self, table: TableName, *, page_size: int, token: str | None
    ) -> Page[PartitionValues]:
        """List the values alone."""
        with self._lock:
            entry = self._table(table)
            keys = entry.identities_after(decode_text_token("values", token))
            found = [entry.partitions[key].values for key in keys[: page_size + 1]]
        return make_page("values", found, page_size, identity.partition_identity)

    def count_partitions(self, table: TableName) -> int:
        """Count all partitions."""
        with self._lock:
            return len(self._table(table).partitions)

    def update_partitions(
        self, table: TableName, changes: Sequence[tuple[PartitionValues, Partition]]
    ) -> tuple[BatchError, ...]:
        """Replace partitions."""
        with self._lock:
            entry = self._table(table)
            errors: list[BatchError] = []
            for index, (values, partition) in enumerate(changes):
                try:
                    self._update_partition(entry, values, partition)
                except CatalogError as error:
                    errors.append(BatchError(index, values, error))
            if len(errors) < len(changes):
                entry.changed()
            return tuple(errors)

    def _update_partition(
        self, entry: _TableEntry, values: PartitionValues, partition: Partition
    ) -> None:
        old = identity.partition_identity(values)
        new = _identity(entry.table, partition.values)
        if old not in entry.partitions:
            raise identity.partition_not_found(entry.table, values)
        if new != old and new in entry.partitions:
            raise identity.partition_exists(entry.table, partition.values)
        created = entry.partitions[old].creation_time
        if new != old:
            entry.drop_partition(old)
        entry.partitions[new] = replace(partition, creation_time=created)

    def delete_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[BatchError, ...]:
        """Remove partitions."""
        with self._lock:
            entry = self._table(table)
            errors: list[BatchError] = []
            for index, item in enumerate(values):
                key = identity.partition_identity(item)
                if key in entry.partitions:
                    entry.drop_partition(key)
                else:
                    error = identity.partition_not_found(entry.table, item)
                    errors.append(BatchError(index, item, error))
            if len(errors) < len(values):
                entry.changed()
            return tuple(errors)

    def get_column_statistics(
        self, table: TableName, values: PartitionValues | None, columns: Sequence[str]
    ) -> tuple[ColumnStatistics, ...]:
        """Give the statistics that exist."""
        with self._lock:
            entry = self._table(table)
            key = self._statistics_key(entry, values)
            found = ((key, column) for column in columns)
            return tuple(entry.statistics[item] for item in found if item in entry.statistics)

    def put_column_statistics(
        self,
        table: TableName,
        values: PartitionValues | None,
        statistics: Sequence[ColumnStatistics],
    ) -> None:
        """Set statistics of columns."""
        with self._lock:
            entry = self._table(table)
            key = self._statistics_key(entry, values)
            for item in statistics:
                entry.statistics[key, item.column_name] = item
            entry.changed()

    def delete_column_statistics(
        self, table: TableName, values: PartitionValues | None, column: str
    ) -> None:
        """Remove one column's statistics."""
        with self._lock:
            entry = self._table(table)
            key = self._statistics_key(entry, values)
            if (key, column) not in entry.statistics:
                raise identity.statistics_not_found(table, column)
            del entry.statistics[key, column]
            entry.changed()

    def _statistics_key(self, entry: _TableEntry, values: PartitionValues | None) -> str:
        if values is None:
            return ""
        key = identity.partition_identity(values)
        if key not in entry.partitions:
            raise identity.partition_not_found(entry.table, values)
        return key

    def create_function(self, function: UserDefinedFunction) -> None:
        """Add a function."""
        with self._lock:
            functions = self._functions(identity.function_database(function))
            if function.function_name in functions:
                raise identity.function_exists(function)
            functions[function.function_name] = function

    def get_function(self, database: DatabaseName, name: str) -> UserDefinedFunction:
        """Give a function."""
        with self._lock:
            functions = self._functions(database)
            if name not in functions:
                raise identity.function_not_found(database, name)
            return functions[name]

    def list_functions(
        self,
        database: DatabaseName,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[UserDefinedFunction]:
        """List the functions of a database."""
        with self._lock:
            found = {
                name: function
                for name, function in self._functions(database).items()
                if name_matches is None or name_matches(name)
            }
            return _page_by_name("functions", found, page_size, token)

    def update_function(self, function: UserDefinedFunction) -> None:
        """Replace a function."""
        with self._lock:
            database = identity.function_database(function)
            self.get_function(database, function.function_name)
            self._functions(database)[function.function_name] = function

    def delete_function(self, database: DatabaseName, name: str) -> None:
        """Remove a function."""
        with self._lock:
            self.get_function(database, name)
            del self._functions(database)[name]

    def _functions(self, database: DatabaseName) -> dict[str, UserDefinedFunction]:
        return self._database(database).functions

    def _database(self, name: DatabaseName) -> _DatabaseEntry:
        if name not in self._databases:
            raise EntityNotFoundError(EntityKind.DATABASE, str(name))
        return self._databases[name]

    def _table(self, name: TableName) -> _TableEntry:
        tables = self._database(name.database).tables
        if name.name not in tables:
            raise EntityNotFoundError(EntityKind.TABLE, str(name))
        return tables[name.name]


def _identity(table: Table, values: PartitionValues) -> str:
    return identity.partition_identity(check_partition_values(values, len(table.partition_keys)))


def _page_by_name(kind: str, items: Mapping[str, T], page_size: int, token: str | None) -> Page[T]:
    after = decode_text_token(kind, token)
    names = sorted(name for name in items if after is None or name > after)[: page_size + 1]
    page = make_page(kind, names, page_size, str)
    return Page(tuple(items[name] for name in page.items), page.next_token)
