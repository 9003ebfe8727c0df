"""Advice on valid statements."""

from __future__ import annotations

import dataclasses

import pytest

from querysvc.plan import AnalysedStatement
from querysvc.sql.lint import lint
from querysvc_catalog.model import SerDeInfo, StorageDescriptor
from querysvc_catalog.serdes import CLASSES, StorageFormat
from tests.support.queries import analysed, columns, tpch


def advice(sql: str) -> tuple[str, ...]:
    metadata = tpch()
    metadata.add_table(
        "tiny",
        "sales",
        columns("a bigint, b bigint, c varchar, d varchar, e double", keys="day date"),
    )
    return lint(_as_parquet(analysed(sql, metadata)))


def _as_parquet(statement: AnalysedStatement) -> AnalysedStatement:
    classes = CLASSES[StorageFormat.PARQUET]
    descriptor = StorageDescriptor(
        input_format=classes.input_format,
        serde_info=SerDeInfo(serialization_library=classes.serialization_library),
    )
    tables = tuple(
        dataclasses.replace(
            one, table=dataclasses.replace(one.table, storage_descriptor=descriptor)
        )
        for one in statement.tables
    )
    return dataclasses.replace(statement, tables=tables)


@pytest.mark.parametrize(
    "where", ["day = DATE '2024-01-01'", "day > DATE '2024-01-01'", "date_trunc('year', day) = day"]
)
def test_a_partition_filter_is_seen(where: str) -> None:
    assert advice(f"SELECT a FROM sales WHERE {where}") == ()


def test_a_missing_partition_filter_is_told_with_the_keys() -> None:
    assert advice("SELECT a FROM sales WHERE a = 1") == (
        "Table tiny.sales is read in all its partitions: filter by its keys (day).",
    )


def test_every_column_of_a_columnar_table_is_told() -> None:
    (told,) = advice("SELECT * FROM sales WHERE day = DATE '2024-01-01'")
    assert told.startswith("All 5 columns of tiny.sales are read")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n.name, r.name FROM nation n CROSS JOIN region r",
        "SELECT n.name, r.name FROM nation n, region r WHERE n.nationkey = 1 AND r.regionkey = 1",
        "SELECT 1 WHERE EXISTS (SELECT n.name FROM nation n, region r)",
        "WITH t AS (SELECT n.name FROM nation n, region r) SELECT name FROM t",
    ],
)
def test_a_cross_join_is_told(sql: str) -> None:
    assert advice(sql) == (
        "No condition connects tiny.nation with tiny.region: every row is joined with every other.",
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n.name FROM nation n, region r WHERE n.regionkey = r.regionkey",
        "SELECT n.name FROM nation n JOIN region r ON n.regionkey = r.regionkey",
        "SELECT n.name FROM nation n JOIN region r USING (regionkey)",
        "SELECT n.name, i FROM nation n CROSS JOIN UNNEST(ARRAY[1, 2]) AS t(i)",
        """SELECT a.name FROM nation a, nation b, region r
           WHERE a.regionkey = r.regionkey AND b.nationkey = r.regionkey + 1""",
    ],
)
def test_joins_with_a_condition_are_no_cross_joins(sql: str) -> None:
    assert advice(sql) == ()


def test_what_is_never_reused_is_told() -> None:
    assert advice("SELECT now()") == (
        "The result may differ from run to run, so that it is never reused.",
    )
