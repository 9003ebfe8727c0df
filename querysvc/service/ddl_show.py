"""SHOW and DESCRIBE, as Athena answers them."""

from __future__ import annotations

from querysvc.errors import ErrorCode, StatementError
from querysvc.planning.views import hive_text, view_definition
from querysvc.service.ddl_context import (
    DdlContext,
    StatementResult,
    matching,
    one_column,
    text_columns,
)
from querysvc.sql.ddl import statements as ddl
from querysvc_catalog.model import Column, Table


def show_databases(statement: ddl.ShowDatabases, context: DdlContext) -> StatementResult:
    """SHOW DATABASES."""
    databases = context.catalog.iter_databases(context.session.catalog)
    names = (database.name for database in databases)
    return one_column("database_name", matching(names, statement.pattern))


def show_tables(statement: ddl.ShowTables, context: DdlContext) -> StatementResult:
    """SHOW TABLES: tables and views by name."""
    database = context.database(statement.database)
    context.catalog.get_database(database)
    names = context.catalog.list_table_names(database)
    return one_column("tab_name", matching(names, statement.pattern))


def show_columns(statement: ddl.ShowColumns, context: DdlContext) -> StatementResult:
    """SHOW COLUMNS: data columns, then partition keys."""
    table = context.relation(statement.table)
    return one_column("field", [c.name for c in (*shown_columns(table), *table.partition_keys)])


def describe_table(statement: ddl.DescribeTable, context: DdlContext) -> StatementResult:
    """DESCRIBE: name, type and comment; partition keys are told again under a heading."""
    if statement.detail is not None:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, f"DESCRIBE {statement.detail} is not supported"
        )
    table = context.relation(statement.table)
    data = [_described(column) for column in shown_columns(table)]
    keys = [_described(column) for column in table.partition_keys]
    rows: list[tuple[str | None, ...]] = [*data, *keys]
    if keys:
        heading = ("# col_name", "data_type", "comment")
        rows += [("", "", ""), ("# Partition Information", "", ""), heading, *keys]
    return StatementResult(text_columns("col_name", "data_type", "comment"), tuple(rows))


def shown_columns(table: Table) -> tuple[Column, ...]:
    """A table's data columns; a view's columns are those of its definition.

    Trino stores one dummy column beside the definitions of its views.
    """
    if not table.is_view:
        return table.columns
    return tuple(
        Column(column.name.lower(), hive_text(column.type))
        for column in view_definition(table).columns
    )


def _described(column: Column) -> tuple[str, str, str]:
    return column.name, column.type or "", column.comment or ""
