"""What a checked statement reads, whatever stands around its query."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import AnalysedStatement, TableReference

_LENGTH_MAX: Final = 20_000
_BAD_VALUE: Final = (
    "A value does not fit its column's declared type. Which one is told to those who may read all"
    " rows of the tables."
)
_ADDRESS: Final = re.compile(r"s3://[^\s,;)'\"]+")


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


@contextlib.contextmanager
def discreet(statement: object) -> Iterator[None]:
    """Errors about data that tell no values, when some rows are hidden from whoever asks."""
    query = query_of(statement)
    hides_rows = query is not None and query.hides_rows
    try:
        yield
    except QueryServiceError as error:
        if not hides_rows:
            raise
        told = _BAD_VALUE if error.code is ErrorCode.HIVE_BAD_DATA else error.message
        # Keys hold values of partitions.
        message = _ADDRESS.sub("s3://…", told)
        raise QueryServiceError(error.code, message, line=error.line, column=error.column) from None


def _name(reference: TableReference) -> str:
    return f"{reference.catalog}.{reference.database}.{reference.table.name}"


def _columns(reference: TableReference) -> str:
    names = (reference.columns[index].name for index in reference.used_columns)
    return f"{_name(reference)} ({', '.join(names)})"
