"""The part of the in-memory catalog above tables, and what its parts share."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TypeVar

from querysvc_catalog import identity
from querysvc_catalog.documents import dump
from querysvc_catalog.errors import (
    AlreadyExistsError,
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
    Table,
    TableName,
    UserDefinedFunction,
)
from querysvc_catalog.paging import Page, decode_text_token, make_page
from querysvc_catalog.repository import CatalogLimits

T = TypeVar("T")


@dataclass(slots=True)
class TableEntry:
    """A table with all it owns."""

    table_id: int
    table: Table
    generation: int = 0
    versions: dict[int, Table] = field(default_factory=dict)
    partitions: dict[str, Partition] = field(default_factory=dict)
    statistics: dict[tuple[str, str], ColumnStatistics] = field(default_factory=dict)
    sorted_identities: list[str] | None = None

    def changed(self) -> None:
        """Note a write."""
        self.generation += 1
        self.sorted_identities = None

    def identities_after(self, token: str | None) -> list[str]:
        """Give the identities of the partitions after one, in order."""
        if self.sorted_identities is None:
            self.sorted_identities = sorted(self.partitions)
        start = 0 if token is None else bisect.bisect_right(self.sorted_identities, token)
        return self.sorted_identities[start:]

    def drop_partition(self, partition_identity: str) -> None:
        """Remove a partition and its statistics."""
        del self.partitions[partition_identity]
        for key in [key for key in self.statistics if key[0] == partition_identity]:
            del self.statistics[key]


@dataclass(slots=True)
class DatabaseEntry:
    """A database with all it owns."""

    database: Database
    tables: dict[str, TableEntry] = field(default_factory=dict)
    functions: dict[str, UserDefinedFunction] = field(default_factory=dict)


class MemoryDatabases:
    """Data catalogs, databases and functions; one lock guards all of the catalog."""

    def __init__(self, limits: CatalogLimits | None = None) -> None:
        self._limits = limits or CatalogLimits()
        self._lock = RLock()
        self._catalogs: dict[str, DataCatalog] = {}
        self._databases: dict[DatabaseName, DatabaseEntry] = {}
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
            return page_by_name("catalogs", self._catalogs, page_size, token)

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
            self._databases[database.full_name] = DatabaseEntry(database)

    def get_database(self, name: DatabaseName) -> Database:
        """Give a database."""
        with self._lock:
            return self._database(name).database

    def list_databases(
        self,
        catalog_name: str,
        *,
        name_matches: Callable[[str], bool] | None,
        page_size: int,
        token: str | None,
    ) -> Page[Database]:
        """List the databases of a data catalog."""
        with self._lock:
            self.get_data_catalog(catalog_name)
            found = {
                key.name: entry.database
                for key, entry in self._databases.items()
                if key.catalog_name == catalog_name
                and (name_matches is None or name_matches(key.name))
            }
            return page_by_name("databases", found, page_size, token)

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
            return page_by_name("functions", found, page_size, token)

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

    def _database(self, name: DatabaseName) -> DatabaseEntry:
        if name not in self._databases:
            raise EntityNotFoundError(EntityKind.DATABASE, str(name))
        return self._databases[name]

    def _table(self, name: TableName) -> TableEntry:
        tables = self._database(name.database).tables
        if name.name not in tables:
            raise EntityNotFoundError(EntityKind.TABLE, str(name))
        return tables[name.name]


def page_by_name(kind: str, items: Mapping[str, T], page_size: int, token: str | None) -> Page[T]:
    """Cut named items into pages in the order of their names."""
    after = decode_text_token(kind, token)
    names = sorted(name for name in items if after is None or name > after)[: page_size + 1]
    page = make_page(kind, names, page_size, str)
    return Page(tuple(items[name] for name in page.items), page.next_token)
