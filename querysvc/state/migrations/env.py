"""Alembic's environment: the connection comes from revisions.py, or from `alembic -x url=…`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from querysvc.state.database import open_database
from querysvc.state.revisions import ALL_METADATA, render_item


def _run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None and not context.is_offline_mode():
        database = open_database(context.get_x_argument(as_dictionary=True)["url"])
        with database.write() as own:
            _run_on(own)
        return
    _run_on(connection)


def _run_on(connection: Connection | None) -> None:
    if connection is None:
        dialect = context.get_x_argument(as_dictionary=True).get("dialect", "sqlite")
        context.configure(dialect_name=dialect, literal_binds=True)
    else:
        context.configure(
            connection=connection,
            target_metadata=ALL_METADATA,
            render_as_batch=True,
            render_item=render_item,
            transaction_per_migration=False,
        )
    with context.begin_transaction():
        context.run_migrations()


_run()
