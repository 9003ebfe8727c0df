"""DELETE, UPDATE, MERGE: what Trino 476's iceberg connector answers is what the analyser does.

row_changes.jsonl was recorded from it; errors of running a statement
are told there as no error.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from querysvc import tree
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn, Session
from querysvc.plan import TableColumn
from querysvc.sql.metadata import MemoryMetadata, TableInfo, ViewInfo, VisibleCells
from querysvc.sql.parser import parse
from querysvc.sql.writes import analyse_write
from querysvc.types.algebra import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    VARCHAR,
    Array,
    Decimal,
    TrinoType,
)
from querysvc.write_plan import CHANGES, ChangeRows, RowAction
from querysvc_catalog.model import Table

HIDDEN = (
    TableColumn("$path", VARCHAR, is_hidden=True),
    TableColumn("$pos", BIGINT, is_hidden=True),
)
T = (
    ("a", INTEGER),
    ("b", VARCHAR),
    ("c", Decimal(5, 2)),
    ("e", Array(VARCHAR)),
    ("d", DATE),
)
S = (("id", BIGINT), ("v", VARCHAR), ("n", DOUBLE))
H = (("a", INTEGER), ("b", VARCHAR))


class Metadata(MemoryMetadata):
    """Iceberg tables t and s, the Hive table h, the view vw, and t of which only a is seen."""

    def __init__(self) -> None:
        super().__init__("ice")
        self.add_schema("w")
        self._put("t", T)
        self._put("s", S)
        self._put("h", H, table_type="")
        self._put("some", T, visible=(VisibleCells(frozenset({"a"})),))
        self._put("filtered", T, visible=(VisibleCells(row_filter="a = 1"),))
        self._put("unseen", T, visible=())
        self.add_view("w", "vw", ViewInfo("select 1 x", (ResultColumn("x", INTEGER),)))

    def _put(
        self,
        name: str,
        columns: tuple[tuple[str, TrinoType], ...],
        table_type: str = "ICEBERG",
        visible: tuple[VisibleCells, ...] | None = None,
    ) -> None:
        entry = Table(name, "w", "ice", parameters={"table_type": table_type})
        seen = (*(TableColumn(*one) for one in columns), *HIDDEN)
        self._schemas["w"][name] = TableInfo(entry, seen, visible=visible)


def analyse(sql: str, *parameters: str) -> ChangeRows:
    found = analyse_write(parse(sql), Session(catalog="ice", database="w"), Metadata(), parameters)
    assert isinstance(found, ChangeRows)
    return found


RECORDED = [
    json.loads(line)
    for line in Path(__file__).with_name("row_changes.jsonl").read_text().splitlines()
]
TRINO_FAILS = ("GENERIC_INTERNAL_ERROR", "COMPILER_ERROR")
"""Where Trino does not check: any named error of ours is better."""
OURS_RUNS = "(select max(id) from s s2 where s2.id = s.id)"


@pytest.mark.parametrize("case", RECORDED, ids=[case["sql"] for case in RECORDED])
def test_row_changes_are_analysed_as_trino_does(case: dict[str, str]) -> None:
    code, message = None, ""
    try:
        analyse(case["sql"])
    except QueryServiceError as error:
        code, message = error.code.name, str(error).partition(": ")[2]
    if OURS_RUNS in case["sql"]:
        assert code is None
        return
    if case.get("error") in TRINO_FAILS:
        assert code in ("DUPLICATE_COLUMN_NAME", "EXPRESSION_NOT_SCALAR", "TYPE_MISMATCH") or (
            "$path" in case["sql"] and code == "COLUMN_NOT_FOUND"
        )
        return
    assert code == case.get("error")
    assert _comparable(message) == _comparable(case.get("message", ""))


def _comparable(message: str) -> str:
    """Without the list of what might follow, and without what a printed window holds."""
    told = message.partition(". Expecting:")[0].replace("OVER ()", "OVER (...)")
    return told.removeprefix("line 1:1: Modifying Hive").removeprefix("Modifying Hive")


@pytest.mark.parametrize("table", ["some", "filtered"])
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM {} WHERE a = 1",
        "UPDATE {} SET a = 1",
        "MERGE INTO {} USING s ON a = id WHEN MATCHED THEN DELETE",
    ],
)
def test_rows_of_tables_that_are_seen_in_part_cannot_be_changed(sql: str, table: str) -> None:
    with pytest.raises(QueryServiceError, match="only some of its rows or columns") as caught:
        analyse(sql.format(table))
    assert caught.value.code is ErrorCode.PERMISSION_DENIED


def test_a_table_that_cannot_be_seen_cannot_be_changed() -> None:
    with pytest.raises(QueryServiceError, match=r"Cannot select from table or view .*w.unseen"):
        analyse("DELETE FROM unseen")


def test_what_a_merge_reads_is_restricted_as_in_any_query() -> None:
    with pytest.raises(QueryServiceError, match=r"Cannot select from columns \[b\]"):
        analyse("MERGE INTO t USING some ON t.a = some.a AND some.b = 'x' WHEN MATCHED THEN DELETE")


def test_a_delete_reads_no_values_but_those_of_its_condition() -> None:
    change = analyse("DELETE FROM t WHERE a = 1")
    reference = change.query.tables[0]
    assert [reference.columns[i].name for i in reference.used_columns] == ["a", "$path", "$pos"]
    assert tuple(column.name for column in change.query.columns) == CHANGES
    assert list(reference.domains) == [0]


def test_an_update_gives_whole_rows() -> None:
    change = analyse("UPDATE t SET a = a + 1 WHERE d = DATE '2024-01-01'")
    assert [c.name for c in change.query.columns] == ["a", "b", "c", "e", "d", *CHANGES]
    assert change.actions == {RowAction.UPDATE}


def test_a_merge_without_inserts_joins_inner() -> None:
    cases = "WHEN MATCHED AND v = 'x' THEN DELETE WHEN MATCHED THEN UPDATE SET b = v"
    change = analyse(f"MERGE INTO t USING s ON a = id {cases}")
    assert change.actions == {RowAction.DELETE, RowAction.UPDATE}
    assert _join(change).kind is tree.JoinKind.INNER


def test_a_merge_with_inserts_keeps_the_source() -> None:
    change = analyse(
        "MERGE INTO t USING s ON a = id WHEN NOT MATCHED THEN INSERT (a, b) VALUES (?, s.v)", "7"
    )
    assert _join(change).kind is tree.JoinKind.LEFT
    assert change.query.tables[0].table.name == "t"


def _join(change: ChangeRows) -> tree.Join:
    body = change.query.query.body
    assert isinstance(body, tree.Select)
    assert isinstance(body.source, tree.Subquery)
    inner = body.source.query.body
    assert isinstance(inner, tree.Select)
    assert isinstance(inner.source, tree.Join)
    return inner.source
