"""pgjdbc through jaydebeapi: metadata, prepared statements, fetch size, time limit, cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pg_stack import PgStack

jaydebeapi = pytest.importorskip("jaydebeapi")

from tests.clients.trino.artifacts import fetch_artifact  # noqa: E402 - needs the JVM's bridge
from tests.clients.trino.jdbc import fetch  # noqa: E402

VERSION = "42.7.7"
ARTIFACT = f"org.postgresql:postgresql:{VERSION}"
JAR = Path.home() / f".m2/repository/org/postgresql/postgresql/{VERSION}/postgresql-{VERSION}.jar"
CROSS_JOIN = (
    "SELECT count(*) FROM lineitem a, lineitem b, lineitem c"
    " WHERE a.orderkey + b.orderkey + c.orderkey < 0"
)
pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


def connect(port: int, database: str = "tpch", **properties: str) -> Any:
    """A connection of the stock driver."""
    fetch_artifact(ARTIFACT, JAR)
    # All jars of one process must be given when its JVM starts: the Trino tests may run beside.
    from tests.clients.trino.jdbc import driver_jar

    return jaydebeapi.connect(
        "org.postgresql.Driver",
        f"jdbc:postgresql://127.0.0.1:{port}/{database}",
        {"user": "eve", "currentSchema": "tiny", **properties},
        [str(driver_jar()), str(JAR)],
    )


@pytest.fixture(scope="module")
def connection(stack: PgStack) -> Iterator[Any]:
    with connect(stack.port) as connection:
        yield connection.jconn


def ask(connection: Any, sql: str) -> list[list[str | None]]:
    statement = connection.createStatement()
    try:
        rows: list[list[str | None]] = fetch(statement.executeQuery(sql))["rows"]
        return rows
    finally:
        statement.close()


def test_booleans_are_booleans(connection: Any) -> None:
    statement = connection.createStatement()
    result = statement.executeQuery("SELECT * FROM (VALUES true, false, true, false) t(b)")
    found = []
    while result.next():
        found.append((bool(result.getBoolean(1)), str(result.getString(1))))
    assert found == [(True, "t"), (False, "f"), (True, "t"), (False, "f")]


def test_the_columns_of_a_table_are_told(connection: Any) -> None:
    answer = fetch(connection.getMetaData().getColumns(None, "tiny", "customer", "%"))
    shown = [(row[2], row[3], row[4], row[5], row[6], row[16]) for row in answer["rows"]]
    assert shown == [
        ("customer", "custkey", "-5", "int8", "19", "1"),
        ("customer", "name", "12", "varchar", "25", "2"),
        ("customer", "address", "12", "varchar", "40", "3"),
        ("customer", "nationkey", "-5", "int8", "19", "4"),
        ("customer", "phone", "12", "varchar", "15", "5"),
        ("customer", "acctbal", "8", "float8", "17", "6"),
        ("customer", "mktsegment", "12", "varchar", "10", "7"),
        ("customer", "comment", "12", "varchar", "117", "8"),
    ]


@pytest.mark.parametrize(
    ("call", "arguments", "rows"),
    [
        ("getCatalogs", (), 1),
        ("getSchemas", (None, "ti%"), 1),
        ("getTables", (None, "tiny", "%", None), 9),
        ("getColumns", (None, "tiny", "every_type", "%"), 18),
        ("getColumns", (None, None, "%", "%"), 79),
        ("getTypeInfo", (), 188),
        ("getIndexInfo", (None, "tiny", "nation", False, False), 0),
        ("getPrimaryKeys", (None, "tiny", "nation"), 0),
        ("getImportedKeys", (None, "tiny", "nation"), 0),
        ("getExportedKeys", (None, "tiny", "nation"), 0),
        ("getCrossReference", (None, "tiny", "nation", None, "tiny", "region"), 0),
        ("getBestRowIdentifier", (None, "tiny", "nation", 0, True), 0),
        ("getProcedures", (None, None, "%"), 0),
        ("getFunctions", (None, "tiny", "%"), 0),
        ("getFunctionColumns", (None, "tiny", "%", "%"), 0),
        ("getTablePrivileges", (None, "tiny", "nation"), 7),
        ("getColumnPrivileges", (None, "tiny", "nation", "%"), 28),
        ("getUDTs", (None, "tiny", "%", None), 0),
        ("getClientInfoProperties", (), 1),
    ],
)
def test_metadata_calls_answer(
    connection: Any, call: str, arguments: tuple[Any, ...], rows: int
) -> None:
    answer = fetch(getattr(connection.getMetaData(), call)(*arguments))
    assert len(answer["rows"]) == rows


def test_a_prepared_statement_is_run_seven_times(connection: Any) -> None:
    statement = connection.prepareStatement(
        "SELECT name, CAST(? AS double), ? FROM nation WHERE nationkey = ? OR name = ?"
    )
    found = []
    for number in range(7):  # from the fifth on it is the server's, with binary values
        statement.setDouble(1, number / 2)
        statement.setInt(2, number)
        statement.setLong(3, number)
        statement.setString(4, "CHINA")
        result = statement.executeQuery()
        rows = []
        while result.next():
            rows.append((str(result.getString(1)), result.getDouble(2), result.getInt(3)))
        found.append(rows)
    names = ("ALGERIA", "ARGENTINA", "BRAZIL", "CANADA", "EGYPT", "ETHIOPIA", "FRANCE")
    assert found == [
        [(name, number / 2, number), ("CHINA", number / 2, number)]
        for number, name in enumerate(names)
    ]


def test_dates_and_instants_are_bound_and_read(connection: Any) -> None:
    import jpype

    timestamp = jpype.JClass("java.sql.Timestamp").valueOf("2020-02-29 12:34:56.789")
    statement = connection.prepareStatement(
        "SELECT count(*) FROM orders WHERE orderdate < ?"
        " AND CAST(? AS timestamp(3)) = TIMESTAMP '2020-02-29 12:34:56.789'"
    )
    statement.setDate(1, jpype.JClass("java.sql.Date").valueOf("1992-01-10"))
    statement.setTimestamp(2, timestamp)
    result = statement.executeQuery()
    assert result.next()
    expected = ask(connection, "SELECT count(*) FROM orders WHERE orderdate < DATE '1992-01-10'")
    assert [[str(result.getInt(1))]] == expected
    value = connection.createStatement().executeQuery(
        "SELECT TIMESTAMP '2020-02-29 12:34:56.789', DECIMAL '1.50'"
    )
    assert value.next()
    assert value.getTimestamp(1).equals(timestamp)
    assert str(value.getBigDecimal(2)) == "1.50"


def test_a_fetch_size_gives_rows_in_parts(connection: Any) -> None:
    connection.setAutoCommit(False)
    try:
        statement = connection.createStatement()
        statement.setFetchSize(1000)
        result = statement.executeQuery("SELECT orderkey FROM orders")
        count = 0
        while result.next():
            count += 1
        assert count == 15_000
        connection.commit()
    finally:
        connection.setAutoCommit(True)


def test_a_time_limit_ends_a_query_and_frees_the_engine(connection: Any, stack: PgStack) -> None:
    statement = connection.createStatement()
    statement.setQueryTimeout(1)
    began = time.monotonic()
    with pytest.raises(Exception, match="canceled"):
        statement.executeQuery(CROSS_JOIN)
    assert time.monotonic() - began < 3
    _until(lambda: not stack.engine.running)
    assert ask(connection, "SELECT 1") == [["1"]]


def test_a_cancel_ends_a_query_within_a_second(connection: Any, stack: PgStack) -> None:
    statement = connection.createStatement()
    ended: list[float] = []

    def execute() -> None:
        with pytest.raises(Exception, match="canceled"):
            statement.executeQuery(CROSS_JOIN)
        ended.append(time.monotonic())

    thread = threading.Thread(target=execute)
    thread.start()
    _until(lambda: stack.engine.running)
    began = time.monotonic()
    statement.cancel()
    thread.join(10)
    assert ended[0] - began < 1


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
