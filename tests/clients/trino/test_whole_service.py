"""Stock clients against a whole `querysvc serve` over a real S3: time limits, cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlparse

import pytest

from tests.end_to_end.conftest import DDL, load
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, find_versitygw, versitygw

trino = pytest.importorskip("trino")

CROSS_JOIN = (
    "SELECT count(*) FROM shop.orders a, shop.orders b, shop.orders c, shop.orders d"
    " WHERE a.id + b.id + c.id + d.id < 0"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # the clients' own
    pytest.mark.skipif(find_versitygw() is None, reason="versitygw is not installed (make tools)"),
]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with versitygw(tmp_path_factory.mktemp("s3")) as server:
        load(server)
        yield server


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(s3.url, tmp_path_factory.mktemp("state")) as running:
        for statement in DDL:
            running.client.run(statement)
        yield running


def connect(service: RunningService, **settings: Any) -> Any:
    place = urlparse(service.url)
    settings = {"user": "eve", "catalog": "awsdatacatalog", "schema": "shop", **settings}
    return trino.dbapi.connect(host=place.hostname, port=place.port, **settings)


def ask(connection: Any, sql: str, parameters: Any = None) -> Any:
    cursor = connection.cursor()
    cursor.execute(sql, parameters)
    return cursor.fetchall()


def test_tables_in_s3_are_queried_and_described(service: RunningService) -> None:
    connection = connect(service)
    rows = ask(connection, "SELECT count(*), sum(amount) FROM orders WHERE id < ?", (10,))
    assert [[count, str(total)] for count, total in rows] == [[20, "9000.00"]]
    assert ask(connection, "DESCRIBE orders") == [
        ["id", "bigint", "", ""],
        ["amount", "decimal(10,2)", "", ""],
        ["note", "varchar", "", ""],
        ["day", "date", "partition key", ""],
    ]
    assert ["shop"] in ask(connection, "SHOW SCHEMAS")
    tables = ask(
        connection,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1",
    )
    assert [name for (name,) in tables][:2] == ["bad_csv", "events"]
    assert ask(connection, "SELECT version()") == [["476"]]
    running = ask(connection, "SELECT count(*) FROM system.runtime.queries WHERE state = 'RUNNING'")
    assert running == [[1]]


def test_ddl_and_errors_reach_the_client(service: RunningService) -> None:
    connection = connect(service)
    cursor = connection.cursor()
    cursor.execute("CREATE DATABASE IF NOT EXISTS later")
    cursor.fetchall()
    assert cursor.update_type == "CREATE SCHEMA"
    with pytest.raises(trino.exceptions.TrinoExternalError) as raised:
        ask(connection, "SELECT sum(id) FROM bad_csv")
    assert raised.value.error_name == "HIVE_BAD_DATA"


def test_a_schema_may_be_named_with_its_catalog(service: RunningService) -> None:
    connection = connect(service)
    ask(connection, "CREATE SCHEMA IF NOT EXISTS awsdatacatalog.qualified")
    assert ["qualified"] in ask(connection, "SHOW SCHEMAS FROM awsdatacatalog")
    ask(connection, "DROP SCHEMA awsdatacatalog.qualified")
    assert ["qualified"] not in ask(connection, "SHOW SCHEMAS")
    with pytest.raises(trino.exceptions.TrinoUserError) as raised:
        ask(connection, "CREATE SCHEMA nope.qualified")
    assert raised.value.error_name == "CATALOG_NOT_FOUND"


def test_a_time_limit_ends_a_cross_join(service: RunningService) -> None:
    connection = connect(service, session_properties={"query_max_run_time": "1s"})
    began = time.monotonic()
    with pytest.raises(trino.exceptions.TrinoQueryError) as raised:
        ask(connection, CROSS_JOIN)
    assert raised.value.error_name == "EXCEEDED_TIME_LIMIT"
    assert time.monotonic() - began < 3
    _until(lambda: not _running(service))


def test_a_cancelled_cursor_frees_the_engine(service: RunningService) -> None:
    cursor = connect(service).cursor()
    errors: list[Exception] = []

    def execute() -> None:  # it returns with the first row
        try:
            cursor.execute(CROSS_JOIN)
        except trino.exceptions.TrinoQueryError as error:
            errors.append(error)

    thread = threading.Thread(target=execute)
    thread.start()
    _until(lambda: _running(service))
    began = time.monotonic()
    cursor.cancel()
    _until(lambda: not _running(service))
    assert time.monotonic() - began < 3
    thread.join(10)
    assert [error.error_name for error in errors] == ["USER_CANCELED"]


def test_jdbc_metadata_and_time_limit(service: RunningService) -> None:
    pytest.importorskip("jaydebeapi")
    from tests.clients.trino import jdbc

    with jdbc.connect(service.url, "awsdatacatalog") as connection:
        metadata = connection.jconn.getMetaData()
        columns = jdbc.fetch(metadata.getColumns("awsdatacatalog", "shop", "orders", "%"))
        assert [row[3:7] for row in columns["rows"]] == [
            ["id", "-5", "bigint", "19"],
            ["amount", "3", "decimal(10,2)", "10"],
            ["note", "12", "varchar", "2147483647"],
            ["day", "91", "date", "14"],
        ]
        statement = connection.jconn.createStatement()
        statement.setQueryTimeout(1)
        began = time.monotonic()
        with pytest.raises(Exception, match="exceeded"):
            statement.executeQuery(CROSS_JOIN).next()
        assert time.monotonic() - began < 3
    _until(lambda: not _running(service))


def _running(service: RunningService) -> Any:
    return service.client.history(state="RUNNING")["queries"]


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_writes_tell_their_kind_and_count(service: RunningService) -> None:
    connection = connect(service)
    cursor = connection.cursor()
    cursor.execute("CREATE SCHEMA IF NOT EXISTS made COMMENT 'c' LOCATION 's3://data/made/'")
    cursor.fetchall()
    for sql, kind, count in (
        ("CREATE TABLE made.orders AS SELECT id FROM orders WHERE id < 10", "CREATE TABLE", 20),
        ("INSERT INTO made.orders VALUES 1, 2, 3", "INSERT", 3),
    ):
        cursor.execute(sql)
        assert cursor.fetchall() == [[count]]
        assert (cursor.update_type, cursor.rowcount) == (kind, count)
    assert ask(connection, "SELECT count(*) FROM made.orders") == [[23]]
    ask(connection, "DROP TABLE made.orders")
