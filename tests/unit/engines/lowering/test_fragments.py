"""Fragments: what enters is escaped, what repeats is bound."""

from collections.abc import Iterator

import duckdb
import pytest

from querysvc.engines.duckdb.lowering.attempts import without_coalesce
from querysvc.engines.duckdb.lowering.errors import to_query_error
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    blob_literal,
    fail,
    identifier,
    part,
    template,
    text_literal,
)
from querysvc.errors import ErrorCode

HOSTILE = [
    "'",
    "''",
    "a'; DROP TABLE t; --",
    "\\",
    "/* */",
    "$$",
    "\0",
    "a\0'b",
    "\n",
    "日本😀",
    '"',
]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> object:
    row = connection.execute(f"SELECT {sql}").fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_comes_back_as_it_went_in(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert _one(connection, text_literal(text)) == text


def test_bytes_come_back_as_they_went_in(connection: duckdb.DuckDBPyConnection) -> None:
    value = bytes(range(256))
    assert _one(connection, blob_literal(value)) == value


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "A", "1a", "a;"])
def test_identifiers_are_generated_ones_only(name: str) -> None:
    with pytest.raises(AssertionError):
        identifier(name)


def test_a_volatile_operand_is_evaluated_once(connection: duckdb.DuckDBPyConnection) -> None:
    same = bind([Sql("random()")], lambda value: Sql(f"({value} = {value})"))
    assert _one(connection, f"bool_and({same}) FROM range(1000)") is True


def test_a_long_operand_is_written_once() -> None:
    long = Sql(f"({' + '.join(['abs(1)'] * 100)})")
    assert template("{0} + {0}", long).count(long) == 1


def test_nested_binding_grows_linearly(connection: duckdb.DuckDBPyConnection) -> None:
    value = Sql("CAST(1 AS BIGINT)")
    for _ in range(40):
        value = template("CASE WHEN {0} > 0 THEN {0} + 1 ELSE {0} END", value)
    assert len(value) < 20_000
    assert _one(connection, value) == 41


def test_a_failure_carries_code_and_message(connection: duckdb.DuckDBPyConnection) -> None:
    failure = fail(ErrorCode.DIVISION_BY_ZERO, "it's ", part(Sql("'x' || 1")), " «ß»")
    with pytest.raises(duckdb.Error) as caught:
        _one(connection, f"CASE WHEN i = 1 THEN {failure} ELSE 1 END FROM range(2) t(i)")
    error = to_query_error(caught.value)
    assert (error.code, error.message) == (ErrorCode.DIVISION_BY_ZERO, "it's x1 «ß»")


def test_a_failure_in_a_branch_not_taken_is_none(connection: duckdb.DuckDBPyConnection) -> None:
    failure = fail(ErrorCode.DIVISION_BY_ZERO, "never")
    assert _one(connection, f"CASE WHEN false THEN {failure} ELSE 'fine' END") == "fine"


def test_try_holds_no_coalesce_in_which_duckdb_dies_of_a_failure() -> None:
    text = without_coalesce(Sql("coalesce(a, f('coalesce(,'), coalesce([1, 2][1], b))"))
    assert text == (
        "(CASE WHEN (a) IS NOT NULL THEN (a)"
        " WHEN ( f('coalesce(,')) IS NOT NULL THEN ( f('coalesce(,'))"
        " ELSE ( (CASE WHEN ([1, 2][1]) IS NOT NULL THEN ([1, 2][1]) ELSE ( b) END)) END)"
    )
