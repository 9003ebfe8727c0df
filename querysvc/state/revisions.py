"""Bringing a database's schema to head, from the revisions that the wheel carries."""

from __future__ import annotations

from typing import Any, Literal

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from querysvc.state.database import Database
from querysvc.state.migrate import MIGRATIONS
from querysvc.state.tables import UtcTimestamp, metadata
from querysvc_catalog.tables import metadata as catalog_metadata

ALL_METADATA = [metadata, catalog_metadata]
# Any number will do, as long as it is ours alone: nodes that start together take turns on it.
_MIGRATION_LOCK = 0x71737664


def apply(database: Database) -> None:
    """Apply all revisions that the database lacks, in one transaction."""
    config = configuration()
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def differences(database: Database) -> list[Any]:
    """What Alembic sees between the metadata and the database (empty when they agree)."""
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        # Alembic takes several MetaData here as in its env.py; its stub does not say so.
        return list(compare_metadata(context, ALL_METADATA))  # type: ignore[arg-type]


def configuration() -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def render_item(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Revisions spell our types as what the database stores: they must not change with our code."""
    if kind == "type" and isinstance(item, UtcTimestamp):
        return "sa.BigInteger()"
    return False
