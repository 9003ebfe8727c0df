"""PostgreSQL's spellings become Trino's, or are refused by name."""

from __future__ import annotations

import pytest

from querysvc.errors import ErrorCode, StatementError
from querysvc_drivers.pgwire.lexer import split, text_of, tokenize
from querysvc_drivers.pgwire.translate import translate


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("SELECT 1::int", "SELECT CAST(1 AS int)"),
        ("SELECT 'x'::text || 'y'", "SELECT CAST('x' AS varchar) || 'y'"),
        ("SELECT extract(EPOCH FROM x)::int", "SELECT CAST(to_unixtime( x) AS int)"),
        ("SELECT extract(year FROM x)", "SELECT extract(year FROM x)"),
        (
            "SELECT '2020-01-02T03:04:05.6Z'::timestamptz",
            "SELECT CAST('2020-01-02 03:04:05.6 UTC' AS timestamp(6) with time zone)",
        ),
        ("SELECT '2020-01-02T03:04:05Z'::text", "SELECT CAST('2020-01-02T03:04:05Z' AS varchar)"),
        ("SELECT -1::int8", "SELECT -CAST(1 AS bigint)"),
        ("SELECT a.b.c::float8", "SELECT CAST(a.b.c AS double)"),
        ('SELECT "A b"."c"::bool', 'SELECT CAST("A b"."c" AS boolean)'),
        ("SELECT f(x, (1))::bigint", "SELECT CAST(f(x, (1)) AS bigint)"),
        ("SELECT x + (1 + 2)::int4", "SELECT x + CAST((1 + 2) AS integer)"),
        ("SELECT x IN (1)::boolean", "SELECT x IN CAST((1) AS boolean)"),
        ("SELECT a[1]::text", "SELECT CAST(a[1] AS varchar)"),
        ("SELECT ARRAY[1]::int8[]", "SELECT CAST(ARRAY[1] AS array(bigint))"),
        ("SELECT '1'::text::int", "SELECT CAST(CAST('1' AS varchar) AS int)"),
        ("SELECT DATE '2020-01-01'::timestamp", "SELECT CAST(DATE '2020-01-01' AS timestamp(6))"),
        ("SELECT now()::timestamptz(3)", "SELECT CAST(now() AS timestamp(3) with time zone)"),
        ("SELECT x::timestamp with time zone", "SELECT CAST(x AS timestamp(6) with time zone)"),
        ("SELECT x::character varying(5)", "SELECT CAST(x AS varchar(5))"),
        ("SELECT x::numeric(10, 2)", "SELECT CAST(x AS numeric(10,2))"),
        (
            "SELECT CASE WHEN CASE WHEN a THEN b END THEN 1 END::float4",
            "SELECT CAST(CASE WHEN CASE WHEN a THEN b END THEN 1 END AS real)",
        ),
        (
            "SELECT sum(a) FILTER (WHERE b) OVER (ORDER BY c)::int2",
            "SELECT CAST(sum(a) FILTER (WHERE b) OVER (ORDER BY c) AS smallint)",
        ),
        ("SELECT CAST(x AS text)", "SELECT CAST(x AS varchar)"),
        ("SELECT CAST(x AS timestamp)", "SELECT CAST(x AS timestamp)"),
        ("SELECT E'a\\n\\'b\\\\'", "SELECT 'a\n''b\\'"),
        ("SELECT $$it's$$, $q$a;b$q$", "SELECT 'it''s', 'a;b'"),
        ("SELECT 1 /* a /* b */ c */", "SELECT 1  "),
        ("SELECT '::', \"::\" -- ::", "SELECT '::', \"::\" -- ::"),
        ("SELECT 1 LIMIT 2 OFFSET 3", "SELECT 1 OFFSET 3 LIMIT 2 "),
        ("SELECT 1 LIMIT 2", "SELECT 1 LIMIT 2 "),
        ("SELECT 1 OFFSET 3 LIMIT 2", "SELECT 1 OFFSET 3 LIMIT 2 "),
        ("SELECT 1 LIMIT ALL", "SELECT 1 LIMIT ALL "),
    ],
)
def test_a_spelling_becomes_trinos(written: str, meant: str) -> None:
    assert translate(tokenize(written)).sql == meant


def test_parameters_are_counted_in_the_order_of_trinos_marks() -> None:
    translated = translate(tokenize("SELECT $2 WHERE $1 = $2 LIMIT $3::int OFFSET $4"))
    assert translated.sql == "SELECT ? WHERE ? = ? OFFSET ? LIMIT ? "
    assert translated.parameters == (2, 1, 2, 4, 3)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT a ILIKE 'b'", "ILIKE"),
        ("SELECT a ~ 'b'", "~"),
        ("SELECT a !~* 'b'", "!~*"),
        ("SELECT a SIMILAR TO 'b'", "SIMILAR"),
        ("SELECT a ->> 'b'", "->>"),
        ("SELECT a::json", "json_parse"),
        ("SELECT a::numeric", "numeric"),
        ("SELECT 'a'::regclass", "regclass"),
        ("SELECT a::interval", "interval"),
        ("SELECT E'\\xff'", "0x7F"),
    ],
)
def test_what_has_no_equal_is_refused_by_name(sql: str, named: str) -> None:
    with pytest.raises(StatementError) as raised:
        translate(tokenize(sql))
    assert raised.value.code is ErrorCode.NOT_SUPPORTED
    assert named in raised.value.message


def test_a_place_in_the_translation_is_told_in_the_clients_text() -> None:
    sql = "SELECT 1::int,\n  x::text, nope"
    translated = translate(tokenize(sql))
    at = translated.sql.split("\n")[1].index("nope") + 1
    error = StatementError(ErrorCode.COLUMN_NOT_FOUND, "nope", line=2, column=at)
    assert translated.source_of(error) == sql.index("nope")


@pytest.mark.parametrize(
    ("sql", "parts"),
    [
        ("", []),
        (" ; ;-- x\n", []),
        ("SELECT 1; SELECT ';' ;", ["SELECT 1", " SELECT ';' "]),
        ("SELECT $$;$$; SELECT E'\\';'", ["SELECT $$;$$", " SELECT E'\\';'"]),
        ('/* ; */ SELECT ";"', ['/* ; */ SELECT ";"']),
    ],
)
def test_statements_are_split_at_semicolons_that_are_none_inside(
    sql: str, parts: list[str]
) -> None:
    assert [text_of(tokens) for _, tokens in split(sql)] == parts


@pytest.mark.parametrize("sql", ["SELECT 'é😀' -- x", "'", '"', "$a$ b", "\0", "1..2", "a$1$2"])
def test_tokens_give_the_text_again(sql: str) -> None:
    assert text_of(tokenize(sql)) == sql


def test_a_comment_without_an_end_is_refused() -> None:
    with pytest.raises(StatementError, match="unterminated"):
        tokenize("SELECT 1 /* /* */")
