"""Queries on pg_catalog: what they mean, and what they may not do."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.service.system_listing import Listing
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.model import Column, Database, DataCatalog, StorageDescriptor, Table
from querysvc_catalog.service import CatalogService
from querysvc_drivers.pgwire.catalog import evaluation
from querysvc_drivers.pgwire.catalog.evaluation import evaluate
from querysvc_drivers.pgwire.catalog.reading import read_catalog_query
from querysvc_drivers.pgwire.catalog.snapshot import SessionFacts, Snapshot, take_snapshot

FACTS = SessionFacts("lake", "shop", "ada", 7, {"search_path": "shop", "jit": "off"})


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    catalog = CatalogService(MemoryCatalogRepository(), lambda: datetime.now(UTC))
    catalog.create_data_catalog(DataCatalog("lake"))
    for name in ("shop", "Ärger", "empty"):
        catalog.create_database(Database(name.lower(), "lake"))
    columns = (
        Column("id", "bigint", "the key"),
        Column("price", "decimal(12,2)"),
        Column("tags", "array<string>"),
        Column("more", "map<string,int>"),
    )
    for database, name in (("shop", "orders"), ("shop", "items"), ("ärger", "orders")):
        descriptor = StorageDescriptor(columns=columns, location="s3://lake/x/")
        table = Table(
            name, database, "lake", storage_descriptor=descriptor, description=f"all {name}"
        )
        catalog.create_table(table)
    return take_snapshot(Listing(catalog), FACTS, has_relations=True, has_columns=True)


def ask(snapshot: Snapshot, sql: str, *texts: str | None) -> list[tuple[Any, ...]]:
    reading = read_catalog_query(sql)
    assert reading is not None
    return list(evaluate(sql, texts, snapshot).rows)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1", [("empty",), ("information_schema",), ("shop",), ("ärger",)]),  # noqa: E501
        ("SELECT relname FROM pg_catalog.pg_class WHERE relname OPERATOR(pg_catalog.~) '^(items)$' COLLATE pg_catalog.default", [("items",)]),  # noqa: E501
        ("SELECT relname FROM pg_class c WHERE pg_table_is_visible(c.oid) ORDER BY relname DESC", [("orders",), ("items",)]),  # noqa: E501
        ("SELECT 'items'::regclass::text, 'ärger.orders'::regclass, to_regclass('nowhere')", [("items", '"ärger".orders', None)]),  # noqa: E501
        ("SELECT count(*) FROM pg_class WHERE oid = 'items'::regclass", [(1,)]),
        ("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 0 ORDER BY attnum", [("id", "bigint"), ("price", "numeric(12,2)"), ("tags", "text[]"), ("more", "json")]),  # noqa: E501
        ("SELECT obj_description('items'::regclass, 'pg_class'), col_description('items'::regclass, 1)", [("all items", "the key")]),  # noqa: E501
        ("SELECT true::text, false, NOT true, NULL::bool FROM pg_am", [("true", False, False, None)]),  # noqa: E501
        ("SELECT current_schemas(false), current_schemas(true)::text", [(["shop"], "{pg_catalog,shop}")]),  # noqa: E501
        ("SELECT 1 WHERE 'shop' = ANY (current_schemas(true))", [(1,)]),
        ("SELECT 1 WHERE 'a' <> ALL ('{b,c}'::text[]) AND current_database() = 'lake'", [(1,)]),
        ("SELECT ARRAY(SELECT nspname FROM pg_namespace WHERE nspname LIKE 's%')", [(["shop"],)]),
        ("SELECT (ARRAY['a', 'b'])[2], (string_to_array('x,y', ','))[1], session_user", [("b", "x", "ada")]),  # noqa: E501
        ("SELECT s[i], session_user FROM generate_series(1, 2) AS i, string_to_array('x,y', ',') s ORDER BY 1", [("x", "ada"), ("y", "ada")]),  # noqa: E501
        ("SELECT u.x, u.n FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS u(x, n), pg_am ORDER BY n", [("a", 1), ("b", 2)]),  # noqa: E501
        ("SELECT typname FROM pg_type WHERE oid = 'integer'::regtype", [("int4",)]),
        ("SELECT oid::regtype::text FROM pg_type WHERE typname IN ('int4', '_int8') ORDER BY oid", [("bigint[]",), ("integer",)]),  # noqa: E501
        ("SELECT typinput = 'pg_catalog.array_in'::regproc FROM pg_type WHERE typname = '_text'", [(True,)]),  # noqa: E501
        ("SELECT CASE WHEN relkind = 'r' THEN 'table' END AS k, count(*) FROM pg_class GROUP BY 1", [("table", 3)]),  # noqa: E501
        ("SELECT relname FROM pg_class WHERE relname LIKE 'or_ers' AND relname NOT LIKE 'OR%' AND relname ILIKE 'OR%' LIMIT 1", [("orders",)]),  # noqa: E501
        ("SELECT 1 FROM pg_am WHERE 'a_b' LIKE 'a\\_b' AND 'axb' NOT LIKE 'a!_b' ESCAPE '!'", [(1,)]),  # noqa: E501
        ("SELECT table_name, data_type, numeric_precision FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) WHERE column_name = 'price' AND table_schema = 'shop' ORDER BY 1", [("items", "numeric", 12), ("orders", "numeric", 12)]),  # noqa: E501
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT count(*), current_schema() FROM n", [(3, "shop")]),  # noqa: E501
        ("SELECT x.a FROM (VALUES (1, 'one'), (2, 'two')) AS x(a, b), pg_am WHERE x.b = 'two'", [(2,)]),  # noqa: E501
        ("SELECT E'a\\nb', current_setting('jit'), current_setting('no.such', true)", [("a\nb", "off", None)]),  # noqa: E501
    ],
)  # fmt: skip
def test_a_query_answers_as_postgresql_would(
    snapshot: Snapshot, sql: str, rows: list[tuple[Any, ...]]
) -> None:
    assert ask(snapshot, sql) == rows


def test_parameters_are_values(snapshot: Snapshot) -> None:
    sql = 'SELECT relname FROM pg_class WHERE relname = $1 AND relkind = ANY ($2::"char"[])'
    assert ask(snapshot, sql, "items", "{r,v}") == [("items",)]
    assert ask(snapshot, sql, "items' OR 'a'='a", "{r}") == []
    reading = read_catalog_query(
        "SELECT 1 FROM pg_type WHERE oid = $1::oid OR oid = ANY($2::oid[])"
    )
    assert reading is not None
    assert dict(reading.parameter_types) == {1: 26, 2: 1028}


def test_a_text_that_looks_like_a_cast_stays_a_text(snapshot: Snapshot) -> None:
    sql = "SELECT 'it''s ::oid[]', $1::oid[], current_schema()"
    assert ask(snapshot, sql, "{1,2}") == [("it's ::oid[]", [1, 2], "shop")]


def test_columns_have_postgresqls_names_and_types(snapshot: Snapshot) -> None:
    sql = (
        "SELECT c.oid, relname, relkind, relhasindex, reltuples, count(*), 1, 'x', c.oid::regclass,"
        " current_schema(), relname || 'y', EXISTS (SELECT 1), ARRAY['a'], max(relname) AS m"
        " FROM pg_class c GROUP BY 1, 2, 3, 4, 5"
    )
    columns = evaluate(sql, (), snapshot).columns
    assert columns == (
        *(("oid", 26), ("relname", 19), ("relkind", 18), ("relhasindex", 16), ("reltuples", 700)),
        *(("count", 20), ("?column?", 23), ("?column?", 25), ("oid", 25), ("current_schema", 19)),
        *(("?column?", 25), ("exists", 16), ("array", 1009), ("m", 19)),
    )


def test_set_config_sets(snapshot: Snapshot) -> None:
    answer = evaluate("SELECT set_config('jit', 'on', false)", (), snapshot)
    assert answer.settings == (("jit", "on"),)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT * FROM orders",
        "SELECT * FROM shop.pg_class",
        "SELECT pg_class FROM orders",
        "WITH pg_class AS (SELECT 1 AS x) SELECT x FROM pg_class",
        "SELECT version FROM orders",
    ],
)
def test_a_query_on_tables_is_none_on_pg_catalog(sql: str) -> None:
    assert read_catalog_query(sql) is None


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT nope FROM pg_class", ErrorCode.COLUMN_NOT_FOUND),
        ('SELECT "relname""" FROM pg_class', ErrorCode.COLUMN_NOT_FOUND),
        ("SELECT * FROM pg_catalog.nope", ErrorCode.TABLE_NOT_FOUND),
        ("SELECT load_extension('x') FROM pg_class", ErrorCode.FUNCTION_NOT_FOUND),
        ("SELECT randomblob(1000000000) FROM pg_class", ErrorCode.FUNCTION_NOT_FOUND),
        ("SELECT readfile('/etc/passwd'), session_user", ErrorCode.FUNCTION_NOT_FOUND),
        ("SELECT 'nowhere'::regclass", ErrorCode.TABLE_NOT_FOUND),
        ("SELECT 'nowhere'::regtype", ErrorCode.TYPE_NOT_FOUND),
        ("SELECT unnest(ARRAY[1]) FROM pg_class", ErrorCode.NOT_SUPPORTED),
        ("SELECT DISTINCT ON (relname) relname FROM pg_class", ErrorCode.NOT_SUPPORTED),
        ("SELECT relname ~ '(' FROM pg_class", ErrorCode.INVALID_FUNCTION_ARGUMENT),
        ("SELECT * FROM pg_class, shop.orders", ErrorCode.NOT_SUPPORTED),
        ("SELECT current_setting('nope')", ErrorCode.NOT_FOUND),
    ],
)
def test_what_cannot_be_answered_is_refused(snapshot: Snapshot, sql: str, code: ErrorCode) -> None:
    with pytest.raises(QueryServiceError) as raised:
        ask(snapshot, sql)
    assert raised.value.code is code


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM sqlite_master", "SELECT * FROM pragma_database_list", "PRAGMA user_version"],
)
def test_sqlites_own_things_are_no_catalog(sql: str) -> None:
    assert read_catalog_query(sql) is None


def test_a_query_without_end_is_ended(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_SECONDS_MAX", 0.2)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, pg_am"  # noqa: E501
    with pytest.raises(QueryServiceError) as raised:
        ask(snapshot, endless)
    assert raised.value.code is ErrorCode.EXCEEDED_TIME_LIMIT


def test_numbers_of_tables_stay_when_others_come_and_go(snapshot: Snapshot) -> None:
    by_name = {(r.schema, r.name): r.oid for r in snapshot.relations}
    assert len(set(by_name.values())) == 3
    assert by_name[("shop", "items")] == 16_384 + int.from_bytes(
        hashlib.sha256(b"relation\0shop.items").digest()[:8]
    ) % ((1 << 31) - 16_384)
