"""Views: made, stored in Athena's and Trino's form, expanded with Trino's rules and errors."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from querysvc.errors import QueryServiceError
from querysvc_catalog.model import Column, StorageDescriptor, Table
from tests.support.catalog_world import SESSION, World

TABLE = (
    "CREATE EXTERNAL TABLE t (a bigint, b string) PARTITIONED BY (dt date)"
    " STORED AS PARQUET LOCATION 's3://b/t/'"
)


@pytest.fixture
def world() -> World:
    world = World()
    world.run(TABLE)
    return world


def types(world: World, sql: str) -> list[tuple[str, str]]:
    return [(c.name, str(c.type)) for c in world.query(sql).columns]


def document(table: Table) -> dict[str, object]:
    text = table.view_original_text or ""
    encoded = text.removeprefix("/* Presto View: ").removesuffix(" */")
    found: dict[str, object] = json.loads(base64.b64decode(encoded))
    return found


def trino_view(sql: str, *columns: tuple[str, str], owner: str | None = "trino") -> Table:
    """A view as Trino 476's Hive connector writes it."""
    told = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": "default",
        "columns": [{"name": name, "type": type_} for name, type_ in columns],
        "owner": "trino",
        "runAsInvoker": False,
        "path": [],
    }
    encoded = base64.b64encode(json.dumps(told).encode()).decode()
    return Table(
        name="tv",
        database_name="default",
        owner=owner,
        storage_descriptor=StorageDescriptor(columns=(Column("dummy", "string"),)),
        parameters={"presto_view": "true", "comment": "Presto View", "trino_version": "476"},
        table_type="VIRTUAL_VIEW",
        view_original_text=f"/* Presto View: {encoded} */",
        view_expanded_text="/* Presto View */",
    )


def test_a_view_is_stored_as_athena_stores_it(world: World) -> None:
    world.run("CREATE VIEW v COMMENT 'it''s' AS SELECT a, CAST(b AS varchar(3)) B3, dt FROM t;")
    table = world.table("v")
    assert (table.table_type, table.owner) == ("VIRTUAL_VIEW", "ann")
    assert table.description is None  # Trino would take it for the parameter `comment`
    assert table.parameters == {"presto_view": "true", "comment": "Presto View"}
    assert table.view_expanded_text == "/* Presto View */"
    assert [(c.name, c.type) for c in table.columns] == [
        ("a", "bigint"),
        ("b3", "varchar(3)"),
        ("dt", "date"),
    ]
    assert document(table) == {
        "originalSql": "SELECT a, CAST(b AS varchar(3)) B3, dt FROM t",
        "catalog": "awsdatacatalog",
        "schema": "default",
        "columns": [
            {"name": "a", "type": "bigint"},
            {"name": "B3", "type": "varchar(3)"},
            {"name": "dt", "type": "date"},
        ],
        "comment": "it's",
        "owner": "ann",
        "runAsInvoker": False,
        "path": [],
    }


def test_types_that_hive_lacks_are_exact_in_the_definition(world: World) -> None:
    world.run(
        "CREATE VIEW v AS SELECT TIMESTAMP '2024-01-01 00:00:00.123456' ts, TIME '01:00:00' t,"
        " TIMESTAMP '2024-01-01 00:00:00 UTC' z, CAST(ROW(1, 'x') AS row(\"A b\" int, c varchar)) r"
    )
    assert [c.type for c in world.table("v").columns][:3] == ["timestamp", "string", "string"]
    assert types(world, "SELECT * FROM v") == [
        ("ts", "timestamp(6)"),
        ("t", "time(0)"),
        ("z", "timestamp(0) with time zone"),
        ("r", "row(A b integer, c varchar)"),
    ]


def test_a_view_of_trino_is_read(world: World) -> None:
    world.catalog.create_table(
        trino_view("SELECT a x, b y FROM t", ("x", "bigint"), ("y", "varchar"))
    )
    assert types(world, "SELECT * FROM tv") == [("x", "bigint"), ("y", "varchar")]
    assert world.run("DESCRIBE tv").rows == (("x", "bigint", ""), ("y", "string", ""))
    assert world.column("SHOW COLUMNS IN tv") == ["x", "y"]


def test_views_stand_on_views_and_show_tables_lists_them(world: World) -> None:
    world.run("CREATE VIEW v1 AS SELECT a + 1 AS n FROM t")
    world.run("CREATE VIEW v2 AS SELECT n * 2 AS m FROM v1 WHERE n > 3")
    query = world.query("SELECT sum(m) FROM v2")
    assert [reference.table.name for reference in query.tables] == ["t"]
    assert world.column("SHOW TABLES") == ["t", "v1", "v2"]
    assert world.column("SHOW VIEWS LIKE 'v1|x'") == ["v1"]
    assert world.column("SHOW TABLES LIKE 'v%'") == ["v1", "v2"]
    assert world.column("SHOW VIEWS IN default") == ["v1", "v2"]


def test_a_filter_on_a_view_prunes_the_tables_partitions(world: World) -> None:
    world.run("CREATE VIEW v AS SELECT a, dt AS day FROM t")
    (reference,) = world.query("SELECT a FROM v WHERE day = DATE '2024-01-02'").tables
    assert list(reference.domains) == [2]


def test_names_in_a_view_are_those_of_its_own_database(world: World) -> None:
    world.run("CREATE DATABASE other")
    elsewhere = replace(SESSION, database="other")
    world.run("CREATE VIEW v AS SELECT a FROM t")
    world.run("CREATE VIEW w AS SELECT * FROM default.v", elsewhere)
    assert [c.name for c in world.query("SELECT * FROM w", elsewhere).columns] == ["a"]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("CREATE VIEW v AS SELECT 1 x", "TABLE_ALREADY_EXISTS: line 1:1: View already exists:"),
        ("CREATE VIEW t AS SELECT 1 x", "TABLE_ALREADY_EXISTS: line 1:1: Table already exists:"),
        ("CREATE OR REPLACE VIEW t AS SELECT 1 x", "TABLE_ALREADY_EXISTS"),
        (
            "CREATE OR REPLACE VIEW v AS SELECT * FROM v",
            "VIEW_IS_RECURSIVE: line 1:43: Statement would create a recursive view",
        ),
        (
            "CREATE OR REPLACE VIEW v AS SELECT * FROM w",
            "INVALID_VIEW: line 1:43: Failed analyzing stored view 'awsdatacatalog.default.w':",
        ),
        ("CREATE VIEW n AS SELECT a+1 FROM t", "MISSING_COLUMN_NAME: line 1:1: Column name not"),
        (
            "CREATE VIEW n AS SELECT a, A FROM t",
            "DUPLICATE_COLUMN_NAME: line 1:1: Column name 'A' specified more than once",
        ),
        ("CREATE VIEW n AS SELECT NULL x", "COLUMN_TYPE_UNKNOWN: line 1:1: Column type is unknown"),
        ("CREATE VIEW nope.n AS SELECT 1 x", "SCHEMA_NOT_FOUND"),
        ("CREATE VIEW n AS SELECT z FROM t", "COLUMN_NOT_FOUND: line 1:25: Column 'z' cannot be"),
        (
            "CREATE VIEW n AS\n\n  SELECT a FROM",
            "SYNTAX_ERROR: line 3:16: mismatched input '<EOF>'",
        ),
        ("CREATE VIEW n AS DROP TABLE t", "SYNTAX_ERROR: line 1:18: mismatched input 'DROP'"),
        ("CREATE VIEW n AS", "SYNTAX_ERROR: line 1:17: mismatched input '<EOF>'"),
        ("CREATE VIEW n AS SELECT ? x", "NOT_SUPPORTED: A view's query with parameters"),
        ("CREATE VIEW IF NOT EXISTS n AS SELECT 1 x", "NOT_SUPPORTED: line 1:1: CREATE VIEW IF"),
        ("CREATE VIEW n (x) AS SELECT 1 x", "SYNTAX_ERROR: line 1:15: mismatched input '('"),
        ("DROP VIEW t", "GENERIC_USER_ERROR: line 1:1: View 'awsdatacatalog.default.t' does not"),
        ("DROP VIEW n", "TABLE_NOT_FOUND: line 1:1: View 'awsdatacatalog.default.n' does not"),
        ("DROP TABLE v", "GENERIC_USER_ERROR: line 1:1: Table 'awsdatacatalog.default.v' does not"),
        ("SHOW CREATE VIEW t", "NOT_SUPPORTED: line 1:1: Relation 'awsdatacatalog.default.t' is a"),
        ("SHOW CREATE VIEW n", "TABLE_NOT_FOUND: line 1:1: View 'awsdatacatalog.default.n' does"),
        ("MSCK REPAIR TABLE v", "NOT_SUPPORTED: line 1:1: Relation 'awsdatacatalog.default.v' is"),
    ],
)
def test_what_cannot_be_done_is_an_error_of_trinos(world: World, sql: str, told: str) -> None:
    world.run("CREATE VIEW v AS SELECT 1 x")
    world.run("CREATE VIEW w AS SELECT * FROM v")
    with pytest.raises(QueryServiceError) as raised:
        world.run(sql)
    assert str(raised.value).startswith(told)


def test_a_replaced_view_is_a_new_version_of_its_entry(world: World) -> None:
    world.run("CREATE VIEW v AS SELECT 1 x")
    world.run("CREATE OR REPLACE VIEW v AS SELECT 'a' y")
    assert types(world, "SELECT * FROM v") == [("y", "varchar(1)")]
    assert world.table("v").version_id == 1


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            "a string, b string",
            (
                "column [a] of type varchar projected from query view at position 0 cannot be"
                " coerced to column [a] of type bigint stored in view definition"
            ),
        ),
        (
            "a bigint",
            (
                "stored view column count (2) does not match column count derived from the view"
                " query analysis (1)"
            ),
        ),
        (
            "a bigint, c string",
            (
                "column [c] of type varchar projected from query view at position 1 has a different"
                " name from column [b] of type varchar stored in view definition"
            ),
        ),
    ],
)
def test_a_view_whose_tables_changed_is_stale(world: World, columns: str, told: str) -> None:
    world.run("DROP TABLE t")
    world.run(f"CREATE EXTERNAL TABLE t (a bigint, b string) {TABLE[TABLE.index('STORED') :]}")
    world.run("CREATE VIEW v AS SELECT * FROM t")
    world.run("DROP TABLE t")
    world.run(f"CREATE EXTERNAL TABLE t ({columns}) {TABLE[TABLE.index('STORED') :]}")
    with pytest.raises(QueryServiceError) as raised:
        world.query("SELECT 1 FROM v")
    assert str(raised.value) == (
        "VIEW_IS_STALE: line 1:15: View 'awsdatacatalog.default.v' is stale or in invalid state: "
        + told
    )


def test_a_narrower_column_is_widened_to_the_stored_type(world: World) -> None:
    world.run("CREATE VIEW v AS SELECT a FROM t")
    world.run("DROP TABLE t")
    world.run(f"CREATE EXTERNAL TABLE t (a int) {TABLE[TABLE.index('STORED') :]}")
    assert types(world, "SELECT a FROM v") == [("a", "bigint")]


def test_a_view_over_a_dropped_table_tells_of_both(world: World) -> None:
    world.run("CREATE VIEW v AS SELECT a FROM t")
    world.run("DROP TABLE t")
    with pytest.raises(QueryServiceError) as raised:
        world.query("SELECT a FROM v")
    assert str(raised.value) == (
        "INVALID_VIEW: line 1:15: Failed analyzing stored view 'awsdatacatalog.default.v':"
        " TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.default.t' does not exist"
    )


def test_a_hive_view_is_refused_by_name(world: World) -> None:
    hive = Table(
        name="h",
        database_name="default",
        table_type="VIRTUAL_VIEW",
        view_original_text="select * from t",
        storage_descriptor=StorageDescriptor(columns=(Column("a", "int"),)),
    )
    world.catalog.create_table(hive)
    with pytest.raises(QueryServiceError, match="not one that Trino or Athena wrote") as raised:
        world.query("SELECT * FROM h")
    assert raised.value.code.name == "HIVE_INVALID_VIEW_DATA"


def test_show_create_view_runs_again(world: World) -> None:
    world.run("CREATE VIEW v COMMENT 'x' SECURITY INVOKER AS\nSELECT a,\n  b \"B b\"\nFROM t")
    lines = world.column("SHOW CREATE VIEW v")
    assert lines[0] == "CREATE VIEW awsdatacatalog.default.v COMMENT 'x' SECURITY INVOKER AS"
    assert lines[1:] == ["SELECT a,", '  b "B b"', "FROM t"]
    first = document(world.table("v"))
    world.run("DROP VIEW v")
    world.run("\n".join(line or "" for line in lines))
    assert document(world.table("v")) == first


def test_drop_view_if_exists_is_content_without_one(world: World) -> None:
    world.run("DROP VIEW IF EXISTS nope")
    world.run("CREATE VIEW v AS SELECT 1 x")
    world.run("DROP VIEW v")
    assert world.column("SHOW VIEWS") == []
