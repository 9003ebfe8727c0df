"""EXPLAIN tells the plan in Trino's terms, with what pruning left, and nothing of policies."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from querysvc.errors import QueryServiceError
from querysvc.model import Session
from querysvc.plan import (
    ExecutionPlan,
    PartitionScan,
    ReadEstimate,
    ResourceLimits,
    StoredObject,
    TableScan,
)
from querysvc.service.plan_formats import graphviz_text, json_text, text_lines
from querysvc.service.plan_io import io_text
from querysvc.service.plan_nodes import plan_nodes
from querysvc.service.statement_reading import analyse
from querysvc.sql.explain import Explain, ExplainFormat, ExplainType, read_explain
from querysvc.sql.metadata import MemoryMetadata, TableInfo, VisibleCells
from querysvc_catalog.model import StorageDescriptor
from tests.support.queries import STARTED_AT, analysed, columns

OBJECT = StoredObject("b", "t/k=1/o", 77, "e", datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture
def metadata() -> MemoryMetadata:
    metadata = MemoryMetadata()
    metadata.add_table("tiny", "t", columns("a bigint, s varchar", keys="k integer, d date"))
    metadata.add_table("tiny", "u", columns("a bigint, x double"))
    return metadata


def planned(metadata: MemoryMetadata, sql: str) -> ExecutionPlan:
    statement = analysed(sql, metadata)
    scans = tuple(
        TableScan(reference, (PartitionScan((1, 19000), StorageDescriptor(), (OBJECT,)),), 12)
        for reference in statement.tables
    )
    return ExecutionPlan("q", statement.query, statement.columns, scans, Session())


def lines(metadata: MemoryMetadata, sql: str) -> list[str]:
    plan = planned(metadata, sql)
    return text_lines(plan_nodes(plan.query, plan.scans))


def test_a_plan_is_a_tree_of_its_steps(metadata: MemoryMetadata) -> None:
    sql = """SELECT s, count(*) AS n, sum(x) FROM t JOIN u ON t.a = u.a
             WHERE k IN (1, 2) AND d > DATE '2024-01-01' GROUP BY s ORDER BY n DESC LIMIT 5"""
    assert lines(metadata, sql) == [
        "Output[columnNames = [s, n, _col2]]",
        "│   Layout: [s:varchar, n:bigint, _col2:double]",
        "└─ TopN[count = 5, orderBy = [output 2 DESC NULLS LAST]]",
        "   │   Layout: [s:varchar, n:bigint, _col2:double]",
        "   └─ Project[]",
        "      │   Layout: [s:varchar, n:bigint, _col2:double]",
        "      │   n := count(*)",
        "      │   _col2 := sum(x)",
        "      └─ Aggregate[keys = [s]]",
        "         │   count(*)",
        "         │   sum(x)",
        (
            "         └─ Filter[filterPredicate = ((k IN (integer '1', integer '2'))"
            " AND (d > date '2024-01-01'))]"
        ),
        "            │   Layout: [a:bigint, s:varchar, k:integer, d:date, a:bigint, x:double]",
        "            └─ InnerJoin[criteria = (a = a)]",
        "               │   Layout: [a:bigint, s:varchar, k:integer, d:date, a:bigint, x:double]",
        "               ├─ TableScan[table = awsdatacatalog:tiny:t]",
        "               │      Layout: [a:bigint, s:varchar, k:integer, d:date]",
        "               │      k :: [[1], [2]]",
        "               │      d :: [(2024-01-01, <max>)]",
        "               │      Partitions: 1/12, Files: 1, Size: 77B",
        "               └─ TableScan[table = awsdatacatalog:tiny:u]",
        "                      Layout: [a:bigint, x:double]",
        "                      Partitions: 1/12, Files: 1, Size: 77B",
    ]


def test_json_and_graphviz_tell_the_same_steps(metadata: MemoryMetadata) -> None:
    plan = planned(metadata, "SELECT a FROM t UNION ALL SELECT a FROM u")
    node = plan_nodes(plan.query, plan.scans)
    document = json.loads(json_text(node))
    (union,) = document["children"]
    assert (document["name"], union["name"]) == ("Output", "UnionAll")
    assert document["outputs"] == [{"type": "bigint", "name": "a"}]
    assert {"id", "descriptor", "details", "estimates"} < set(union)
    dot = graphviz_text(node)
    assert dot.startswith("digraph logical_plan {")
    assert dot.count(" -> ") == dot.count("[label=") - 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM (VALUES (1, 'a|\"x'), (2, NULL)) v(p, q) WHERE p > 1 OR q LIKE 'a%'",
        (
            "WITH c AS (SELECT a FROM t) SELECT (SELECT max(a) FROM u), a FROM c WHERE a IN"
            " (SELECT a FROM u) AND EXISTS (SELECT 1 FROM u)"
        ),
        (
            "SELECT DISTINCT rank() OVER (PARTITION BY s ORDER BY a DESC), s || 'x', -a,"
            " try(a / 0), CASE WHEN a BETWEEN 1 AND 2 THEN 'p' ELSE s END,"
            " coalesce(s, 'z'), nullif(a, 1)"
            " FROM t"
        ),
        (
            "SELECT transform(ARRAY[a], x -> x + 1)[1],"
            " CAST(ROW(a, s) AS row(p bigint, q varchar)).p, json_value(s, 'lax $.a'), "
            " TIMESTAMP '2024-01-01 00:00:00.5 UTC' FROM t, UNNEST(ARRAY[1])"
        ),
        (
            "SELECT k, grouping(k) FROM t TABLESAMPLE BERNOULLI (10) GROUP BY ROLLUP (k) HAVING"
            " count(*) > 1 OFFSET 2 FETCH FIRST 3 ROWS ONLY"
        ),
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) TABLE r",
    ],
)
def test_every_kind_of_step_is_told(metadata: MemoryMetadata, sql: str) -> None:
    plan = planned(metadata, sql)
    node = plan_nodes(plan.query, plan.scans)
    text = "\n".join(text_lines(node))
    assert "(...)" not in text.replace("(...) ->", "")
    assert json.loads(json_text(node))
    assert graphviz_text(node)


def test_io_has_trinos_members_and_the_limits_verdict(metadata: MemoryMetadata) -> None:
    plan = planned(metadata, "SELECT a FROM t WHERE k BETWEEN 2 AND 5 AND d > DATE '2024-01-01'")
    plan = replace(plan, limits=ResourceLimits(scanned_bytes_max=100))
    document = json.loads(io_text(plan, ReadEstimate(101, 3, 4, 9)))
    (table,) = document["inputTableColumnInfos"]
    assert table["table"] == {
        "catalog": "awsdatacatalog",
        "schemaTable": {"schema": "tiny", "table": "t"},
    }
    assert table["constraint"] == {
        "none": False,
        "columnConstraints": [
            {
                "columnName": "k",
                "type": "integer",
                "domain": {
                    "nullsAllowed": False,
                    "ranges": [
                        {
                            "low": {"value": "2", "bound": "EXACTLY"},
                            "high": {"value": "5", "bound": "EXACTLY"},
                        }
                    ],
                },
            },
            {
                "columnName": "d",
                "type": "date",
                "domain": {
                    "nullsAllowed": False,
                    "ranges": [
                        {
                            "low": {"value": "2024-01-01", "bound": "ABOVE"},
                            "high": {"bound": "BELOW"},
                        }
                    ],
                },
            },
        ],
    }
    assert document["estimate"]["cpuCost"] == "NaN"
    assert document["scanned"] == {
        "bytes": 101,
        "files": 3,
        "rowGroups": 4,
        "totalRowGroups": 9,
        "isExact": True,
        "reason": "",
        "bytesLimit": 100,
        "isWithinLimit": False,
    }


def test_conditions_of_policies_are_not_told(metadata: MemoryMetadata) -> None:
    found = metadata.relation("awsdatacatalog", "tiny", "t")
    assert isinstance(found, TableInfo)
    visible = (VisibleCells(row_filter="s = 'secret' AND k = 4711"),)
    metadata._schemas["tiny"]["t"] = replace(found, visible=visible)
    plan = planned(metadata, "SELECT a FROM t WHERE a = 5")
    node = plan_nodes(plan.query, plan.scans)
    told = "\n".join(text_lines(node)) + json_text(node) + io_text(plan, ReadEstimate(1, 1))
    assert "secret" not in told
    assert "4711" not in told
    assert "policy = row filter" in told
    assert "a = bigint '5'" in told


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("EXPLAIN SELECT 1", (ExplainType.DISTRIBUTED, ExplainFormat.TEXT, False, False)),
        (
            "explain (format json, type io) (SELECT 1);",
            (ExplainType.IO, ExplainFormat.JSON, False, False),
        ),
        ("EXPLAIN (SELECT 1)", (ExplainType.DISTRIBUTED, ExplainFormat.TEXT, False, False)),
        (
            "EXPLAIN ANALYZE VERBOSE (FORMAT JSON) SELECT 1",
            (ExplainType.DISTRIBUTED, ExplainFormat.JSON, True, True),
        ),
    ],
)
def test_options_are_read(sql: str, expected: tuple[object, ...]) -> None:
    found = read_explain(sql)
    assert (found.type, found.format, found.is_analyze, found.is_verbose) == expected
    assert found.sql.strip("()") == "SELECT 1"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "EXPLAIN (TYPE NOPE) SELECT 1",
            (
                "SYNTAX_ERROR: line 1:15: mismatched input 'NOPE'. Expecting: 'DISTRIBUTED', 'IO',"
                " 'LOGICAL', 'VALIDATE'"
            ),
        ),
        ("EXPLAIN (TYPE IO, TYPE LOGICAL) SELECT 1", "SYNTAX_ERROR: line 1:19: TYPE is given"),
        ("EXPLAIN", "SYNTAX_ERROR: line 1:8: mismatched input '<EOF>'"),
        ("EXPLAIN EXPLAIN SELECT 1", "NOT_SUPPORTED: line 1:9: EXPLAIN of EXPLAIN is not"),
        ("EXPLAIN ANALYZE (TYPE IO) SELECT 1", "NOT_SUPPORTED: line 1:27: EXPLAIN ANALYZE with"),
    ],
)
def test_wrong_options_are_named(sql: str, told: str) -> None:
    with pytest.raises(QueryServiceError) as raised:
        read_explain(sql)
    assert str(raised.value).startswith(told)


def test_errors_are_told_at_their_place_in_the_whole_statement(metadata: MemoryMetadata) -> None:
    session = Session(database="tiny", started_at=STARTED_AT)
    with pytest.raises(QueryServiceError, match="Column 'nope' cannot be resolved") as raised:
        analyse("EXPLAIN (TYPE VALIDATE)\n  SELECT nope", session, metadata, ())
    assert (raised.value.line, raised.value.column) == (2, 10)
    found = analyse("EXPLAIN DROP TABLE t", session, metadata, ())
    assert isinstance(found, Explain)
