"""Writers that come together share a commit, and none of them can tell."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.state.database import Database, open_database, sqlite_url

WRITERS = 12


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(sqlite_url(tmp_path / "state.db"))
    with database.write() as connection:
        connection.execute(text("CREATE TABLE told (writer INTEGER PRIMARY KEY)"))
    yield database
    database.close()


def tell(connection: Connection, writer: int) -> None:
    connection.execute(text("INSERT INTO told VALUES (:writer)"), {"writer": writer})


def stored(database: Database) -> list[int]:
    """As another process sees it."""
    with sqlite3.connect(str(database.engine.url.database)) as other:
        return [writer for (writer,) in other.execute("SELECT writer FROM told ORDER BY writer")]


Act = Callable[[Connection, int], None]


def together(
    database: Database, act: Act, *, first: Act = tell, writers: int = WRITERS
) -> list[BaseException | None]:
    """What became of the first writer, and of those who waited in line while it was at work."""

    def write(writer: int) -> None:
        with database.write() as connection:
            act(connection, writer)
        assert writer in stored(database), "durable when the block has ended"

    futures: list[Future[None]] = []

    def lead() -> None:
        with database.write() as connection:
            futures.extend(pool.submit(write, writer) for writer in range(1, writers + 1))
            while database.waiting_writers < writers:
                threading.Event().wait(0.001)
            first(connection, 0)

    with ThreadPoolExecutor(writers + 1) as pool:
        leader = pool.submit(lead).exception()
    return [leader, *(future.exception() for future in futures)]


def test_writers_in_line_share_one_commit(database: Database) -> None:
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)
    assert together(database, tell) == [None] * (WRITERS + 1)
    assert stored(database) == list(range(WRITERS + 1))
    assert len(commits) == 1


def test_a_writer_that_fails_is_undone_alone(database: Database) -> None:
    def act(connection: Connection, writer: int) -> None:
        tell(connection, writer)
        if writer % 2:
            raise LookupError(writer)

    failed = [failure is not None for failure in together(database, act)]
    assert failed == [bool(writer % 2) for writer in range(WRITERS + 1)]
    assert stored(database) == list(range(0, WRITERS + 1, 2))


def test_the_first_that_fails_takes_nobody_with_it(database: Database) -> None:
    def fail(connection: Connection, writer: int) -> None:
        tell(connection, writer)
        raise LookupError(writer)

    leader, *others = together(database, tell, first=fail)
    assert isinstance(leader, LookupError)
    assert others == [None] * WRITERS
    assert stored(database) == list(range(1, WRITERS + 1))


def test_a_commit_that_fails_is_told_to_all(database: Database) -> None:
    event.listen(database.engine, "commit", _no_space)
    failures = together(database, tell)
    assert all(isinstance(failure, OSError) for failure in failures)
    event.remove(database.engine, "commit", _no_space)
    assert stored(database) == []
    with database.write() as connection:
        tell(connection, 99)
    assert stored(database) == [99]


def test_a_transaction_that_sqlite_undid_is_told_to_all(database: Database) -> None:
    def undo(connection: Connection, _: int) -> None:
        connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself when the disk is full

    leader, other = together(database, undo, writers=1)
    assert isinstance(leader, QueryServiceError)
    assert leader.code is ErrorCode.STATE_UNAVAILABLE
    assert other is not None
    assert stored(database) == []


def _no_space(_: Connection) -> None:
    raise OSError("no space")
