"""Types of parameters from where they stand."""

from __future__ import annotations

import pytest

from querysvc.model import Session
from querysvc.sql.description import describe_parameters
from tests.support.local_engine import tiny_metadata

SESSION = Session(catalog="tpch", database="tiny")


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("SELECT ?", [None]),
        ("SELECT CAST(? AS integer)", ["integer"]),
        ("SELECT name FROM nation WHERE nationkey = ?", ["bigint"]),
        ("SELECT name FROM nation WHERE ? < nationkey LIMIT ?", ["bigint", "bigint"]),
        ("SELECT 1 FROM nation WHERE name LIKE ? OFFSET ?", ["varchar", "bigint"]),
        ("SELECT 1 FROM orders WHERE orderdate BETWEEN ? AND ?", ["date", "date"]),
        ("SELECT 1 FROM nation WHERE nationkey IN (1, ?)", ["bigint"]),
        ("SELECT (SELECT max(nationkey) FROM nation WHERE name = ?)", ["varchar(25)"]),
        ("SELECT ARRAY[1, ?], date_add('day', ?, current_date)", ["integer", "bigint"]),
        ("WITH t AS (SELECT ? + 1 AS x) SELECT x FROM t WHERE x > ?", ["integer", "integer"]),
    ],
)
def test_a_parameter_takes_the_type_of_its_context(sql: str, types: list[str | None]) -> None:
    described = describe_parameters(sql, SESSION, tiny_metadata(), ())
    assert [type_ and str(type_) for type_ in described.parameters] == types


def test_a_declared_parameter_has_its_type_and_shapes_the_columns() -> None:
    declared = ("CAST(NULL AS double)",)
    described = describe_parameters("SELECT ? + 1", SESSION, tiny_metadata(), declared)
    assert described.columns is not None
    assert [str(column.type) for column in described.columns] == ["double"]


def test_a_count_may_be_declared() -> None:
    declared = ("CAST(NULL AS integer)", "CAST(NULL AS smallint)")
    described = describe_parameters("SELECT 1 OFFSET ? LIMIT ?", SESSION, tiny_metadata(), declared)
    assert [str(type_) for type_ in described.parameters] == ["bigint", "bigint"]


def test_a_statement_that_is_no_query_has_no_columns_yet() -> None:
    assert describe_parameters("SHOW TABLES", SESSION, tiny_metadata(), ()).columns is None
