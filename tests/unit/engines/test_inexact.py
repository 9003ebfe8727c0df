"""Why a run may read less than its estimate: told of the query, never of a policy's condition."""

from __future__ import annotations

import pytest

from querysvc import tree
from querysvc.engines.duckdb.inexact import may_end_early, reasons, scanned_twice
from querysvc.types import algebra as t

TRUE = tree.Literal(t.BOOLEAN, value=True)
SCAN = tree.Scan(1, (tree.Field("a", t.BIGINT),), 0, (0,))
COLUMN = tree.ColumnReference(t.BIGINT, 1, 0)
OUTPUT = (tree.Field("a", t.BIGINT),)
PLAIN = tree.Query(OUTPUT, tree.Select((COLUMN,), SCAN))
CONSTANT = tree.Query(OUTPUT, tree.Select((COLUMN,), SCAN, where=TRUE))
GROUPED = tree.Select((COLUMN,), SCAN, group_by=tree.GroupBy((COLUMN,), ((0,),)))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (PLAIN, ""),
        (tree.Query(OUTPUT, PLAIN.body, limit=1), "LIMIT"),
        (tree.Query(OUTPUT, GROUPED, limit=1), ""),
        (CONSTANT, "a condition without columns"),
    ],
)
def test_a_query_tells_what_may_leave_data_unread(query: tree.Query, told: str) -> None:
    found = reasons(query, reads_parquet=True)
    assert len(found) == bool(told)
    assert "".join(found).startswith(told)
    assert may_end_early(query) is (told == "LIMIT")


def test_a_policys_condition_is_not_told_but_its_scans_count() -> None:
    hidden = tree.Subquery(2, OUTPUT, CONSTANT, is_barrier=True)
    query = tree.Query(OUTPUT, tree.Select((tree.ColumnReference(t.BIGINT, 2, 0),), hidden))
    assert reasons(query, reads_parquet=True) == ()
    joined = tree.Join(tree.JoinKind.CROSS, hidden, SCAN, None)
    assert scanned_twice(tree.Query(OUTPUT, tree.Select((COLUMN,), joined))) == {0}
