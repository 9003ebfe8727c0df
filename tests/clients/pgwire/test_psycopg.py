"""psycopg 3 against the wire: every type in both formats, errors, cursors, COPY, transactions."""

from __future__ import annotations

import datetime
import ipaddress
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.support.pg_stack import PgStack

psycopg = pytest.importorskip("psycopg")

TINY = "-c search_path=tiny"
UTC = datetime.UTC
CROSS_JOIN = (
    "SELECT count(*) FROM lineitem a, lineitem b, lineitem c"
    " WHERE a.orderkey + b.orderkey + c.orderkey < 0"
)
VALUES = {
    "true": True,
    "CAST(NULL AS boolean)": None,
    "TINYINT '-128'": -128,
    "SMALLINT '32767'": 32767,
    "42": 42,
    "BIGINT '-9223372036854775808'": -(2**63),
    "REAL '0.5'": 0.5,
    "DOUBLE '0.1'": 0.1,
    "infinity()": float("inf"),
    "DECIMAL '12345.670'": Decimal("12345.670"),
    "DECIMAL '-12345678901234567890123456789012345678'": Decimal(-12345678901234567890123456789012345678),  # noqa: E501
    "DECIMAL '0.00000001'": Decimal("0.00000001"),
    "'it''s \"quoted\" \\ ünïcode 😀'": "it's \"quoted\" \\ ünïcode 😀",
    "CAST('x' AS char(3))": "x  ",
    "X'00ff'": b"\x00\xff",
    "DATE '2020-02-29'": datetime.date(2020, 2, 29),
    "TIME '12:34:56.789'": datetime.time(12, 34, 56, 789000),
    "TIMESTAMP '2020-02-29 12:34:56.789012'": datetime.datetime(2020, 2, 29, 12, 34, 56, 789012),
    "TIMESTAMP '1969-12-31 23:59:59.9'": datetime.datetime(1969, 12, 31, 23, 59, 59, 900000),
    "TIMESTAMP '2020-02-29 12:34:56.789 Europe/Berlin'": datetime.datetime(2020, 2, 29, 11, 34, 56, 789000, UTC),  # noqa: E501
    "INTERVAL '3' DAY": datetime.timedelta(days=3),
    "INTERVAL '-1.5' SECOND": datetime.timedelta(seconds=-1.5),
    "UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'": uuid.UUID("12151fd2-7586-11e9-8f9e-2a86e4085a59"),  # noqa: E501
    "IPADDRESS '2001:db8::1'": ipaddress.ip_address("2001:db8::1"),
    "JSON '{\"a\": [1, null]}'": {"a": [1, None]},
    "ARRAY[1, NULL, 3]": [1, None, 3],
    "ARRAY['a,b', '\"', NULL, '']": ["a,b", '"', None, ""],
    "ARRAY[DATE '2020-01-01']": [datetime.date(2020, 1, 1)],
    "ARRAY[ARRAY[1], ARRAY[2, 3]]": [[1], [2, 3]],
    "MAP(ARRAY['a'], ARRAY[1])": {"a": 1},
    "CAST(ROW(1, 'x') AS row(n integer, t varchar))": {"n": 1, "t": "x"},
    "ROW(1, 'x')": [1, "x"],
    "NULL": None,
}  # fmt: skip
"""Expressions of every type, and what a client makes of them."""


@pytest.fixture
def connection(stack: PgStack) -> Iterator[Any]:
    with psycopg.connect(stack.dsn(options=TINY), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_every_type_comes_as_its_own(connection: Any, binary: bool) -> None:
    for expression, expected in VALUES.items():
        row = connection.execute(f"SELECT {expression}", binary=binary).fetchone()
        assert row == (expected,), expression


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(
    "value",
    [
        *(True, 7, 2**40, 0.5, Decimal("1.50"), "it's", b"\0\xff", datetime.date(2020, 2, 29)),
        datetime.datetime(2020, 2, 29, 1, 2, 3, 4),
        datetime.datetime(2020, 2, 29, 1, 2, 3, 4, UTC),
        *(datetime.time(1, 2, 3), uuid.UUID(int=5), [1, None, 3], None),
    ],
    ids=repr,
)
def test_a_parameter_comes_back(connection: Any, value: Any, binary: bool) -> None:
    mark = "%b" if binary and value is not None else "%t"
    row = connection.execute(f"SELECT {mark}", (value,), binary=binary).fetchone()
    assert row == (value,)


def test_a_parameter_takes_the_type_of_its_context(connection: Any) -> None:
    rows = connection.execute(
        "SELECT name FROM nation WHERE nationkey = %s AND name LIKE %s LIMIT %s", ("3", "C%", "5")
    )
    assert rows.fetchall() == [("CANADA",)]
    described = connection.execute("SELECT nationkey, name FROM nation LIMIT 0").description
    assert [(c.name, c.type_code, c.display_size) for c in described] == [
        ("nationkey", 20, None),
        ("name", 1043, 25),
    ]


@pytest.mark.parametrize(
    ("sql", "state", "position"),
    [
        ("SELEC 1", "42601", 1),
        ("SELECT 1::int, nope FROM nation", "42703", 16),
        ("SELECT * FROM nowhere", "42P01", 15),
        ("SELECT 1/0", "22012", None),
        ("SELECT 'a' ILIKE 'b'", "0A000", None),
        ("SELECT CAST('x' AS integer)", "22018", None),
        ("SET nothing = 1", "42704", None),
        ("SET TimeZone = 'Nowhere/Else'", "22023", None),
        ("COPY nation FROM STDIN", "0A000", None),
        ("FETCH 1 FROM nothing", "34000", None),
        ("SELECT * FROM pg_class, nation", "0A000", None),
        ("SELECT nope FROM pg_class", "42703", None),
        ("SELECT pg_sleep(100)", "42883", None),
    ],
)
def test_an_error_tells_its_state_and_place(
    connection: Any, sql: str, state: str, position: int | None
) -> None:
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(sql)
    assert raised.value.sqlstate == state
    told = raised.value.diag.statement_position
    assert told == (None if position is None else str(position))
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_several_statements_are_run_one_after_the_other(connection: Any) -> None:
    cursor = connection.execute(
        "SELECT 1; SELECT 'a;b'; SET application_name = 'x'; SHOW application_name"
    )
    answers = []
    while True:
        answers.append((cursor.statusmessage, cursor.fetchall() if cursor.description else None))
        if not cursor.nextset():
            break
    assert answers == [
        ("SELECT 1", [(1,)]),
        ("SELECT 1", [("a;b",)]),
        ("SET", None),
        ("SHOW", [("x",)]),
    ]  # fmt: skip
    assert connection.info.parameter_status("application_name") == "x"


def test_a_transaction_that_failed_takes_nothing_but_its_end(stack: PgStack) -> None:
    with psycopg.connect(stack.dsn(options=TINY)) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1/0")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.rollback()
        with (
            connection.transaction(),
            pytest.raises(psycopg.errors.DivisionByZero),
            connection.transaction(),
        ):
            connection.execute("SELECT 1/0")
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.errors.ActiveSqlTransaction, match="autocommit"):
            connection.execute("DROP TABLE nation")


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_cursor_on_the_server_gives_rows_in_parts(stack: PgStack, binary: bool) -> None:
    with psycopg.connect(stack.dsn(options=TINY)) as connection:
        with connection.cursor(name="c", binary=binary) as cursor:
            cursor.execute("SELECT orderkey FROM orders ORDER BY 1")
            assert cursor.fetchmany(2) == [(1,), (2,)]
            assert cursor.fetchone() == (3,)
            assert len(cursor.fetchall()) == 14_997
        with pytest.raises(psycopg.errors.InvalidCursorName):
            connection.execute("FETCH 1 FROM c")


def test_copy_gives_rows_in_three_formats(connection: Any) -> None:
    query = "SELECT nationkey, CASE WHEN nationkey > 0 THEN 'a\t\"b\"' END FROM nation WHERE nationkey < 2"  # noqa: E501

    def copied(options: str) -> bytes:
        with connection.cursor().copy(f"COPY ({query}) TO STDOUT {options}") as copy:
            return b"".join(copy)

    assert copied("") == b'0\t\\N\n1\ta\\t"b"\n'
    assert copied("(FORMAT csv, HEADER)") == b'nationkey,_col1\n0,\n1,"a\t""b"""\n'
    assert copied("WITH CSV DELIMITER ';' NULL 'none'") == b'0;none\n1;"a\t""b"""\n'
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int8", "text"])
        assert list(copy.rows()) == [(0, None), (1, 'a\t"b"')]
    with connection.cursor().copy("COPY nation (name) TO STDOUT") as copy:
        assert len(list(copy.rows())) == 25


def test_a_timestamp_with_zone_is_shown_in_the_sessions_zone(connection: Any) -> None:
    connection.execute("SET TIME ZONE 'Asia/Tokyo'")
    value = connection.execute(
        "SELECT CAST(TIMESTAMP '2020-01-01 00:00:00 UTC' AS timestamp(0) with time zone), current_timezone()"  # noqa: E501
    ).fetchone()
    assert value[0].isoformat() == "2020-01-01T09:00:00+09:00"
    assert value[1] == "Asia/Tokyo"


def test_a_cancel_ends_a_query_within_a_second(stack: PgStack) -> None:
    with psycopg.connect(stack.dsn(options=TINY), autocommit=True) as connection:
        cancelled_at: list[float] = []

        def cancel() -> None:
            _until(lambda: stack.engine.running)
            cancelled_at.append(time.monotonic())
            connection.cancel_safe()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(CROSS_JOIN)
        assert time.monotonic() - cancelled_at[0] < 1
        thread.join(10)
        _until(lambda: not stack.engine.running)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_cancel_with_another_secret_does_nothing(stack: PgStack) -> None:
    import socket
    import struct

    with psycopg.connect(stack.dsn(options=TINY), autocommit=True) as connection:
        process_id = connection.info.backend_pid
        with socket.create_connection(("127.0.0.1", stack.port)) as other:
            other.sendall(struct.pack(">iiii", 16, 80877102, process_id, 12345))
            assert other.recv(1) == b""
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_time_limit_of_the_session_ends_a_query(connection: Any, stack: PgStack) -> None:
    connection.execute("SET statement_timeout = '1s'")
    began = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(CROSS_JOIN)
    assert time.monotonic() - began < 3
    _until(lambda: not stack.engine.running)


def test_a_client_that_is_gone_frees_the_engine(stack: PgStack) -> None:
    connection = psycopg.connect(stack.dsn(options=TINY), autocommit=True)
    connection.pgconn.send_query(CROSS_JOIN.encode())
    _until(lambda: stack.engine.running)
    connection.close()
    _until(lambda: not stack.engine.running)


def test_a_database_is_a_catalog_that_exists(stack: PgStack) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        psycopg.connect(stack.dsn(dbname="nowhere"))


def test_discard_all_forgets_settings_and_statements(connection: Any) -> None:
    connection.execute("SET application_name = 'x'")
    connection.execute("SELECT 1", prepare=True)
    connection.execute("DISCARD ALL")
    assert connection.execute("SHOW application_name").fetchone() == ("",)


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_error_of_a_prepared_statement_is_placed_in_its_text(connection: Any) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn) as raised:
        connection.execute("SELECT %s::int, nope FROM nation", (1,))
    assert raised.value.diag.statement_position == "17"
