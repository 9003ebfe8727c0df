"""The JSON SerDes through the whole contained engine."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

COLUMNS = [TableColumn("a", t.BIGINT), TableColumn("b", t.VARCHAR), TableColumn("c", t.DOUBLE)]


def read(
    bench: EngineBench,
    data: bytes | Mapping[str, bytes],
    columns: Sequence[TableColumn] = COLUMNS,
    parameters: Mapping[str, str] | None = None,
    **options: Any,
) -> list[tuple[Any, ...]]:
    objects = data if isinstance(data, Mapping) else {"dir/f": data}
    storage = descriptor(StorageFormat.OPENX_JSON, parameters)
    return bench.select(storage, columns, [((), objects)], **options)


def one(type_: t.TrinoType) -> list[TableColumn]:
    return [TableColumn("a", type_)]


def test_columns_go_by_key_and_missing_ones_are_null(engine_bench: EngineBench) -> None:
    data = b'{"c":1.5,"a":1,"b":"x","z":0}\n{"a":"2","b":7,"c":"NaN"}\n{"a":null}\n{}\n'
    assert str(read(engine_bench, data)) == str(
        [(1, "x", 1.5), (2, "7", float("nan")), (None, None, None), (None, None, None)]
    )


def test_keys_are_found_in_any_case_even_when_rows_differ(engine_bench: EngineBench) -> None:
    data = b'{"a":1}\n' * 100 + b'{"A":2}\n' + b'{"a":null,"A":null}\n'
    rows = read(engine_bench, data, one(t.BIGINT))
    assert sorted(rows, key=str)[-3:] == [(1,), (2,), (None,)]
    found = read(
        engine_bench, data, one(t.BIGINT), sql="SELECT c0 FROM t0 WHERE c0 = 2",
        result=[("a", t.BIGINT)],
    )  # fmt: skip
    assert found == [(2,)]


def test_a_mapped_column_takes_its_key(engine_bench: EngineBench) -> None:
    rows = read(engine_bench, b'{"The Key":5,"a":6}\n', one(t.BIGINT), {"mapping.a": "The Key"})
    assert rows == [(5,)]


GOOD = [
    (t.BIGINT, '"7"', 7),
    (t.VARCHAR, "1.50", "1.50"),
    (t.VARCHAR, '{"x": [1, 2]}', '{"x":[1,2]}'),
    (t.VARCHAR, '"q\\n\\u00e9"', "q\né"),
    (t.BOOLEAN, "true", True),
    (t.DATE, '"2020-02-29"', date(2020, 2, 29)),
    (t.Timestamp(3), '"2020-01-02 03:04:05.678"', datetime(2020, 1, 2, 3, 4, 5, 678000)),
    (t.Timestamp(3), '"2020-01-02T03:04:05.678Z"', datetime(2020, 1, 2, 3, 4, 5, 678000)),
    (t.Decimal(10, 2), "12.345", Decimal("12.35")),
    (t.Decimal(38, 20), '"0.12345678901234567890"', Decimal("0.12345678901234567890")),
    (t.Array(t.BIGINT), '[1, "2", null]', [1, 2, None]),
    (t.Map(t.VARCHAR, t.DOUBLE), '{"K": 1.5}', [("K", 1.5)]),
]


@pytest.mark.parametrize(("type_", "text", "expected"), GOOD)
def test_a_value_that_fits_is_read(
    engine_bench: EngineBench, type_: t.TrinoType, text: str, expected: Any
) -> None:
    assert read(engine_bench, f'{{"a":{text}}}\n'.encode(), one(type_)) == [(expected,)]


BAD = [
    (t.BIGINT, '"no"', "no"),
    (t.BIGINT, "true", "true"),
    (t.DATE, '"2020-02-32"', "2020-02-32"),
    (t.Array(t.BIGINT), '[1, "x"]', '[1,"x"]'),
    (t.Decimal(5, 2), "12345.6", "12345.6"),
]


@pytest.mark.parametrize(("type_", "text", "shown"), BAD)
def test_a_value_that_does_not_fit_is_null_or_names_file_line_column_and_value(
    engine_bench: EngineBench, type_: t.TrinoType, text: str, shown: str
) -> None:
    data = f'{{"a":null}}\n\n{{"a":{text}}}\n'.encode()
    nothing = [1, None] if isinstance(type_, t.Array) else None
    assert read(engine_bench, data, one(type_)) == [(None,), (None,), (nothing,)]
    fails = {"querysvc.on_bad_record": "fail"}
    with pytest.raises(QueryServiceError) as caught:
        read(engine_bench, data, one(type_), table_parameters=fails)
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA
    assert caught.value.message == (
        f"s3://bucket/dir/f, line 3: column a: value {shown!r} is not a valid {type_}"
    )


def test_rows_are_matched_by_name_at_every_depth_in_any_case(engine_bench: EngineBench) -> None:
    inner = t.Row((t.RowField("z", t.VARCHAR),))
    declared = t.Row((t.RowField("x", t.BIGINT), t.RowField("y", inner), t.RowField("w", t.DATE)))
    data = b'{"a":{"X":5,"y":{"Z":"q"}}}\n{"a":null}\n'
    assert read(engine_bench, data, one(declared)) == [
        ({"f0": 5, "f1": {"f0": "q"}, "f2": None},),
        (None,),
    ]


@pytest.mark.parametrize("line", [b'{"a":', b"nonsense"])
def test_a_malformed_line_is_bad_data_with_its_line(engine_bench: EngineBench, line: bytes) -> None:
    with pytest.raises(QueryServiceError, match=r"s3://bucket/dir/f, line 3: ") as caught:
        read(engine_bench, b'{"a":1}\n{"a":2}\n' + line + b'\n{"a":3}\n')
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


def test_a_line_that_is_no_object_is_read_as_the_serde_does(engine_bench: EngineBench) -> None:
    assert read(engine_bench, b'{"a":1}\n[2]\n"x"\n', one(t.BIGINT)) == [(1,), (2,), (None,)]


def test_malformed_lines_are_rows_of_nulls_where_the_serde_says_so(
    engine_bench: EngineBench,
) -> None:
    rows = read(engine_bench, b'{"a":1}\n{"a":\n', one(t.BIGINT), {"ignore.malformed.json": "true"})
    assert rows == [(1,), (None,)]


def test_gzip_is_read_and_its_truncation_seen(engine_bench: EngineBench) -> None:
    whole = gzip.compress(b'{"a":1}\n{"a":2}\n')
    assert read(engine_bench, {"x.gz": whole}, one(t.BIGINT)) == [(1,), (2,)]
    with pytest.raises(QueryServiceError, match=r"s3://bucket/y.gz"):
        read(engine_bench, {"y.gz": whole[:-5]}, one(t.BIGINT))


def test_partition_values_and_paths_are_constants(engine_bench: EngineBench) -> None:
    columns = [
        *one(t.BIGINT),
        TableColumn("p", t.VARCHAR, is_partition_key=True),
        TableColumn("$path", t.VARCHAR, is_hidden=True),
    ]
    rows = engine_bench.select(
        descriptor(StorageFormat.JSON),
        columns,
        [(("x",), {"p1": b'{"a":1}\n'}), (("y",), {"p2": b'{"a":2}\n'})],
    )
    assert sorted(rows) == [(1, "x", "s3://bucket/p1"), (2, "y", "s3://bucket/p2")]
