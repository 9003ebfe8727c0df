"""Tables: create and drop. Hive tables' objects stay where they are, whatever happens here."""

from __future__ import annotations

from typing import Final

from querysvc.errors import ErrorCode
from querysvc.service.ddl_context import DdlContext, StatementResult, error, tolerated
from querysvc.service.iceberg_tables import create_iceberg_table, drop_iceberg_table
from querysvc.sql.ddl import statements as ddl
from querysvc_catalog.errors import AlreadyExistsError, EntityNotFoundError
from querysvc_catalog.model import Table

_EXTERNAL: Final = "EXTERNAL_TABLE"


def create_table(statement: ddl.CreateTable, context: DdlContext) -> StatementResult:
    """CREATE EXTERNAL TABLE."""
    name = context.full_name(statement.name)
    if statement.iceberg_partitioning is not None:
        return create_iceberg_table(statement, context)
    table = Table(
        name=name.name,
        database_name=name.database_name,
        catalog_name=name.catalog_name,
        owner=context.session.user,
        description=statement.comment,
        storage_descriptor=statement.storage_descriptor,
        partition_keys=statement.partition_keys,
        parameters=statement.parameters,
        table_type=_EXTERNAL,
    )
    with tolerated(AlreadyExistsError, statement.if_not_exists):
        context.catalog.create_table(table)
    return StatementResult()


def drop_table(statement: ddl.DropTable, context: DdlContext) -> StatementResult:
    """DROP TABLE: the catalog's entry; the objects stay, but an Iceberg table's, as in Athena."""
    found = context.find(statement.name)
    if found is not None and found.is_view:
        told = context.told(statement.name)
        raise error(
            ErrorCode.GENERIC_USER_ERROR,
            f"Table '{told}' does not exist, but a view with that name exists. Did you mean"
            f" DROP VIEW {told}?",
        )
    if found is not None and found.is_iceberg:
        return drop_iceberg_table(found, context)
    with tolerated(EntityNotFoundError, statement.if_exists):
        context.catalog.delete_table(context.full_name(statement.name))
    return StatementResult()
