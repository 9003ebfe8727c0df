"""Where DuckDB answers natively, it answers as the exact way does, whatever the value."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from querysvc.engines.duckdb.functions import json_functions, json_results, urls
from querysvc.engines.duckdb.functions.datetime_zones import instants
from querysvc.engines.duckdb.functions.java_uri import parse_uri
from querysvc.engines.duckdb.functions.vectorised import FunctionError
from querysvc.engines.duckdb.functions.zone_names import instant_microseconds
from querysvc.engines.duckdb.lowering.casts.java_text import double_text, json_string
from querysvc.plan import TableColumn, TableReference
from querysvc.sql.metadata import MemoryMetadata
from querysvc.types.parse import parse_type
from tests.support.local_engine import DataSet, LocalEngine

ROWS: Final = 4_000


class Column(DataSet):
    """One table `many` of one column `v`, in the engine's own DuckDB; `folder` is its type."""

    def __init__(self, type_: str) -> None:
        super().__init__("catalog", "tiny", Path(type_), Path())

    def metadata(self) -> MemoryMetadata:
        metadata = MemoryMetadata(self.catalog)
        metadata.add_schema(self.schema)
        metadata.add_table(self.schema, "many", [TableColumn("v", parse_type(str(self.folder)))])
        return metadata

    def relation(self, reference: TableReference) -> str:
        return '(SELECT "v" AS "c0" FROM many)'


def answers(type_: str, values: list[Any], *expressions: str) -> Iterator[tuple[Any, ...]]:
    """The values of the expressions over each value `v`."""
    engine = LocalEngine(Column(type_))
    engine.connection.register("many", pa.table({"v": values}))
    answer = engine.ask(f"SELECT {', '.join(expressions)} FROM many")
    assert "error_name" not in answer, answer
    engine.close()
    return (tuple(row) for row in answer["rows"])


def compare(type_: str, values: list[Any], expression: str, exact: Callable[[Any], Any]) -> None:
    differing = [
        (value, found, exact(value))
        for value, (found,) in zip(values, answers(type_, values, expression), strict=True)
        if found != exact(value)
    ]
    assert not differing, (expression, len(differing), differing[:5])


# JSON.

_SCALARS: Final = (
    *('"x"', '"b"', '"é"', '"😀"', '"a\\"b"', '"\\u0061"', '"nan"', '"info"', '","', '"[1]"', '""'),
    *("0", "-0", "12", "-7", "1.50", "1e3", "123456789012345678", "9223372036854775808", "007"),
    *("true", "false", "null", "NaN", "-Infinity", "inf", "nul", "'x'"),
)
_NAMES: Final = ('"a"', '"b"', '"A"', '"n\\u0061"', '"\\u0061"', '"é"', '""', '"a b"')


class Texts:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, items: Any) -> str:
        chosen: str = self.random.choice(items)
        return chosen

    def space(self) -> str:
        return self.pick(("", "", "", "", " ", "\n", "\t ", "\r"))

    def value(self, depth: int) -> str:
        kind = self.random.random()
        if not depth or kind < 0.35:
            return self.pick(_SCALARS)
        is_object = kind < 0.75
        items = [
            (f"{self.pick(_NAMES[:4] if depth > 1 else _NAMES)}{self.space()}:{self.space()}")
            * is_object
            + self.value(depth - 1)
            + self.space()
            for _ in range(self.random.choice((0, 1, 1, 2, 3)))
        ]
        comma = "," * (self.random.random() < 0.03)
        body = self.space() + f",{self.space()}".join(items) + comma + self.space()
        return f"{{{body}}}" if is_object else f"[{body}]"

    def json(self) -> str:
        end = self.pick(("", "", "", "", "", " ", "x", ",", "}"))
        return self.space() + self.value(3) + end


def batch(function: Any, *arguments: Any) -> Callable[[str], Any]:
    """The row's answer by the general function; None where it fails."""

    def answer(text: str) -> Any:
        found = function(pa.array([text]), *(pa.array([one]) for one in arguments))
        return (found.to_pylist() if isinstance(found, pa.Array) else found)[0]

    return answer


@pytest.fixture(scope="module")
def json_texts() -> list[str]:
    texts = Texts(1)
    return [texts.json() for _ in range(ROWS)]


@pytest.mark.parametrize(
    ("expression", "exact"),
    [
        ("json_extract_scalar(v, '$.a')", batch(json_functions.extract_scalar, "$.a")),
        ("json_extract_scalar(v, '$.a.b')", batch(json_functions.extract_scalar, "$.a.b")),
        ("json_format(json_extract(v, '$.a'))", batch(json_functions.extract, "$.a")),
        ("json_size(v, '$')", batch(json_functions.size, "$")),
        ("json_size(v, '$.a')", batch(json_functions.size, "$.a")),
        ("json_array_length(v)", batch(json_functions.array_length)),
        ("json_format(json_array_get(v, 1))", batch(json_functions.array_get, 1)),
        ("json_array_contains(v, 'b')", batch(json_functions.array_contains, "b")),
    ],
)
def test_json_functions_answer_natively_as_in_python(
    json_texts: list[str], expression: str, exact: Callable[[Any], Any]
) -> None:
    compare("varchar", json_texts, expression, exact)


def _reading(tags: dict[str, str], read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: read(tags[text])


def _exists(tag: str) -> bool:
    return tag == "T"


def _value(tag: str) -> str | None:
    return tag[1:] if tag[0] in "sbi" else None


def _query(tag: str) -> str | None:
    return tag[1:] if tag[0] == "v" else None


@pytest.mark.parametrize("path", ["lax $.a", "lax $.a.b", "lax $.a[0]", "lax $[1]", "strict $.a"])
def test_json_forms_answer_natively_as_in_python(json_texts: list[str], path: str) -> None:
    modes: dict[str, tuple[str, Callable[[str], Any]]] = {
        f"json_exists(v, '{path}')": ("exists", _exists),
        f"json_value(v, '{path}')": ("value", _value),
        f"json_query(v, '{path}')": ("query WITHOUT KEEP", _query),
    }
    for expression, (mode, read) in modes.items():
        tags = {text: batch(json_results.path_result, path, mode)(text) for text in json_texts}
        # A double's text in SQL is a cast's: that is not what is compared here.
        texts = [text for text in json_texts if tags[text][0] not in "dn"]
        compare("varchar", texts, expression, _reading(tags, read))


def test_json_of_values_is_written_natively_as_in_python() -> None:
    chance = random.Random(2)
    texts = ["".join(chance.choices('ab"\\\n\x01é😀\x7f/', k=3)) for _ in range(1000)]
    compare("varchar", texts, "json_format(CAST(v AS json))", json_string)
    compare(
        "varchar",
        texts,
        "json_format(CAST(ARRAY[v, NULL] AS json))",
        lambda text: f"[{json_string(text)},null]",
    )
    compare(
        "varchar", texts, "CAST(CAST(ARRAY[v, 'x'] AS json) AS array(varchar))", lambda t: [t, "x"]
    )


# URLs.

_PIECES: Final = (
    *("http", "https", "mailto", "//", "://", ":", "/", "?", "#", "&", "=", "k", "kk", "k=", "v"),
    *(
        "a.b",
        "host-1",
        "8080",
        "1.2.3.4",
        "[::1]",
        "%41",
        "%zz",
        "+",
        "é",
        " ",
        "x@y",
        "",
        "k=1&k=2",
    ),
)


def test_urls_are_taken_apart_natively_as_in_python() -> None:
    chance = random.Random(3)
    texts = []
    for _ in range(ROWS):
        tail = "".join(chance.choices(_PIECES, k=chance.randrange(9)))
        start = chance.choice(("http://a.b", "https://host-1.c:80/p", "", "ftp://1.2.3.4"))
        texts.append(start + chance.choice(("", "/", "?", "#")) + tail)

    def decoded(read: Callable[[Any], str | None]) -> Callable[[str], str | None]:
        def answer(text: str) -> str | None:
            uri = parse_uri(text)
            return None if uri is None else urls._decoded(read(uri) or "")

        return answer

    compare("varchar", texts, "url_extract_path(v)", decoded(lambda uri: uri.path))
    compare("varchar", texts, "url_extract_query(v)", decoded(lambda uri: uri.query))
    compare("varchar", texts, "url_extract_fragment(v)", decoded(lambda uri: uri.fragment))
    compare("varchar", texts, "url_extract_protocol(v)", decoded(lambda uri: uri.scheme))
    compare("varchar", texts, "url_extract_host(v)", decoded(lambda uri: uri.host))

    def parameter(text: str) -> Any:
        try:
            return urls._parameter(text, "k")
        except FunctionError:
            return "bad escape"

    texts = [text for text in texts if parameter(text) != "bad escape"]
    compare("varchar", texts, "url_extract_parameter(v, 'k')", parameter)


# Numbers and times.


def test_doubles_have_javas_text() -> None:
    chance = random.Random(4)
    values = [0.0, -0.0, 1.0, 10.0, 0.1, 0.01, 1e-3, 1e-4, 1e15, 1e16, 1e22, 1e23, 5e-324, 1e-5]
    values += [123456789012345.6, 999999999999999.9, 0.9999999999999999, 9.999999999999999e-05]
    values += [chance.uniform(-1, 1) * 10.0 ** chance.randrange(-20, 22) for _ in range(ROWS)]
    values += [float(chance.randrange(10 ** chance.randrange(1, 17))) for _ in range(1000)]
    values += [round(chance.uniform(0, 1000), chance.randrange(5)) for _ in range(1000)]
    compare("double", values, "CAST(v AS varchar)", double_text)


_YEARS: Final = ("2001", "1999", "0001", "9999", "12345", "0000", "-0001", "99", "1582")
_CLOCKS: Final = (
    *("", " 00:00:00", " 23:59:59", " 24:00:00", " 1:02:03", " 12:34", "T01:02:03"),
    *(" 04:05:06.1", " 04:05:06.120", " 04:05:06.123", " 04:05:06.123456", " 23:59:59.9996"),
)


def _time_texts(seed: int) -> list[str]:
    pick = random.Random(seed).choice
    texts = ["infinity", "epoch", "-infinity", "0044-03-15 (BC)", "0044-03-15 (BC) 00:00:00", ""]
    for _ in range(ROWS):
        day = (
            f"{pick(_YEARS)}-{pick(('01', '1', '02', '12', '13'))}-{pick(('01', '31', '3', '29'))}"
        )
        texts.append(day + pick(_CLOCKS) + pick(("", "", "", " ", " UTC", "Z", "x")))
    return texts


@pytest.mark.parametrize("type_", ["timestamp", "timestamp(0)", "timestamp(6)", "date"])
def test_times_are_read_natively_as_by_their_parts(type_: str) -> None:
    # A space in front is Trino's too, but never read natively.
    native, exact = f"TRY_CAST(v AS {type_})", f"TRY_CAST(' ' || v AS {type_})"
    texts = _time_texts(5)
    rows = answers("varchar", texts, native, exact)
    differing = [(text, *row) for text, row in zip(texts, rows, strict=True) if row[0] != row[1]]
    assert not differing, (len(differing), differing[:5])


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Paris", "Australia/Lord_Howe", "UTC"])
def test_instants_of_a_batch_are_those_of_its_rows(zone: str) -> None:
    chance = random.Random(6)
    hour = 3_600_000_000
    clocks = [chance.randrange(-(10**15), 4 * 10**15) for _ in range(1000)]
    clocks += [1_711_846_800_000_000 + hour * chance.randrange(-50, 50) for _ in range(1000)]
    found = instants(pa.array(clocks), pa.array([zone] * len(clocks))).to_pylist()
    assert found == [instant_microseconds(zone, clock) for clock in clocks]


def test_try_over_many_failing_rows_gives_null_for_each() -> None:
    # DuckDB 1.5.5 dies of failures in coalesce() inside TRY, and takes repeated parts out of TRY.
    (row,) = answers(
        "bigint",
        [0],
        "(SELECT sum(TRY(COALESCE(IF(x = 0, NULL, 1), 10 / (x % 3)))"
        " + TRY(COALESCE(10 / (x % 3), 5) + COALESCE(10 / (x % 3), 5)))"
        " FROM UNNEST(sequence(1, 5000)) t(x))",
        "(SELECT sum(COALESCE(IF(x % 3 = 0, 1), 10 / (x % 3)) + COALESCE(IF(x % 3 = 0, 2),"
        " 10 / (x % 3))) FROM UNNEST(sequence(1, 5000)) t(x))",
    )
    assert row == (sum(1 + 2 * (10 // (x % 3)) for x in range(1, 5001) if x % 3), 55_008)
