"""The catalog in memory: a complete store for tests and for short-lived services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from querysvc_catalog import identity
from querysvc_catalog.documents import dump
from querysvc_catalog.errors import (
    AlreadyExistsError,
    CatalogError,
    ConcurrentModificationError,
    EntityKind,
)
from querysvc_catalog.memory_databases import MemoryDatabases, TableEntry, page_by_name
from querysvc_catalog.model import (
    ColumnStatistics,
    DatabaseName,
    Partition,
    PartitionValues,
    Table,
    TableName,
    TableVersion,
)
from querysvc_catalog.names import check_partition_values
from querysvc_catalog.paging import Page, decode_number_token, decode_text_token, make_page
from querysvc_catalog.predicates import PartitionFilter
from querysvc_catalog.repository import BatchError, Segment, TableGeneration


class MemoryCatalogRepository(MemoryDatabases):
    """A CatalogRepository whose content ends with the process; one lock guards all of it."""

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
            database.tables[table.name] = TableEntry(self._last_table_id, table)

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
            return page_by_name("tables", found, page_size, token)

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
        self, entry: TableEntry, values: PartitionValues, partition: Partition
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

    def _statistics_key(self, entry: TableEntry, values: PartitionValues | None) -> str:
        if values is None:
            return ""
        key = identity.partition_identity(values)
        if key not in entry.partitions:
            raise identity.partition_not_found(entry.table, values)
        return key


def _identity(table: Table, values: PartitionValues) -> str:
    return identity.partition_identity(check_partition_values(values, len(table.partition_keys)))
