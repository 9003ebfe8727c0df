"""Buckets are those that Trino 476 puts the same values in (see tests.support.bucket_oracle)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from querysvc.results.writing.buckets import bucket_numbers
from querysvc.types import algebra as t

RECORDED = json.loads(Path("tests/conformance/data/buckets.json").read_text())
TYPES: dict[str, tuple[t.TrinoType, pa.DataType, Callable[[str], Any]]] = {
    "boolean": (t.BOOLEAN, pa.bool_(), lambda text: text == "true"),
    "tinyint": (t.TINYINT, pa.int8(), int),
    "smallint": (t.SMALLINT, pa.int16(), int),
    "integer": (t.INTEGER, pa.int32(), int),
    "bigint": (t.BIGINT, pa.int64(), int),
    "real": (t.REAL, pa.float32(), float),
    "double": (t.DOUBLE, pa.float64(), float),
    "varchar": (t.Varchar(40), pa.string(), str),
    "string": (t.VARCHAR, pa.string(), str),
    "date": (t.DATE, pa.date32(), date.fromisoformat),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_value_is_in_trinos_bucket(name: str) -> None:
    type_, arrow, parse = TYPES[name]
    recorded = RECORDED["types"][name]
    values = [None if text is None else parse(text) for text, _bucket in recorded]
    found = bucket_numbers([type_], [pa.array(values, arrow)], RECORDED["count"])
    assert found.tolist() == [bucket for _text, bucket in recorded]


def test_several_columns_are_hashed_together_as_trino_does() -> None:
    numbers = pa.array([1, 2, 3, None, -5, 2147483647], pa.int32())
    texts = pa.array(["x", "yé", None, "zz", "abcdefghij", "日本"])
    found = bucket_numbers([t.INTEGER, t.Varchar(10)], [numbers, texts], 7)
    assert found.tolist() == [0, 5, 2, 0, 0, 6]
