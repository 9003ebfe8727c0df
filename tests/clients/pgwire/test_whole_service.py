"""Stock clients against a whole `querysvc serve` over a real S3: the gate, time limits, cancel."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.end_to_end.conftest import DDL, load
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import find_versitygw, free_port, versitygw

psycopg = pytest.importorskip("psycopg")

CROSS_JOIN = (
    "SELECT count(*) FROM orders a, orders b, orders c, orders d"
    " WHERE a.id + b.id + c.id + d.id < 0"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # the clients' own
    pytest.mark.skipif(find_versitygw() is None, reason="versitygw is not installed (make tools)"),
]


@dataclass
class Served:
    """A running service and what libpq is told to reach it."""

    service: RunningService
    dsn: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port = free_port()
    with versitygw(tmp_path_factory.mktemp("s3")) as s3:
        load(s3)
        state = tmp_path_factory.mktemp("state")
        with running_service(s3.url, state, pg_port=port) as service:
            for statement in DDL:
                service.client.run(statement)
            dsn = (
                f"host=127.0.0.1 port={port} user=eve dbname=awsdatacatalog"
                " options='-c search_path=shop'"
            )
            yield Served(service, dsn)


@pytest.fixture
def connection(served: Served) -> Iterator[Any]:
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        yield connection


def test_tables_in_s3_are_queried_and_described(connection: Any) -> None:
    rows = connection.execute("SELECT count(*), sum(amount) FROM orders WHERE id < %s", (10,))
    assert [(count, str(total)) for count, total in rows] == [(20, "9000.00")]
    described = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'shop' AND table_name = 'orders' ORDER BY ordinal_position"
    )
    assert described.fetchall() == [
        ("id", "bigint"),
        ("amount", "numeric"),
        ("note", "text"),
        ("day", "date"),
    ]
    assert "orders" in {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    with pytest.raises(psycopg.DatabaseError) as raised:
        connection.execute("SELECT sum(id) FROM bad_csv")
    assert raised.value.sqlstate == "XX001"


def test_statements_of_ddl_are_run(connection: Any) -> None:
    cursor = connection.execute("CREATE DATABASE IF NOT EXISTS later")
    assert cursor.statusmessage == "CREATE SCHEMA"
    names = connection.execute("SELECT nspname FROM pg_namespace ORDER BY 1").fetchall()
    assert ("later",) in names


def test_catalog_queries_that_take_too_long_are_ended(connection: Any) -> None:
    tables = ", ".join(f"pg_type t{number}" for number in range(6))
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(f"SELECT count(*) FROM {tables}")
    assert connection.execute("SELECT count(*) FROM pg_am").fetchone() == (1,)


def test_a_time_limit_ends_a_cross_join(served: Served, connection: Any) -> None:
    connection.execute("SET statement_timeout = 1000")
    began = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(CROSS_JOIN)
    assert time.monotonic() - began < 3
    _until(lambda: not _running(served))


def test_a_killed_client_frees_the_engine(served: Served) -> None:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    client = subprocess.Popen(
        ["psql", "-X", "-w", served.dsn, "-c", CROSS_JOIN],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _until(lambda: _running(served))
    client.kill()
    client.wait(10)
    _until(lambda: not _running(served))


def _running(served: Served) -> Any:
    return served.service.client.history(state="RUNNING")["queries"]


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
