"""Sums of products run in 18 digits, and again in full width where those do not do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from querysvc.engines.duckdb.lowering.lower import lower
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import RecordingControl, plan, spooled
from tests.support.queries import analysed, tpch

TABLE = "(VALUES (CAST({0} AS decimal(15,2)), CAST({0} AS decimal(15,2)))) t(a, b)"
SMALL, LARGE = "1.50", "9999999999999.50"


@pytest.mark.parametrize(
    ("operand", "total"), [(SMALL, "2.2500"), (LARGE, "99999999999990000000000000.2500")]
)
def test_a_worker_answers_whether_the_products_fit_18_digits_or_not(
    engine_bench: EngineBench, operand: str, total: str
) -> None:
    statement = analysed(f"SELECT sum(a * b) FROM {TABLE.format(operand)}", tpch())
    columns = [(column.name, column.type) for column in statement.columns]
    control = RecordingControl()
    outcome = engine_bench.engine.execute(
        plan([], columns, query=statement.query), engine_bench.spool, control
    )
    assert spooled(engine_bench.spool) == [(Decimal(total),)]
    assert (outcome.rows, [rows for _end, rows in control.batches]) == (1, [1])


@pytest.mark.parametrize(
    ("expression", "is_narrowed"),
    [
        ("sum(a * b)", True),
        ("avg(a * (1 - b))", True),
        ("sum(CASE WHEN a > 1 THEN a * b ELSE 0 END)", True),
        ("sum(a)", False),
        ("max(a * b)", False),
        ("sum(a * b) OVER ()", False),
        ("sum(TRY(a * b))", False),
        ("sum(a * CAST(1.123456789012345678 AS decimal(38,18)))", False),
    ],
)
def test_only_arguments_of_sums_are_narrowed_and_never_inside_try(
    expression: str, is_narrowed: bool
) -> None:
    query = analysed(f"SELECT {expression} FROM {TABLE.format(SMALL)}", tpch()).query
    assert lower(query, {}, narrows=True).is_narrowed is is_narrowed
    assert not lower(query, {}).is_narrowed
