"""Catalogs, schemas, tables and columns, as far as a query on virtual tables asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final  # rows of any type

from querysvc.errors import QueryServiceError
from querysvc.plan import Domain, TableColumn, TableReference
from querysvc.planning.discovery import PartitionDiscovery
from querysvc.planning.iceberg import IcebergReader
from querysvc.planning.metadata import PROPERTIES, table_columns, table_told_of
from querysvc.planning.partitions import PartitionSelector
from querysvc.planning.views import view_info
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.system_metadata import (
    INFORMATION_SCHEMA,
    SYSTEM,
    system_schemas,
    virtual_columns,
)
from querysvc.sql.metadata import ViewInfo
from querysvc.types.algebra import TrinoType
from querysvc_catalog.errors import EntityNotFoundError
from querysvc_catalog.model import DatabaseName, DataCatalog, Table, TableName
from querysvc_catalog.service import CatalogService

_LOOKUPS_MAX: Final = 20
"""So many tables are looked up by name; above it the schema is listed."""

Names = frozenset[str] | None
"""Names that are asked for; None: all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query asks for by name."""

    catalogs: Names = None
    schemas: Names = None
    tables: Names = None


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table or view of some catalog; `table` is None for a virtual one."""

    name: tuple[str, str, str]
    table: Table | None = None

    @property
    def is_view(self) -> bool:
        """Whether it is a view."""
        return self.table is not None and self.table.is_view

    @property
    def comment(self) -> str | None:
        """The table's comment, or that in a view's definition."""
        if self.table is None or not self.is_view:
            return None if self.table is None else self.table.description
        view = _view(self.table)
        return None if view is None else view.comment


@dataclass(frozen=True, slots=True)
class ColumnEntry:
    """A visible column."""

    name: str
    type: TrinoType
    comment: str | None = None
    is_partition_key: bool = False


class Listing:
    """Lists what the catalog holds, and the virtual tables beside."""

    def __init__(
        self,
        catalog: CatalogService,
        discovery: PartitionDiscovery | None = None,
        iceberg: IcebergReader | None = None,
    ) -> None:
        self._catalog = catalog
        self._discovery = discovery
        self._iceberg = iceberg

    def catalogs(self, wanted: Wanted) -> list[str]:
        """Catalogs by name."""
        names = {catalog.name for catalog in self._catalogs()} | {SYSTEM}
        return _chosen(names, wanted.catalogs)

    def schemas(self, wanted: Wanted) -> Iterator[tuple[str, str]]:
        """(catalog, schema), by name."""
        for catalog in self.catalogs(wanted):
            if catalog == SYSTEM:
                names = set(system_schemas())
            else:
                with catalog_errors():
                    names = {database.name for database in self._catalog.iter_databases(catalog)}
                names.add(INFORMATION_SCHEMA)
            for schema in _chosen(names, wanted.schemas):
                yield catalog, schema

    def tables(self, wanted: Wanted) -> Iterator[TableEntry]:
        """Tables and views, by name."""
        for catalog, schema in self.schemas(wanted):
            if catalog == SYSTEM or schema == INFORMATION_SCHEMA:
                for name in _chosen(system_schemas()[schema], wanted.tables):
                    yield TableEntry((catalog, schema, name))
            else:
                for table in self._tables(DatabaseName(catalog, schema), wanted.tables):
                    yield TableEntry((catalog, schema, table.name), table)

    def columns(self, entry: TableEntry) -> Iterator[ColumnEntry]:
        """The visible columns of a table or view; none when its definition is wrong."""
        table = entry.table
        if table is None:
            for column in virtual_columns(*entry.name) or ():
                if not column.is_hidden:
                    yield ColumnEntry(column.name, column.type)
        elif entry.is_view:
            view = _view(table)
            # The catalog shows the columns that may be known; the view's own document has all.
            shown = {column.name.lower() for column in table.columns}
            for output in () if view is None else view.columns:
                if not shown or output.name.lower() in shown:
                    yield ColumnEntry(output.name, output.type)
        else:
            comments = {c.name: c.comment for c in (*table.columns, *table.partition_keys)}
            for column in self._columns(table):
                if not column.is_hidden:
                    comment = comments.get(column.name)
                    yield ColumnEntry(column.name, column.type, comment, column.is_partition_key)

    def view_definition(self, entry: TableEntry) -> str | None:
        """A view's SQL."""
        view = _view(entry.table) if entry.table is not None and entry.is_view else None
        return None if view is None else view.sql

    def rows_of_table(self, reference: TableReference) -> Iterator[tuple[Any, ...]]:
        """What `"t$partitions"`, `"t$properties"` tells, or another of an Iceberg table."""
        told = reference.table
        if told.is_iceberg and self._iceberg is not None:
            yield from self._iceberg_rows(self._iceberg, told)
            return
        if told.name.endswith(PROPERTIES):
            yield tuple(told.parameters.get(column.name) for column in reference.columns)
            return
        base = replace(told, name=table_told_of(told.name) or told.name)
        selector = PartitionSelector(self._catalog, discovery=self._discovery)
        selection = selector.select(replace(reference, table=base), datetime.now(UTC))
        yield from (partition.values for partition in selection.partitions)

    def _iceberg_rows(self, reader: IcebergReader, told: Table) -> Iterator[tuple[Any, ...]]:
        if told.name.endswith(PROPERTIES):
            return iter(sorted(reader.properties(told).items()))
        return reader.told_rows(told, told.name.rpartition("$")[2])

    def _columns(self, table: Table) -> tuple[TableColumn, ...]:
        """One table with a wrong definition must not hide the others."""
        if table.is_iceberg and self._iceberg is not None:
            # The catalog's entry has the columns that may be known, the metadata their types.
            known = {column.name for column in table.columns}
            with contextlib.suppress(QueryServiceError):
                return tuple(c for c in self._iceberg.columns(table) if c.name in known)
        try:
            return table_columns(table)
        except QueryServiceError:
            return ()

    def _catalogs(self) -> Iterator[DataCatalog]:
        token = None
        while True:
            page = self._catalog.list_data_catalogs(token=token)
            yield from page.items
            token = page.next_token
            if token is None:
                return

    def _tables(self, database: DatabaseName, names: Names) -> Iterator[Table]:
        with catalog_errors():
            if names is None or len(names) > _LOOKUPS_MAX:
                try:
                    found = list(self._catalog.iter_tables(database))
                except EntityNotFoundError:
                    return  # it was dropped meanwhile
                yield from sorted(
                    (t for t in found if names is None or t.name in names), key=lambda t: t.name
                )
                return
            for name in sorted(names):
                full = TableName(database.catalog_name, database.name, name)
                table = self._catalog.find_table(full)
                if table is not None and table.name == name:
                    yield table


def wanted_names(domain: Domain | None) -> Names:
    """The single texts that a domain admits; None when it admits others too."""
    if domain is None:
        return None
    names = set()
    for item in domain.ranges:
        is_point = item.low is not None and item.low == item.high
        if not (is_point and item.low_inclusive and item.high_inclusive):
            return None
        names.add(str(item.low))
    return frozenset(names)


def _chosen(names: Iterable[str], wanted: Names) -> list[str]:
    return sorted(name for name in names if wanted is None or name in wanted)


def _view(table: Table) -> ViewInfo | None:
    try:
        return view_info(table)
    except QueryServiceError:
        return None
