"""One suite, three stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from querysvc.state.database import Database, open_database, sqlite_url
from querysvc.state.memory import MemoryState
from querysvc.state.migrate import upgrade
from querysvc.state.repository import State
from querysvc.state.sql import SqlState
from tests.support.postgresql import running_server


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database at head."""
    if request.param == "sqlite":
        database = open_database(sqlite_url(tmp_path / "state.db"))
    else:
        database = open_database(request.getfixturevalue("postgresql_url"))
        with database.write() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    upgrade(database)
    yield database
    database.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    """An empty state."""
    if request.param == "memory":
        yield MemoryState()
        return
    if request.param == "sqlite":
        database = open_database(sqlite_url(tmp_path / "state.db"))
        upgrade(database)
    else:
        database = open_database(request.getfixturevalue("postgresql_url"))
        with database.write() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        upgrade(database)
    state = SqlState(database)
    yield state
    state.close()
