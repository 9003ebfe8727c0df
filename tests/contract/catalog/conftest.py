"""The stores that every catalog contract test runs over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

from querysvc.service.access import Access, Action, TableGrant
from querysvc.service.permitted_catalog import PermittedRepository
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.repository import CatalogLimits, CatalogRepository
from querysvc_catalog.service import CatalogService
from querysvc_catalog.sql import SqlCatalogRepository, create_all
from querysvc_catalog.tables import metadata
from tests.support.postgresql import running_server

EVERYTHING = Access(
    is_unrestricted=False,
    tables=(TableGrant(frozenset(Action), ("*", "*", "*")),),
    locations=("*",),
)
LIMITS = CatalogLimits(
    databases_max=10,
    tables_per_database_max=100,
    archived_versions_per_table_max=5,
    partitions_per_table_max=200,
)


class Clock:
    """A clock that moves one second each time it is read."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


def sqlite_engine(path: Path, *, begins_explicitly: bool) -> Engine:
    """Make an engine with the driver's own transactions, or as the service makes it."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        if begins_explicitly:
            connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=20000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA foreign_keys=ON")

    if begins_explicitly:

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    return engine


@pytest.fixture(scope="session")
def postgresql_session_engine() -> Iterator[Engine]:
    with running_server() as url:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), pool_size=10)
        yield engine
        engine.dispose()


@pytest.fixture
def postgresql_engine(postgresql_session_engine: Engine) -> Engine:
    """Give the session's database without any rows."""
    create_all(postgresql_session_engine)
    with postgresql_session_engine.begin() as connection:
        names = ", ".join(metadata.tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    return postgresql_session_engine


@pytest.fixture(params=["sqlite", "sqlite-explicit-begin", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database with the catalog's tables."""
    yield from _engine(request, request.param, tmp_path)


@pytest.fixture(
    params=["memory", "granted", "sqlite", "sqlite-explicit-begin", "postgresql"],
)
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CatalogRepository]:
    memory = MemoryCatalogRepository(LIMITS)
    if request.param == "memory":
        yield memory
        return
    if request.param == "granted":  # who was granted everything sees and changes everything
        yield PermittedRepository(memory, EVERYTHING)
        return
    for engine in _engine(request, request.param, tmp_path):
        yield SqlCatalogRepository(engine, LIMITS)


def _engine(request: pytest.FixtureRequest, kind: str, folder: Path) -> Iterator[Engine]:
    if kind == "postgresql":
        yield request.getfixturevalue("postgresql_engine")
        return
    engine = sqlite_engine(
        folder / "catalog.sqlite", begins_explicitly=kind == "sqlite-explicit-begin"
    )
    create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> Callable[[], datetime]:
    return Clock()


@pytest.fixture
def service(repository: CatalogRepository, clock: Callable[[], datetime]) -> CatalogService:
    service = CatalogService(repository, clock)
    service.ensure_defaults()
    return service
