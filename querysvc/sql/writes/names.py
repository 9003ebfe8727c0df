"""The table that a write goes to, by its name as written."""

from __future__ import annotations

from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Session
from querysvc.sql.syntax import Identifier
from querysvc_catalog.model import TableName

_PARTS_MAX: Final = 3


def target_name(name: tuple[Identifier, ...], session: Session) -> TableName:
    """The full name; what is not written comes from the session."""
    parts = [part.name.lower() for part in name]
    if len(parts) > _PARTS_MAX:
        raise StatementError(
            ErrorCode.SYNTAX_ERROR, f"Too many dots in table name: {'.'.join(parts)}"
        )
    defaults = (session.catalog.lower(), session.database.lower())
    catalog, database, table = (*defaults[: _PARTS_MAX - len(parts)], *parts)
    return TableName(catalog, database, table)


def dotted(table: TableName) -> str:
    """catalog.database.table, as Trino's messages have it."""
    return f"{table.catalog_name}.{table.database_name}.{table.name}"
