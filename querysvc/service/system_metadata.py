"""The `system` catalog and every catalog's information_schema, as tables that statements can name.

Their rows are made when a query is planned (`system_tables`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from querysvc.plan import TableColumn, TableReference, TableVersion
from querysvc.planning.metadata import TOLD_OF_TABLE
from querysvc.sql.metadata import (
    MetadataReader,
    TableInfo,
    ViewInfo,
    not_versioned,
)
from querysvc.types.algebra import VARCHAR
from querysvc.types.parse import parse_type
from querysvc_catalog.model import Table

SYSTEM: Final = "system"
INFORMATION_SCHEMA: Final = "information_schema"

Columns = tuple[TableColumn, ...]


@cache
def system_schemas() -> Mapping[str, Mapping[str, Columns]]:
    """The columns of every virtual table, by schema and table name."""
    schemas: dict[str, dict[str, Columns]] = {}
    text = resources.files(__package__).joinpath("system_schema.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            name, columns = line.split(": ", 1)
            schema, _, table = name.partition(".")
            schemas.setdefault(schema, {})[table] = tuple(map(_column, columns.split()))
    return schemas


def _column(text: str) -> TableColumn:
    name, _, type_text = text.removeprefix("-").partition(":")
    type_ = parse_type(type_text.replace("_", " ")) if type_text else VARCHAR
    return TableColumn(name, type_, is_hidden=text.startswith("-"))


def virtual_columns(catalog: str, schema: str, table: str) -> Columns | None:
    """The columns of a virtual table; None when there is none of that name."""
    if schema != INFORMATION_SCHEMA and catalog != SYSTEM:
        return None
    return system_schemas().get(schema, {}).get(table)


def is_virtual(reference: TableReference) -> bool:
    """Whether a statement's table is one of ours, or tells of another table."""
    if reference.table.table_type == TOLD_OF_TABLE:
        return True
    found = virtual_columns(reference.catalog, reference.database, reference.table.name)
    return found is not None


class SystemMetadata:
    """A MetadataReader that adds the virtual tables to those of another one."""

    def __init__(self, metadata: MetadataReader) -> None:
        self._metadata = metadata

    def catalog_exists(self, catalog: str) -> bool:
        """Whether there is such a catalog; `system` always is."""
        return catalog == SYSTEM or self._metadata.catalog_exists(catalog)

    def schema_exists(self, catalog: str, database: str) -> bool:
        """Whether there is such a schema; every catalog has an information_schema."""
        if catalog == SYSTEM:
            return database in system_schemas()
        if database == INFORMATION_SCHEMA:
            return self._metadata.catalog_exists(catalog)
        return self._metadata.schema_exists(catalog, database)

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        """The table or view of that name."""
        if catalog != SYSTEM and database != INFORMATION_SCHEMA:
            return self._metadata.relation(catalog, database, name)
        columns = virtual_columns(catalog, database, name)
        if columns is None or not self.catalog_exists(catalog):
            return None
        return TableInfo(Table(name=name, database_name=database, catalog_name=catalog), columns)

    def at_version(
        self, catalog: str, database: str, name: str, version: TableVersion
    ) -> TableInfo:
        """A table as it was."""
        if catalog == SYSTEM or database == INFORMATION_SCHEMA:
            raise not_versioned()
        return self._metadata.at_version(catalog, database, name, version)

    def relation_names(self, catalog: str, database: str) -> tuple[str, ...]:
        """The tables and views of a schema that exists."""
        if catalog == SYSTEM or database == INFORMATION_SCHEMA:
            return tuple(system_schemas()[database])
        return self._metadata.relation_names(catalog, database)
