"""Values of every type as JSON (what the Trino oracle answers) and as Athena's texts."""

from __future__ import annotations

import decimal
import math

import pyarrow as pa
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn
from querysvc.results.arrow_values import public_batch, public_schema
from querysvc.results.json_values import json_converter, json_rows
from querysvc.results.text_values import java_double_text, text_converter, text_rows
from querysvc.types.algebra import HYPERLOGLOG, UNKNOWN, TrinoType
from querysvc.types.parse import parse_type

ZONED = pa.struct([("t", pa.timestamp("us")), ("z", pa.string())])
ZONED_TIME = pa.struct([("t", pa.time64("us")), ("o", pa.int16())])
NAN, INFINITY = math.nan, math.inf
DAY = 86_400_000_000

# type, storage values, Arrow type, JSON values, texts
CASES = [
    ("boolean", [True, None], pa.bool_(), [True, None], ["true", None]),
    ("bigint", [-(2**63), None], pa.int64(), [-(2**63), None], ["-9223372036854775808", None]),
    ("tinyint", [-128], pa.int8(), [-128], ["-128"]),
    (
        "timestamp(9)",
        ["2024-02-29 12:34:56.123456789", None],
        pa.string(),
        ["2024-02-29 12:34:56.123456789", None],
        ["2024-02-29 12:34:56.123456789", None],
    ),
    ("real", [0.1, 1e10, None], pa.float32(), [0.1, 1e10, None], ["0.1", "1.0E10", None]),
    (
        "double",
        [1.5, NAN, INFINITY, -INFINITY, 1e7, -0.0],
        pa.float64(),
        [1.5, "NaN", "Infinity", "-Infinity", 1e7, -0.0],
        ["1.5", "NaN", "Infinity", "-Infinity", "1.0E7", "-0.0"],
    ),
    (
        "decimal(20,8)",
        [decimal.Decimal("0.00000000"), decimal.Decimal("-1.50000000")],
        pa.decimal128(20, 8),
        ["0.00000000", "-1.50000000"],
        ["0.00000000", "-1.50000000"],
    ),
    ("varchar", ["", "ä\n", None], pa.string(), ["", "ä\n", None], ["", "ä\n", None]),
    ("char(3)", ["a  "], pa.string(), ["a  "], ["a  "]),
    ("varbinary", [b"\x00\xff", None], pa.binary(), ["AP8=", None], ["00 ff", None]),
    ("json", ['{"a":1}'], pa.string(), ['{"a":1}'], ['{"a":1}']),
    (
        "date",
        [0, None, 3789700, -720945],
        pa.date32(),
        ["1970-01-01", None, "+12345-11-06", "-0004-02-14"],
        ["1970-01-01", None, "+12345-11-06", "-0004-02-14"],
    ),
    ("date", [2932896, -719162], pa.date32(), ["9999-12-31", "0001-01-01"], None),
    ("date", [2932897, -719163], pa.date32(), ["+10000-01-01", "0000-12-31"], None),
    (
        "timestamp(3)",
        [1_234_000, None, -1000],
        pa.timestamp("us"),
        ["1970-01-01 00:00:01.234", None, "1969-12-31 23:59:59.999"],
        ["1970-01-01 00:00:01.234", None, "1969-12-31 23:59:59.999"],
    ),
    ("timestamp(0)", [0], pa.timestamp("us"), ["1970-01-01 00:00:00"], ["1970-01-01 00:00:00.000"]),
    ("timestamp(6)", [1], pa.timestamp("us"), *[["1970-01-01 00:00:00.000001"]] * 2),
    (
        "timestamp(3)",
        [2932897 * DAY + 1000],
        pa.timestamp("us"),
        *[["+10000-01-01 00:00:00.001"]] * 2,
    ),
    ("time(3)", [3_723_004_000], pa.time64("us"), ["01:02:03.004"], ["01:02:03.004"]),
    ("time(0)", [0], pa.time64("us"), ["00:00:00"], ["00:00:00.000"]),
    (
        "timestamp(3) with time zone",
        [
            {"t": 1577836800_000000, "z": "Europe/Berlin"},
            None,
            {"t": 1593561600_000000, "z": "Europe/Berlin"},
            {"t": 0, "z": "UTC"},
            {"t": 0, "z": "-03:30"},
            {"t": 2932897 * DAY, "z": "+01:00"},
        ],
        ZONED,
        [
            "2020-01-01 01:00:00.000 Europe/Berlin",
            None,
            "2020-07-01 02:00:00.000 Europe/Berlin",
            "1970-01-01 00:00:00.000 UTC",
            "1969-12-31 20:30:00.000 -03:30",
            "+10000-01-01 01:00:00.000 +01:00",
        ],
        None,
    ),
    (
        "time(0) with time zone",
        [{"t": 0, "o": -90}, None],
        ZONED_TIME,
        ["00:00:00-01:30", None],
        ["00:00:00.000-01:30", None],
    ),
    (
        "interval day to second",
        [183845678, -86400000],
        pa.int64(),
        ["2 03:04:05.678", "-1 00:00:00.000"],
        None,
    ),
    ("interval year to month", [40, -3], pa.int32(), ["3-4", "-0-3"], None),
    ("unknown", [None], pa.null(), [None], [None]),
    (
        "array(integer)",
        [[1, None], None, []],
        pa.list_(pa.int32()),
        [[1, None], None, []],
        ["[1, null]", None, "[]"],
    ),
    (
        "map(double,varchar)",
        [[(1.5, "a"), (1e10, None)], None, []],
        pa.map_(pa.float64(), pa.string()),
        [{"1.5": "a", "1.0E10": None}, None, {}],
        ["{1.5=a, 1.0E10=null}", None, "{}"],
    ),
    (
        "map(boolean,boolean)",
        [[(True, False)]],
        pa.map_(pa.bool_(), pa.bool_()),
        [{"true": False}],
        ["{true=false}"],
    ),
    (
        "row(a integer, varchar)",
        [{"f0": 1, "f1": None}, None],
        pa.struct([("f0", pa.int32()), ("f1", pa.string())]),
        [[1, None], None],
        ["{a=1, field1=null}", None],
    ),
    (
        "array(row(x timestamp(3)))",
        [[{"f0": 0}, None]],
        pa.list_(pa.struct([("f0", pa.timestamp("us"))])),
        [[["1970-01-01 00:00:00.000"], None]],
        ["[{x=1970-01-01 00:00:00.000}, null]"],
    ),
]


def type_of(text: str) -> TrinoType:
    return UNKNOWN if text == "unknown" else parse_type(text)


@pytest.mark.parametrize(("type_", "values", "arrow", "json", "texts"), CASES)
def test_values_come_out_as_json_and_text(
    type_: str, values: list[object], arrow: pa.DataType, json: list[object], texts: list[object]
) -> None:
    array = pa.array(values, arrow)
    assert repr(json_converter(type_of(type_))(array)) == repr(json)
    expected = json if texts is None else texts
    assert text_converter(type_of(type_))(array) == expected


@pytest.mark.parametrize(("type_", "values", "arrow", "json", "texts"), CASES)
def test_slices_of_a_column_give_their_own_values(
    type_: str, values: list[object], arrow: pa.DataType, json: list[object], texts: list[object]
) -> None:
    array = pa.array([*values, *values, *values], arrow).slice(len(values), len(values))
    assert repr(json_converter(type_of(type_))(array)) == repr(json)


@pytest.mark.parametrize(
    ("shortest", "text"),
    [
        ("0.001", "0.001"),
        ("0.0001", "1.0E-4"),
        ("9999999.0", "9999999.0"),
        ("1e7", "1.0E7"),
        ("12345678.9", "1.23456789E7"),
        ("-1.2e-7", "-1.2E-7"),
        ("1e+300", "1.0E300"),
        ("0.0", "0.0"),
        ("100", "100.0"),
        ("4.9e-324", "4.9E-324"),
    ],
)
def test_doubles_are_written_as_java_writes_them(shortest: str, text: str) -> None:
    assert java_double_text(shortest) == text


def test_rows_are_lists_in_column_order() -> None:
    columns = (ResultColumn("a", parse_type("bigint")), ResultColumn("a", parse_type("varchar")))
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2]), pa.array(["x", None])], names=["0", "1"])
    assert list(json_rows(columns, batch)) == [[1, "x"], [2, None]]
    assert list(text_rows(columns, batch)) == [("1", "x"), ("2", None)]


def test_a_type_without_a_result_form_is_refused_by_name() -> None:
    with pytest.raises(QueryServiceError, match="HyperLogLog") as caught:
        json_converter(HYPERLOGLOG)
    assert caught.value.code is ErrorCode.NOT_SUPPORTED


@pytest.mark.parametrize(("type_", "values", "arrow", "json", "texts"), CASES)
def test_arrow_readers_get_a_valid_batch_of_arrow_types(
    type_: str, values: list[object], arrow: pa.DataType, json: list[object], texts: list[object]
) -> None:
    columns = (ResultColumn("c", type_of(type_)),)
    array = pa.array([*values, *values], arrow).slice(len(values))
    batch = pa.RecordBatch.from_arrays([array], names=["0"])
    public = public_batch(columns, public_schema(columns), batch)
    public.validate(full=True)
    assert public.column(0).is_valid().to_pylist() == array.is_valid().to_pylist()
    assert public.schema.field("c").metadata[b"trino.type"].decode() == columns[0].type.wire_name


def test_zoned_times_inside_nested_values_become_instants() -> None:
    type_ = parse_type("map(varchar,array(row(at timestamp(3) with time zone)))")
    storage = pa.map_(pa.string(), pa.list_(pa.struct([("f0", ZONED)])))
    values = [None, [("k", [{"f0": {"t": 0, "z": "Europe/Berlin"}}, None])], []]
    columns = (ResultColumn("c", type_),)
    batch = pa.RecordBatch.from_arrays([pa.array(values, storage)], names=["0"]).slice(1)
    public = public_batch(columns, public_schema(columns), batch)
    public.validate(full=True)
    ((key, items),) = public.column(0)[0].as_py()
    assert key == "k"
    assert items[0]["at"].isoformat() == "1970-01-01T00:00:00+00:00"
    assert items[1] is None
    assert public.column(0)[1].as_py() == []
