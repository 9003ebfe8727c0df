"""Views: stored as Athena and Trino store them, and read back whichever of them wrote them."""

from __future__ import annotations

from querysvc.errors import ErrorCode
from querysvc.planning.views import ViewDefinition, view_definition, view_table
from querysvc.service.ddl_context import (
    DdlContext,
    StatementResult,
    error,
    matching,
    one_column,
)
from querysvc.sql.ddl import statements as ddl
from querysvc.types.algebra import delimited_where_needed
from querysvc_catalog.model import Table


def create_view(statement: ddl.CreateView, context: DdlContext) -> StatementResult:
    """CREATE [OR REPLACE] VIEW."""
    found = context.find(statement.name)
    if found is not None and not (found.is_view and statement.is_replace):
        kind = "View" if found.is_view else "Table"
        message = f"{kind} already exists: '{context.told(statement.name)}'"
        raise error(ErrorCode.TABLE_ALREADY_EXISTS, message)
    view = ViewDefinition(
        sql=statement.sql,
        columns=statement.columns,
        catalog=context.session.catalog,
        database=context.session.database,
        comment=statement.comment,
        owner=context.session.user,
        runs_as_invoker=statement.runs_as_invoker,
    )
    entry = view_table(context.full_name(statement.name), view)
    if found is None:
        context.catalog.create_table(entry)
    else:
        context.catalog.update_table(entry, expected_version=found.version_id)
    return StatementResult()


def drop_view(statement: ddl.DropView, context: DdlContext) -> StatementResult:
    """DROP VIEW."""
    found = context.find(statement.name)
    told = context.told(statement.name)
    if found is not None and not found.is_view:
        raise error(
            ErrorCode.GENERIC_USER_ERROR,
            f"View '{told}' does not exist, but a table with that name exists. Did you mean"
            f" DROP TABLE {told}?",
        )
    if found is not None:
        context.catalog.delete_table(context.full_name(statement.name))
    elif not statement.if_exists:
        raise error(ErrorCode.TABLE_NOT_FOUND, f"View '{told}' does not exist")
    return StatementResult()


def show_create_view(statement: ddl.ShowCreateView, context: DdlContext) -> StatementResult:
    """SHOW CREATE VIEW: the statement that makes the view, line by line."""
    told = context.told(statement.name)
    found = context.find(statement.name)
    if found is None:
        raise error(ErrorCode.TABLE_NOT_FOUND, f"View '{told}' does not exist")
    if not found.is_view:
        raise error(ErrorCode.NOT_SUPPORTED, f"Relation '{told}' is a table, not a view")
    return one_column("Create View", create_view_text(found).split("\n"))


def create_view_text(table: Table) -> str:
    """The CREATE VIEW statement of a view."""
    view = view_definition(table)
    names = (table.catalog_name, table.database_name, table.name)
    quoted = (view.comment or "").replace("'", "''")
    comment = "" if view.comment is None else f" COMMENT '{quoted}'"
    security = "INVOKER" if view.runs_as_invoker else "DEFINER"
    name = ".".join(map(delimited_where_needed, names))
    return f"CREATE VIEW {name}{comment} SECURITY {security} AS\n{view.sql.rstrip()}"


def show_views(statement: ddl.ShowViews, context: DdlContext) -> StatementResult:
    """SHOW VIEWS: the database's views by name."""
    database = context.database(statement.database)
    context.catalog.get_database(database)
    names = (table.name for table in context.catalog.iter_tables(database) if table.is_view)
    return one_column("views", matching(names, statement.pattern))
