"""SHOW, as Athena answers it."""

from __future__ import annotations

from querysvc.service import ddl_iceberg
from querysvc.service.ddl_context import (
    DdlContext,
    StatementResult,
    matching,
    one_column,
    text_columns,
)
from querysvc.service.ddl_describe import properties_of, shown_columns
from querysvc.service.show_create import create_table_lines
from querysvc.sql.ddl import statements as ddl
from querysvc.sql.functions.registry import load_registry


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


def show_create_table(statement: ddl.ShowCreateTable, context: DdlContext) -> StatementResult:
    """SHOW CREATE TABLE: the statement that makes the table, line by line."""
    table = context.table(statement.name)
    lines = (
        ddl_iceberg.create_lines(table, context) if table.is_iceberg else create_table_lines(table)
    )
    return one_column("createtab_stmt", lines)


def show_properties(statement: ddl.ShowTableProperties, context: DdlContext) -> StatementResult:
    """SHOW TBLPROPERTIES: all of them by name, or the value of one."""
    table = context.table(statement.table)
    properties = properties_of(table)
    if table.is_iceberg:
        properties = {**ddl_iceberg.properties(table, context), **properties}
    if statement.key is None:
        rows = tuple(sorted(properties.items()))
        return StatementResult(text_columns("prpt_name", "prpt_value"), rows)
    value = properties.get(statement.key)
    if value is None:
        value = f"Table {table.full_name} does not have property: {statement.key}"
    return one_column("prpt_value", [value])


def show_functions(statement: ddl.ShowFunctions, _: DdlContext) -> StatementResult:
    """SHOW FUNCTIONS: every signature, by name."""
    names = ("Function", "Return Type", "Argument Types", "Function Type", "Deterministic")
    listing = tuple(load_registry().listing())
    kept = set(matching({row.name for row in listing}, statement.pattern))
    return StatementResult(
        text_columns(*names, "Description"),
        tuple(
            (
                *(row.name, row.return_type, row.argument_types, row.kind.value),
                str(row.is_deterministic).lower(),
                row.description,
            )
            for row in listing
            if row.name in kept
        ),
    )
