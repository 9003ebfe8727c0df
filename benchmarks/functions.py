"""Functions that run in Python, or by longer SQL, beside DuckDB's nearest native one: CPU seconds.

A million rows of texts, numbers and times that all differ, one thread. The bar is five times the
native one's time; what cannot meet it stands in EXCEPTIONS with the reason.
Run: .venv/bin/python benchmarks/functions.py [--rows N] [--only TEXT]      (about five minutes)
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import record

from querysvc.engines.duckdb.supervisor import ZYGOTE_ENVIRONMENT
from querysvc.plan import TableColumn, TableReference
from querysvc.sql.metadata import MemoryMetadata
from querysvc.types.parse import parse_type
from tests.support import local_engine
from tests.support.local_engine import DataSet, LocalEngine

TIMES_MAX: Final = 5.0
_ALLOCATION: Final = {
    name: value for name, value in ZYGOTE_ENVIRONMENT.items() if name.startswith("MALLOC_")
}

COLUMNS: Final = {
    "i": ("bigint", "i"),
    "d": ("double", "i * 1.37e0 - 1000"),
    "s": (
        "varchar",
        "'row ' || i || ' of ' || md5(CAST(i AS VARCHAR)) || if(i % 10 = 0, ' é', ' e')",
    ),
    "a": ("varchar", "'abc,' || i || ',' || (i * 7 % 1000) || ',xyz'"),
    "u": (
        "varchar",
        "'https://host' || i % 1000 || '.example.com:8080/path/' || i || '?k=' || i || '&x=2#part'",
    ),
    "j": (
        "varchar",
        'format(\'{{"id":{0},"tags":["a","{1}"],"name":"n {0}","pos":{{"x":{1}}}}}\', i, i % 9)',
    ),
    "l": ("varchar", 'format(\'["a","{1}","item {0}"]\', i, i % 9)'),
    "t": ("timestamp(3)", "TIMESTAMP '2001-02-03 04:05:06.789' + to_seconds(i * 61)"),
    "n": (
        "varchar",
        "strftime(TIMESTAMP '2001-02-03 04:05:06' + to_seconds(i * 61), '%Y-%m-%d %H:%M:%S')",
    ),
    "b": ("varbinary", "CAST(md5(CAST(i AS VARCHAR)) AS BLOB)"),
    "h": ("varchar", "md5(CAST(i AS VARCHAR))"),
}
"""Trino's type and DuckDB's expression over the row's number i."""


@dataclass(frozen=True)
class Case:
    """One expression in Trino's SQL, and DuckDB's nearest."""

    name: str
    ours: str
    native: str


def _regexps() -> list[Case]:
    digits, words = r"(\d+)", r"of ([0-9a-f]+) "
    return [
        Case(
            "regexp_like", f"regexp_like(s, '{digits}5 of')", f"regexp_matches(s, '{digits}5 of')"
        ),
        Case(
            "regexp_like (class)",
            r"regexp_like(s, '^\w+ [0-4]\d*\s')",
            r"regexp_matches(s, '^\w+ [0-4]\d*\s')",
        ),
        Case(
            "regexp_extract", f"regexp_extract(s, '{words}', 1)", f"regexp_extract(s, '{words}', 1)"
        ),
        Case(
            "regexp_replace",
            "regexp_replace(s, '[0-9]+', '#')",
            "regexp_replace(s, '[0-9]+', '#', 'g')",
        ),
        Case(
            "regexp_replace ($1)",
            r"regexp_replace(s, '(\w)(\d)', '$2$1')",
            r"regexp_replace(s, '(\w)(\d)', '\2\1', 'g')",
        ),
        Case("regexp_count", "regexp_count(s, '[0-9]+')", "len(regexp_extract_all(s, '[0-9]+'))"),
        Case(
            "regexp_extract_all",
            "cardinality(regexp_extract_all(s, '[0-9]+'))",
            "len(regexp_extract_all(s, '[0-9]+'))",
        ),
        Case(
            "regexp_split",
            "cardinality(regexp_split(a, ',\\s*'))",
            "len(regexp_split_to_array(a, ',\\s*'))",
        ),
        Case("regexp_position", "regexp_position(s, 'of')", "instr(s, regexp_extract(s, 'of'))"),
    ]


def _texts() -> list[Case]:
    return [
        Case("strpos", "strpos(s, 'of')", "instr(s, 'of')"),
        Case("strpos (nth)", "strpos(a, ',', 2)", "len(string_split(a, ','))"),
        Case("split_part", "split_part(a, ',', 2)", "split_part(a, ',', 2)"),
        Case("split", "cardinality(split(a, ','))", "len(string_split(a, ','))"),
        Case("lower", "lower(s)", "lower(s)"),
        Case("reverse", "reverse(s)", "reverse(s)"),
        Case("format %d %s", "format('%d-%s', i, a)", "format('{}-{}', i, a)"),
        Case("format %.2f", "format('%.2f', d)", "format('{:.2f}', d)"),
        Case("format %,d", "format('%,d', i)", "format('{:,}', i)"),
        Case("format %08d", "format('%08d', i)", "format('{:08d}', i)"),
        Case("format_number", "format_number(i)", "format('{:,}', i)"),
        Case("levenshtein_distance", "levenshtein_distance(a, h)", "levenshtein(a, h)"),
        Case("hamming_distance", "hamming_distance(h, h)", "hamming(h, h)"),
        Case("normalize", "normalize(s, NFC)", "nfc_normalize(s)"),
        Case("translate", "translate(s, 'abc', 'xyz')", "translate(s, 'abc', 'xyz')"),
        Case("soundex", "soundex(h)", "regexp_replace(h, '[aeiou]', '', 'g')"),
        Case(
            "split_to_map",
            "cardinality(split_to_map(split_part(u, '?', 2), '&', '='))",
            "cardinality(map_from_entries(list_transform(string_split(split_part(u, '?', 2), '&'),"
            " lambda p: {'k': split_part(p, '=', 1), 'v': split_part(p, '=', 2)})))",
        ),
        Case("url_extract_host", "url_extract_host(u)", r"regexp_extract(u, '^\w+://([^:/]+)', 1)"),
        Case(
            "url_extract_path",
            "url_extract_path(u)",
            r"regexp_extract(u, '^\w+://[^/]+([^?]+)', 1)",
        ),
        Case(
            "url_extract_parameter",
            "url_extract_parameter(u, 'k')",
            "regexp_extract(u, '[?&]k=([^&#]*)', 1)",
        ),
        Case("url_encode", "url_encode(s)", "url_encode(s)"),
        Case("url_decode", "url_decode(s)", "url_decode(s)"),
        Case("word_stem", "word_stem(h)", "regexp_replace(h, '(ing|ed|s)$', '')"),
        Case(
            "luhn_check",
            "luhn_check(CAST(i AS varchar))",
            "list_sum(list_transform(string_split(CAST(i AS VARCHAR), ''),"
            " lambda c: CAST(c AS INTEGER)))",
        ),
        Case("to_base", "to_base(i, 16)", "to_base(i, 16)"),
        Case(
            "from_base", "from_base(CAST(i AS varchar), 10)", "CAST(CAST(i AS VARCHAR) AS BIGINT)"
        ),
    ]


def _json() -> list[Case]:
    path = "'$.name'"
    return [
        Case(
            "json_extract_scalar",
            f"json_extract_scalar(j, {path})",
            f"json_extract_string(j, {path})",
        ),
        Case(
            "json_extract",
            "json_format(json_extract(j, '$.tags'))",
            "CAST(json_extract(j, '$.tags') AS VARCHAR)",
        ),
        Case("json_size", "json_size(j, '$.pos')", "len(json_keys(j, '$.pos'))"),
        Case("json_format, json_parse", "json_format(json_parse(j))", "CAST(json(j) AS VARCHAR)"),
        Case("json_value", "json_value(j, 'lax $.name')", f"json_value(j, {path})"),
        Case("json_exists", "json_exists(j, 'lax $.pos.x')", "json_exists(j, '$.pos.x')"),
        Case("json_query", "json_query(j, 'lax $.tags')", "json_extract(j, '$.tags')"),
        Case("json_array_length", "json_array_length(l)", "json_array_length(l)"),
        Case(
            "json_array_contains",
            "json_array_contains(l, 'b')",
            "list_contains(from_json(l, '[\"VARCHAR\"]'), 'b')",
        ),
        Case(
            "json_array_get", "json_format(json_array_get(l, 1))", "json_extract_string(l, '$[1]')"
        ),
        Case("CAST AS JSON", "json_format(CAST(ARRAY[i, 2] AS json))", "to_json([i, 2])"),
        Case("CAST varchar AS JSON", "json_format(CAST(s AS json))", "to_json(s)"),
        Case(
            "CAST JSON AS ROW",
            "CAST(json_parse(j) AS row(id bigint, name varchar)).name",
            'from_json(j, \'{"id":"BIGINT","name":"VARCHAR"}\').name',
        ),
        Case(
            "CAST JSON AS ARRAY",
            "cardinality(CAST(json_extract(j, '$.tags') AS array(varchar)))",
            "len(from_json(json_extract(j, '$.tags'), '[\"VARCHAR\"]'))",
        ),
    ]


def _times() -> list[Case]:
    return [
        Case(
            "date_format", "date_format(t, '%Y-%m-%d %H:%i:%s')", "strftime(t, '%Y-%m-%d %H:%M:%S')"
        ),
        Case(
            "format_datetime",
            "format_datetime(t, 'yyyy-MM-dd HH:mm')",
            "strftime(t, '%Y-%m-%d %H:%M')",
        ),
        Case(
            "date_parse", "date_parse(n, '%Y-%m-%d %H:%i:%s')", "strptime(n, '%Y-%m-%d %H:%M:%S')"
        ),
        Case(
            "parse_datetime",
            "to_unixtime(parse_datetime(n, 'yyyy-MM-dd HH:mm:ss'))",
            "epoch(strptime(n, '%Y-%m-%d %H:%M:%S'))",
        ),
        Case(
            "from_iso8601_timestamp",
            "to_unixtime(from_iso8601_timestamp(replace(n, ' ', 'T')))",
            "epoch(CAST(replace(n, ' ', 'T') AS TIMESTAMP))",
        ),
        Case(
            "from_iso8601_date",
            "from_iso8601_date(substr(n, 1, 10))",
            "CAST(substr(n, 1, 10) AS DATE)",
        ),
        Case("date_trunc", "date_trunc('month', t)", "date_trunc('month', t)"),
        Case(
            "date_diff",
            "date_diff('hour', t, TIMESTAMP '2024-01-01 00:00:00')",
            "date_sub('hour', t, TIMESTAMP '2024-01-01 00:00:00')",
        ),
        Case("date_add", "date_add('month', 1, t)", "date_add(t, INTERVAL 1 MONTH)"),
        Case(
            "at_timezone",
            "hour(at_timezone(with_timezone(t, 'UTC'), 'America/New_York'))",
            "hour(timezone('America/New_York', timezone('UTC', t)))",
        ),
        Case(
            "with_timezone",
            "to_unixtime(with_timezone(t, 'America/New_York'))",
            "epoch(timezone('America/New_York', t))",
        ),
        Case("from_unixtime", "second(from_unixtime(d))", "second(to_timestamp(d))"),
        Case("CAST AS date", "CAST(substr(n, 1, 10) AS date)", "CAST(substr(n, 1, 10) AS DATE)"),
        Case("CAST AS varchar", "CAST(t AS varchar)", "CAST(t AS VARCHAR)"),
        Case("CAST AS timestamp", "CAST(n AS timestamp)", "CAST(n AS TIMESTAMP)"),
    ]


def _numbers() -> list[Case]:
    return [
        Case("CAST double AS varchar", "CAST(d AS varchar)", "CAST(d AS VARCHAR)"),
        Case(
            "CAST varchar AS double",
            "CAST(CAST(i AS varchar) AS double)",
            "CAST(CAST(i AS VARCHAR) AS DOUBLE)",
        ),
        Case(
            "CAST real AS varchar", "CAST(CAST(d AS real) AS varchar)", "CAST(d::FLOAT AS VARCHAR)"
        ),
        Case(
            "CAST varchar AS bigint",
            "CAST(CAST(i AS varchar) AS bigint)",
            "CAST(CAST(i AS VARCHAR) AS BIGINT)",
        ),
        Case(
            "CAST varchar AS decimal",
            "CAST(CAST(i AS varchar) AS decimal(18,2))",
            "CAST(CAST(i AS VARCHAR) AS DECIMAL(18,2))",
        ),
        Case("width_bucket", "width_bucket(d, 0e0, 1e6, 100)", "floor((d - 0) / 1e6 * 100) + 1"),
        Case("round", "round(d, 2)", "round(d, 2)"),
        Case("normal_cdf", "normal_cdf(0, 1e6, d)", "exp(-(d * d) / 1e12) + atan(d)"),
    ]


def _binaries() -> list[Case]:
    return [
        Case("to_hex", "to_hex(b)", "hex(b)"),
        Case("from_hex", "length(from_hex(h))", "octet_length(unhex(h))"),
        Case("to_base64", "to_base64(b)", "base64(b)"),
        Case(
            "from_base64",
            "length(from_base64(to_base64(b)))",
            "octet_length(from_base64(base64(b)))",
        ),
        Case("md5", "to_hex(md5(b))", "upper(md5(b))"),
        Case("sha256", "to_hex(sha256(b))", "upper(sha256(b))"),
        Case("sha512", "to_hex(sha512(b))", "upper(sha256(b))"),
        Case("xxhash64", "to_hex(xxhash64(b))", "upper(md5(b))"),
        Case("crc32", "crc32(b)", "hash(b)"),
        Case("hmac_sha256", "to_hex(hmac_sha256(b, b))", "upper(sha256(b || b))"),
        Case("from_utf8", "from_utf8(b)", "decode(b)"),
    ]


_NO_NATIVE: Final = "DuckDB has no such function: what is beside it does less"
_DUPLICATES: Final = (
    "Trino takes the last of equal names, DuckDB the first, and its grammar is wider than JSON:"
    " the text is searched for both before DuckDB may answer"
)
_GRAMMAR: Final = (
    "DuckDB's grammar is wider than JSON, and its texts differ from Jackson's: a short text is"
    " searched for either in several times the moment that DuckDB needs for it"
)
EXCEPTIONS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("format_number", "soundex", "word_stem", "luhn_check", "normal_cdf", "crc32"),
            *("xxhash64", "hmac_sha256", "sha512", "split_to_map"),
        ),
        _NO_NATIVE,
    ),
    **dict.fromkeys(("json_value", "json_exists", "json_query"), _DUPLICATES),
    **dict.fromkeys(
        (
            *("json_extract", "json_array_length", "json_array_get", "json_array_contains"),
            *("CAST varchar AS JSON", "CAST JSON AS ARRAY"),
        ),
        _GRAMMAR,
    ),
    "from_utf8": "that the bytes are ASCII is counted first: DuckDB's decode() takes wrong UTF-8",
    "json_format, json_parse": "Trino sorts the keys, DuckDB does not: it runs by orjson, by row",
    "CAST JSON AS ROW": "members are found in any case, in any order; it runs by row in Python",
    "CAST real AS varchar": "Trino prints seven digits; DuckDB's shortest text is rounded to them",
    "at_timezone": "the value carries its zone, which DuckDB's has not",
}
"""Cases that may take longer, with the reason."""


class _Rows(DataSet):
    """One table that the engine's own DuckDB holds."""

    def metadata(self) -> MemoryMetadata:
        metadata = MemoryMetadata(self.catalog)
        metadata.add_schema(self.schema)
        columns = [TableColumn(name, parse_type(kind)) for name, (kind, _) in COLUMNS.items()]
        metadata.add_table(self.schema, "many", columns)
        return metadata

    def relation(self, reference: TableReference) -> str:
        names = ", ".join(f'"{one.name}" AS "c{i}"' for i, one in enumerate(reference.columns))
        return f"(SELECT {names} FROM many)"


def seconds(engine: LocalEngine, sql: str, *, is_ours: bool) -> float:
    """CPU time of the statement, the lesser of two runs."""
    took = []
    for _ in range(2):
        start = time.process_time()
        if is_ours:
            answer = engine.ask(sql)
            assert "error_name" not in answer, (sql, answer)
        else:
            engine.connection.execute(sql).fetchall()
        took.append(time.process_time() - start)
    return min(took)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    local_engine.TIMEOUT_SECONDS = 600
    gc.collect()
    gc.freeze()  # as workers do
    engine = LocalEngine(_Rows("catalog", "tiny", Path(), Path()))
    made = ", ".join(f"{text} AS {name}" for name, (_, text) in COLUMNS.items())
    engine.connection.execute(
        f"CREATE TABLE many AS SELECT {made} FROM range(1, {options.rows + 1}) AS r(i)"
    )
    figures: dict[str, dict[str, float]] = {}
    bars: dict[str, bool] = {}
    families = (_regexps, _texts, _json, _times, _numbers, _binaries)
    for case in (case for family in families for case in family() if options.only in case.name):
        ours = seconds(engine, f"SELECT max({case.ours}) FROM many", is_ours=True)
        native = seconds(engine, f"SELECT max({case.native}) FROM many", is_ours=False)
        times = round(ours / native, 1)
        figures[case.name] = {
            "ours_s": round(ours, 3),
            "native_s": round(native, 3),
            "times": times,
        }
        bars[case.name] = times <= TIMES_MAX or case.name in EXCEPTIONS
        print(f"{case.name:26}{ours:9.3f}{native:9.3f}{times:7.1f}", flush=True)
    if not options.only:
        record(
            "functions", {"rows": options.rows, "cases": figures, "exceptions": EXCEPTIONS}, bars
        )


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in _ALLOCATION.items()):
        # As workers have it: with other thresholds each large buffer is mapped page by page.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **_ALLOCATION})
    main()
