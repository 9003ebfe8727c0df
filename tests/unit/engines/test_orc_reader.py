"""ORC through the whole contained engine: columns by index and name, types, pruning, damage."""

from __future__ import annotations

import io
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.orc as orc
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import Domain, Range, TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

ORC = descriptor(StorageFormat.ORC)
BY_NAME = {"orc.column.index.access": "false"}
BY_INDEX = {"orc.column.index.access": "true"}


def write(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    orc.write_table(table, sink, **options)
    return sink.getvalue()


def read(bench: EngineBench, columns: list[TableColumn], data: bytes, **options: Any) -> Any:
    return bench.select(ORC, columns, [((), {"f.orc": data})], **options)


def test_columns_are_found_by_name_unless_the_table_says_by_index(
    engine_bench: EngineBench,
) -> None:
    data = write(pa.table({"B": ["x"], "a": ["y"]}))
    columns = [TableColumn(name, t.VARCHAR) for name in ("a", "b", "c")]
    assert read(engine_bench, columns, data) == [("y", "x", None)]
    assert read(engine_bench, columns, data, table_parameters=BY_NAME) == [("y", "x", None)]
    assert read(engine_bench, columns, data, table_parameters=BY_INDEX) == [("x", "y", None)]


def test_a_file_with_none_of_the_names_is_refused_rather_than_all_null(
    engine_bench: EngineBench,
) -> None:
    data = write(pa.table({"x": ["u"], "y": ["v"]}))
    columns = [TableColumn(name, t.VARCHAR) for name in ("a", "b")]
    with pytest.raises(QueryServiceError, match=r"orc\.column\.index\.access=true"):
        read(engine_bench, columns, data)
    assert read(engine_bench, columns, data, table_parameters=BY_INDEX) == [("u", "v")]
    assert read(engine_bench, columns, data, table_parameters=BY_NAME) == [(None, None)]


def test_placeholder_names_are_no_names(engine_bench: EngineBench) -> None:
    data = write(pa.table({"_col0": [1], "_col1": [2]}))
    columns = [TableColumn("a", t.BIGINT), TableColumn("b", t.BIGINT)]
    assert read(engine_bench, columns, data) == [(1, 2)]
    with pytest.raises(QueryServiceError, match="has no column names") as caught:
        read(engine_bench, columns, data, table_parameters=BY_NAME)
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


@pytest.mark.parametrize(
    ("array", "declared", "expected"),
    [
        (pa.array([True, None]), t.BOOLEAN, [True, None]),
        (pa.array([-3, None], pa.int8()), t.TINYINT, [-3, None]),
        (pa.array([7], pa.int16()), t.BIGINT, [7]),
        (pa.array([7], pa.int64()), t.INTEGER, [7]),
        (pa.array([1.5], pa.float32()), t.DOUBLE, [1.5]),
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), t.Decimal(10, 4), [Decimal("1.5000")]),
        (pa.array(["abcdef"]), t.Varchar(3), ["abc"]),
        (pa.array(["ab  "]), t.Char(5), ["ab"]),
        (pa.array([b"\x00\xff"]), t.VARBINARY, [b"\x00\xff"]),
        (
            pa.array([date(1, 1, 1), date(9999, 12, 31)]),
            t.DATE,
            [date(1, 1, 1), date(9999, 12, 31)],
        ),
        (
            pa.array(
                [datetime(2020, 1, 1, 0, 0, 0, 1500), datetime(1960, 1, 1)], pa.timestamp("us")
            ),
            t.Timestamp(3),
            [datetime(2020, 1, 1, 0, 0, 0, 2000), datetime(1960, 1, 1)],
        ),
        (
            pa.array([datetime(2020, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
            t.Timestamp(3),
            [datetime(2020, 1, 1)],
        ),
        (pa.array([[1, None], None], pa.list_(pa.int32())), t.Array(t.BIGINT), [[1, None], None]),
        (
            pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
            t.Map(t.VARCHAR, t.INTEGER),
            [[("k", 1)]],
        ),
        (
            pa.array([{"Y": 1, "z": "u"}, None]),
            t.Row((t.RowField("z", t.VARCHAR), t.RowField("y", t.BIGINT), t.RowField("n", t.DATE))),
            [{"f0": "u", "f1": 1, "f2": None}, None],
        ),
    ],
)
def test_types_become_the_declared_ones(
    engine_bench: EngineBench, array: pa.Array, declared: t.TrinoType, expected: list[Any]
) -> None:
    found = read(engine_bench, [TableColumn("a", declared)], write(pa.table({"a": array})))
    assert [row[0] for row in found] == expected


@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "snappy", "lz4", "zstd"])
def test_every_compression_is_read_and_its_stripes_are_pruned(
    engine_bench: EngineBench, compression: str
) -> None:
    noise = random.Random(7)
    texts = [f"{noise.getrandbits(256):064x}" for _ in range(100_000)]
    table = pa.table({"i": range(100_000), "s": texts})
    data = write(
        table, compression=compression, stripe_size=1 << 20, compression_block_size=1 << 16
    )
    stripes = orc.ORCFile(io.BytesIO(data)).nstripes
    assert stripes > 2
    domain = Domain(t.BIGINT, (Range(10, True, 10, True),))
    columns = [TableColumn("i", t.BIGINT), TableColumn("s", t.VARCHAR)]
    found = read(
        engine_bench, columns, data, sql='SELECT "c1" FROM t0 WHERE "c0" = 10', domains={0: domain},
        result=[("s", t.VARCHAR)],
    )  # fmt: skip
    assert found == [(texts[10],)]
    estimate = engine_bench.control.estimates[0]
    assert (estimate.row_groups, estimate.total_row_groups) == (1, stripes)
    fetched = engine_bench.outcome.statistics.scanned_bytes
    assert fetched == estimate.scanned_bytes
    assert fetched < len(data) / 2


def test_only_used_columns_are_fetched_and_counted_before(engine_bench: EngineBench) -> None:
    rows = 300_000
    table = pa.table({"i": range(rows), "s": [f"{n * 7919:x}-{n * 104729:x}" for n in range(rows)]})
    data = write(table, compression="zstd")
    columns = [TableColumn("i", t.BIGINT), TableColumn("s", t.VARCHAR)]
    found = read(engine_bench, columns, data, used=[0], sql='SELECT sum("c0") FROM t0',
                 result=[("n", t.Decimal(38, 0))])  # fmt: skip
    assert found == [(Decimal(rows * (rows - 1) // 2),)]
    assert engine_bench.outcome.statistics.scanned_bytes < len(data) / 4
    assert (
        engine_bench.control.estimates[0].scanned_bytes
        == engine_bench.outcome.statistics.scanned_bytes
    )


def test_counting_rows_reads_no_data(engine_bench: EngineBench) -> None:
    data = write(pa.table({"i": range(100_000)}), compression="uncompressed")
    found = read(engine_bench, [TableColumn("i", t.BIGINT)], data, used=[],
                 sql="SELECT count(*) FROM t0", result=[("n", t.BIGINT)])  # fmt: skip
    assert found == [(100_000,)]
    assert engine_bench.outcome.statistics.scanned_bytes <= 64 << 10


def test_a_type_that_does_not_fit_is_named(engine_bench: EngineBench) -> None:
    with pytest.raises(
        QueryServiceError, match=r"Cannot read SQL type 'date'.*STRING.*f\.orc"
    ) as e:
        read(engine_bench, [TableColumn("a", t.DATE)], write(pa.table({"a": ["2020-01-01"]})))
    assert e.value.code is ErrorCode.HIVE_BAD_DATA


def test_a_value_that_does_not_fit_is_named(engine_bench: EngineBench) -> None:
    data = write(pa.table({"a": [1, 300]}))
    with pytest.raises(QueryServiceError, match=r"f\.orc, row 2: column a: value '300'.*tinyint"):
        read(engine_bench, [TableColumn("a", t.TINYINT)], data)


def test_a_timestamp_that_pyarrow_cannot_hold_is_refused(engine_bench: EngineBench) -> None:
    data = write(pa.table({"a": pa.array([datetime(9999, 12, 31)], pa.timestamp("us"))}))
    with pytest.raises(QueryServiceError, match=r"f\.orc: reading ORC timestamps") as caught:
        read(engine_bench, [TableColumn("a", t.Timestamp(3))], data)
    assert caught.value.code is ErrorCode.NOT_SUPPORTED


@pytest.mark.parametrize("cut", [1, 100, 200])
def test_damage_is_bad_data_with_the_files_name(engine_bench: EngineBench, cut: int) -> None:
    data = write(pa.table({"a": range(5000)}))
    with pytest.raises(QueryServiceError, match=r"s3://bucket/f\.orc") as caught:
        read(engine_bench, [TableColumn("a", t.BIGINT)], data[:-cut])
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


def test_a_table_that_is_scanned_twice_and_files_of_two_schemas(engine_bench: EngineBench) -> None:
    files = {"a": write(pa.table({"i": [1, 2]})), "b": write(pa.table({"i": [True], "j": [3]}))}
    columns = [TableColumn("i", t.BIGINT), TableColumn("j", t.BIGINT)]
    with pytest.raises(QueryServiceError, match="s3://bucket/b"):
        engine_bench.select(ORC, columns, [((), files)])
    files["b"] = write(pa.table({"i": [5], "j": [3]}))
    found = engine_bench.select(
        ORC, columns, [((), files)], 'SELECT a."c0", b."c1" FROM t0 a JOIN t0 b ON a."c0" <= b."c0"'
    )
    assert sorted(found, key=str) == [(1, 3), (1, None), (1, None), (2, 3), (2, None), (5, 3)]


def test_a_map_that_is_converted_stands_beside_a_row(engine_bench: EngineBench) -> None:
    table = pa.table(
        {
            "m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
            "r": pa.array([{"a": 1, "b": "x"}]),
        }
    )
    columns = [
        TableColumn("m", t.Map(t.VARCHAR, t.BIGINT)),
        TableColumn("r", t.Row((t.RowField("a", t.BIGINT), t.RowField("b", t.VARCHAR)))),
    ]
    assert read(engine_bench, columns, write(table)) == [([("k", 1)], {"f0": 1, "f1": "x"})]


def _pruned_cases() -> list[Any]:
    def day(number: int) -> date:
        return date(1960, 1, 1) + timedelta(days=number)

    epoch = date(1970, 1, 1)
    return [
        pytest.param(pa.int64(), lambda n: n - 500, t.BIGINT, lambda v: v, id="bigint"),
        pytest.param(pa.int16(), lambda n: n - 500, t.SMALLINT, lambda v: v, id="smallint"),
        pytest.param(pa.float64(), lambda n: n / 8 - 60, t.DOUBLE, lambda v: v, id="double"),
        pytest.param(pa.string(), lambda n: f"é{n:05d}", t.VARCHAR, lambda v: v, id="varchar"),
        pytest.param(pa.date32(), day, t.DATE, lambda v: (v - epoch).days, id="date"),
        pytest.param(
            pa.decimal128(12, 3),
            lambda n: Decimal(n - 500).scaleb(-3),
            t.Decimal(12, 3),
            lambda v: v,
            id="decimal",
        ),
        pytest.param(
            pa.timestamp("us"),
            lambda n: datetime(1969, 12, 31) + timedelta(milliseconds=n * 97, microseconds=499),
            t.Timestamp(3),
            lambda v: round((v - datetime(1970, 1, 1)) / timedelta(milliseconds=1)) * 10**9,
            id="timestamp",
        ),
    ]


@pytest.mark.parametrize(("arrow", "value", "declared", "literal"), _pruned_cases())
def test_pruning_never_loses_a_row(
    engine_bench: EngineBench, arrow: Any, value: Any, declared: t.TrinoType, literal: Any
) -> None:
    noise = random.Random(11)
    rows = [value(n) if n % 50 else None for n in range(500)]
    padding = [noise.randbytes(2000).hex() for _ in rows]
    table = pa.table({"v": pa.array(rows, arrow), "p": padding})
    data = write(table, stripe_size=1 << 16, compression="uncompressed", batch_size=20)
    stripes = orc.ORCFile(io.BytesIO(data)).nstripes
    assert stripes > 5
    columns = [TableColumn("v", declared), TableColumn("p", t.VARCHAR)]
    for low, high in ((200, 210), (0, 5), (0, 300)):
        domain = Domain(declared, (Range(literal(value(low)), True, literal(value(high)), True),))
        kept = read(engine_bench, columns, data, domains={0: domain}, used=[0])
        everything = read(engine_bench, columns, data, used=[0])
        inside = [n for n in range(low, high + 1) if n % 50]
        wanted = {everything[n][0] for n in inside}
        assert wanted <= {row[0] for row in kept}
        assert len(kept) < len(everything)
