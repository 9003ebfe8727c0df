"""CREATE TABLE and DROP TABLE of Iceberg tables: their metadata are made here, and taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from querysvc.errors import QueryServiceError
from querysvc.service.ddl_context import DdlContext, StatementResult, tolerated
from querysvc.sql.ddl import statements as ddl
from querysvc.types.hive import from_hive
from querysvc_catalog.errors import AlreadyExistsError, CatalogError, EntityKind
from querysvc_catalog.model import StorageDescriptor, Table
from querysvc_catalog.types import parse_type

_log = structlog.get_logger(__name__)
_DELETED_AT_ONCE: Final = 1000
METADATA_LOCATION: Final = "metadata_location"


def create_iceberg_table(statement: ddl.CreateTable, context: DdlContext) -> StatementResult:
    """CREATE TABLE … TBLPROPERTIES ('table_type'='ICEBERG'): an empty table."""
    from querysvc.iceberg.create import NewColumn, planned_table, store_metadata

    name = context.full_name(statement.name)
    with tolerated(AlreadyExistsError, statement.if_not_exists):
        if context.catalog.find_table(name) is not None:
            raise AlreadyExistsError(EntityKind.TABLE, str(name))
        tables = context.iceberg().tables
        columns = [
            NewColumn(column.name, from_hive(parse_type(column.type or "string")), column.comment)
            for column in statement.storage_descriptor.columns
        ]
        entry = Table(
            name=name.name,
            database_name=name.database_name,
            catalog_name=name.catalog_name,
            owner=context.session.user,
            description=statement.comment,
            storage_descriptor=StorageDescriptor(location=statement.storage_descriptor.location),
            parameters=statement.parameters,
        )
        made = planned_table(tables, entry, columns, statement.iceberg_partitioning or ())
        store_metadata(tables, made)
        try:
            context.catalog.create_table(made.entry)
        except CatalogError:
            made.io.delete(made.metadata_location)
            raise
    return StatementResult()


def drop_iceberg_table(table: Table, context: DdlContext) -> StatementResult:
    """DROP TABLE: the entry, then every file that the table's metadata reach, as Athena does."""
    from querysvc.iceberg.create import all_files

    tables = context.iceberg().tables
    try:
        loaded = tables.load(table)
        files = [one for one in dict.fromkeys(all_files(loaded)) if loaded.io.holds(one)]
    except QueryServiceError as error:
        # A table whose metadata are gone must not stay for ever.
        _log.warning(
            "A dropped table's files are not known.", table=str(table.full_name), error=str(error)
        )
        files = []
    context.catalog.delete_table(table.full_name)
    for start in range(0, len(files), _DELETED_AT_ONCE):
        tables.objects.delete(files[start : start + _DELETED_AT_ONCE])
    return StatementResult()


def rename_iceberg_table(table: Table, new: ddl.ObjectName, context: DdlContext) -> StatementResult:
    """ALTER TABLE RENAME TO: another entry for the same metadata; the files stay where they are.

    The old entry loses its metadata's location under its version first: a commit that comes
    meanwhile fails, and is not lost.
    """
    name = context.full_name(new)
    moved = replace(
        table,
        name=name.name,
        database_name=name.database_name,
        catalog_name=name.catalog_name,
    )
    context.catalog.create_table(moved)
    left = {key: value for key, value in table.parameters.items() if key != METADATA_LOCATION}
    try:
        context.catalog.update_table(
            replace(table, parameters=left), expected_version=table.version_id
        )
    except CatalogError:
        context.catalog.delete_table(name)
        raise
    context.catalog.delete_table(table.full_name)
    return StatementResult()
