"""psqlODBC through pyodbc: catalog functions, parameters, a hundred thousand rows."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.support.pg_stack import PgStack

pyodbc = pytest.importorskip("pyodbc")

DRIVER = "PostgreSQL Unicode"
pytestmark = pytest.mark.skipif(
    DRIVER not in pyodbc.drivers(), reason="psqlODBC is not installed (make tools)"
)


@pytest.fixture(scope="module")
def cursor(stack: PgStack) -> Iterator[Any]:
    settings = {
        "Driver": f"{{{DRIVER}}}",
        "Server": "127.0.0.1",
        "Port": stack.port,
        "Database": "tpch",
        "Uid": "eve",
        "ConnSettings": "SET search_path = tiny",
    }
    text = ";".join(f"{name}={value}" for name, value in settings.items())
    connection = pyodbc.connect(text, autocommit=True)
    try:
        yield connection.cursor()
    finally:
        connection.close()


def test_tables_and_columns_are_told(cursor: Any) -> None:
    tables = cursor.tables(schema="tiny").fetchall()
    assert [row.table_name for row in tables][:3] == ["customer", "every_type", "lineitem"]
    columns = cursor.columns(table="nation", schema="tiny").fetchall()
    assert [(c.column_name, c.type_name, c.column_size) for c in columns] == [
        ("nationkey", "int8", 19),
        ("name", "varchar", 25),
        ("regionkey", "int8", 19),
        ("comment", "varchar", 152),
    ]


@pytest.mark.parametrize(
    ("call", "arguments", "rows"),
    [
        ("primaryKeys", ("nation",), 0),
        ("foreignKeys", ("nation",), 0),
        ("statistics", ("nation",), 0),
        ("rowIdColumns", ("nation",), 0),
        ("getTypeInfo", (), 25),
    ],
)
def test_catalog_functions_answer(
    cursor: Any, call: str, arguments: tuple[str, ...], rows: int
) -> None:
    assert len(getattr(cursor, call)(*arguments).fetchall()) == rows


def test_parameters_of_every_kind_are_bound(cursor: Any) -> None:
    row = cursor.execute(
        "SELECT name FROM nation WHERE nationkey = ? AND name LIKE ?", 3, "C%"
    ).fetchone()
    assert tuple(row) == ("CANADA",)
    row = cursor.execute(
        "SELECT count(*) FROM orders WHERE orderdate < ? AND totalprice > ?",
        datetime.date(1992, 1, 10),
        Decimal("1000.5"),
    ).fetchone()
    assert row[0] > 0


def test_values_of_common_types_are_read(cursor: Any) -> None:
    row = cursor.execute(
        "SELECT true, 1, 1e0, DECIMAL '1.50', 'ünï', X'00ff', DATE '2020-02-29',"
        " TIMESTAMP '2020-02-29 12:34:56.789', CAST(NULL AS integer)"
    ).fetchone()
    assert tuple(row) == (
        *("1", 1, 1.0, Decimal("1.50"), "ünï", b"\x00\xff", datetime.date(2020, 2, 29)),
        datetime.datetime(2020, 2, 29, 12, 34, 56, 789000),
        None,
    )


def test_a_hundred_thousand_rows_arrive(cursor: Any) -> None:
    query = "SELECT orderkey, comment FROM lineitem"
    rows = cursor.execute(f"SELECT * FROM ({query} UNION ALL {query}) LIMIT 100000").fetchall()
    assert len(rows) == 100_000
