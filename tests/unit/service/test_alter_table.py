"""ALTER TABLE and ALTER DATABASE change what the catalog tells, or are refused by name."""

from __future__ import annotations

import pytest

from querysvc.errors import QueryServiceError
from tests.support.catalog_world import World

TABLE = (
    "CREATE EXTERNAL TABLE t (a int COMMENT 'first', b string, c map<string,int>)"
    " PARTITIONED BY (dt string, h int) STORED AS PARQUET LOCATION 's3://b/t/'"
)
TEXT = "CREATE EXTERNAL TABLE x (a int, b string, c int) LOCATION 's3://b/x/'"


@pytest.fixture
def world() -> World:
    world = World()
    world.run(TABLE)
    world.run(TEXT)
    world.run("ALTER TABLE t ADD PARTITION (dt = '2024-01-01', h = 1)")
    return world


def columns(world: World, name: str = "t") -> list[tuple[str, str | None, str | None]]:
    return [(c.name, c.type, c.comment) for c in world.table(name).columns]


A, B, C = ("a", "int", "first"), ("b", "string", None), ("c", "map<string,int>", None)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "ALTER TABLE t ADD COLUMNS (`D` decimal(5, 2) COMMENT 'it\\'s', e struct<x:int>)",
            [A, B, C, ("d", "decimal(5,2)", "it's"), ("e", "struct<x:int>", None)],
        ),
        ("ALTER TABLE t ADD COLUMN d varchar", [A, B, C, ("d", "string", None)]),
        (
            "ALTER TABLE default.t ADD COLUMN IF NOT EXISTS d row(x integer, y array(real))",
            [A, B, C, ("d", "struct<x:int,y:array<float>>", None)],
        ),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a bigint", [A, B, C]),
        ("ALTER TABLE t REPLACE COLUMNS (z bigint)", [("z", "bigint", None)]),
        ("ALTER TABLE t CHANGE a a2 bigint", [("a2", "bigint", "first"), B, C]),
        (
            "ALTER TABLE t CHANGE COLUMN a a bigint COMMENT 'n' AFTER b",
            [B, ("a", "bigint", "n"), C],
        ),
        ("ALTER TABLE t CHANGE COLUMN c c map<string,int> FIRST", [C, A, B]),
        ("ALTER TABLE t DROP COLUMN b", [A, C]),
        ("ALTER TABLE t DROP IF EXISTS nope", [A, B, C]),
        ('ALTER TABLE t RENAME COLUMN "A" TO n', [("n", "int", "first"), B, C]),
        ("ALTER TABLE t RENAME COLUMN IF EXISTS nope TO n", [A, B, C]),
    ],
)
def test_columns_are_changed(
    world: World, sql: str, expected: list[tuple[str, str | None, str | None]]
) -> None:
    before = world.table("t").version_id
    world.run(sql)
    assert columns(world) == expected
    assert world.table("t").version_id in (before, before + 1)


def test_a_partitions_columns_are_its_own(world: World) -> None:
    spec = "PARTITION (dt = '2024-01-01', h = 1)"
    world.run(f"ALTER TABLE t {spec} ADD COLUMNS (d int)")
    assert columns(world) == [A, B, C]
    described = world.run(f"DESCRIBE t {spec}").rows
    assert [row[0] for row in described[:6]] == ["a", "b", "c", "d", "dt", "h"]
    world.run(f"ALTER TABLE t {spec} REPLACE COLUMNS (z int)")
    assert world.run(f"DESCRIBE t {spec}").rows[0] == ("z", "int", "")


def test_locations_are_set(world: World) -> None:
    world.run("ALTER TABLE t SET LOCATION 's3://b/other/'")
    world.run("ALTER TABLE t PARTITION (h = 1, dt = '2024-01-01') SET LOCATION 's3://c/p'")
    table = world.table("t")
    assert table.location == "s3://b/other/"
    (partition,) = world.catalog.iter_partitions(table.full_name)
    assert partition.location == "s3://c/p"


def test_a_partition_is_renamed_where_it_lies(world: World) -> None:
    world.run(
        "ALTER TABLE t PARTITION (dt='2024-01-01',h=1) RENAME TO PARTITION (dt='2025-01-01',h=2)"
    )
    (partition,) = world.catalog.iter_partitions(world.table("t").full_name)
    assert partition.values == ("2025-01-01", "2")
    assert partition.location == "s3://b/t/dt=2024-01-01/h=1"


def test_properties_are_set_and_unset(world: World) -> None:
    world.run("ALTER TABLE t SET TBLPROPERTIES ('k' = 'a\\tb', \"l\" = 'x', 'comment' = 'about')")
    assert world.run("SHOW TBLPROPERTIES t").rows == (
        ("EXTERNAL", "TRUE"),
        ("comment", "about"),
        ("k", "a\tb"),
        ("l", "x"),
    )
    assert world.table("t").description == "about"
    assert world.run("SHOW TBLPROPERTIES t('l')").rows == (("x",),)
    world.run("ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS ('k', 'nope')")
    world.run("ALTER TABLE t UNSET TBLPROPERTIES ('l')")
    assert world.table("t").parameters == {"EXTERNAL": "TRUE"}
    assert world.run("SHOW TBLPROPERTIES t ('l')").rows == (
        ("Table default.t does not have property: l",),
    )


def test_properties_of_a_database_are_set(world: World) -> None:
    world.run("CREATE DATABASE d WITH DBPROPERTIES ('a' = '1', 'b' = '2')")
    world.run("ALTER SCHEMA d SET DBPROPERTIES ('b' = '3')")
    database = next(d for d in world.catalog.iter_databases() if d.name == "d")
    assert database.parameters == {"a": "1", "b": "3"}


def test_the_last_column_of_a_text_table_can_be_dropped(world: World) -> None:
    world.run("ALTER TABLE x DROP COLUMN c")
    assert [name for name, _, _ in columns(world, "x")] == ["a", "b"]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("ALTER TABLE nope ADD COLUMNS (d int)", "TABLE_NOT_FOUND: line 1:1: Table 'awsdata"),
        ("ALTER TABLE v ADD COLUMNS (d int)", "NOT_SUPPORTED: line 1:1: Relation 'awsdata"),
        ("ALTER TABLE t ADD COLUMNS (A int)", "COLUMN_ALREADY_EXISTS: line 1:1: Column 'a'"),
        ("ALTER TABLE t ADD COLUMNS (dt int)", "COLUMN_ALREADY_EXISTS: line 1:1: Column 'dt'"),
        ("ALTER TABLE t ADD COLUMNS (d nosuch)", "TYPE_NOT_FOUND: line 1:30:"),
        ("ALTER TABLE t ADD COLUMNS (d)", "SYNTAX_ERROR: line 1:29: mismatched input ')'"),
        ("ALTER TABLE t ADD COLUMN d time", "NOT_SUPPORTED: line 1:28: Unsupported Hive type"),
        ("ALTER TABLE t CHANGE nope b int", "COLUMN_NOT_FOUND: line 1:1: Column 'nope'"),
        ("ALTER TABLE t CHANGE a a int AFTER nope", "COLUMN_NOT_FOUND: line 1:1: Column 'nope'"),
        ("ALTER TABLE t CHANGE a b int", "COLUMN_ALREADY_EXISTS: line 1:1: Column 'b'"),
        ("ALTER TABLE t CHANGE dt dt date", "NOT_SUPPORTED: line 1:1: Column 'dt'"),
        ("ALTER TABLE x DROP COLUMN a", "NOT_SUPPORTED: line 1:1: DROP COLUMN of a column that"),
        ("ALTER TABLE t RENAME TO u", "NOT_SUPPORTED: line 1:1: Table rename is not yet"),
        ("ALTER TABLE t SET LOCATION '/etc'", "INVALID_TABLE_PROPERTY: line 1:1: LOCATION"),
        (
            "ALTER TABLE t PARTITION (dt='x', h=1) SET LOCATION 's3://b/'",
            "NOT_FOUND: line 1:1: Partition not found: dt=x/h=1",
        ),
        (
            "ALTER TABLE t PARTITION (dt='2024-01-01') SET LOCATION 's3://b/'",
            "INVALID_ARGUMENTS: the partition specification names (dt)",
        ),
        ("ALTER TABLE t UNSET TBLPROPERTIES ('k')", "INVALID_TABLE_PROPERTY: line 1:1: Table"),
        ("ALTER TABLE t SET TBLPROPERTIES ('k'='1', 'k'='2')", "SYNTAX_ERROR: line 1:47: Dupl"),
        ("ALTER TABLE t SET SERDE 'x'", "NOT_SUPPORTED: line 1:15: ALTER TABLE … SET SERDE is"),
        ("ALTER DATABASE d SET LOCATION 's3://b/'", "NOT_SUPPORTED: line 1:18: ALTER DATABASE"),
        ("ALTER DATABASE nope SET DBPROPERTIES ('a'='b')", "SCHEMA_NOT_FOUND"),
        ("ALTER TABLE i ADD COLUMNS (d int)", "ICEBERG_INVALID_METADATA: Iceberg table default.i"),
    ],
)
def test_what_cannot_be_done_is_named(world: World, sql: str, told: str) -> None:
    world.run("CREATE VIEW v AS SELECT 1 x")
    world.run(TABLE.replace("TABLE t", "TABLE i"))
    world.run("ALTER TABLE i SET TBLPROPERTIES ('table_type' = 'ICEBERG')")
    with pytest.raises(QueryServiceError) as raised:
        world.run(sql)
    assert str(raised.value).startswith(told)
