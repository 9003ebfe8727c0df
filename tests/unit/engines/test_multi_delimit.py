"""MultiDelimitSerDe: any text between columns; by Hive's source (LazyStruct.parseMultiDelimit)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from querysvc.errors import QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.model import SerDeInfo
from querysvc_catalog.serdes import MULTI_DELIMIT, StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

COLUMNS = [TableColumn("a", t.BIGINT), TableColumn("b", t.VARCHAR)]


def read(
    bench: EngineBench, data: bytes, parameters: Mapping[str, str], columns: list[TableColumn]
) -> list[tuple[Any, ...]]:
    storage = replace(
        descriptor(StorageFormat.TEXTFILE),
        serde_info=SerDeInfo(serialization_library=min(MULTI_DELIMIT), parameters=parameters),
    )
    return bench.select(storage, columns, [((), {"dir/f": data})])


def test_columns_are_parted_by_a_text(engine_bench: EngineBench) -> None:
    data = b"1~|~x\n2~|y\n~|~\n\\N~|~\\N\n3~|~\xc3\xa9~\n"
    assert read(engine_bench, data, {"field.delim": "~|~"}, COLUMNS) == [
        (1, "x"),
        (None, None),
        (None, ""),
        (None, None),
        (3, "é~"),
    ]


def test_the_last_column_takes_the_rest_with_hives_first_delimiter(
    engine_bench: EngineBench,
) -> None:
    read_rows = read(engine_bench, b"1||x||y||z\n", {"field.delim": "||"}, COLUMNS)
    assert read_rows == [(1, "x\x01y\x01z")]


def test_nested_columns_have_delimiters_of_their_own(engine_bench: EngineBench) -> None:
    columns = [TableColumn("a", t.Array(t.BIGINT)), TableColumn("m", t.Map(t.VARCHAR, t.BIGINT))]
    parameters = {"field.delim": "@@", "collection.delim": ",", "mapkey.delim": ":"}
    assert read(engine_bench, b"1,2@@k:1,l:2\n", parameters, columns) == [
        ([1, 2], [("k", 1), ("l", 2)])
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "field.delim is required"),
        ({"field.delim": "||", "escape.delim": "\\"}, "MultiDelimitSerDe with escape.delim"),
    ],
)
def test_what_it_cannot_be_told_is_refused(
    engine_bench: EngineBench, parameters: Mapping[str, str], message: str
) -> None:
    with pytest.raises(QueryServiceError, match=message):
        read(engine_bench, b"1||x\n", parameters, COLUMNS)
