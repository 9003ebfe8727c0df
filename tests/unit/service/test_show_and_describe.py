"""SHOW and DESCRIBE tell tables as Athena prints them; SHOW CREATE TABLE runs again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from querysvc.errors import QueryServiceError
from tests.support.catalog_world import World

DELIMITED = (
    "CREATE EXTERNAL TABLE `t`(`a` int COMMENT 'it\\'s', `b c` array<struct<x:string>>)"
    " COMMENT 'about' PARTITIONED BY (`dt` string COMMENT 'day', `h` int)"
    " ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\'"
    " COLLECTION ITEMS TERMINATED BY '\\002' LINES TERMINATED BY '\\n' NULL DEFINED AS '\\\\N'"
    " LOCATION 's3://b/t/' TBLPROPERTIES ('skip.header.line.count'='1', 'a'='\"x\"')"
)
TABLES = (
    DELIMITED,
    "CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/t/'",
    (
        "CREATE EXTERNAL TABLE t (a int, b string) CLUSTERED BY (a, b) INTO 4 BUCKETS"
        " STORED AS ORC LOCATION 's3://b/t' TBLPROPERTIES ('orc.compress'='ZLIB')"
    ),
    (
        "CREATE EXTERNAL TABLE t (a string) ROW FORMAT SERDE"
        " 'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES"
        " ('input.regex'='^(\\\\d+) \"([^\"]*)\"\\\\s$') LOCATION 's3://b/t/'"
    ),
    (
        "CREATE EXTERNAL TABLE t (a string) ROW FORMAT SERDE"
        " 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' WITH SERDEPROPERTIES"
        " ('field.delim'=',','serialization.format'='1') LOCATION 's3://b/t/'"
    ),
    (
        "CREATE EXTERNAL TABLE t (a string) STORED AS INPUTFORMAT"
        " 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat' OUTPUTFORMAT"
        " 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat' LOCATION 's3://b/t/'"
    ),
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("sql", TABLES)
def test_what_show_create_table_tells_makes_the_same_table(world: World, sql: str) -> None:
    world.run(sql)
    lines = world.column("SHOW CREATE TABLE t")
    first = world.table("t")
    world.run("DROP TABLE t")
    world.run("\n".join(line or "" for line in lines))
    again = world.table("t")
    assert replace(again, create_time=None, update_time=None) == replace(
        first, create_time=None, update_time=None
    )


def test_show_create_table_is_laid_out_as_athena_does(world: World) -> None:
    world.run(DELIMITED)
    assert world.column("SHOW CREATE TABLE default.t") == [
        "CREATE EXTERNAL TABLE `t`(",
        "  `a` int COMMENT 'it\\'s', ",
        "  `b c` array<struct<x:string>>)",
        "COMMENT 'about'",
        "PARTITIONED BY ( ",
        "  `dt` string COMMENT 'day', ",
        "  `h` int)",
        "ROW FORMAT DELIMITED ",
        "  FIELDS TERMINATED BY '\\t' ",
        "  ESCAPED BY '\\\\' ",
        "  COLLECTION ITEMS TERMINATED BY '\\u0002' ",
        "  LINES TERMINATED BY '\\n' ",
        "  NULL DEFINED AS '\\\\N' ",
        "STORED AS INPUTFORMAT ",
        "  'org.apache.hadoop.mapred.TextInputFormat' ",
        "OUTPUTFORMAT ",
        "  'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'",
        "LOCATION",
        "  's3://b/t/'",
        "TBLPROPERTIES (",
        "  'a'='\"x\"', ",
        "  'skip.header.line.count'='1')",
    ]


def test_serde_properties_are_told_by_name(world: World) -> None:
    world.run(TABLES[3])
    assert world.column("SHOW CREATE TABLE t")[2:6] == [
        "ROW FORMAT SERDE ",
        "  'org.apache.hadoop.hive.serde2.RegexSerDe' ",
        "WITH SERDEPROPERTIES ( ",
        "  'input.regex'='^(\\\\d+) \"([^\"]*)\"\\\\s$') ",
    ]


def test_describe_formatted_tells_storage_and_properties(world: World) -> None:
    world.run(DELIMITED)
    rows = world.run("DESCRIBE FORMATTED t").rows
    assert rows[:4] == (
        ("# col_name", "data_type", "comment"),
        ("", "", ""),
        ("a", "int", "it's"),
        ("b c", "array<struct<x:string>>", ""),
    )
    assert ("# Partition Information", "", "") in rows
    assert ("Location:", "s3://b/t/", "") in rows
    assert ("", "skip.header.line.count", "1") in rows
    assert ("", "comment", "about") in rows
    assert ("", "field.delim", "\t") in rows
    assert ("Owner:", "ann", "") in rows


def test_describe_extended_tells_it_in_one_line(world: World) -> None:
    world.run(DELIMITED)
    name, told, _ = world.run("DESCRIBE EXTENDED t").rows[-1]
    assert name == "Detailed Table Information"
    assert "Location:s3://b/t/" in (told or "")


def test_describe_tells_a_partition(world: World) -> None:
    world.run(DELIMITED)
    world.run("ALTER TABLE t ADD PARTITION (dt='x', h=5) LOCATION 's3://c/'")
    rows = world.run("DESCRIBE FORMATTED t PARTITION (h=5, dt='x')").rows
    assert ("Partition Value:", "[x, 5]", "") in rows
    assert ("Location:", "s3://c/", "") in rows
    with pytest.raises(QueryServiceError, match="Partition not found: dt=x/h=6"):
        world.run("DESCRIBE t PARTITION (dt='x', h=6)")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("a", ("a", "int", "it's")),
        ("dt", ("dt", "string", "day")),
        ("`b c`.'$elem$'.x", ("x", "string", "from deserializer")),
        ("`b c`.'$elem$'", ("$elem$", "struct<x:string>", "from deserializer")),
    ],
)
def test_describe_tells_a_column(world: World, column: str, expected: tuple[str, ...]) -> None:
    world.run(DELIMITED)
    assert world.run(f"DESCRIBE t {column}").rows == (expected,)


def test_describe_refuses_a_column_that_is_not_there(world: World) -> None:
    world.run(DELIMITED)
    with pytest.raises(QueryServiceError, match=r"Column 'a\.x' does not exist"):
        world.run("DESCRIBE t a.x")


def test_show_functions_tells_signatures(world: World) -> None:
    rows = world.run("SHOW FUNCTIONS LIKE 'lengt*|url_host'").rows
    assert ("length", "bigint", "varchar(x)", "scalar", "true") in [row[:5] for row in rows]
    assert {row[0] for row in rows} == {"length"}


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SHOW CREATE TABLE v", "NOT_SUPPORTED: line 1:1: Relation 'awsdatacatalog.default.v' is"),
        ("SHOW TBLPROPERTIES nope", "TABLE_NOT_FOUND"),
        ("SHOW VIEWS IN nope", "SCHEMA_NOT_FOUND"),
        ("DESCRIBE nope", "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.default.nope' does"),
        ("DESCRIBE v PARTITION (a=1)", "GENERIC_USER_ERROR: Table v is not a partitioned table"),
    ],
)
def test_what_cannot_be_shown_is_named(world: World, sql: str, told: str) -> None:
    world.run("CREATE VIEW v AS SELECT 1 x")
    with pytest.raises(QueryServiceError) as raised:
        world.run(sql)
    assert str(raised.value).startswith(told)
