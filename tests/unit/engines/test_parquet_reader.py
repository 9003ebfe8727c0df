"""Parquet through the whole contained engine: schemas, types, pruning, constants."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import Domain, ExecutionOutcome, Range, TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import RecordingControl, descriptor

PARQUET = descriptor(StorageFormat.PARQUET)


class ParquetBench:
    """The engine's bench, for Parquet alone."""

    def __init__(self, bench: EngineBench) -> None:
        self._bench = bench

    def select(self, *arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
        return self._bench.select(PARQUET, *arguments, **options)

    @property
    def outcome(self) -> ExecutionOutcome:
        return self._bench.outcome

    @property
    def control(self) -> RecordingControl:
        return self._bench.control


@pytest.fixture
def bench(engine_bench: EngineBench) -> ParquetBench:
    return ParquetBench(engine_bench)


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def one(column: pa.Array, name: str = "a", **options: Any) -> bytes:
    return parquet(pa.table({name: column}), **options)


def test_columns_are_found_by_name_in_any_case_and_missing_ones_are_null(
    bench: ParquetBench,
) -> None:
    data = parquet(pa.table({"B": ["x", "y"], "a": [1, 2], "extra": [0, 0]}))
    columns = [TableColumn("a", t.BIGINT), TableColumn("b", t.VARCHAR), TableColumn("c", t.DATE)]
    assert bench.select(columns, [((), {"f": data})]) == [(1, "x", None), (2, "y", None)]


@pytest.mark.parametrize(
    ("array", "declared", "expected"),
    [
        (pa.array([1, None], pa.int32()), t.BIGINT, [1, None]),
        (pa.array([1, -3], pa.int64()), t.INTEGER, [1, -3]),
        (pa.array([7], pa.uint8()), t.TINYINT, [7]),
        (pa.array([1.5], pa.float32()), t.DOUBLE, [1.5]),
        (pa.array([3], pa.int32()), t.DOUBLE, [3.0]),
        (pa.array([3], pa.int32()), t.Decimal(12, 2), [Decimal("3.00")]),
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), t.Decimal(10, 4), [Decimal("1.5000")]),
        (pa.array([Decimal("1.50")], pa.decimal128(38, 2)), t.Decimal(5, 2), [Decimal("1.50")]),
        (pa.array(["abcdef"]), t.Varchar(3), ["abc"]),
        (pa.array(["ab  "]), t.Char(5), ["ab"]),
        (pa.array([b"caf\xc3\xa9"]), t.VARCHAR, ["café"]),
        (pa.array(["é"]), t.VARBINARY, ["é".encode()]),
        (pa.array([date(2020, 2, 29)]), t.DATE, [date(2020, 2, 29)]),
        (pa.array([[1, 2], None], pa.list_(pa.int32())), t.Array(t.BIGINT), [[1, 2], None]),
        (
            pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
            t.Map(t.VARCHAR, t.BIGINT),
            [[("k", 1)]],
        ),
    ],
)
def test_a_file_type_that_fits_becomes_the_declared_type(
    bench: ParquetBench, array: pa.Array, declared: t.TrinoType, expected: list[Any]
) -> None:
    rows = bench.select([TableColumn("a", declared)], [((), {"f": one(array)})])
    assert [row[0] for row in rows] == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_timestamps_are_rounded_half_up_to_the_declared_precision(
    bench: ParquetBench, unit: str, zone: str | None
) -> None:
    values = {
        "s": ([-1, 1], [datetime(1969, 12, 31, 23, 59, 59), datetime(1970, 1, 1, 0, 0, 1)]),
        "ms": (
            [-1, 1],
            [datetime(1969, 12, 31, 23, 59, 59, 999000), datetime(1970, 1, 1, 0, 0, 0, 1000)],
        ),
        "us": ([-500, 1499], [datetime(1970, 1, 1), datetime(1970, 1, 1, 0, 0, 0, 1000)]),
        "ns": (
            # With a zone DuckDB itself drops what is below a microsecond, towards 1970.
            [-500_001 if zone is None else -501_000, 1_500_000],
            [datetime(1969, 12, 31, 23, 59, 59, 999000), datetime(1970, 1, 1, 0, 0, 0, 2000)],
        ),
    }
    raw, expected = values[unit]
    data = one(pa.array(raw, pa.timestamp(unit, zone)))
    rows = bench.select([TableColumn("a", t.Timestamp(3))], [((), {"f": data})])
    assert [row[0] for row in rows] == expected


def test_int96_timestamps_are_read(bench: ParquetBench) -> None:
    array = pa.array([datetime(1960, 5, 6, 7, 8, 9, 123456)], pa.timestamp("ns"))
    data = one(array, use_deprecated_int96_timestamps=True)
    rows = bench.select([TableColumn("a", t.Timestamp(3))], [((), {"f": data})])
    assert rows == [(datetime(1960, 5, 6, 7, 8, 9, 123000),)]


def test_struct_fields_are_matched_by_name_at_every_depth(bench: ParquetBench) -> None:
    inner = pa.struct([("Y", pa.int32()), ("x", pa.string())])
    array = pa.array([[{"Y": 1, "x": "p"}, None]], pa.list_(inner))
    declared = t.Array(
        t.Row((t.RowField("x", t.VARCHAR), t.RowField("y", t.BIGINT), t.RowField("z", t.DATE)))
    )
    rows = bench.select([TableColumn("a", declared)], [((), {"f": one(array)})])
    assert rows == [([{"f0": "p", "f1": 1, "f2": None}, None],)]


def test_a_type_that_cannot_fit_is_bad_data_with_file_and_both_types(bench: ParquetBench) -> None:
    with pytest.raises(QueryServiceError) as caught:
        bench.select([TableColumn("a", t.VARCHAR)], [((), {"dir/f": one(pa.array([1.5]))})])
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA
    assert caught.value.message == (
        "Field a's type DOUBLE in parquet file s3://bucket/dir/f"
        " is incompatible with type varchar defined in table schema"
    )


def test_a_mismatch_in_a_column_that_is_not_used_does_no_harm(bench: ParquetBench) -> None:
    data = parquet(pa.table({"a": [1.5], "b": [2]}))
    columns = [TableColumn("a", t.VARCHAR), TableColumn("b", t.BIGINT)]
    assert bench.select(columns, [((), {"f": data})], used=[1]) == [(2,)]


def test_expressions_over_columns_that_are_not_read_still_bind(bench: ParquetBench) -> None:
    row = t.Row((t.RowField("x", t.BIGINT),))
    columns = [TableColumn("a", t.BIGINT), TableColumn("b", row)]
    data = parquet(pa.table({"a": [1, 2], "b": [{"x": 1}, {"x": 2}]}))
    sql = 'SELECT count(*) FROM t0 WHERE EXISTS (SELECT t0."c0", ("c1")."f0" FROM t0)'
    result = [("n", t.BIGINT)]
    assert bench.select(columns, [((), {"f": data})], sql, result, used=[0]) == [(2,)]


def test_a_value_out_of_range_is_bad_data_with_file_and_value(bench: ParquetBench) -> None:
    columns = [TableColumn("a", t.INTEGER)]
    good, bad = one(pa.array([1], pa.int64())), one(pa.array([1, 5_000_000_000], pa.int64()))
    with pytest.raises(QueryServiceError) as caught:
        bench.select(columns, [((), {"good": good, "bad": bad})])
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA
    assert caught.value.message == (
        "s3://bucket/bad, row 2 (row group 0, from 0): column a: value '5000000000' is not a valid"
        " integer"
    )


def test_a_bad_value_is_told_with_its_row_group(bench: ParquetBench) -> None:
    values = pa.array([{"x": n if n != 17 else 1 << 40} for n in range(30)])
    data = parquet(pa.table({"a": values, "b": range(30)}), row_group_size=5)
    columns = [TableColumn("a", t.Row((t.RowField("x", t.INTEGER),))), TableColumn("b", t.BIGINT)]
    with pytest.raises(QueryServiceError, match=r"f, row 18 \(row group 3, from 0\): column a"):
        bench.select(columns, [((), {"f": data})])


def test_files_of_different_schemas_are_read_each_by_its_own(bench: ParquetBench) -> None:
    objects = {
        "1": one(pa.array([1], pa.int32())),
        "2": one(pa.array([2], pa.int64())),
        "3": parquet(pa.table({"other": ["x"]})),
        "4": one(pa.array([4], pa.int32())),
    }
    rows = bench.select([TableColumn("a", t.BIGINT)], [((), objects)])
    assert sorted(rows, key=str) == [(1,), (2,), (4,), (None,)]


def test_partition_values_and_hidden_columns_are_constants_of_their_file(
    bench: ParquetBench,
) -> None:
    columns = [
        TableColumn("a", t.BIGINT),
        TableColumn("day", t.DATE, is_partition_key=True),
        TableColumn("kind", t.VARCHAR, is_partition_key=True),
        TableColumn("$path", t.VARCHAR, is_hidden=True),
        TableColumn("$file_size", t.BIGINT, is_hidden=True),
    ]
    first, second = one(pa.array([1, 2])), one(pa.array([3]))
    partitions = [((18321, "x"), {"p/1": first}), ((None, "it's"), {"p/2": second})]
    assert sorted(bench.select(columns, partitions)) == [
        (1, date(2020, 2, 29), "x", "s3://bucket/p/1", len(first)),
        (2, date(2020, 2, 29), "x", "s3://bucket/p/1", len(first)),
        (3, None, "it's", "s3://bucket/p/2", len(second)),
    ]


def test_a_scan_without_columns_counts_rows_and_reads_footers_only(bench: ParquetBench) -> None:
    data = one(pa.array(range(100_000)))
    rows = bench.select(
        [TableColumn("a", t.BIGINT)],
        [((), {"f": data})],
        "SELECT count(*) FROM t0",
        [("n", t.BIGINT)],
        used=[],
    )
    assert rows == [(100_000,)]
    assert bench.outcome.statistics.scanned_bytes <= 64 << 10


def test_no_files_give_no_rows_of_the_right_types(bench: ParquetBench) -> None:
    columns = [TableColumn("a", t.Array(t.BIGINT)), TableColumn("b", t.Decimal(5, 1))]
    assert bench.select(columns, []) == []
    assert bench.select(columns, [((), {"empty": b""})]) == []


DOMAINS = [
    (t.BIGINT, pa.array(range(40_000)), Range(100, True, 200, False), 100),
    (t.INTEGER, pa.array(range(40_000), pa.int32()), Range(39_999, True, None, False), 39_999),
    (
        t.VARCHAR,
        pa.array([f"{i:06}" for i in range(40_000)]),
        Range("000100", True, "000100", True),
        "000100",
    ),
    (t.DATE, pa.array(range(40_000), pa.date32()), Range(10, True, 10, True), date(1970, 1, 11)),
    (t.DOUBLE, pa.array([float(i) for i in range(40_000)]), Range(5.0, True, 6.0, True), 5.0),
    (
        t.Decimal(10, 2),
        pa.array([Decimal(i) for i in range(40_000)], pa.decimal128(10, 2)),
        Range(Decimal("7.00"), True, Decimal("7.00"), True),
        Decimal("7.00"),
    ),
    (
        t.Timestamp(3),
        pa.array([i * 1_000_000 for i in range(40_000)], pa.timestamp("us")),
        Range(9 * 10**12, True, 9 * 10**12, True),
        datetime(1970, 1, 1, 0, 0, 9),
    ),
]


@pytest.mark.parametrize(("type_", "array", "wanted", "sample"), DOMAINS)
def test_row_groups_outside_the_domain_are_neither_planned_nor_read(
    bench: ParquetBench, type_: t.TrinoType, array: pa.Array, wanted: Range, sample: Any
) -> None:
    padding = pa.array([i.to_bytes(8) * 8 for i in range(40_000)])
    data = parquet(pa.table({"a": array, "pad": padding}), row_group_size=10_000, compression=None)
    columns = [TableColumn("a", type_), TableColumn("pad", t.VARBINARY)]
    rows = bench.select(columns, [((), {"f": data})], domains={0: Domain(type_, (wanted,))})
    assert sample in [row[0] for row in rows]
    statistics = bench.outcome.statistics
    assert (statistics.scanned_row_groups, statistics.total_row_groups) == (1, 4)
    assert bench.control.estimates[0].scanned_bytes < len(data) / 2
    assert statistics.scanned_bytes < len(data) / 2


def test_a_domain_with_null_keeps_the_nulls(bench: ParquetBench) -> None:
    data = one(pa.array([1, None, 3]))
    domain = Domain(t.BIGINT, (Range(3, True, 3, True),), allows_null=True)
    rows = bench.select([TableColumn("a", t.BIGINT)], [((), {"f": data})], domains={0: domain})
    assert sorted(rows, key=str) == [(3,), (None,)]


def test_the_estimate_is_what_the_run_fetches(bench: ParquetBench) -> None:
    table = pa.table({"a": range(300_000), "b": [str(i) for i in range(300_000)]})
    data = parquet(table, row_group_size=50_000)
    columns = [TableColumn("a", t.BIGINT), TableColumn("b", t.VARCHAR)]
    bench.select(
        columns, [((), {"f": data})], "SELECT sum(c0) FROM t0", [("s", t.Decimal(38))], used=[0]
    )
    estimate = bench.control.estimates[0]
    assert estimate.scanned_bytes <= bench.outcome.statistics.scanned_bytes
    assert bench.outcome.statistics.scanned_bytes <= estimate.scanned_bytes * 1.1


@pytest.mark.parametrize("damage", ["truncated", "not parquet", "short"])
def test_a_damaged_file_is_bad_data_that_names_it(bench: ParquetBench, damage: str) -> None:
    whole = one(pa.array(range(1000)))
    data = {"truncated": whole[:-20], "not parquet": b"a,b,c\n" * 10, "short": b"PAR1"}[damage]
    with pytest.raises(QueryServiceError, match=r"s3://bucket/broken") as caught:
        bench.select([TableColumn("a", t.BIGINT)], [((), {"broken": data})])
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


def test_damaged_pages_are_bad_data_that_names_the_file(bench: ParquetBench) -> None:
    whole = bytearray(one(pa.array([str(i) for i in range(10_000)]), compression="zstd"))
    whole[200:1200] = bytes(1000)
    with pytest.raises(QueryServiceError, match=r"s3://bucket/broken") as caught:
        bench.select([TableColumn("a", t.VARCHAR)], [((), {"broken": bytes(whole)})])
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


def test_thousands_of_small_files_are_read(bench: ParquetBench) -> None:
    objects = {f"part-{i}": one(pa.array([i] * 10)) for i in range(2500)}
    columns = [TableColumn("a", t.BIGINT), TableColumn("p", t.BIGINT, is_partition_key=True)]
    partitions = [((i,), {key: data}) for i, (key, data) in enumerate(objects.items())]
    rows = bench.select(
        columns,
        partitions,
        "SELECT count(*), sum(c0), count(*) FILTER (c0 = c1) FROM t0",
        [("n", t.BIGINT), ("s", t.Decimal(38)), ("same", t.BIGINT)],
    )
    assert rows == [(25_000, Decimal(10 * sum(range(2500))), 25_000)]
