"""DDL runs against the catalog and answers as Hive does."""

from __future__ import annotations

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_catalog.model import TableName
from tests.support.catalog_world import World

TABLE = (
    "CREATE EXTERNAL TABLE t (a int COMMENT 'first') PARTITIONED BY (dt string, h int)"
    " STORED AS PARQUET LOCATION 's3://b/t/'"
)


@pytest.fixture
def world() -> World:
    return World()


def test_created_table_is_listed_and_described(world: World) -> None:
    world.run(TABLE)
    assert world.column("SHOW TABLES") == ["t"]
    assert world.column("SHOW COLUMNS IN t") == ["a", "dt", "h"]
    assert world.run("DESCRIBE t").rows == (
        ("a", "int", "first"),
        ("dt", "string", ""),
        ("h", "int", ""),
        ("", "", ""),
        ("# Partition Information", "", ""),
        ("# col_name", "data_type", "comment"),
        ("dt", "string", ""),
        ("h", "int", ""),
    )


def test_if_not_exists_keeps_the_first_table(world: World) -> None:
    world.run(TABLE)
    with pytest.raises(QueryServiceError) as raised:
        world.run(TABLE)
    assert raised.value.code is ErrorCode.TABLE_ALREADY_EXISTS
    world.run(TABLE.replace("TABLE t", "TABLE IF NOT EXISTS t"))


def test_partition_keeps_its_own_location(world: World) -> None:
    world.run(TABLE)
    world.run("ALTER TABLE t ADD PARTITION (dt='a', h=1) LOCATION 's3://other/x/'")
    world.run("ALTER TABLE t ADD PARTITION (h=2, dt='a')")
    name = TableName("awsdatacatalog", "default", "t")
    locations = {p.values: p.location for p in world.catalog.iter_partitions(name)}
    assert locations == {("a", "1"): "s3://other/x/", ("a", "2"): "s3://b/t/dt=a/h=2"}
    assert world.column("SHOW PARTITIONS t") == ["dt=a/h=1", "dt=a/h=2"]


def test_adding_an_existing_partition_adds_none_of_the_others(world: World) -> None:
    world.run(TABLE)
    world.run("ALTER TABLE t ADD PARTITION (dt='a', h=1)")
    with pytest.raises(QueryServiceError) as raised:
        world.run("ALTER TABLE t ADD PARTITION (dt='b', h=1) PARTITION (dt='a', h=1)")
    assert raised.value.code is ErrorCode.ALREADY_EXISTS
    assert world.column("SHOW PARTITIONS t") == ["dt=a/h=1"]
    world.run("ALTER TABLE t ADD IF NOT EXISTS PARTITION (dt='b', h=1) PARTITION (dt='a', h=1)")
    assert world.column("SHOW PARTITIONS t") == ["dt=a/h=1", "dt=b/h=1"]


def test_repair_adds_what_is_new_and_reports_what_is_no_partition(world: World) -> None:
    world.run(TABLE)
    world.run("ALTER TABLE t ADD PARTITION (dt='a', h=1)")
    world.directories.names = {
        "s3://b/t/": ["dt=a", "dt=b%3Ac", "junk"],
        "s3://b/t/dt=a/": ["h=1", "h=2"],
        "s3://b/t/dt=b%3Ac/": ["H=3"],
    }
    report = world.column("MSCK REPAIR TABLE t")
    assert report[1:] == [
        "Repair: Added partition to metastore t:dt=a/h=2",
        "Repair: Added partition to metastore t:dt=b%3Ac/h=3",
        "Not a partition of t, left alone: s3://b/t/junk",
    ]
    assert world.column("SHOW PARTITIONS t") == ["dt=a/h=1", "dt=a/h=2", "dt=b%3Ac/h=3"]
    name = TableName("awsdatacatalog", "default", "t")
    repaired = world.catalog.get_partition(name, ("b:c", "3"))
    assert repaired.location == "s3://b/t/dt=b%3Ac/H=3", (
        "the path as it lies, case and escapes kept"
    )
    assert world.column("MSCK REPAIR TABLE t") == [report[-1]]


def test_database_with_tables_is_dropped_only_by_cascade(world: World) -> None:
    world.run("CREATE DATABASE d")
    world.run(TABLE.replace("TABLE t", "TABLE d.t"))
    with pytest.raises(QueryServiceError) as raised:
        world.run("DROP DATABASE d")
    assert raised.value.code is ErrorCode.SCHEMA_NOT_EMPTY
    world.run("DROP DATABASE d CASCADE")
    assert world.column("SHOW DATABASES") == ["default"]
    world.run("DROP DATABASE IF EXISTS d")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DESCRIBE nosuch", ErrorCode.TABLE_NOT_FOUND),
        ("DROP TABLE nosuch", ErrorCode.TABLE_NOT_FOUND),
        ("SHOW TABLES IN nosuch", ErrorCode.SCHEMA_NOT_FOUND),
        ("DROP DATABASE nosuch", ErrorCode.SCHEMA_NOT_FOUND),
        ("ALTER TABLE t ADD PARTITION (dt='a')", ErrorCode.INVALID_ARGUMENTS),
        ("ALTER TABLE t DROP PARTITION (dt='a', h=9)", ErrorCode.NOT_FOUND),
    ],
)
def test_what_does_not_exist_is_named(world: World, sql: str, code: ErrorCode) -> None:
    world.run(TABLE)
    with pytest.raises(QueryServiceError) as raised:
        world.run(sql)
    assert raised.value.code is code


def test_partitions_found_by_their_folders_are_shown(world: World) -> None:
    world.run(TABLE)
    world.directories.names = {
        "s3://b/t/": ["dt=2024-01-01"],
        "s3://b/t/dt=2024-01-01/": ["h=1", "h=2"],
    }
    world.run("ALTER TABLE t ADD PARTITION (dt='2024-01-01', h=1)")
    assert world.column("SHOW PARTITIONS t") == ["dt=2024-01-01/h=1"]
    world.run("ALTER TABLE t SET TBLPROPERTIES ('partition_discovery' = 'auto')")
    assert world.column("SHOW PARTITIONS t") == ["dt=2024-01-01/h=1", "dt=2024-01-01/h=2"]
