"""The readers' fast paths against their exact ones: the same rows, or the same refusal.

Files are made of values that DuckDB's casts, its CSV reader and the SerDes are known to see in
different ways. The exact path is forced by what only it can read, which says nothing else.
"""

from __future__ import annotations

import bz2
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from querysvc.errors import QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

COLUMNS = [
    TableColumn("i", t.BIGINT),
    TableColumn("n", t.TINYINT),
    TableColumn("m", t.Decimal(7, 2)),
    TableColumn("f", t.DOUBLE),
    TableColumn("d", t.DATE),
    TableColumn("t", t.Timestamp(3)),
    TableColumn("b", t.BOOLEAN),
    TableColumn("s", t.VARCHAR),
]
GOOD = {
    "i": ["0", "7", "-12", "+3", "007", "9223372036854775807"],
    "n": ["0", "-128", "127", "5"],
    "m": ["1.50", "-2", "12345.67", "1.005", "1e2", ".5", "3."],
    "f": ["1.5", "1e3", "-Infinity", "NaN", ".5", " 2 ", "0.1"],
    "d": ["2020-02-29", "1969-12-31", "2020-2-9", "0001-01-01"],
    "t": ["2020-01-02 03:04:05", "2020-01-02 03:04:05.6785", "1960-01-01", "2020-1-2 3:4:5"],
    "b": ["true", "FALSE"],
    "s": ["", "x", "é", "a b", "1", " ", "null", "[1]", '"'],
}
HOSTILE = [
    "1.5", "1e3", "1e2", "12e1", " 1", "1 ", "1_0", "0x1F", "0b1", "inf", "nan", "infinity",
    "epoch", "2020/01/01", "2020-01-01 ", " 2020-01-01", "2020-02-30", "20-01-01", "true", "t",
    "1,5", "128", "9223372036854775808", "99999999", "-", "+", "", "\\N", "NULL", "--1", "1-1",
    "2020-01-01T00:00:00", "2020-01-01 00:00:00+02", "\t1", "1\u00a0", "\u0661", "0001-01-01 (BC)",
]  # fmt: skip
EXAMPLES = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fields(name: str) -> st.SearchStrategy[str]:
    return st.one_of(
        *[st.sampled_from(GOOD[name])] * 9, st.sampled_from(HOSTILE), st.text("0123456789.-+eE _")
    )


rows = st.lists(st.tuples(*(fields(column.name) for column in COLUMNS)), min_size=1, max_size=8)


def outcome(
    bench: EngineBench,
    objects: Mapping[str, bytes],
    storage_format: StorageFormat,
    parameters: Mapping[str, str],
    columns: Sequence[TableColumn] = COLUMNS,
) -> Any:
    """The rows, or the code of the refusal."""
    storage = descriptor(storage_format, parameters)
    try:
        return [str(row) for row in bench.select(storage, columns, [((), objects)])]
    except QueryServiceError as error:
        return error.code


def both_ways(
    bench: EngineBench, data: bytes, storage_format: StorageFormat, *told: Any
) -> tuple[Any, Any]:
    """What DuckDB's reader finds, and what our own splitting does: bz2 is not DuckDB's."""
    fast = outcome(bench, {"f": data}, storage_format, *told)
    return fast, outcome(bench, {"f.bz2": bz2.compress(data)}, storage_format, *told)


@EXAMPLES
@given(rows, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_delimited_text_is_the_same_with_and_without_the_exact_path(
    engine_bench: EngineBench, made: list[tuple[str, ...]], line_end: str, ends: bool
) -> None:
    data = line_end.join("|".join(row) for row in made) + line_end * ends
    fast, exact = both_ways(
        engine_bench, data.encode(), StorageFormat.TEXTFILE, {"field.delim": "|"}
    )
    assert fast == exact


@EXAMPLES
@given(rows, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_quoted_text_is_the_same_with_and_without_the_exact_path(
    engine_bench: EngineBench, made: list[tuple[str, ...]], line_end: str, ends: bool
) -> None:
    kept = [index for index, column in enumerate(COLUMNS) if column.name not in ("d", "t")]
    lines = [",".join('"' + row[i].replace('"', '""') + '"' for i in kept) for row in made]
    data = line_end.join(lines) + line_end * ends
    columns = [COLUMNS[index] for index in kept]
    fast, exact = both_ways(engine_bench, data.encode(), StorageFormat.CSV, {}, columns)
    assert fast == exact


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.sampled_from(HOSTILE),
    st.sampled_from([text for texts in GOOD.values() for text in texts]),
    st.lists(st.integers(0, 3), max_size=2), st.decimals(-100, 100, places=3).map(float),
)  # fmt: skip


@st.composite
def json_lines(draw: st.DrawFn) -> bytes:
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        row: dict[str, Any] = {}
        for column in COLUMNS:
            key = draw(st.sampled_from([column.name] * 12 + [column.name.upper(), "other"]))
            good = st.sampled_from(GOOD[column.name])
            row[key] = draw(st.one_of(*[good] * 9, SCALARS))
        lines.append(json.dumps(row))
    return "\n".join(lines).encode()


@EXAMPLES
@given(json_lines())
def test_json_is_the_same_by_columns_and_by_whole_objects(
    engine_bench: EngineBench, data: bytes
) -> None:
    whole = b'{"I":null}\n' + data  # another spelling: whole objects are read
    found = outcome(engine_bench, {"f": data}, StorageFormat.OPENX_JSON, {})
    exact = outcome(engine_bench, {"f": whole}, StorageFormat.OPENX_JSON, {})
    if isinstance(exact, list):
        exact = exact[1:]
    assert found == exact


@pytest.mark.parametrize("size", [5 << 20, 20 << 20])
@pytest.mark.parametrize(
    "storage_format", [StorageFormat.TEXTFILE, StorageFormat.OPENX_JSON, StorageFormat.JSON]
)
def test_a_line_longer_than_the_fast_paths_buffers_is_read(
    engine_bench: EngineBench, size: int, storage_format: StorageFormat
) -> None:
    long = "x" * size
    texts = {
        StorageFormat.TEXTFILE: f"a\n{long}\nb\n",
        StorageFormat.OPENX_JSON: f'{{"s":"a"}}\n{{"s":"{long}"}}\n{{"s":"b"}}\n',
        # Another spelling: whole objects are read.
        StorageFormat.JSON: f'{{"s":"a"}}\n{{"s":"{long}"}}\n{{"S":"b"}}\n',
    }
    storage = descriptor(storage_format, {})
    data = texts[storage_format].encode()
    found = engine_bench.select(storage, [TableColumn("s", t.VARCHAR)], [((), {"f": data})])
    assert [len(text) for (text,) in found] == [1, size, 1]
