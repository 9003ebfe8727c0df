"""Bringing a database's schema to head when it is not there yet.

Alembic, half a second of imports, is loaded for a database that needs it: not at every start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import inspect, text

from querysvc.state.database import Database

MIGRATIONS: Final = Path(__file__).parent / "migrations"
HEAD: Final = max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
"""The newest revision: their files are numbered in the chain's order."""


def upgrade(database: Database) -> None:
    """Apply all revisions that the database lacks, in one transaction."""
    if not is_current(database):
        from querysvc.state import revisions

        revisions.apply(database)


def is_current(database: Database) -> bool:
    """Whether the database's schema is at head."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
    return list(found) == [HEAD]
