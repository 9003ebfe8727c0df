"""Opening the state's database: SQLite for one node, PostgreSQL for several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from querysvc.state.failures import state_unavailable, tell_failures
from querysvc.state.group_commit import GroupCommit

_WRITES = "querysvc_writes"


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


class Database:
    """Connections to one database, with transactions that read and transactions that write.

    SQLite takes one writer at a time. Ours take turns instead of polling SQLite's lock; other
    processes (a backup, the command line) are waited for by `busy_timeout`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        tell_failures(engine)
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writers = GroupCommit(self._connect_to_write)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading: each statement sees what was committed before it."""
        with self._connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, or undone when it raises."""
        if not self.is_sqlite:
            with self._connect() as connection, connection.begin():
                yield connection
            return
        with self._writers.write() as connection:
            yield connection

    @property
    def waiting_writers(self) -> int:
        """How many wait for their turn to write; none on PostgreSQL, which takes many at once."""
        return self._writers.waiting

    def check(self) -> None:
        """Raise if the database does not answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def now(self) -> datetime:
        """The time by the database's clock, which all nodes share."""
        if self.is_sqlite:
            return datetime.now(UTC)
        with self.read() as connection:
            told: datetime = connection.scalar(text("SELECT clock_timestamp()"))
        return told.astimezone(UTC)

    def close(self) -> None:
        """Close all connections."""
        self._writers.close()
        self.engine.dispose()

    def _connect_to_write(self) -> Connection:
        return self._connect().execution_options(**{_WRITES: True})

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except PoolTimeoutError as error:
            raise state_unavailable(error) from error


def open_database(url: str, *, pool_size: int = 16, busy_timeout_seconds: float = 30.0) -> Database:
    """Connect to `sqlite:///path` or `postgresql://…` (psycopg 3).

    Errors hide their statements' parameters, which may be secrets and end in logs.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, pool_size=pool_size, max_overflow=pool_size, hide_parameters=True
        )
        _prepare_sqlite(engine, busy_timeout_seconds)
        return Database(engine)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
    )
    return Database(engine)


def catalog_engine(database: Database, *, busy_timeout_seconds: float = 30.0) -> Engine:
    """The engine of the catalog's store in the same database.

    On SQLite it is one of its own: that store works under the driver's transactions, which begin
    with the first write, so that readers of the catalog never hold up its writers.
    """
    if not database.is_sqlite:
        return database.engine
    engine = create_engine(database.engine.url, hide_parameters=True)
    tell_failures(engine)
    event.listen(engine, "connect", _pragmas(busy_timeout_seconds))
    return engine


def _pragmas(busy_timeout_seconds: float) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout_seconds * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    return configure


def _prepare_sqlite(engine: Engine, busy_timeout_seconds: float) -> None:
    event.listen(engine, "connect", _pragmas(busy_timeout_seconds))

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own BEGIN comes late and is always deferred: we say BEGIN ourselves.
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        if writes:  # Statements that read are transactions of their own.
            # IMMEDIATE takes the write lock at once: a deferred one can fail at its first write.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
