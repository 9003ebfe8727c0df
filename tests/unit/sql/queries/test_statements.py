"""Statements as wholes: views, parameters, hidden columns, limits of size and depth."""

from __future__ import annotations

import time

import pytest

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.model import ResultColumn
from querysvc.sql.lexer import STATEMENT_BYTES_MAX
from querysvc.sql.metadata import MemoryMetadata, TableInfo, ViewInfo
from querysvc.sql.parser import QUERY, parse
from querysvc.types.algebra import BIGINT, INTEGER, VARCHAR
from tests.support.queries import analysed, columns, tpch


def _names(sql: str, metadata: MemoryMetadata, *parameters: str) -> list[str]:
    return [column.name for column in analysed(sql, metadata, *parameters).columns]


def _error(sql: str, metadata: MemoryMetadata | None = None, *parameters: str) -> StatementError:
    with pytest.raises(StatementError) as caught:
        analysed(sql, metadata or tpch(), *parameters)
    return caught.value


def _with_view(sql: str, *stored: ResultColumn) -> MemoryMetadata:
    metadata = tpch()
    metadata.add_view("tiny", "v", ViewInfo(sql, stored))
    return metadata


def test_view_has_its_stored_names_and_types() -> None:
    metadata = _with_view(
        "SELECT nationkey AS k, 7 AS n FROM nation",
        ResultColumn("k", BIGINT),
        ResultColumn("n", BIGINT),
    )
    result = analysed("SELECT * FROM v", metadata)
    assert result.columns == (ResultColumn("k", BIGINT), ResultColumn("n", BIGINT))


def test_view_sees_no_cte_and_no_column_of_the_query_around() -> None:
    metadata = _with_view("SELECT nationkey AS k FROM nation", ResultColumn("k", BIGINT))
    assert _names("WITH nation AS (SELECT 1 x) SELECT * FROM v", metadata) == ["k"]
    outer = _with_view("SELECT outside", ResultColumn("k", BIGINT))
    assert _error("SELECT (SELECT k FROM v) FROM (SELECT 1 outside)", outer).code is (
        ErrorCode.INVALID_VIEW
    )


def test_view_resolves_names_in_its_own_database() -> None:
    metadata = tpch()
    metadata.add_table("other", "t", columns("a integer"))
    metadata.add_view(
        "tiny", "v", ViewInfo("SELECT a FROM t", (ResultColumn("a", INTEGER),), database="other")
    )
    assert _names("SELECT * FROM v", metadata) == ["a"]
    assert [t.database for t in analysed("SELECT * FROM v", metadata).tables] == ["other"]


@pytest.mark.parametrize(
    ("sql", "stored", "code"),
    [
        ("SELECT 'a'", BIGINT, ErrorCode.VIEW_IS_STALE),
        ("SELECT 1, 2", BIGINT, ErrorCode.VIEW_IS_STALE),
        ("SELECT x FROM nation", BIGINT, ErrorCode.INVALID_VIEW),
        ("SELEC 1", BIGINT, ErrorCode.INVALID_VIEW),
    ],
)
def test_broken_view_fails_at_its_reference(
    sql: str, stored: ResultColumn, code: ErrorCode
) -> None:
    error = _error("SELECT * FROM v", _with_view(sql, ResultColumn("k", stored)))
    assert (error.code, error.line, error.column) == (code, 1, 15)


def test_view_of_itself_is_refused() -> None:
    metadata = _with_view("SELECT * FROM v", ResultColumn("k", BIGINT))
    assert "recursive" in _error("SELECT * FROM v", metadata).message


def test_parameters_are_typed_in_order_of_their_question_marks() -> None:
    result = analysed(
        "SELECT ? AS a, name FROM nation WHERE regionkey = ? LIMIT ?", tpch(), "'x'", "1", "3"
    )
    assert str(result.columns[0].type) == "varchar(1)"
    assert result.query.limit == 3


@pytest.mark.parametrize("given", [(), ("1", "2")])
def test_wrong_number_of_parameters_is_an_error(given: tuple[str, ...]) -> None:
    assert _error("SELECT ?", None, *given).code is ErrorCode.INVALID_PARAMETER_USAGE


def test_parameter_must_not_stand_for_a_parameter() -> None:
    assert _error("SELECT ?", None, "?").code is ErrorCode.INVALID_PARAMETER_USAGE


def test_parameter_in_a_query_that_is_read_twice_keeps_its_number() -> None:
    result = analysed("SELECT ((SELECT ?) + 1), ?", tpch(), "1", "'x'")
    assert [str(column.type) for column in result.columns] == ["integer", "varchar(1)"]


def test_hidden_column_is_found_by_name_and_not_by_star() -> None:
    metadata = MemoryMetadata()
    metadata.add_table("tiny", "t", columns("a integer", hidden="$path varchar"))
    assert _names("SELECT * FROM t", metadata) == ["a"]
    assert _names('SELECT "$path", t.* FROM t', metadata) == ["$path", "a"]
    assert _error('SELECT "$path" FROM t AS x(b)', metadata).code is ErrorCode.COLUMN_NOT_FOUND


def test_names_are_qualified_by_catalog_and_database_in_any_case() -> None:
    metadata = tpch()
    assert _names('SELECT name FROM AwsDataCatalog.TINY."Nation"', metadata) == ["name"]
    assert _error("SELECT 1 FROM awsdatacatalog.nope.t").code is ErrorCode.SCHEMA_NOT_FOUND
    error = _error("SELECT 1 FROM nope")
    assert error.message == "Table 'awsdatacatalog.tiny.nope' does not exist"


def test_unnamed_outputs_are_numbered_by_position() -> None:
    assert _names("SELECT 1, 2 AS x, 1 + 1", tpch()) == ["_col0", "x", "_col2"]


def test_using_column_of_a_full_join_takes_either_side() -> None:
    query = analysed(
        "SELECT regionkey FROM nation FULL JOIN region USING (regionkey)", tpch()
    ).query
    assert isinstance(query.body, tree.Select)
    assert isinstance(query.body.items[0], tree.Coalesce)


def test_set_operation_casts_each_side_and_keeps_a_limit_below_the_cast() -> None:
    query = analysed("(SELECT 1 ORDER BY 1 LIMIT 1) UNION ALL SELECT 1.5", tpch()).query
    assert isinstance(query.body, tree.SetOperation)
    left = query.body.left
    assert left.limit is None
    assert isinstance(left.body, tree.Select)
    assert isinstance(left.body.source, tree.Subquery)
    assert left.body.source.query.limit == 1


def test_unused_cte_is_checked_and_not_read() -> None:
    sql = "WITH a AS (SELECT * FROM nation), b AS (SELECT * FROM a) SELECT name FROM region"
    result = analysed(sql, tpch())
    assert [table.table.name for table in result.tables] == ["region"]
    assert result.query.ctes == ()
    assert _error("WITH a AS (SELECT nope FROM nation) SELECT 1").code is ErrorCode.COLUMN_NOT_FOUND


def test_unused_cte_of_a_view_is_not_read() -> None:
    metadata = _with_view(
        "WITH a AS (SELECT * FROM nation) SELECT regionkey AS k FROM region",
        ResultColumn("k", BIGINT),
    )
    result = analysed("SELECT k FROM v", metadata)
    assert [table.table.name for table in result.tables] == ["region"]


class _CountingMetadata(MemoryMetadata):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        self.asked.append(name)
        return super().relation(catalog, database, name)


def test_catalog_is_asked_once_for_each_table() -> None:
    metadata = _CountingMetadata()
    metadata.add_table("tiny", "t", columns("a integer"))
    analysed("WITH u AS (SELECT * FROM t) SELECT 1 FROM t x, t y, TINY.T", metadata)
    assert metadata.asked == ["t"]


def test_recursive_query_refers_to_its_own_id() -> None:
    query = analysed(
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) "
        "SELECT * FROM t",
        tpch(),
    ).query
    (cte,) = query.ctes
    assert cte.is_recursive
    assert isinstance(cte.query.body, tree.SetOperation)
    step = cte.query.body.right.body
    assert isinstance(step, tree.Select)
    assert isinstance(step.source, tree.CteReference)
    assert step.source.cte == cte.id


def test_order_by_prefers_an_alias_and_keeps_the_source_in_sight() -> None:
    query = analysed("SELECT -nationkey AS nationkey FROM nation ORDER BY nationkey, name", tpch())
    first, second = query.query.order_by
    assert first.value == tree.OutputReference(BIGINT, 0)
    assert isinstance(second.value, tree.ColumnReference)


def test_aggregate_of_outer_columns_alone_is_refused() -> None:
    error = _error("SELECT (SELECT max(n.nationkey)) FROM nation n")
    assert error.code is ErrorCode.NOT_SUPPORTED


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT " + "NOT " * 5000 + "true",
        "SELECT " + "- " * 5000 + "1",
        "SELECT " + "ARRAY[" * 5000 + "]" * 5000,
        "SELECT " + "CASE WHEN true THEN " * 5000 + "1" + " END" * 5000,
        "SELECT * FROM " + "(SELECT * FROM " * 5000 + "nation" + ")" * 5000,
        "SELECT " + "(" * 2000 + "(SELECT 1)" + "+1)" * 2000,
        "SELECT " + "+".join(["1"] * 50_000),
        "SELECT " + "||".join(["'a'"] * 40_000),
        " UNION ALL ".join(["SELECT 1"] * 10_000),
        "SELECT 1 FROM nation" + " CROSS JOIN nation" * 10_000,
        "SELECT 1" + "[1]" * 50_000,
        "SELECT CAST(NULL AS " + "array(" * 5000 + "integer" + ")" * 5001,
    ],
    ids=lambda sql: f"{sql[:24]}…",
)
def test_deep_statement_is_refused_by_name_and_soon(sql: str) -> None:
    started = time.monotonic()
    assert _error(sql).code is ErrorCode.STACK_OVERFLOW
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("depth", [40, 80])
def test_reasonable_depth_is_analysed(depth: int) -> None:
    analysed("SELECT " + "(" * depth + "1" + ")" * depth, tpch())
    analysed("SELECT " + "abs(" * depth + "1" + ")" * depth, tpch())
    analysed("SELECT " + "(" * depth + "(SELECT 1)" + "+1)" * depth, tpch())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM nation WHERE " + " AND ".join(f"nationkey <> {i}" for i in range(10_000)),
        "SELECT 1 FROM nation WHERE " + " OR ".join(f"nationkey = {i}" for i in range(10_000)),
        "SELECT 1 FROM nation WHERE nationkey IN (" + ",".join(map(str, range(30_000))) + ")",
        "SELECT * FROM (VALUES " + ",".join(f"({i},'a')" for i in range(15_000)) + ") t",
        "SELECT " + ",".join(["nationkey"] * 20_000) + " FROM nation",
    ],
    ids=lambda sql: f"{sql[:40]}…",
)
def test_wide_statement_is_analysed_in_time(sql: str) -> None:
    started = time.monotonic()
    analysed(sql, tpch())
    assert time.monotonic() - started < 20


def test_text_may_be_as_large_as_the_limit_and_no_larger() -> None:
    padding = STATEMENT_BYTES_MAX - len("SELECT 1")
    assert parse("SELECT 1" + " " * padding).kind == QUERY
    with pytest.raises(StatementError) as caught:
        parse("SELECT 1" + " " * (padding + 1))
    assert caught.value.code is ErrorCode.QUERY_TEXT_TOO_LARGE


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("SELECT \0", 8),
        ("SELECT '\0'", 9),
        ("SELECT 1 \u00a0", 10),
        ("SELECT \x01", 8),
        ("SELECT é", 8),
        ("SELECT “a”", 8),
    ],
)
def test_characters_outside_quotes_are_printable_ascii(sql: str, column: int) -> None:
    error = _error(sql)
    assert (error.code, error.line, error.column) == (ErrorCode.SYNTAX_ERROR, 1, column)


def test_any_text_may_stand_in_quotes_and_comments() -> None:
    assert _names("SELECT 'é😀' AS \"naïve\" -- ümlaut\n/* 日本 */", tpch()) == ["naïve"]


def test_columns_are_counted_in_code_points_and_lines_in_line_feeds() -> None:
    error = _error("SELECT '😀',\r\n\t'é', x")
    assert (error.line, error.column) == (2, 7)


def test_other_statements_keep_their_kind_and_tokens() -> None:
    statement = parse("show tables in x;")
    assert statement.kind == "SHOW"
    assert [token.text for token in statement.tokens] == ["show", "tables", "in", "x", "<EOF>"]
    assert statement.query is None


@pytest.mark.parametrize(
    "sql", ["PRAGMA x", "ATTACH 'a'", "COPY t TO 'x'", "INSTALL httpfs", "", ";"]
)
def test_what_no_statement_starts_with_is_a_syntax_error(sql: str) -> None:
    assert _error(sql).code is ErrorCode.SYNTAX_ERROR


@pytest.mark.parametrize(
    ("sql", "construct"),
    [
        ("WITH FUNCTION f(x int) RETURNS int RETURN x SELECT f(1)", "WITH FUNCTION"),
        ("SELECT * FROM nation MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)", "MATCH_RECOGNIZE"),
        ("SELECT * FROM JSON_TABLE('{}', 'lax $' COLUMNS (a int))", "JSON_TABLE"),
    ],
)
def test_unsupported_construct_is_refused_by_name(sql: str, construct: str) -> None:
    error = _error(sql)
    assert error.code is ErrorCode.NOT_SUPPORTED
    assert construct in error.message


def test_type_of_a_null_column_is_unknown() -> None:
    assert str(analysed("SELECT NULL AS a", tpch()).columns[0].type) == "unknown"


def test_values_rows_are_brought_to_their_common_type() -> None:
    query = analysed("VALUES (1, 'a'), (2.5, NULL)", tpch()).query
    assert isinstance(query.body, tree.ValuesBody)
    assert {value.type for row in query.body.rows for value in row} == {
        field.type for field in query.output
    }


def test_view_of_varchar_is_cast_to_the_stored_type() -> None:
    metadata = _with_view("SELECT name FROM nation", ResultColumn("name", VARCHAR))
    assert analysed("SELECT name FROM v", metadata).columns[0].type == VARCHAR
