"""The state in a SQL database: SQLite or PostgreSQL, by one implementation."""

from __future__ import annotations

from querysvc.state.database import Database
from querysvc.state.sql_queries import SqlQueries
from querysvc.state.sql_records import (
    SqlAudit,
    SqlCrawlers,
    SqlGrants,
    SqlKeys,
    SqlSaved,
    SqlTags,
    SqlWorkGroups,
)
from querysvc.state.sql_usage import SqlUsage
from querysvc.state.sql_writes import SqlWrites


class SqlState(
    SqlQueries,
    SqlWrites,
    SqlWorkGroups,
    SqlKeys,
    SqlGrants,
    SqlUsage,
    SqlSaved,
    SqlCrawlers,
    SqlTags,
    SqlAudit,
):
    """All of the state over one database, whose schema is at head (see migrate.py)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self) -> None:
        """Raise if the database does not answer."""
        self._database.check()

    def close(self) -> None:
        """Close all connections."""
        self._database.close()
