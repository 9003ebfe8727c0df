"""Column lists and row filters as part of analysed queries, run over TPC-H tiny."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn
from querysvc.plan import AnalysedStatement
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata, TableInfo, ViewInfo, VisibleCells
from querysvc.types.algebra import BIGINT, Varchar
from tests.support.local_engine import LocalEngine, tiny_metadata

EUROPE = "regionkey = 3"
ASIA = "regionkey = 2"


class Restricted(MemoryMetadata):
    """TPC-H tiny, of which only parts may be read."""

    def __init__(self, **visible: tuple[VisibleCells, ...]) -> None:
        super().__init__("tpch")
        self._visible = visible
        self.add_view(
            "tiny",
            "nations",
            ViewInfo(
                "SELECT name, regionkey FROM nation",
                (ResultColumn("name", Varchar(25)), ResultColumn("regionkey", BIGINT)),
            ),
        )

    def schema_exists(self, catalog: str, database: str) -> bool:
        return tiny_metadata().schema_exists(catalog, database)

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        found = super().relation(catalog, database, name) or tiny_metadata().relation(
            catalog, database, name
        )
        if found is None or name not in self._visible:
            return found
        return replace(found, visible=self._visible[name])


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    local = LocalEngine()
    yield local
    local.close()


def analysed(engine: LocalEngine, sql: str, **visible: Any) -> AnalysedStatement:
    return analyse(sql, engine.session, Restricted(**visible))


def rows(engine: LocalEngine, sql: str, **visible: Any) -> list[Any]:
    statement = analysed(engine, sql, **visible)
    found: list[Any] = engine.rows(engine.lower(statement), statement.columns)
    return found


def refusal(engine: LocalEngine, sql: str, **visible: Any) -> QueryServiceError:
    with pytest.raises(QueryServiceError) as caught:
        rows(engine, sql, **visible)
    return caught.value


COLUMNS = (VisibleCells(frozenset({"name", "regionkey"})),)
ROWS = (VisibleCells(None, EUROPE),)
NONE: tuple[VisibleCells, ...] = ()


def test_a_star_means_the_columns_that_may_be_read(engine: LocalEngine) -> None:
    for sql in ("SELECT * FROM nation", "SELECT n.* FROM nation n", "TABLE nation"):
        columns = analysed(engine, sql, nation=COLUMNS).columns
        assert [column.name for column in columns] == ["name", "regionkey"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nationkey FROM nation",
        "SELECT n.nationkey FROM nation n",
        "SELECT nation.NationKey FROM nation",
        'SELECT "NATIONKEY" FROM nation',
        "SELECT count(nationkey) FROM nation",
        "SELECT name FROM nation WHERE nationkey = 1",
        "SELECT name FROM nation ORDER BY nationkey",
        "SELECT name FROM nation GROUP BY name, nationkey",
        "SELECT name FROM nation GROUP BY name HAVING max(nationkey) > 1",
        "SELECT 1 FROM (SELECT nationkey FROM nation)",
        "WITH w AS (SELECT nationkey FROM nation) SELECT 1",
        "SELECT 1 FROM customer WHERE EXISTS (SELECT 1 FROM nation WHERE nationkey = custkey)",
        "SELECT (SELECT max(nationkey) FROM nation)",
        "SELECT 1 FROM nation JOIN customer USING (nationkey)",
        "SELECT 1 FROM nation n JOIN customer c ON n.nationkey = c.nationkey",
        "SELECT nationkey FROM nation TABLESAMPLE BERNOULLI (50)",
        "SELECT row_number() OVER (ORDER BY nationkey) FROM nation",
        "SELECT transform(ARRAY[1], x -> x + nationkey) FROM nation",
        "SELECT 1 FROM nation, LATERAL (SELECT nationkey)",
        "SELECT 1 FROM nation, UNNEST(ARRAY[nationkey])",
    ],
)
def test_a_column_that_is_not_granted_cannot_be_named(engine: LocalEngine, sql: str) -> None:
    error = refusal(engine, sql, nation=COLUMNS)
    assert error.code is ErrorCode.PERMISSION_DENIED
    assert error.message == (
        "Access Denied: Cannot select from columns [nationkey] in table or view tpch.tiny.nation"
    )


def test_a_column_alias_list_counts_the_columns_that_may_be_read(engine: LocalEngine) -> None:
    assert len(rows(engine, "SELECT a, b FROM nation AS n (a, b)", nation=COLUMNS)) == 25
    error = refusal(engine, "SELECT a FROM nation AS n (a, b, c, d)", nation=COLUMNS)
    assert error.code is ErrorCode.MISMATCHED_COLUMN_ALIASES


def test_excluding_columns_cannot_bring_others_back(engine: LocalEngine) -> None:
    sql = (
        "SELECT * FROM TABLE(exclude_columns(input => TABLE(nation), columns => DESCRIPTOR(name)))"
    )
    columns = analysed(engine, sql, nation=COLUMNS).columns
    assert [column.name for column in columns] == ["regionkey"]


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("SELECT count(*) FROM nation", 5),
        ("SELECT count(*) FROM nation a, nation b", 25),
        ("SELECT count(*) FROM region r LEFT JOIN nation n ON r.regionkey = n.regionkey", 9),
        ("SELECT count(*) FROM nation WHERE regionkey = 3 OR true", 5),
        ("SELECT count(*) FROM nation WHERE regionkey = 2", 0),
        ("SELECT count(*) FROM nations", 5),
        ("SELECT count(*) FROM (SELECT * FROM nation UNION ALL SELECT * FROM nation)", 10),
        ("SELECT count(DISTINCT regionkey) FROM nation", 1),
        ("SELECT count(*) FROM region WHERE regionkey IN (SELECT regionkey FROM nation)", 1),
        ("SELECT count(*) FROM nation TABLESAMPLE BERNOULLI (100)", 5),
        ("SELECT count(*) FROM nation a RIGHT JOIN nation b ON false", 5),
    ],
)
def test_only_the_rows_that_a_filter_lets_through_exist(
    engine: LocalEngine, sql: str, count: int
) -> None:
    assert rows(engine, sql, nation=ROWS) == [[count]]


def test_no_grant_means_no_access(engine: LocalEngine) -> None:
    for sql in ("SELECT 1 FROM nation", "SELECT count(*) FROM nations", "TABLE nation"):
        error = refusal(engine, sql, nation=NONE)
        assert error.code is ErrorCode.PERMISSION_DENIED
        assert "Cannot select from table or view tpch.tiny.nation" in error.message


def test_a_view_is_read_with_the_rights_of_whoever_asks(engine: LocalEngine) -> None:
    hidden = (VisibleCells(frozenset({"name"})),)
    assert refusal(engine, "SELECT name FROM nations", nation=hidden).message.endswith(
        "columns [regionkey] in table or view tpch.tiny.nation"
    )


def test_a_view_can_be_restricted_as_a_table(engine: LocalEngine) -> None:
    part = (VisibleCells(frozenset({"name"}), EUROPE),)
    found = rows(engine, "SELECT * FROM nations ORDER BY 1", nations=part)
    assert [row[0] for row in found][:2] == ["FRANCE", "GERMANY"]
    assert {len(row) for row in found} == {1}


def test_a_filter_sees_columns_that_the_reader_does_not(engine: LocalEngine) -> None:
    part = (VisibleCells(frozenset({"name"}), EUROPE),)
    assert len(rows(engine, "SELECT * FROM nation", nation=part)) == 5


def test_several_grants_show_their_cells_and_no_others(engine: LocalEngine) -> None:
    europe = VisibleCells(None, EUROPE)
    names = VisibleCells(frozenset({"name"}))
    found = rows(engine, "SELECT name, regionkey FROM nation", nation=(europe, names))
    assert len(found) == 25
    assert {row[1] for row in found} == {3, None}
    assert sum(row[1] == 3 for row in found) == 5


def test_filters_of_several_grants_add_up(engine: LocalEngine) -> None:
    both = (VisibleCells(None, EUROPE), VisibleCells(None, ASIA))
    assert rows(engine, "SELECT count(*) FROM nation", nation=both) == [[10]]


def test_a_filter_that_is_null_lets_nothing_through(engine: LocalEngine) -> None:
    part = (VisibleCells(None, "CAST(NULL AS boolean)"),)
    assert rows(engine, "SELECT count(*) FROM nation", nation=part) == [[0]]


def test_a_filter_may_ask_tables_that_the_reader_may_not(engine: LocalEngine) -> None:
    part = (VisibleCells(None, "regionkey IN (SELECT regionkey FROM region WHERE name = 'ASIA')"),)
    found = rows(engine, "SELECT count(*) FROM nation", nation=part, region=NONE)
    assert found == [[5]]
    error = refusal(engine, "SELECT count(*) FROM nation, region", nation=part, region=NONE)
    assert error.code is ErrorCode.PERMISSION_DENIED


def test_a_filter_may_ask_its_own_table(engine: LocalEngine) -> None:
    part = (VisibleCells(None, "nationkey = (SELECT max(nationkey) FROM nation)"),)
    assert rows(engine, "SELECT nationkey FROM nation", nation=part) == [[24]]


def test_a_filter_knows_who_asks(engine: LocalEngine) -> None:
    mine = (VisibleCells(None, "current_user = 'oracle'"),)
    theirs = (VisibleCells(None, "current_user = 'somebody'"),)
    assert rows(engine, "SELECT count(*) FROM nation", nation=mine) == [[25]]
    assert rows(engine, "SELECT count(*) FROM nation", nation=theirs) == [[0]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM nation WHERE 1 / (regionkey - 2) > 0",
        "SELECT count(*) FROM nation n JOIN region r ON 1 / (n.regionkey - 2) = r.regionkey",
        "SELECT 1 / (regionkey - 2) FROM nation",
        "SELECT max(1 / (regionkey - 2)) FROM nation",
        "SELECT count(*) FROM (SELECT * FROM nation ORDER BY name) WHERE 1 / (regionkey - 2) > 0",
    ],
)
def test_errors_tell_nothing_of_rows_that_may_not_be_read(engine: LocalEngine, sql: str) -> None:
    rows(engine, sql, nation=ROWS)
    with pytest.raises(QueryServiceError, match="Division by zero"):
        rows(engine, sql)


def test_partitions_are_still_chosen_by_what_the_query_asks(engine: LocalEngine) -> None:
    statement = analysed(engine, "SELECT name FROM nation WHERE nationkey = 7", nation=ROWS)
    domains = statement.tables[0].domains
    assert {index: domain.ranges[0].low for index, domain in domains.items()} == {0: 7, 2: 3}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("nothing = 1", ErrorCode.INVALID_ROW_FILTER, "Column 'nothing' cannot be resolved"),
        ("name", ErrorCode.TYPE_MISMATCH, "to be of type BOOLEAN, but was varchar(25)"),
        ("max(nationkey) = 1", ErrorCode.INVALID_ROW_FILTER, "cannot contain aggregations"),
        ("true) OR (true", ErrorCode.INVALID_ROW_FILTER, "mismatched input"),
        ("true; DROP TABLE nation", ErrorCode.INVALID_ROW_FILTER, "mismatched input"),
        ("?", ErrorCode.INVALID_ROW_FILTER, "parameter"),
    ],
)
def test_a_wrong_filter_refuses_every_query(
    engine: LocalEngine, text: str, code: ErrorCode, words: str
) -> None:
    error = refusal(engine, "SELECT 1 FROM nation", nation=(VisibleCells(None, text),))
    assert error.code is code
    assert words in error.message


def test_a_grant_of_columns_that_do_not_exist_shows_nothing(engine: LocalEngine) -> None:
    part = (VisibleCells(frozenset({"gone"})),)
    error = refusal(engine, "SELECT count(*) FROM nation", nation=part)
    assert error.code is ErrorCode.PERMISSION_DENIED
