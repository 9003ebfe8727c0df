"""What a checked statement reads, whatever stands around its query."""

from __future__ import annotations

from typing import Final

from querysvc.plan import AnalysedStatement, TableReference

_LENGTH_MAX: Final = 20_000


def query_of(statement: object) -> AnalysedStatement | None:
    """The query in a statement: its own, a write's, or that of what an EXPLAIN explains."""
    while statement is not None and not isinstance(statement, AnalysedStatement):
        statement = getattr(statement, "query", None) or getattr(statement, "statement", None)
    return statement


def reads_of(statement: object) -> dict[str, str]:
    """The tables and columns that a statement reads, for the audit log."""
    query = query_of(statement)
    if query is None:
        return {}
    told = {
        "tables": ", ".join(dict.fromkeys(map(_name, query.tables))),
        "columns": "; ".join(map(_columns, query.tables)),
    }
    return {name: text[:_LENGTH_MAX] for name, text in told.items() if text}


def _name(reference: TableReference) -> str:
    return f"{reference.catalog}.{reference.database}.{reference.table.name}"


def _columns(reference: TableReference) -> str:
    names = (reference.columns[index].name for index in reference.used_columns)
    return f"{_name(reference)} ({', '.join(names)})"
