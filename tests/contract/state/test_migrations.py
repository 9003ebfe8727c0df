"""The Alembic chain and the tables agree."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from querysvc.state.database import Database, open_database, sqlite_url
from querysvc.state.migrate import HEAD, is_current, upgrade
from querysvc.state.revisions import configuration, differences


def test_the_migrated_schema_is_the_metadata(database: Database) -> None:
    assert differences(database) == []


def test_an_upgrade_at_head_changes_nothing(database: Database) -> None:
    assert is_current(database)
    upgrade(database)
    assert is_current(database)


def test_the_head_is_the_chains() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == HEAD


def test_an_empty_database_is_behind(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path / "state.db"))
    assert not is_current(database)
    database.close()


def test_every_revision_can_be_undone(database: Database) -> None:
    config = configuration()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    upgrade(database)
    assert differences(database) == []


def test_sqlite_is_opened_for_durability(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path / "state.db"))
    with database.read() as connection:
        pragmas = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30000}
