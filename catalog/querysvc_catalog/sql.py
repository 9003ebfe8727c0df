"""The catalog in SQL: SQLite or PostgreSQL, by SQLAlchemy Core.

Whoever makes the engine owns its settings. SQLite needs, on every connection,
`PRAGMA journal_mode=WAL`, `PRAGMA synchronous=FULL` and a `busy_timeout`; `PRAGMA foreign_keys=ON`
may be set. The store works under the driver's own transactions and under `BEGIN IMMEDIATE`.
PostgreSQL needs nothing but READ COMMITTED, its default.
"""

from __future__ import annotations

from sqlalchemy import Engine

from querysvc_catalog.sql_databases import SqlDatabases
from querysvc_catalog.sql_partitions import SqlPartitions
from querysvc_catalog.sql_tables import SqlTables
from querysvc_catalog.tables import metadata


class SqlCatalogRepository(SqlDatabases, SqlTables, SqlPartitions):
    """A CatalogRepository over an engine; safe to share between threads."""


def create_all(engine: Engine) -> None:
    """Create the tables that do not exist: for tests; the service migrates with Alembic."""
    metadata.create_all(engine)
