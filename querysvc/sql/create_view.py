"""CREATE VIEW's query: analysed as the view will be, so that its columns are known and named."""

from __future__ import annotations

from dataclasses import replace

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.model import ResultColumn, Session
from querysvc.sql.analyser import analyse_query
from querysvc.sql.ddl.statements import CreateView
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.parser import QUERY, parse
from querysvc.sql.positions import errors_moved
from querysvc.types.algebra import UNKNOWN


def checked_view(statement: CreateView, session: Session, metadata: MetadataReader) -> CreateView:
    """The statement with its columns; its query's error, or that of a column, otherwise."""
    name = statement.name
    replaced = (name.catalog or session.catalog, name.database or session.database, name.name)
    with errors_moved(statement.place):
        parsed = parse(statement.sql)
        if parsed.query is None or parsed.kind != QUERY:
            raise StatementError(
                ErrorCode.SYNTAX_ERROR,
                f"mismatched input '{parsed.tokens[0].text}'. Expecting: <query>",
                line=1,
                column=1,
            )
        if parsed.parameters:
            raise StatementError(
                ErrorCode.NOT_SUPPORTED, "A view's query with parameters is not supported"
            )
        analysed = analyse_query(
            parsed.query,
            session,
            metadata,
            replaced_view=replaced if statement.is_replace else None,
        )
    return replace(statement, columns=named_columns(analysed.query.output))


def named_columns(output: tuple[tree.Field, ...]) -> tuple[ResultColumn, ...]:
    """The columns of what is stored: each with a name of its own, and a type that is known."""
    columns: list[ResultColumn] = []
    seen: set[str] = set()
    for position, field in enumerate(output, 1):
        if field.name is None:
            raise _wrong(
                ErrorCode.MISSING_COLUMN_NAME, f"Column name not specified at position {position}"
            )
        if field.name.lower() in seen:
            message = f"Column name '{field.name}' specified more than once"
            raise _wrong(ErrorCode.DUPLICATE_COLUMN_NAME, message)
        if field.type == UNKNOWN:
            raise _wrong(ErrorCode.COLUMN_TYPE_UNKNOWN, f"Column type is unknown: {field.name}")
        seen.add(field.name.lower())
        columns.append(ResultColumn(field.name, field.type))
    return tuple(columns)


def _wrong(code: ErrorCode, message: str) -> StatementError:
    """Trino places what is wrong with a statement's columns at the statement's begin."""
    return StatementError(code, message, line=1, column=1)
