"""The catalog's use cases, for DDL, for the Glue and Athena wires and for the planner.

Names are normalised here and times are set here; atomicity is the repository's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from querysvc_catalog import normalize
from querysvc_catalog.errors import (
    AlreadyExistsError,
    EntityNotFoundError,
    InvalidInputError,
)
from querysvc_catalog.expression import parse_expression
from querysvc_catalog.identity import partition_not_found
from querysvc_catalog.model import (
    DEFAULT_CATALOG,
    DEFAULT_DATABASE,
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
from querysvc_catalog.name_patterns import compile_name_pattern
from querysvc_catalog.paging import (
    PAGE_SIZE_MAX,
    Page,
    all_items,
    check_page_size,
    decode_text_token,
    encode_token,
    make_page,
)
from querysvc_catalog.predicates import PartitionFilter
from querysvc_catalog.repository import (
    BatchError,
    CatalogRepository,
    Segment,
    TableGeneration,
)

PAGE_SIZE_DEFAULT: Final = 100
_SEARCH_PAGE_SIZE: Final = 500
_SEPARATOR: Final = "\n"  # no name holds it


class CatalogService:
    """Everything one can do with the catalog; safe to share between threads."""

    def __init__(self, repository: CatalogRepository, clock: Callable[[], datetime]) -> None:
        self._repository = repository
        self._clock = clock

    def ensure_defaults(self) -> None:
        """Create the default data catalog and the default database if they are absent."""
        try:
            self._repository.get_database(DatabaseName(DEFAULT_CATALOG, DEFAULT_DATABASE))
        except EntityNotFoundError:
            with contextlib.suppress(AlreadyExistsError):
                self.create_data_catalog(DataCatalog(DEFAULT_CATALOG))
            with contextlib.suppress(AlreadyExistsError):
                self.create_database(Database(DEFAULT_DATABASE))

    def create_data_catalog(self, catalog: DataCatalog) -> DataCatalog:
        """Add a data catalog."""
        stored = self._normalized_catalog(catalog)
        self._repository.create_data_catalog(stored)
        return stored

    def get_data_catalog(self, name: str) -> DataCatalog:
        """Give a data catalog."""
        return self._repository.get_data_catalog(normalize.catalog_name(name))

    def list_data_catalogs(
        self, *, page_size: int = PAGE_SIZE_DEFAULT, token: str | None = None
    ) -> Page[DataCatalog]:
        """List the data catalogs."""
        return self._repository.list_data_catalogs(
            page_size=check_page_size(page_size), token=token
        )

    def update_data_catalog(self, catalog: DataCatalog) -> DataCatalog:
        """Replace a data catalog's properties."""
        stored = self._normalized_catalog(catalog)
        self._repository.update_data_catalog(stored)
        return stored

    def delete_data_catalog(self, name: str) -> None:
        """Remove an empty data catalog; the default one stays."""
        normalized = normalize.catalog_name(name)
        if normalized == DEFAULT_CATALOG:
            raise InvalidInputError(f"the data catalog {DEFAULT_CATALOG} cannot be deleted")
        self._repository.delete_data_catalog(normalized)

    def _normalized_catalog(self, catalog: DataCatalog) -> DataCatalog:
        return replace(
            catalog,
            name=normalize.catalog_name(catalog.name),
            parameters=dict(catalog.parameters),
        )

    def create_database(self, database: Database) -> Database:
        """Add a database."""
        stored = replace(normalize.database(database), create_time=self._clock())
        self._repository.create_database(stored)
        return stored

    def get_database(self, name: DatabaseName) -> Database:
        """Give a database."""
        return self._repository.get_database(normalize.database_name(name))

    def list_databases(
        self,
        catalog_name: str = DEFAULT_CATALOG,
        *,
        page_size: int = PAGE_SIZE_DEFAULT,
        token: str | None = None,
    ) -> Page[Database]:
        """List the databases of a data catalog."""
        return self._repository.list_databases(
            normalize.catalog_name(catalog_name),
            name_matches=None,
            page_size=check_page_size(page_size),
            token=token,
        )

    def iter_databases(self, catalog_name: str = DEFAULT_CATALOG) -> Iterator[Database]:
        """Walk all databases of a data catalog."""
        return all_items(
            lambda token: self.list_databases(catalog_name, page_size=PAGE_SIZE_MAX, token=token)
        )

    def update_database(self, database: Database) -> None:
        """Replace a database's properties."""
        self._repository.update_database(normalize.database(database))

    def delete_database(self, name: DatabaseName, *, cascade: bool) -> None:
        """Remove a database; without `cascade` only an empty one."""
        self._repository.delete_database(normalize.database_name(name), cascade=cascade)

    def create_table(self, table: Table) -> Table:
        """Add a table as version 0."""
        now = self._clock()
        stored = replace(normalize.table(table), version_id=0, create_time=now, update_time=now)
        self._repository.create_table(stored)
        return stored

    def get_table(self, name: TableName) -> Table:
        """Give a table."""
        return self._repository.get_table(normalize.table_name(name))

    def find_table(self, name: TableName) -> Table | None:
        """Give a table, or None if it or its database does not exist."""
        try:
            return self.get_table(name)
        except EntityNotFoundError:
            return None

    def list_tables(
        self,
        database: DatabaseName,
        *,
        expression: str | None = None,
        page_size: int = PAGE_SIZE_DEFAULT,
        token: str | None = None,
    ) -> Page[Table]:
        """List tables, optionally those whose names fit a pattern (`sales*|*_2024`)."""
        return self._repository.list_tables(
            normalize.database_name(database),
            name_matches=compile_name_pattern(expression) if expression else None,
            page_size=check_page_size(page_size),
            token=token,
        )

    def iter_tables(self, database: DatabaseName) -> Iterator[Table]:
        """Walk all tables of a database."""
        return all_items(lambda token: self.list_tables(database, page_size=1_000, token=token))

    def search_tables(
        self,
        text: str,
        *,
        catalog_name: str = DEFAULT_CATALOG,
        page_size: int = PAGE_SIZE_DEFAULT,
        token: str | None = None,
    ) -> Page[Table]:
        """Find the tables of a data catalog that speak of a text, in the order of their names."""
        check_page_size(page_size)
        after = decode_text_token("search", token)
        found: list[Table] = []
        for table in self._tables_after(catalog_name, after):
            if _mentions(table, text):
                found.append(table)
                if len(found) > page_size:
                    break
        return make_page("search", found, page_size, _search_key)

    def _tables_after(self, catalog_name: str, after: str | None) -> Iterator[Table]:
        database_after, _, table_after = (after or "").partition(_SEPARATOR)
        for database in self.iter_databases(catalog_name):
            if database.name < database_after:
                continue
            resume = after is not None and database.name == database_after
            try:
                yield from all_items(
                    lambda token, name=database.full_name: self.list_tables(  # type: ignore[misc]
                        name, page_size=_SEARCH_PAGE_SIZE, token=token
                    ),
                    token=encode_token("tables", table_after) if resume else None,
                )
            except EntityNotFoundError:  # dropped meanwhile
                continue

    def list_table_names(self, database: DatabaseName) -> tuple[str, ...]:
        """List the names of all tables of a database, without reading the tables."""
        return self._repository.list_table_names(normalize.database_name(database))

    def update_table(
        self, table: Table, *, expected_version: int | None = None, skip_archive: bool = False
    ) -> Table:
        """Replace a table; `expected_version` makes it a compare-and-swap."""
        stored = replace(normalize.table(table), update_time=self._clock())
        return self._repository.update_table(
            stored, expected_version=expected_version, archive_previous=not skip_archive
        )

    def delete_table(self, name: TableName) -> None:
        """Remove a table with its versions, partitions and statistics."""
        self._repository.delete_table(normalize.table_name(name))

    def table_generation(self, name: TableName) -> TableGeneration:
        """Give the stamp that grows with every write to a table or its partitions."""
        return self._repository.table_generation(normalize.table_name(name))

    def get_table_version(self, name: TableName, version_id: int) -> TableVersion:
        """Give a table as it was at a version."""
        return self._repository.get_table_version(normalize.table_name(name), version_id)

    def list_table_versions(
        self, name: TableName, *, page_size: int = PAGE_SIZE_DEFAULT, token: str | None = None
    ) -> Page[TableVersion]:
        """List the versions of a table, newest first."""
        return self._repository.list_table_versions(
            normalize.table_name(name), page_size=check_page_size(page_size), token=token
        )

    def delete_table_version(self, name: TableName, version_id: int) -> None:
        """Remove an archived version of a table."""
        self._repository.delete_table_version(normalize.table_name(name), version_id)

    def create_partition(self, table: TableName, partition: Partition) -> None:
        """Add one partition."""
        _raise_first(self.create_partitions(table, [partition]))

    def create_partitions(
        self, table: TableName, partitions: Sequence[Partition]
    ) -> tuple[BatchError, ...]:
        """Add partitions; what cannot be added is reported by item, the rest is added."""
        stored = normalize.partitions(partitions, self._clock())
        return self._repository.create_partitions(normalize.table_name(table), stored)

    def get_partition(self, table: TableName, values: PartitionValues) -> Partition:
        """Give one partition."""
        name = normalize.table_name(table)
        found = self._repository.get_partitions(name, [values])
        if not found:
            raise partition_not_found(self._repository.get_table(name), values)
        return found[0]

    def get_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[Partition, ...]:
        """Give those of the named partitions that exist."""
        return self._repository.get_partitions(normalize.table_name(table), values)

    def list_partitions(
        self,
        table: TableName,
        *,
        partition_filter: PartitionFilter | str | None = None,
        segment: Segment | None = None,
        page_size: int = PAGE_SIZE_DEFAULT,
        token: str | None = None,
    ) -> Page[Partition]:
        """List the partitions that match a filter, which may be an expression in Glue's grammar."""
        name = normalize.table_name(table)
        if isinstance(partition_filter, str):
            keys = self._repository.get_table(name).partition_keys
            partition_filter = parse_expression(partition_filter, keys)
        return self._repository.list_partitions(
            name,
            partition_filter=partition_filter,
            segment=segment,
            page_size=check_page_size(page_size),
            token=token,
        )

    def iter_partitions(
        self, table: TableName, partition_filter: PartitionFilter | None = None
    ) -> Iterator[Partition]:
        """Walk all partitions that match a filter."""
        return all_items(
            lambda token: self.list_partitions(
                table, partition_filter=partition_filter, page_size=PAGE_SIZE_MAX, token=token
            )
        )

    def iter_partition_values(self, table: TableName) -> Iterator[PartitionValues]:
        """Walk the values of all partitions, without reading the rest of them."""
        name = normalize.table_name(table)
        return all_items(
            lambda token: self._repository.list_partition_values(
                name, page_size=PAGE_SIZE_MAX, token=token
            )
        )

    def count_partitions(self, table: TableName) -> int:
        """Count the partitions of a table."""
        return self._repository.count_partitions(normalize.table_name(table))

    def update_partition(
        self, table: TableName, values: PartitionValues, partition: Partition
    ) -> None:
        """Replace one partition, which may change its values."""
        _raise_first(self.update_partitions(table, [(values, partition)]))

    def update_partitions(
        self, table: TableName, changes: Sequence[tuple[PartitionValues, Partition]]
    ) -> tuple[BatchError, ...]:
        """Replace partitions; what cannot be replaced is reported by item."""
        stored = normalize.partitions([partition for _, partition in changes], None)
        named = [
            (values, partition) for (values, _), partition in zip(changes, stored, strict=True)
        ]
        return self._repository.update_partitions(normalize.table_name(table), named)

    def delete_partition(self, table: TableName, values: PartitionValues) -> None:
        """Remove one partition."""
        _raise_first(self.delete_partitions(table, [values]))

    def delete_partitions(
        self, table: TableName, values: Sequence[PartitionValues]
    ) -> tuple[BatchError, ...]:
        """Remove partitions; those that do not exist are reported by item."""
        return self._repository.delete_partitions(normalize.table_name(table), values)

    def get_column_statistics(
        self, table: TableName, values: PartitionValues | None, columns: Sequence[str]
    ) -> tuple[ColumnStatistics, ...]:
        """Give the statistics that exist of a table's (or a partition's) columns."""
        names = [normalize.column_name(column) for column in columns]
        return self._repository.get_column_statistics(normalize.table_name(table), values, names)

    def put_column_statistics(
        self,
        table: TableName,
        values: PartitionValues | None,
        statistics: Sequence[ColumnStatistics],
    ) -> None:
        """Set statistics of a table's (or a partition's) columns."""
        stored = [
            replace(item, column_name=normalize.column_name(item.column_name))
            for item in statistics
        ]
        self._repository.put_column_statistics(normalize.table_name(table), values, stored)

    def delete_column_statistics(
        self, table: TableName, values: PartitionValues | None, column: str
    ) -> None:
        """Remove the statistics of one column."""
        self._repository.delete_column_statistics(
            normalize.table_name(table), values, normalize.column_name(column)
        )

    def create_function(self, function: UserDefinedFunction) -> UserDefinedFunction:
        """Add a function."""
        stored = replace(normalize.function(function), create_time=self._clock())
        self._repository.create_function(stored)
        return stored

    def get_function(self, database: DatabaseName, name: str) -> UserDefinedFunction:
        """Give a function."""
        return self._repository.get_function(
            normalize.database_name(database), normalize.function_name(name)
        )

    def list_functions(
        self,
        database: DatabaseName,
        *,
        pattern: str | None = None,
        page_size: int = PAGE_SIZE_DEFAULT,
        token: str | None = None,
    ) -> Page[UserDefinedFunction]:
        """List the functions of a database, optionally those whose names fit a pattern."""
        return self._repository.list_functions(
            normalize.database_name(database),
            name_matches=compile_name_pattern(pattern) if pattern else None,
            page_size=check_page_size(page_size),
            token=token,
        )

    def update_function(self, function: UserDefinedFunction) -> None:
        """Replace a function."""
        stored = replace(normalize.function(function), create_time=self._clock())
        self._repository.update_function(stored)

    def delete_function(self, database: DatabaseName, name: str) -> None:
        """Remove a function."""
        self._repository.delete_function(
            normalize.database_name(database), normalize.function_name(name)
        )


def _mentions(table: Table, text: str) -> bool:
    """Tell whether a table's name, description, columns or parameters hold a text, in any case."""
    spoken = [table.database_name, table.name, table.description or "", *table.parameters.values()]
    for column in (*table.columns, *table.partition_keys):
        spoken += (column.name, column.comment or "")
    wanted = text.casefold()
    return any(wanted in part.casefold() for part in spoken)


def _search_key(table: Table) -> str:
    return f"{table.database_name}{_SEPARATOR}{table.name}"


def _raise_first(errors: Sequence[BatchError]) -> None:
    for error in errors:
        raise error.error
