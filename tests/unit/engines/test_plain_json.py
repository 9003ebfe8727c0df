"""JSON values that DuckDB reads as their types by itself, and those that make it read texts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from querysvc.engines.duckdb.execution import Execution
from querysvc.engines.duckdb.readers.json import DOUBT_MARK
from querysvc.engines.duckdb.readers.plain_json import is_read_typed, odd_values
from querysvc.engines.duckdb.readers.watch import LineWatch, WatchedClient, matches
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

PLAIN: dict[t.TrinoType, dict[str, Any]] = {
    t.BIGINT: {
        "9223372036854775807": 9223372036854775807,
        "-9223372036854775808": -9223372036854775808,
        "-0": 0,
        "null": None,
    },
    t.TINYINT: {"127": 127, "-128": -128},
    t.Decimal(15, 2): {
        "9999999999999.99": Decimal("9999999999999.99"),
        "-0.07": Decimal("-0.07"),
        "0.29": Decimal("0.29"),
        "4503599627370.49": Decimal("4503599627370.49"),
        "7": Decimal("7.00"),
        "null": None,
    },
    t.Decimal(38, 14): {"1.00000000000001": Decimal("1.00000000000001")},
    t.DOUBLE: {"1.5e300": 1.5e300, "0.1": 0.1, "9007199254740993": 9007199254740992.0, "-0": -0.0},
    t.BOOLEAN: {"true": True, "false": False, "null": None},
    t.DATE: {'"1992-02-29"': date(1992, 2, 29), '"0001-01-01"': date(1, 1, 1), "null": None},
}
ODD: dict[t.TrinoType, tuple[str, ...]] = {
    t.BIGINT: (
        *("1.5", "1.0", "1e3", "1E3", '"7"', '" 7"', '""', "true", "nan", "NaN", "-Infinity"),
        *("[1]", "{}", "-1.5"),
    ),
    t.Decimal(15, 2): (
        *("1.005", "12345678901234", "1e2", "1.5E1", '"1.50"', "true", "-Infinity", "[]"),
    ),
    t.Decimal(38, 14): ("12.5", "1.000000000000001"),
    t.DOUBLE: ('"1.5"', "NaN", "nan", "-Infinity", "true", "{}"),
    t.BOOLEAN: ("1", '"true"', "0", "nan", "[]"),
    t.DATE: (
        *('"1992-1-2"', '"1992/01/02"', '"1992-01-02 "', '" 1992-01-02"', '"01992-01-02"'),
        *('"1992-01-02T00:00:00"', '"1992-01-02abc"', '"epoch"', '"infinity"', '""', "7"),
        *('"-0044-01-02"', '"1992-01-0"', r'"1992-01-0\u0032"'),
    ),
}
NEVER = (t.REAL, t.VARCHAR, t.Timestamp(3), t.Decimal(38, 15), t.VARBINARY)
"""Printed texts and doubles differ, or texts are what is wanted."""


@pytest.mark.parametrize("type_", PLAIN)
@pytest.mark.parametrize("form", ['{{"a":{}}}', '{{ "a" : {} }}', '{{"b":0,"a":{}\t,"c":1}}'])
def test_plain_values_raise_no_doubt(type_: t.TrinoType, form: str) -> None:
    for text in PLAIN[type_]:
        assert not matches(form.format(text).encode(), odd_values([("a", type_)])), text


@pytest.mark.parametrize("type_", ODD)
@pytest.mark.parametrize("form", ['{{"a":{}}}', '{{ "a" \t: {} }}', '{{"b":0,"a":{}\r\n,"c":1}}'])
def test_every_odd_value_raises_doubt(type_: t.TrinoType, form: str) -> None:
    for text in ODD[type_]:
        assert matches(form.format(text).encode(), odd_values([("a", type_)])), text


def test_types_of_which_the_text_matters_are_never_read_by_duckdb() -> None:
    assert [type_ for type_ in NEVER if is_read_typed(type_)] == []
    assert odd_values([("a", type_) for type_ in NEVER]) == ()


@pytest.mark.parametrize(
    "text", [r'{"a\u0031":1.5}', r'{"\u0061":1}', '{"a1":' + " " * 2000 + "7}"]
)
def test_hidden_keys_raise_doubt(text: str) -> None:
    assert matches(text.encode(), odd_values([("a1", t.BIGINT)]))


def test_what_some_writers_always_escape_raises_no_doubt() -> None:
    text = rb'{"a1":1,"b":"x\u003cy\u003e \u0026 \u00e9\u2028"}'
    assert not matches(text, odd_values([("a1", t.BIGINT)]))


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_value_across_two_reads_is_seen(cut: int) -> None:
    seen = LineWatch()
    seen.watch(0, None, expressions=odd_values([("a", t.BIGINT), ("d", t.DATE)]))
    data = b'{"x":1,"a":1234567.5,"d":"2020-01-01"}'
    seen.see(0, 7 + cut, data[7 + cut :])
    seen.see(0, 0, data[: 7 + cut])
    assert seen.has_odd_keys


def read(bench: EngineBench, type_: t.TrinoType, lines: list[str]) -> list[tuple[Any, ...]]:
    text = "".join(f'{{"a":{value},"text":"{number}"}}\n' for number, value in enumerate(lines))
    columns = [TableColumn("a", type_), TableColumn("text", t.VARCHAR)]
    storage = descriptor(StorageFormat.OPENX_JSON, {})
    return bench.select(storage, columns, [((), {"f": text.encode()})])


@pytest.mark.parametrize("type_", PLAIN)
def test_plain_values_are_read_exactly(engine_bench: EngineBench, type_: t.TrinoType) -> None:
    assert [row[0] for row in read(engine_bench, type_, [*PLAIN[type_]])] == [
        *PLAIN[type_].values()
    ]


@pytest.mark.parametrize(
    ("type_", "text"),
    [(type_, text) for type_ in ODD for text in ODD[type_][:4] if text.lower() != "nan"],
)
def test_an_odd_value_late_in_a_file_is_read_as_one_at_its_start(
    engine_bench: EngineBench, type_: t.TrinoType, text: str
) -> None:
    """The first objects decide how a file is read at first, the rest whether that was right."""
    plain = next(iter(PLAIN[type_]))
    at_start = read(engine_bench, type_, [text, plain])
    late = read(engine_bench, type_, [*[plain] * 4000, text])
    assert late[-1][0] == at_start[0][0]
    assert late[0][0] == at_start[1][0] == PLAIN[type_][plain]
    assert len(late) == 4001


def test_each_further_reading_is_watched_too(engine_bench: EngineBench) -> None:
    """First a value is odd, then, read as texts, a key; then whole objects are read."""
    text = '{"a":1}\n' * 10_000 + '{"a":"2"}\n{"a":3,"A":4}\n{"A":5}\n'
    storage = descriptor(StorageFormat.OPENX_JSON, {})
    columns = [TableColumn("a", t.BIGINT)]
    rows = engine_bench.select(storage, columns, [((), {"f": text.encode()})])
    assert rows[-4:] == [(1,), (2,), (4,), (5,)]


def test_a_doubt_ends_the_reading_that_it_makes_useless() -> None:
    anything: Any = SimpleNamespace(plan=None, connection=None, is_sealed=False)
    watched = WatchedClient(SimpleNamespace(read=lambda *_: b'{"a":1.5}'))
    execution = Execution(*[anything] * 4, watched=watched, footers=anything, settings=anything)
    context = execution.context
    context.watch.watch(0, None, expressions=odd_values([("a", t.BIGINT)]))
    context.reads_json_types = True
    assert watched.read(0, 0, 9), "a diagnosis reads on"
    with execution.trying(), pytest.raises(RuntimeError, match=DOUBT_MARK):
        watched.read(0, 0, 9)
    context.reads_json_types = False
    with execution.trying():
        assert watched.read(0, 0, 9), "other spellings are told of at the end"
