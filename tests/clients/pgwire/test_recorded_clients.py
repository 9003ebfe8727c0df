"""Clients that cannot run here: what they ask at their connection is sent in their place.

Npgsql, Power BI, Grafana, Tableau, Metabase, DBeaver; each message of the file is one query message
of the simple protocol, as those clients send it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.pg_stack import PgStack

psycopg = pytest.importorskip("psycopg")

TEXT = (Path(__file__).parents[2] / "data" / "pg-client-queries.sql").read_text(encoding="utf-8")
_, *PARTS = re.split(r"^-- ([A-Z][\w ]*: [^\n]*)$", TEXT, flags=re.MULTILINE)
MESSAGES = dict(zip(PARTS[::2], PARTS[1::2], strict=True))
ROWS = {
    "Npgsql: GetSchema's tables": 9,
    "Npgsql: GetSchema's columns": 4,
    "Npgsql: a command's columns (DbColumnSchemaGenerator.cs)": 4,
    "Power BI: character sets": 1,
    "Power BI: tables": 9,
    "Power BI: columns": 4,
    "Power BI: a preview": 25,
    "Power BI: a folded query": 2,
    "Grafana: version": 1,
    "Grafana: tables": 9,
    "Grafana: columns": 4,
    "Grafana: a panel": 5,
    "Tableau: databases": 1,
    "DBeaver: tables": 9,
    "DBeaver: columns": 4,
}


def answers(stack: PgStack, sql: str) -> list[list[tuple[str | None, ...]]]:
    """The rows of each statement of a message, as texts."""
    found = []
    with psycopg.connect(stack.dsn(options="-c search_path=tiny"), autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        while True:
            assert cursor.pgresult is not None
            found.append([texts(cursor.pgresult, row) for row in range(cursor.pgresult.ntuples)])
            if not cursor.nextset():
                return found


def texts(result: Any, row: int) -> tuple[str | None, ...]:
    values = (result.get_value(row, column) for column in range(result.nfields))
    return tuple(None if value is None else value.decode() for value in values)


@pytest.mark.parametrize("name", [name for name in MESSAGES if "version, types" not in name])
def test_a_clients_own_query_is_answered(stack: PgStack, name: str) -> None:
    (rows,) = answers(stack, MESSAGES[name])
    assert len(rows) == ROWS.get(name, len(rows))


def test_npgsql_loads_the_types(stack: PgStack) -> None:
    """As it reads them: elements come before their arrays, nothing but an element is NULL."""
    name = next(name for name in MESSAGES if "version, types" in name)
    version, types, composites, enums = answers(stack, MESSAGES[name])
    assert version[0][0] is not None
    assert version[0][0].startswith("PostgreSQL 15")
    assert (composites, enums) == ([], [])
    seen: dict[str | None, str | None] = {}
    for schema, oid, type_name, kind, not_null, element in types:
        assert None not in (schema, oid, type_name, kind, not_null)
        assert kind not in ("a", "r", "m") or element in seen
        seen[oid] = type_name
    assert {"int8", "text", "bool", "timestamptz", "numeric", "_int4"} <= set(seen.values())
