"""Rows as JSON text: equal to the core's JSON values for every type, NULL and slice."""

from __future__ import annotations

import datetime
import json
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from querysvc.model import ResultColumn
from querysvc.results.json_values import json_rows
from querysvc.types.algebra import UNKNOWN
from querysvc.types.parse import parse_type
from querysvc_drivers.trino.rows import legacy_batch, legacy_columns, rows_json

MICROSECOND = datetime.timedelta(microseconds=1)
EPOCH = datetime.datetime(1970, 1, 1)


def tz(*instants: int | None) -> pa.Array:
    values = [None if i is None else {"t": EPOCH + i * MICROSECOND, "z": "UTC"} for i in instants]
    return pa.array(values, pa.struct([("t", pa.timestamp("us")), ("z", pa.string())]))


CASES: list[tuple[str, pa.Array]] = [
    ("boolean", pa.array([True, None, False])),
    ("timestamp(9)", pa.array(["2024-02-29 12:34:56.123456789", None])),
    ("timestamp(7) with time zone", pa.array(["2024-02-29 12:34:56.1234567 Asia/Tokyo", None])),
    ("bigint", pa.array([2**63 - 1, None, -(2**63)], pa.int64())),
    ("tinyint", pa.array([1, None, -128], pa.int8())),
    (
        "double",
        pa.array([1.0, None, -0.0, 0.1, 1e300, 5e-324, 1e16, 123456789.0, math.nan, math.inf]),
    ),
    ("double", pa.array([-math.inf, 2.5])),
    ("real", pa.array([0.1, None, 16777216.0, math.nan, 3.4e38], pa.float32())),
    (
        "decimal(12, 2)",
        pa.array([Decimal("-0.05"), None, Decimal("12345.60")], pa.decimal128(12, 2)),
    ),
    ("decimal(38, 10)", pa.array([Decimal("1E-10"), None, Decimal(0)], pa.decimal128(38, 10))),
    ("varchar", pa.array(['a"b\\c', None, "", "ü😀", "tab\tnew\nline\x01\x7f\u2028"])),
    ("varchar", pa.array(['only "quotes" \\ here', "plain"])),
    ("varchar", pa.array(["plain", None])),
    ("char(3)", pa.array(["a  ", None])),
    ("json", pa.array(['{"a":[1,"x"]}', None])),
    ("varbinary", pa.array([b"\x00\xff", None, b""])),
    ("date", pa.array([datetime.date(2020, 2, 29), None, datetime.date(1, 1, 1)])),
    ("date", pa.array([-1_000_000, 3_000_000], pa.int32()).cast(pa.date32())),
    ("time(0)", pa.array([datetime.time(1, 2, 3), None], pa.time64("us"))),
    ("time(6)", pa.array([datetime.time(1, 2, 3, 4), None], pa.time64("us"))),
    (
        "timestamp(3)",
        pa.array([EPOCH - 544_000 * MICROSECOND, None], pa.timestamp("us")),
    ),
    (
        "timestamp(0)",
        pa.array([EPOCH - 1_000_000 * MICROSECOND, None], pa.timestamp("us")),
    ),
    ("timestamp(6)", pa.array([-(10**18), 4 * 10**17], pa.int64()).cast(pa.timestamp("us"))),
    ("timestamp(3) with time zone", tz(0, None, 1_577_836_800_123_000)),
    ("interval day to second", pa.array([90_061_001, None, -1], pa.int64())),
    ("interval year to month", pa.array([14, None, -14], pa.int32())),
    ("array(bigint)", pa.array([[1, None], None, []], pa.list_(pa.int64()))),
    ("map(varchar, bigint)", pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64()))),
    ("row(x bigint, y varchar)", pa.array([{"f0": 1, "f1": 'q"'}, None])),
]


def parsed(columns: tuple[ResultColumn, ...], batch: pa.RecordBatch) -> Any:
    return json.loads(rows_json(columns, [batch]))


@pytest.mark.parametrize(("type_text", "array"), CASES)
def test_a_columns_texts_are_its_json_values(type_text: str, array: pa.Array) -> None:
    columns = (ResultColumn("x", parse_type(type_text)),)
    batch = pa.RecordBatch.from_arrays([array], ["0"])
    for start in range(len(array)):
        part = batch.slice(start)
        expected = list(json_rows(columns, part))
        assert parsed(columns, part) == expected
        assert [list(map(type, row)) for row in parsed(columns, part)] == [
            list(map(type, row)) for row in expected
        ]


def test_all_columns_of_a_row_stand_in_order() -> None:
    whole = [case for case in CASES if len(case[1]) == 2]
    columns = tuple(ResultColumn(str(i), parse_type(t)) for i, (t, _) in enumerate(whole))
    arrays = [array for _, array in whole]
    batch = pa.RecordBatch.from_arrays(arrays, [str(i) for i in range(len(arrays))])
    assert parsed(columns, batch) == list(json_rows(columns, batch))


def test_several_batches_make_one_list() -> None:
    columns = (ResultColumn("s", parse_type("varchar")), ResultColumn("n", parse_type("bigint")))
    whole = pa.RecordBatch.from_arrays(
        [pa.array(["a", "b", None, "d"]), pa.array([1, 2, 3, 4])], ["0", "1"]
    )
    parts = [whole.slice(0, 2), whole.slice(2, 0), whole.slice(2, 1), whole.slice(3)]
    assert json.loads(rows_json(columns, parts)) == [["a", 1], ["b", 2], [None, 3], ["d", 4]]


@pytest.mark.parametrize("value", [1.0, -7.0, 999_999_999.0, 1_234_567_890.0, -9_999_999_999.0])
def test_a_whole_number_of_type_double_keeps_its_point(value: float) -> None:
    columns = (ResultColumn("x", parse_type("double")),)
    batch = pa.RecordBatch.from_arrays([pa.array([0.5, value, None])], ["0"])
    assert rows_json(columns, [batch]) == f"[[0.5],[{value:.1f}],[null]]".encode()


def test_a_column_of_unknown_type_is_null() -> None:
    columns = (ResultColumn("x", UNKNOWN),)
    batch = pa.RecordBatch.from_arrays([pa.array([None, None], pa.int32())], ["0"])
    assert parsed(columns, batch) == [[None], [None]]


def test_a_page_without_rows_or_columns_is_well_formed() -> None:
    columns = (ResultColumn("x", parse_type("bigint")),)
    batch = pa.RecordBatch.from_arrays([pa.array([1], pa.int64())], ["0"])
    assert rows_json(columns, [batch.slice(0, 0)]) == b"[]"


@pytest.mark.parametrize(
    ("type_text", "array", "legacy", "texts"),
    [
        (
            "timestamp(9)",
            pa.array(["2024-02-29 23:59:59.999567891", "1969-12-31 23:59:59.000400000", None]),
            "timestamp(3)",
            ["2024-03-01 00:00:00.000", "1969-12-31 23:59:59.000", None],
        ),
        (
            "timestamp(9) with time zone",
            pa.array(["2024-02-29 23:59:59.123567891 Asia/Tokyo"]),
            "timestamp(3) with time zone",
            ["2024-02-29 23:59:59.124 Asia/Tokyo"],
        ),
        (
            "timestamp(6)",
            pa.array([1_500, -1_500, -1_499, None, 499], pa.int64()).cast(pa.timestamp("us")),
            "timestamp(3)",
            [
                "1970-01-01 00:00:00.002",
                "1969-12-31 23:59:59.999",
                "1969-12-31 23:59:59.999",
                None,
                "1970-01-01 00:00:00.000",
            ],
        ),
        (
            "time(6)",
            pa.array([datetime.time(23, 59, 59, 999_500)], pa.time64("us")),
            "time(3)",
            ["00:00:00.000"],
        ),
        ("timestamp(6) with time zone", tz(1_500, None), "timestamp(3) with time zone", None),
        (
            "timestamp(0)",
            pa.array([0], pa.int64()).cast(pa.timestamp("us")),
            "timestamp(3)",
            ["1970-01-01 00:00:00.000"],
        ),
        (
            "array(timestamp(6))",
            pa.array([[EPOCH + 1_500 * MICROSECOND, None], None], pa.list_(pa.timestamp("us"))),
            "array(timestamp(3))",
            [["1970-01-01 00:00:00.002", None], None],
        ),
        (
            "row(x timestamp(6))",
            pa.array(
                [{"f0": EPOCH + 1_500 * MICROSECOND}, None], pa.struct([("f0", pa.timestamp("us"))])
            ),
            "row(x timestamp(3))",
            [["1970-01-01 00:00:00.002"], None],
        ),
        (
            "map(varchar, timestamp(6))",
            pa.array(
                [[("a", EPOCH + 1_500 * MICROSECOND)], None],
                pa.map_(pa.string(), pa.timestamp("us")),
            ),
            "map(varchar, timestamp(3))",
            [{"a": "1970-01-01 00:00:00.002"}, None],
        ),
    ],
)
def test_clients_without_precision_get_milliseconds_rounded_half_up(
    type_text: str, array: pa.Array, legacy: str, texts: list[Any] | None
) -> None:
    columns = (ResultColumn("x", parse_type(type_text)),)
    own = legacy_columns(columns)
    batch = legacy_batch(columns, pa.RecordBatch.from_arrays([array], ["0"]))
    assert own[0].type == parse_type(legacy)
    values = [row[0] for row in parsed(own, batch)]
    if texts is None:
        texts = ["1970-01-01 00:00:00.002 UTC", None]
    assert values == texts
