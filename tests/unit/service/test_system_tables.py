"""Virtual tables: their rows are those that a Trino 476 gives for equal tables."""

from __future__ import annotations

import dataclasses
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from querysvc.errors import ErrorCode, StatementError
from querysvc.model import Principal, QueryExecution, QueryState, ResultColumn, Session
from querysvc.plan import ResourceLimits, TableColumn
from querysvc.planning.request import PlanRequest
from querysvc.service import system_tables
from querysvc.service.system_listing import Listing
from querysvc.service.system_metadata import SystemMetadata
from querysvc.service.system_tables import SystemTablePlanner, SystemTables
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata, ViewInfo
from querysvc.state.memory import MemoryState
from querysvc.state.repository import SubmissionTerms
from querysvc.state.values import GuardPolicy
from querysvc.types.algebra import BIGINT
from querysvc.types.parse import parse_type
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.model import Column, Database, StorageDescriptor, Table
from querysvc_catalog.service import CatalogService
from tests.support.fakes import FakePlanner
from tests.support.local_engine import LocalEngine

COLUMNS = {
    "b": ("boolean", "boolean"),
    "t": ("tinyint", "tinyint"),
    "s": ("smallint", "smallint"),
    "i": ("int", "integer"),
    "l": ("bigint", "bigint"),
    "r": ("float", "real"),
    "d": ("double", "double"),
    "dec": ("decimal(12,2)", "decimal(12,2)"),
    "v": ("string", "varchar"),
    "v5": ("varchar(5)", "varchar(5)"),
    "c": ("char(3)", "char(3)"),
    "vb": ("binary", "varbinary"),
    "dt": ("date", "date"),
    "ts3": ("timestamp", "timestamp(3)"),
    "a": ("array<int>", "array(integer)"),
    "m": ("map<string,bigint>", "map(varchar, bigint)"),
    "ro": ("struct<x:int,z:varchar(3)>", "row(x integer, z varchar(3))"),
}
# Of a Trino 476's system.jdbc.columns: name, type code, type name, size, digits, radix and
# octet length; the other columns are the same for all.
JDBC_COLUMNS = [
    ("b", 16, "boolean", None, None, None, None),
    ("t", -6, "tinyint", 3, None, 10, None),
    ("s", 5, "smallint", 5, None, 10, None),
    ("i", 4, "integer", 10, None, 10, None),
    ("l", -5, "bigint", 19, None, 10, None),
    ("r", 7, "real", 24, None, 2, None),
    ("d", 8, "double", 53, None, 2, None),
    ("dec", 3, "decimal(12,2)", 12, 2, 10, None),
    ("v", 12, "varchar", 2147483647, None, None, 2147483647),
    ("v5", 12, "varchar(5)", 5, None, None, 5),
    ("c", 1, "char(3)", 3, None, None, 3),
    ("vb", -3, "varbinary", 2147483647, None, None, 2147483647),
    ("dt", 91, "date", 14, None, None, None),
    ("ts3", 93, "timestamp(3)", 25, 3, None, None),
    ("a", 2003, "array(integer)", None, None, None, None),
    ("m", 2000, "map(varchar, bigint)", None, None, None, None),
    ("ro", 2000, "row(x integer, z varchar(3))", None, None, None, None),
]


def _view() -> str:
    document = {"originalSql": "SELECT 1 n", "columns": [{"name": "n", "type": "bigint"}]}
    return f"/* Presto View: {b64encode(json.dumps(document).encode()).decode()} */"


class Lake:
    """A catalog with its metadata, and queries over the virtual tables run on a real DuckDB."""

    def __init__(self) -> None:
        self.catalog = CatalogService(MemoryCatalogRepository(), lambda: datetime.now(UTC))
        self.catalog.ensure_defaults()
        self.metadata = MemoryMetadata()
        self.state = MemoryState()
        self.engine = LocalEngine()
        self.reader = SystemMetadata(self.metadata)
        tables = SystemTables(
            lambda _: Listing(self.catalog), self.state, "node", "http://node:8080"
        )
        self.planner = FakePlanner()
        self._system = SystemTablePlanner(self.planner, tables)
        self.session = dataclasses.replace(Session(), started_at=datetime.now(UTC))

    def add_table(self, schema: str, name: str, columns: dict[str, tuple[str, str]]) -> None:
        hive = tuple(
            Column(key, own, "yes or no" if key == "b" else None)
            for key, (own, _) in columns.items()
        )
        descriptor = StorageDescriptor(columns=hive, location="s3://lake/x/")
        self.catalog.create_table(
            Table(name, schema, description="all of them", storage_descriptor=descriptor)
        )
        own = [TableColumn(key, parse_type(text)) for key, (_, text) in columns.items()]
        self.metadata.add_table(schema, name, own)

    def rows(self, sql: str, principal: str = "ada") -> list[Any]:
        statement = analyse(sql, self.session, self.reader)
        request = PlanRequest(
            "q", statement, self.session, GuardPolicy(), ResourceLimits(), Principal(principal)
        )
        self._system.plan(request)
        planned = self.planner.requests[-1].statement
        assert planned.tables == ()
        return self.engine.rows(self.engine.lower(planned), planned.columns)


@pytest.fixture
def lake() -> Iterator[Lake]:
    lake = Lake()
    lake.catalog.create_database(Database("shop"))
    lake.metadata.add_schema("shop")
    lake.metadata.add_schema("default")
    lake.add_table("shop", "every_type", COLUMNS)
    lake.catalog.create_table(
        Table("recent", "shop", table_type="VIRTUAL_VIEW", view_original_text=_view())
    )
    lake.metadata.add_view("shop", "recent", ViewInfo("SELECT 1 n", (ResultColumn("n", BIGINT),)))
    yield lake
    lake.engine.close()


def test_jdbc_columns_are_those_of_trino(lake: Lake) -> None:
    rows = lake.rows(
        "SELECT * FROM system.jdbc.columns WHERE table_cat = 'awsdatacatalog'"
        " AND table_schem LIKE 'sh%' AND table_name = 'every_type' ORDER BY ordinal_position"
    )
    assert [row[:3] for row in rows] == [["awsdatacatalog", "shop", "every_type"]] * len(COLUMNS)
    assert [(*row[3:7], *row[8:10], row[15]) for row in rows] == JDBC_COLUMNS
    assert [row[16] for row in rows] == list(range(1, len(COLUMNS) + 1))
    assert [row[11] for row in rows] == ["yes or no", *(None,) * (len(COLUMNS) - 1)]
    assert {(row[7], row[10], *row[12:15], *row[17:]) for row in rows} == {
        (0, 1, None, None, None, "YES", *(None,) * 6)
    }


def test_information_schema_columns_have_trinos_type_texts_and_hidden_comments(lake: Lake) -> None:
    query = "SELECT {} FROM information_schema.columns WHERE table_name = 'every_type' ORDER BY 5"
    rows = lake.rows(query.format("*"))
    assert [row[7] for row in rows] == [text for _, text in COLUMNS.values()]
    assert rows[0] == ["awsdatacatalog", "shop", "every_type", "b", 1, None, "YES", "boolean"]
    hidden = lake.rows(query.format("column_name, comment, extra_info, table_name, 1"))
    assert hidden[0][:3] == ["b", "yes or no", None]


def test_catalogs_schemas_and_tables_are_listed(lake: Lake) -> None:
    assert lake.rows("SELECT * FROM system.jdbc.catalogs ORDER BY 1") == [
        ["awsdatacatalog"],
        ["system"],
    ]
    assert lake.rows("SELECT * FROM information_schema.schemata ORDER BY 2") == [
        ["awsdatacatalog", "default"],
        ["awsdatacatalog", "information_schema"],
        ["awsdatacatalog", "shop"],
    ]
    assert lake.rows(
        "SELECT * FROM system.jdbc.tables WHERE table_cat = 'awsdatacatalog'"
        " AND table_schem = 'shop' AND table_type IN ('TABLE', 'VIEW') ORDER BY table_name"
    ) == [
        ["awsdatacatalog", "shop", "every_type", "TABLE", "all of them", *(None,) * 5],
        ["awsdatacatalog", "shop", "recent", "VIEW", *(None,) * 6],
    ]
    assert lake.rows("SELECT * FROM system.jdbc.table_types") == [["TABLE"], ["VIEW"]]
    assert ["awsdatacatalog", "information_schema", "views", "BASE TABLE"] in lake.rows(
        "SELECT * FROM information_schema.tables"
    )


def test_a_catalogs_information_schema_holds_that_catalog_only(lake: Lake) -> None:
    rows = lake.rows("SELECT DISTINCT table_catalog FROM system.information_schema.tables")
    assert rows == [["system"]]
    sql = "SELECT * FROM information_schema.tables WHERE table_catalog = 'system'"
    assert lake.rows(sql) == []


def test_view_definitions_and_comments_are_told(lake: Lake) -> None:
    assert lake.rows("SELECT * FROM information_schema.views") == [
        ["awsdatacatalog", "shop", "recent", "SELECT 1 n"]
    ]
    assert lake.rows(
        "SELECT table_name, comment FROM system.metadata.table_comments"
        " WHERE schema_name = 'shop' ORDER BY 1"
    ) == [["every_type", "all of them"], ["recent", None]]


def test_types_are_those_of_trino(lake: Lake) -> None:
    rows = lake.rows("SELECT * FROM system.jdbc.types ORDER BY data_type, type_name")
    assert len(rows) == 40
    assert rows[0][:3] == ["tinyint", -6, 3]
    bigint = ["bigint", -5, 19, None, None, None, 1, False, 3, None, False, None, None]
    assert [*bigint, 0, 0, None, None, 10] in rows


def test_virtual_tables_join_count_and_nest(lake: Lake) -> None:
    sql = (
        "SELECT count(*) FROM system.jdbc.columns c JOIN system.jdbc.tables t"
        " ON c.table_name = t.table_name AND c.table_schem = t.table_schem"
        " WHERE t.table_schem = 'shop'"
    )
    assert lake.rows(sql) == [[len(COLUMNS) + 1]]
    assert lake.rows(
        "SELECT (SELECT count(*) FROM system.jdbc.schemas WHERE table_catalog = 'awsdatacatalog'),"
        " EXISTS (SELECT 1 FROM system.jdbc.procedures)"
    ) == [[3, False]]
    assert lake.rows("SELECT count(*) FROM system.jdbc.types") == [[40]]
    assert lake.rows("SELECT * FROM system.jdbc.procedures WHERE false") == []


def test_a_principal_sees_its_own_queries(lake: Lake) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    for key, name in (("q", "ada"), ("other", "bob")):
        session = Session(user=name)
        query = QueryExecution(key, "SELECT 1", session, "primary", name, QueryState.QUEUED, now)
        lake.state.add(query, SubmissionTerms(), fingerprint="")
    rows = lake.rows(
        'SELECT query_id, state, "user", resource_group_id, created, "end", error_code'
        " FROM system.runtime.queries"
    )
    assert rows == [["q", "QUEUED", "ada", ["primary"], "2026-01-02 03:04:05.678 UTC", None, None]]


def test_nodes_tell_the_version_that_clients_look_for(lake: Lake) -> None:
    assert lake.rows("SELECT node_version, coordinator, state FROM system.runtime.nodes") == [
        ["476", True, "active"]
    ]


def test_a_table_that_does_not_exist_is_no_virtual_table(lake: Lake) -> None:
    with pytest.raises(StatementError) as raised:
        lake.rows("SELECT * FROM system.jdbc.nothing")
    assert raised.value.code is ErrorCode.TABLE_NOT_FOUND


def test_too_many_rows_are_refused_by_name(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_tables, "ROWS_MAX", 16)
    with pytest.raises(StatementError, match=r"system\.jdbc\.columns has more than 16 rows"):
        lake.rows("SELECT * FROM system.jdbc.columns")
    sql = "SELECT column_name FROM system.jdbc.columns WHERE table_name = 'recent'"
    assert lake.rows(sql) == [["n"]]


def test_only_the_names_that_are_asked_for_are_listed(lake: Lake) -> None:
    assert (
        lake.rows(
            "SELECT table_name FROM system.jdbc.tables WHERE table_cat = 'nope' OR table_cat = 'x'"
        )
        == []
    )
