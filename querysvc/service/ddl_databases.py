"""Databases: create and drop."""

from __future__ import annotations

from querysvc.errors import ErrorCode, StatementError
from querysvc.service.ddl_context import DdlContext, StatementResult, tolerated
from querysvc.sql.ddl import statements as ddl
from querysvc_catalog.errors import AlreadyExistsError, EntityNotFoundError
from querysvc_catalog.model import Database, DatabaseName


def create_database(statement: ddl.CreateDatabase, context: DdlContext) -> StatementResult:
    """CREATE DATABASE."""
    database = Database(
        name=statement.database,
        catalog_name=context.session.catalog,
        description=statement.comment,
        location_uri=statement.location,
        parameters=statement.properties,
    )
    with tolerated(AlreadyExistsError, statement.if_not_exists):
        context.catalog.create_database(database)
    return StatementResult()


def drop_database(statement: ddl.DropDatabase, context: DdlContext) -> StatementResult:
    """DROP DATABASE."""
    name = context.database(statement.database)
    if not statement.cascade and _holds_tables(name, context):
        raise StatementError(
            ErrorCode.SCHEMA_NOT_EMPTY,
            f"Cannot drop non-empty schema '{name}'; drop its tables first, or use CASCADE",
        )
    with tolerated(EntityNotFoundError, statement.if_exists):
        context.catalog.delete_database(name, cascade=statement.cascade)
    return StatementResult()


def _holds_tables(name: DatabaseName, context: DdlContext) -> bool:
    try:
        return bool(context.catalog.list_table_names(name))
    except EntityNotFoundError:
        return False
