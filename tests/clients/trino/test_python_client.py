"""trino-python-client 0.340 and its SQLAlchemy dialect against the wire."""

from __future__ import annotations

import datetime
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

trino = pytest.importorskip("trino")

import sqlalchemy as sa  # noqa: E402 - after the check that the client is there

from querysvc_drivers.trino import TrinoSettings  # noqa: E402
from tests.support.trino_stack import Stack, trino_stack  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's and the dialect's own


def connect(stack: Stack, **settings: Any) -> Any:
    return trino.dbapi.connect(
        host="127.0.0.1", port=stack.port, user="eve", catalog="tpch", schema="tiny", **settings
    )


@pytest.fixture
def connection(stack: Stack) -> Iterator[Any]:
    connection = connect(stack)
    yield connection
    connection.close()


def until(condition: Any, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(connection: Any, sql: str, parameters: tuple[Any, ...] | None = None) -> list[Any]:
    cursor = connection.cursor()
    cursor.execute(sql, parameters)
    return cursor.fetchall()


@pytest.mark.parametrize("encoding", [None, "json", "json+lz4", "json+zstd"])
def test_every_encoding_gives_the_same_rows(stack: Stack, encoding: str | None) -> None:
    connection = connect(stack, encoding=encoding)
    rows = ask(connection, "SELECT * FROM orders")
    assert len(rows) == 15_000
    totals = ask(connection, "SELECT sum(orderkey), count(DISTINCT comment) FROM orders")
    assert totals == [[sum(row[0] for row in rows), len({row[-1] for row in rows})]]
    connection.close()


def test_large_results_come_in_spooled_segments_that_are_acknowledged(stack: Stack) -> None:
    connection = connect(stack, encoding="json+zstd")
    cursor = connection.cursor("segment")
    cursor.execute("SELECT * FROM orders")
    decodable = list(cursor)
    kinds = [type(one.segment).__name__ for one in decodable]
    assert set(kinds) == {"InlineSegment", "SpooledSegment"}
    assert sum(one.segment.metadata["rowsCount"] for one in decodable) == 15_000
    spooled = next(one.segment for one in decodable if "Spooled" in type(one.segment).__name__)
    assert len(spooled.data) == spooled.metadata["segmentSize"]
    for one in decodable:
        if isinstance(one.segment, trino.client.SpooledSegment):
            one.segment.acknowledge()
    until(lambda: len(stack.segments) == 0)
    connection.close()


def test_values_become_pythons_types(connection: Any) -> None:
    sql = (
        "SELECT 1, DECIMAL '1.50', 'x', true, NULL, DATE '2020-01-01', TIME '01:02:03',"
        " TIMESTAMP '2020-01-01 01:02:03.456789',"
        " TIMESTAMP '2020-01-01 01:02:03 Europe/Berlin', ARRAY[1, 2], MAP(ARRAY['a'], ARRAY[1]),"
        " ROW(1, 'x'), X'0a', INTERVAL '1' DAY"
    )
    assert ask(connection, sql) == [
        [
            *(1, Decimal("1.50"), "x", True, None, datetime.date(2020, 1, 1)),
            datetime.time(1, 2, 3),
            datetime.datetime(2020, 1, 1, 1, 2, 3, 456789),
            datetime.datetime(2020, 1, 1, 1, 2, 3, tzinfo=ZoneInfo("Europe/Berlin")),
            *([1, 2], {"a": 1}, (1, "x"), b"\n", datetime.timedelta(days=1)),
        ]
    ]


def test_parameters_are_passed_with_their_types(connection: Any) -> None:
    given = (7, "it's", None, 1.5, Decimal("2.50"), datetime.date(2020, 1, 1), [1, 2], True)
    assert ask(connection, "SELECT ?, ?, ?, ?, ?, ?, ?, ?", given) == [list(given)]
    rows = ask(connection, "SELECT name FROM nation WHERE regionkey = ? AND name > ?", (1, "B"))
    assert sorted(rows) == [["BRAZIL"], ["CANADA"], ["PERU"], ["UNITED STATES"]]


def test_prepared_statements_travel_in_headers(connection: Any) -> None:
    ask(connection, "PREPARE double FROM SELECT ? * 2 AS twice")
    assert ask(connection, "EXECUTE double USING 21") == [[42]]
    assert ask(connection, "DESCRIBE OUTPUT double")[0][0] == "twice"
    assert ask(connection, "DESCRIBE INPUT double") == [[0, "integer"]]
    ask(connection, "DEALLOCATE PREPARE double")
    assert connection._client_session.prepared_statements == {}


def test_a_statement_is_described_as_trino_describes_it(connection: Any) -> None:
    sql = "SELECT n.name AS x, n.regionkey, 1 y, 'abc', n.name || 'x' FROM nation n"
    described = connection.cursor().describe(sql)
    assert [tuple(column) for column in described] == [
        ("x", "tpch", "tiny", "nation", "varchar(25)", 0, True),
        ("regionkey", "tpch", "tiny", "nation", "bigint", 8, False),
        ("y", "", "", "", "integer", 4, True),
        ("_col3", "", "", "", "varchar(3)", 0, False),
        ("_col4", "", "", "", "varchar", 0, False),
    ]
    ask(
        connection,
        "PREPARE p FROM SELECT * FROM nation WHERE nationkey = ? AND name LIKE ? LIMIT ?",
    )
    assert ask(connection, "DESCRIBE INPUT p") == [[0, "bigint"], [1, "varchar"], [2, "bigint"]]
    assert ask(connection, "DESCRIBE OUTPUT p")[0] == [
        *("nationkey", "tpch", "tiny", "nation", "bigint", 8, False)
    ]
    ask(connection, "PREPARE q FROM SELECT ? AS a")
    assert ask(connection, "DESCRIBE INPUT q") == [[0, "unknown"]]


def test_session_statements_change_the_clients_session(connection: Any) -> None:
    ask(connection, "SET SESSION query_max_run_time = '10m'")
    ask(connection, "SET TIME ZONE 'Asia/Tokyo'")
    ask(connection, "USE tpch.information_schema")
    assert ask(connection, "SELECT current_timezone(), count(*) FROM schemata") == [
        ["Asia/Tokyo", 2]
    ]
    with pytest.raises(trino.exceptions.TrinoUserError, match="Schema does not exist"):
        ask(connection, "USE tpch.nowhere")


def test_errors_are_the_clients_own_kinds(connection: Any) -> None:
    with pytest.raises(trino.exceptions.TrinoUserError) as raised:
        ask(connection, "SELECT\n  nope FROM nation")
    assert raised.value.error_name == "COLUMN_NOT_FOUND"
    assert raised.value.message == "line 2:3: Column 'nope' cannot be resolved"


def test_a_killed_client_frees_the_engine(tmp_path: Path) -> None:
    client = (
        "import sys, trino\n"
        "cursor = trino.dbapi.connect(host='127.0.0.1', port=int(sys.argv[1]), user='eve',"
        " catalog='tpch', schema='tiny').cursor()\n"
        "cursor.execute('SELECT count(*) FROM lineitem a, lineitem b WHERE a.comment < b.comment')"
    )
    with trino_stack(tmp_path, TrinoSettings(client_timeout_seconds=1)) as own:
        process = subprocess.Popen([sys.executable, "-c", client, str(own.port)])
        until(lambda: own.engine.running == 1, 20)
        process.kill()
        process.wait(10)
        until(lambda: own.engine.running == 0)
    assert TrinoSettings().client_timeout_seconds + 5 < 60


def test_a_transaction_runs_queries_and_ends(stack: Stack) -> None:
    level = trino.transaction.IsolationLevel.READ_COMMITTED
    with connect(stack, isolation_level=level) as connection:
        assert ask(connection, "SELECT count(*) FROM region") == [[5]]
        with pytest.raises(trino.exceptions.TrinoUserError, match="AUTOCOMMIT_WRITE_CONFLICT"):
            ask(connection, "DROP TABLE region")


@pytest.mark.parametrize("wrong", ["SELECT nope", "SELECT 1 / (count(*) - 5) FROM region"])
def test_a_transaction_that_failed_takes_nothing_but_its_end(stack: Stack, wrong: str) -> None:
    level = trino.transaction.IsolationLevel.READ_COMMITTED
    connection = connect(stack, isolation_level=level)
    for statement in (wrong, "SELECT 1", "USE tiny"):
        with pytest.raises(trino.exceptions.TrinoUserError) as raised:
            ask(connection, statement)
    assert raised.value.error_name == "TRANSACTION_ALREADY_ABORTED"
    connection.rollback()
    assert ask(connection, "SELECT 1") == [[1]]
    connection.rollback()


def test_the_sqlalchemy_dialect_reflects_and_selects(stack: Stack) -> None:
    engine = sa.create_engine(f"trino://eve@127.0.0.1:{stack.port}/tpch/tiny")
    inspector = sa.inspect(engine)
    assert inspector.get_schema_names() == ["information_schema", "tiny"]
    assert "nation" in inspector.get_table_names()
    assert inspector.get_view_names() == []
    columns = [(c["name"], str(c["type"])) for c in inspector.get_columns("nation")]
    assert columns == [
        ("nationkey", "BIGINT"),
        ("name", "VARCHAR(25)"),
        ("regionkey", "BIGINT"),
        ("comment", "VARCHAR(152)"),
    ]
    assert (inspector.has_table("nation"), inspector.has_table("nope")) == (True, False)
    assert inspector.get_table_comment("nation") == {"text": None}
    table = sa.Table("nation", sa.MetaData(), autoload_with=engine)
    query = sa.select(table.c.name).where(table.c.nationkey == sa.bindparam("key"))
    with engine.connect() as connection:
        assert connection.execute(query, {"key": 3}).scalar_one() == "CANADA"
    engine.dispose()
