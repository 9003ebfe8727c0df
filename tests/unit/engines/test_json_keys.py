"""Equal keys in one JSON object, on every path: openx takes the last, hcatalog's refuses."""

from __future__ import annotations

from typing import Any

import pytest

from querysvc.engines.duckdb.readers import watch
from querysvc.engines.duckdb.readers.spellings import other_spellings
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

ROW = t.Row((t.RowField("x", t.INTEGER), t.RowField("y", t.VARCHAR)))
COLUMNS = [
    TableColumn("a", t.VARCHAR),
    TableColumn("b", t.INTEGER),
    TableColumn("r", ROW),
    TableColumn("m", t.Map(t.VARCHAR, t.INTEGER)),
]
PLAIN = '{"a":"x","b":1,"r":{"x":1,"y":"u"},"m":{"k":1,"j":2}}'
OTHERS = {
    "equal keys": ('{"a":"x","b":1,"a":"y"}', ("y", 1, None, None)),
    "keys equal but for their case": ('{"b":1,"a":"x","B":2}', ("x", 2, None, None)),
    "an escaped key": (r'{"a":"x","\u0061":"y"}', ("y", None, None, None)),
    "an escaped key in upper case": (r'{"a":"x","\u0041":"y"}', ("y", None, None, None)),
    "equal keys in a row": ('{"r":{"x":1,"y":"v","x":2}}', (None, None, (2, "v"), None)),
    "cases in a row": ('{"r":{"x":1,"X":3,"y":"v"}}', (None, None, (3, "v"), None)),
    "equal keys in a map": ('{"m":{"k":1,"l":2,"k":3}}', (None, None, None, {"k": 3, "l": 2})),
    "a number as text and equal keys": ('{"a":1.50,"b":1,"b":2}', ("1.50", 2, None, None)),
}


def select(bench: EngineBench, text: str, storage_format: StorageFormat) -> list[Any]:
    storage = descriptor(storage_format, {})
    rows = bench.select(storage, COLUMNS, [((), {"f": text.encode()})])
    return [tuple(_plain(value) for value in row) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(value.values())
    return dict(value) if isinstance(value, list) else value


@pytest.mark.parametrize("before", [1, 1500])
@pytest.mark.parametrize("name", OTHERS)
def test_openx_takes_the_last_of_equal_keys(
    engine_bench: EngineBench, name: str, before: int
) -> None:
    line, expected = OTHERS[name]
    text = "\n".join([PLAIN] * before + [line]) + "\n"
    found = select(engine_bench, text, StorageFormat.OPENX_JSON)
    assert found[0] == ("x", 1, (1, "u"), {"k": 1, "j": 2})
    assert found[-1] == expected
    assert len(found) == before + 1


@pytest.mark.parametrize("name", ["equal keys", "keys equal but for their case"])
def test_hcatalog_refuses_equal_keys(engine_bench: EngineBench, name: str) -> None:
    with pytest.raises(QueryServiceError, match="a key comes twice") as caught:
        select(engine_bench, PLAIN + "\n" + OTHERS[name][0] + "\n", StorageFormat.JSON)
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


def test_hcatalog_refuses_a_line_that_is_null(engine_bench: EngineBench) -> None:
    with pytest.raises(QueryServiceError, match="line 2"):
        select(engine_bench, PLAIN + "\n  null\n", StorageFormat.JSON)


def test_a_spelling_of_another_file_is_read_without_the_exact_path(
    engine_bench: EngineBench,
) -> None:
    text = PLAIN + "\n" + '{"A":"z"}\n'
    assert select(engine_bench, text * 40, StorageFormat.OPENX_JSON)[1][0] == "z"


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_key_across_two_reads_is_seen(cut: int) -> None:
    seen = watch.LineWatch()
    seen.watch(0, None, expressions=other_spellings(["userId"]))
    data = b'{"x":1,"userID":2}'
    seen.see(0, 0, data[: 6 + cut])
    seen.see(0, 6 + cut, data[6 + cut :])
    assert seen.has_odd_keys


@pytest.mark.parametrize(
    "text", ['{"userId":1}', '{"x":"USERID"}', '{"userIds":1}', '{"xuserID":1}', '{"userid2":1}']
)
def test_other_keys_and_values_are_no_other_spelling(text: str) -> None:
    seen = watch.LineWatch()
    seen.watch(0, None, expressions=other_spellings(["userId"]))
    seen.see(0, 0, text.encode())
    assert not seen.has_odd_keys


@pytest.mark.parametrize("key", ["USERID", "userid", "UserId", "userI\\u0064", "userID"])
def test_every_other_spelling_is_seen(key: str) -> None:
    seen = watch.LineWatch()
    seen.watch(0, None, expressions=other_spellings(["userId"]))
    seen.see(0, 0, f'{{"{key}" : 1}}'.encode())
    assert seen.has_odd_keys
