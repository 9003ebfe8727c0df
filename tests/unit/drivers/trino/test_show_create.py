"""SHOW CREATE answers as Trino's Hive connector prints tables and views."""

from __future__ import annotations

import pytest

from querysvc.errors import QueryServiceError
from querysvc.sql.prepared import StatementTokens
from querysvc_drivers.trino.client_request import ClientRequest
from querysvc_drivers.trino.session_statements import LocalResult
from querysvc_drivers.trino.show_statements import ShowStatements
from tests.support.catalog_world import World


@pytest.fixture
def world() -> World:
    return World()


def told(world: World, sql: str) -> str:
    request = ClientRequest(sql, catalog="awsdatacatalog", schema="default")
    answer = ShowStatements(world.metadata, lambda _: ()).answer(StatementTokens(sql), request)
    assert isinstance(answer, LocalResult)
    ((text,),) = answer.rows
    return str(text)


def test_a_table_is_told_with_its_properties(world: World) -> None:
    world.run(
        "CREATE EXTERNAL TABLE t (a int COMMENT 'it\\'s', `b c` map<string,array<int>>)"
        " COMMENT 'about' PARTITIONED BY (day date) ROW FORMAT DELIMITED FIELDS TERMINATED BY '|'"
        " LOCATION 's3://b/t/' TBLPROPERTIES ('skip.header.line.count' = '1')"
    )
    assert told(world, "SHOW CREATE TABLE t").splitlines() == [
        "CREATE TABLE awsdatacatalog.default.t (",
        "   a integer COMMENT 'it''s',",
        '   "b c" map(varchar, array(integer)),',
        "   day date",
        ")",
        "COMMENT 'about'",
        "WITH (",
        "   external_location = 's3://b/t/',",
        "   format = 'TEXTFILE',",
        "   partitioned_by = ARRAY['day'],",
        "   skip_header_line_count = 1,",
        "   textfile_field_separator = '|'",
        ")",
    ]


def test_a_view_is_told_in_one_row(world: World) -> None:
    world.run("CREATE VIEW v COMMENT 'c' SECURITY INVOKER AS SELECT 1 x,\n 2 y")
    assert told(world, "SHOW CREATE VIEW v") == (
        "CREATE VIEW awsdatacatalog.default.v COMMENT 'c' SECURITY INVOKER AS\nSELECT 1 x,\n 2 y"
    )


def test_a_schema_is_told(world: World) -> None:
    assert told(world, "SHOW CREATE SCHEMA default") == "CREATE SCHEMA awsdatacatalog.default"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "SHOW CREATE TABLE nope",
            "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.default.nope'",
        ),
        ("SHOW CREATE VIEW nope", "TABLE_NOT_FOUND: line 1:1: View 'awsdatacatalog.default.nope'"),
        (
            "SHOW CREATE TABLE v",
            "NOT_SUPPORTED: line 1:1: Relation 'awsdatacatalog.default.v' is a",
        ),
        (
            "SHOW CREATE SCHEMA nope",
            "SCHEMA_NOT_FOUND: line 1:1: Schema 'awsdatacatalog.nope' does not exist",
        ),
    ],
)
def test_what_cannot_be_told_is_an_error_of_trinos(world: World, sql: str, expected: str) -> None:
    world.run("CREATE VIEW v AS SELECT 1 x")
    with pytest.raises(QueryServiceError) as raised:
        told(world, sql)
    assert str(raised.value).startswith(expected)


@pytest.mark.parametrize(
    "sql",
    [
        (
            "CREATE TABLE IF NOT EXISTS t (a integer COMMENT 'x', \"b c\" row(x array(bigint)),"
            " day date, k varchar) COMMENT 'about' WITH (format = 'PARQUET',"
            " external_location = 's3://b/t/', partitioned_by = ARRAY['day', 'k'])"
        ),
        (
            "CREATE TABLE t (a varchar, b varchar) WITH (format = 'CSV', csv_separator = ';',"
            " external_location = 's3://b/t/', skip_header_line_count = 1)"
        ),
        "CREATE TABLE t (a int COMMENT 'it''s') WITH (external_location = 's3://b/t/')",
        (
            "CREATE TABLE t (a varchar) WITH (external_location = 's3://b/t/',"
            " bucketed_by = ARRAY['a'], bucket_count = 4)"
        ),
    ],
)
def test_what_is_told_makes_the_same_table(world: World, sql: str) -> None:
    world.run(sql)
    text = told(world, "SHOW CREATE TABLE t")
    first = world.table("t")
    world.run("DROP TABLE t")
    world.run(text)
    again = world.table("t")
    assert (again.storage_descriptor, again.partition_keys, again.parameters) == (
        first.storage_descriptor,
        first.partition_keys,
        first.parameters,
    )
    assert again.description == first.description


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE TABLE t (a int) WITH (format = 'ORC')", "NOT_SUPPORTED: CREATE TABLE without ext"),
        (
            "CREATE TABLE t (a int) WITH (external_location = '/x')",
            "INVALID_TABLE_PROPERTY: external_location '/x' is not in S3",
        ),
        (
            "CREATE TABLE t (a int) WITH (external_location = 's3://b/', format = 'XML')",
            "INVALID_TABLE_PROPERTY: format 'XML' is not supported",
        ),
        (
            (
                "CREATE TABLE t (a int, k int) WITH (external_location = 's3://b/',"
                " partitioned_by = ARRAY['a'])"
            ),
            "HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns",
        ),
        (
            "CREATE TABLE t (a int) WITH (transactional = true)",
            "NOT_SUPPORTED: line 1:30: table property 'transactional' is not supported",
        ),
    ],
)
def test_what_a_trino_table_cannot_be_is_named(world: World, sql: str, expected: str) -> None:
    with pytest.raises(QueryServiceError) as raised:
        world.run(sql)
    assert str(raised.value).startswith(expected)
