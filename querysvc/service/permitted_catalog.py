"""The catalog as one principal sees it: what may not be known is not there.

Every wire, DDL and listing reads and writes through it. Reading what is hidden finds nothing, as if
it did not exist; writing without a grant is PERMISSION_DENIED, whether or not there is something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from querysvc.service.access import Access, Action, Columns, denied, full_name
from querysvc_catalog.errors import EntityKind, EntityNotFoundError
from querysvc_catalog.model import (
    Column,
    ColumnStatistics,
    Database,
    DatabaseName,
    DataCatalog,
    Partition,
    PartitionValues,
    StorageDescriptor,
    Table,
    TableName,
    TableVersion,
    UserDefinedFunction,
)
from querysvc_catalog.paging import Page
from querysvc_catalog.predicates import PartitionFilter
from querysvc_catalog.repository import (
    BatchError,
    CatalogRepository,
    Segment,
    TableGeneration,
)


class PermittedRepository:
    """A CatalogRepository that shows and changes what one principal may see and change."""

    def __init__(self, repository: CatalogRepository, access: Access) -> None:
        self._repository = repository
        self._access = access

    def create_data_catalog(self, catalog: DataCatalog) -> None:
        self._require_catalog(Action.CREATE, catalog.name)
        self._repository.create_data_catalog(catalog)

    def get_data_catalog(self, name: str) -> DataCatalog:
        return self._repository.get_data_catalog(name)

    def list_data_catalogs(self, *, page_size: int, token: str | None) -> Page[DataCatalog]:
        return self._repository.list_data_catalogs(page_size=page_size, token=token)

    def update_data_catalog(self, catalog: DataCatalog) -> None:
        self._require_catalog(Action.ALTER, catalog.name)
        self._repository.update_data_catalog(catalog)

    def delete_data_catalog(self, name: str) -> None:
        self._require_catalog(Action.DROP, name)
        self._repository.delete_data_catalog(name)

    def create_database(self, database: Database) -> None:
        self._access.require_database(Action.CREATE, database.full_name)
        self._access.require_locations((database.location_uri,))
        self._repository.create_database(database)

    def get_database(self, name: DatabaseName) -> Database:
        self._seen_database(name)
        return self._repository.get_database(name)

    def list_databases(
        self,
        catalog_name: str,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[Database]:
        return self._repository.list_databases(
            catalog_name,
            name_matches=self._chosen(
                lambda name: self._access.sees_database(DatabaseName(catalog_name, name)),
                name_matches,
            ),
            page_size=page_size,
            token=token,
        )

    def update_database(self, database: Database) -> None:
        self._access.require_database(Action.ALTER, database.full_name)
        self._access.require_locations((database.location_uri,))
        self._repository.update_database(database)

    def delete_database(self, name: DatabaseName, *, cascade: bool) -> None:
        self._access.require_database(Action.DROP, name)
        self._repository.delete_database(name, cascade=cascade)

    def create_table(self, table: Table) -> None:
        self._access.require(Action.CREATE, table.full_name)
        self._access.require_locations(_addresses(table))
        self._repository.create_table(table)

    def get_table(self, name: TableName) -> Table:
        self._seen_table(name)
        return self._shown(self._repository.get_table(name))

    def list_tables(
        self,
        database: DatabaseName,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[Table]:
        self._seen_database(database)
        page = self._repository.list_tables(
            database,
            name_matches=self._chosen(
                lambda name: self._is_seen(TableName(database.catalog_name, database.name, name)),
                name_matches,
            ),
            page_size=page_size,
            token=token,
        )
        return replace(page, items=tuple(map(self._shown, page.items)))

    def list_table_names(self, database: DatabaseName) -> tuple[str, ...]:
        self._seen_database(database)
        return tuple(
            name
            for name in self._repository.list_table_names(database)
            if self._is_seen(TableName(database.catalog_name, database.name, name))
        )

    def update_table(
        self, table: Table, *, expected_version: int | None, archive_previous: bool
    ) -> Table:
        self._access.require(Action.ALTER, table.full_name)
        before = self._repository.get_table(table.full_name)
        known, home = set(_addresses(before)), f"{(before.location or '').rstrip('/')}/"
        self._access.require_locations(
            one
            for one in _addresses(table)
            # Below the table's own location lie the metadata files of an Iceberg table.
            if one not in known and (home == "/" or not one.startswith(home))
        )
        self._require_names(before, table)
        return self._repository.update_table(
            table, expected_version=expected_version, archive_previous=archive_previous
        )

    def delete_table(self, name: TableName) -> None:
        self._access.require(Action.DROP, name)
        self._repository.delete_table(name)

    def table_generation(self, name: TableName) -> TableGeneration:
        self._seen_table(name)
        return self._repository.table_generation(name)

    def get_table_version(self, name: TableName, version_id: int) -> TableVersion:
        self._seen_table(name)
        return self._shown_version(self._repository.get_table_version(name, version_id))

    def list_table_versions(
        self, name: TableName, *, page_size: int, token: str | None
    ) -> Page[TableVersion]:
        self._seen_table(name)
        page = self._repository.list_table_versions(name, page_size=page_size, token=token)
        return replace(page, items=tuple(map(self._shown_version, page.items)))

    def delete_table_version(self, name: TableName, version_id: int) -> None:
        self._access.require(Action.ALTER, name)
        self._repository.delete_table_version(name, version_id)

    def create_partitions(
        self, table: TableName, partitions: Sequence[Partition]
    ) -> tuple[BatchError, ...]:
        self._require_writing(table)
        self._require_places(table, partitions)
        return self._repository.create_partitions(table, partitions)

    def get_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[Partition, ...]:
        columns = self._partitions_seen(table)
        found = self._repository.get_partitions(table, values)
        return tuple(_partition_shown(one, columns) for one in found)

    def list_partitions(
        self,
        table: TableName,
        *,
        partition_filter: PartitionFilter | None,
        segment: Segment | None,
        page_size: int,
        token: str | None,
    ) -> Page[Partition]:
        columns = self._partitions_seen(table)
        page = self._repository.list_partitions(
            table,
            partition_filter=partition_filter,
            segment=segment,
            page_size=page_size,
            token=token,
        )
        return replace(page, items=tuple(_partition_shown(one, columns) for one in page.items))

    def list_partition_values(
        self, table: TableName, *, page_size: int, token: str | None
    ) -> Page[PartitionValues]:
        self._partitions_seen(table)
        return self._repository.list_partition_values(table, page_size=page_size, token=token)

    def count_partitions(self, table: TableName) -> int:
        self._partitions_seen(table)
        return self._repository.count_partitions(table)

    def update_partitions(
        self, table: TableName, changes: Sequence[tuple[PartitionValues, Partition]]
    ) -> tuple[BatchError, ...]:
        self._access.require(Action.ALTER, table)
        self._require_places(table, [partition for _, partition in changes])
        return self._repository.update_partitions(table, changes)

    def delete_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[BatchError, ...]:
        self._access.require(Action.ALTER, table)
        return self._repository.delete_partitions(table, values)

    def get_column_statistics(
        self, table: TableName, values: PartitionValues | None, columns: Sequence[str]
    ) -> tuple[ColumnStatistics, ...]:
        self._seen_table(table)
        known = self._access.columns_of_all_rows(table)
        seen = [name for name in columns if known is None or name in known]
        return self._repository.get_column_statistics(table, values, seen)

    def put_column_statistics(
        self,
        table: TableName,
        values: PartitionValues | None,
        statistics: Sequence[ColumnStatistics],
    ) -> None:
        self._require_writing(table)
        self._repository.put_column_statistics(table, values, statistics)

    def delete_column_statistics(
        self, table: TableName, values: PartitionValues | None, column: str
    ) -> None:
        self._require_writing(table)
        self._repository.delete_column_statistics(table, values, column)

    def create_function(self, function: UserDefinedFunction) -> None:
        self._access.require_database(Action.CREATE, _database_of(function))
        self._repository.create_function(function)

    def get_function(self, database: DatabaseName, name: str) -> UserDefinedFunction:
        self._seen_database(database)
        return self._repository.get_function(database, name)

    def list_functions(
        self,
        database: DatabaseName,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[UserDefinedFunction]:
        self._seen_database(database)
        return self._repository.list_functions(
            database, name_matches=name_matches, page_size=page_size, token=token
        )

    def update_function(self, function: UserDefinedFunction) -> None:
        self._access.require_database(Action.ALTER, _database_of(function))
        self._repository.update_function(function)

    def delete_function(self, database: DatabaseName, name: str) -> None:
        self._access.require_database(Action.DROP, database)
        self._repository.delete_function(database, name)

    # What may be seen.

    def _seen_database(self, name: DatabaseName) -> None:
        if not self._access.sees_database(name):
            raise EntityNotFoundError(EntityKind.DATABASE, str(name.name))

    def _chosen(
        self, is_seen: Callable[[str], bool], name_matches: Callable[[str], bool] | None
    ) -> Callable[[str], bool] | None:
        """Choose names that may be known before pages are cut: a page's token holds a name."""
        if self._access.is_unrestricted:
            return name_matches
        return lambda name: is_seen(name) and (name_matches is None or name_matches(name))

    def _is_seen(self, name: TableName) -> bool:
        return self._access.described(name) != frozenset()

    def _seen_table(self, name: TableName) -> None:
        if not self._is_seen(name):
            raise EntityNotFoundError(EntityKind.TABLE, name.name)

    def _shown(self, table: Table) -> Table:
        """The table with the columns that may be known."""
        columns = self._access.described(table.full_name)
        if columns is None:
            return table
        return replace(
            table,
            storage_descriptor=_descriptor_shown(table.storage_descriptor, columns),
            partition_keys=_columns_shown(table.partition_keys, columns),
        )

    def _shown_version(self, version: TableVersion) -> TableVersion:
        return replace(version, table=self._shown(version.table))

    def _partitions_seen(self, name: TableName) -> Columns:
        """The columns that are told of partitions, whose values are those of all rows."""
        self._seen_table(name)
        known = self._access.columns_of_all_rows(name)
        if known is not None:
            keys = {key.name.lower() for key in self._repository.get_table(name).partition_keys}
            if not keys <= known:
                raise denied(f"Cannot show partitions of table {full_name(name)}")
        return self._access.described(name)

    # What may be done.

    def _require_catalog(self, action: Action, name: str) -> None:
        self._access.require_database(action, DatabaseName(name, "*"))

    def _require_writing(self, name: TableName) -> None:
        if not self._access.may(Action.INSERT, name):
            self._access.require(Action.ALTER, name)

    def _require_names(self, before: Table, after: Table) -> None:
        """Who sees a part of a table alone may add columns, and not change which name means which.

        Grants tell columns by name, and row filters name them.
        """
        if not self._access.visible(before.full_name):
            return
        names = [column.name for column in before.current_columns]
        if [column.name for column in after.current_columns][: len(names)] != names:
            raise denied(
                f"Cannot alter columns of table {full_name(before.full_name)}: only some of its"
                " rows or columns may be read"
            )

    def _require_places(self, name: TableName, partitions: Sequence[Partition]) -> None:
        """Partitions lie under their table, or where a location is granted."""
        table = self._repository.get_table(name)
        home = f"{(table.location or '').rstrip('/')}/"
        for partition in partitions:
            addresses = _descriptor_addresses(partition.storage_descriptor)
            strange = (one for one in addresses if home == "/" or not f"{one}/".startswith(home))
            self._access.require_locations((*strange, *partition.parameters.values()))


def _columns_shown(columns: Iterable[Column], shown: frozenset[str]) -> tuple[Column, ...]:
    return tuple(column for column in columns if column.name.lower() in shown)


def _descriptor_shown(
    descriptor: StorageDescriptor | None, shown: Columns
) -> StorageDescriptor | None:
    if descriptor is None or shown is None:
        return descriptor
    return replace(descriptor, columns=_columns_shown(descriptor.columns, shown))


def _partition_shown(partition: Partition, shown: Columns) -> Partition:
    descriptor = _descriptor_shown(partition.storage_descriptor, shown)
    return replace(partition, storage_descriptor=descriptor)


def _addresses(table: Table) -> tuple[str, ...]:
    """Every place that a table's definition can make a query read."""
    return (*_descriptor_addresses(table.storage_descriptor), *table.parameters.values())


def _descriptor_addresses(descriptor: StorageDescriptor | None) -> tuple[str, ...]:
    if descriptor is None:
        return ()
    serde = descriptor.serde_info
    told = (*descriptor.parameters.values(), *(serde.parameters.values() if serde else ()))
    return told if descriptor.location is None else (descriptor.location, *told)


def _database_of(function: UserDefinedFunction) -> DatabaseName:
    return DatabaseName(function.catalog_name, function.database_name)
