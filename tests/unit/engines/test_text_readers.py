"""LazySimpleSerDe and OpenCSVSerde through the whole contained engine."""

from __future__ import annotations

import bz2
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
COMMA = {"field.delim": ","}


def read(
    bench: EngineBench,
    data: bytes | Mapping[str, bytes],
    parameters: Mapping[str, str] = COMMA,
    columns: Sequence[TableColumn] = COLUMNS,
    storage_format: StorageFormat = StorageFormat.TEXTFILE,
    **options: Any,
) -> list[tuple[Any, ...]]:
    objects = data if isinstance(data, Mapping) else {"dir/f": data}
    storage = descriptor(storage_format, parameters)
    return bench.select(storage, columns, [((), objects)], **options)


def read_csv(bench: EngineBench, data: bytes, **options: Any) -> list[tuple[Any, ...]]:
    parameters = options.pop("parameters", {})
    return read(bench, data, parameters, storage_format=StorageFormat.CSV, **options)


def one(type_: t.TrinoType) -> list[TableColumn]:
    return [TableColumn("a", type_)]


def test_columns_go_by_position_and_missing_ones_are_null(engine_bench: EngineBench) -> None:
    assert read(engine_bench, b"1,x,1.5\n2\n3,y,2.5,more\n") == [
        (1, "x", 1.5),
        (2, None, None),
        (3, "y", 2.5),
    ]


def test_an_empty_field_is_null_but_for_text(engine_bench: EngineBench) -> None:
    assert read(engine_bench, b",,\n\\N,\\N,\\N\n") == [(None, "", None), (None, None, None)]


@pytest.mark.parametrize(
    "data",
    [
        b"1,x,1.5\n\n2,y,2\n",
        b"1,x,1.5\r\n\r\n2,y,2\r\n",
        b"1,x,1.5\r\r2,y,2",
    ],
)
def test_an_empty_line_is_a_row_of_nulls(engine_bench: EngineBench, data: bytes) -> None:
    assert read(engine_bench, data) == [(1, "x", 1.5), (None, None, None), (2, "y", 2.0)]


def test_an_empty_first_or_last_line_is_a_row(engine_bench: EngineBench) -> None:
    columns = [TableColumn("s", t.VARCHAR), TableColumn("n", t.BIGINT)]
    assert read(engine_bench, b"\nx,1\n\n", columns=columns) == [("", None), ("x", 1), ("", None)]


def test_quotes_mean_nothing_to_lazy_simple(engine_bench: EngineBench) -> None:
    assert read(engine_bench, b'1,"x,1.5\n2,y",2\n') == [(1, '"x', 1.5), (2, 'y"', 2.0)]


def test_the_escape_character_keeps_delimiters(engine_bench: EngineBench) -> None:
    parameters = {**COMMA, "escape.delim": "\\"}
    assert read(engine_bench, b"1,x\\,y\\\\,1.5\n", parameters) == [(1, "x,y\\", 1.5)]


def test_header_and_footer_lines_are_left_out(engine_bench: EngineBench) -> None:
    header = {**COMMA, "skip.header.line.count": "2"}
    both = {**header, "skip.footer.line.count": "1"}
    data = b"h\nh\n1,x,1.5\n2,y,2\n3,z,3\n"
    assert len(read(engine_bench, data, header)) == 3
    assert read(engine_bench, data, both) == [(1, "x", 1.5), (2, "y", 2.0)]


def test_the_header_is_left_out_of_every_file(engine_bench: EngineBench) -> None:
    parameters = {**COMMA, "skip.header.line.count": "1"}
    objects = {str(n): f"h\n{n},x,1\n".encode() for n in (1, 2, 3)}
    objects |= {"4.gz": gzip.compress(b"h\n4,x,1\n"), "5": b"h\n", "6": b"h"}
    rows = read(engine_bench, objects, parameters)
    assert sorted(row[0] for row in rows) == [1, 2, 3, 4]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_compressed_files_are_read_with_their_empty_lines(
    engine_bench: EngineBench, compress: Any
) -> None:
    suffix = {gzip.compress: "gz", bz2.compress: "bz2"}[compress]
    objects = {
        f"x.{suffix}": compress(b"1,x,1.5\n\n2,y,2\n"),
        "plain": b"3,z,3\n",
        f"two.{suffix}": compress(b"4,a,4\n") + compress(b"5,b,5\n"),
    }
    rows = read(engine_bench, objects)
    assert sorted(rows, key=str) == [
        (1, "x", 1.5), (2, "y", 2.0), (3, "z", 3.0), (4, "a", 4.0), (5, "b", 5.0),
        (None, None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [4, 9, 20])
def test_a_truncated_gzip_file_is_bad_data_not_fewer_rows(
    engine_bench: EngineBench, cut: int
) -> None:
    whole = gzip.compress(b"".join(b"%d,x,1.5\n" % i for i in range(1000)))
    with pytest.raises(QueryServiceError, match=r"s3://bucket/cut.gz") as caught:
        read(engine_bench, {"cut.gz": whole[:-cut]})
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


def test_a_gzip_file_with_a_wrong_checksum_is_bad_data(engine_bench: EngineBench) -> None:
    whole = bytearray(gzip.compress(b"1,x,1.5\n2,y,2\n"))
    whole[-6] ^= 0xFF
    with pytest.raises(QueryServiceError, match=r"s3://bucket/sum.gz") as caught:
        read(engine_bench, {"sum.gz": bytes(whole)})
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


GOOD = [
    (t.BIGINT, b"+7", 7),
    (t.BIGINT, b"-0", 0),
    (t.BIGINT, b"007", 7),
    (t.TINYINT, b"-128", -128),
    (t.DOUBLE, b"1e3", 1000.0),
    (t.DOUBLE, b"-Infinity", float("-inf")),
    (t.DOUBLE, b".5", 0.5),
    (t.REAL, b"0.5", 0.5),
    (t.BOOLEAN, b"TRUE", True),
    (t.BOOLEAN, b"false", False),
    (t.DATE, b"2020-02-29", date(2020, 2, 29)),
    (t.DATE, b"2020-2-9", date(2020, 2, 9)),
    (t.Timestamp(3), b"2020-01-02 03:04:05.6785", datetime(2020, 1, 2, 3, 4, 5, 679000)),
    (t.Timestamp(3), b"1960-01-02 03:04:05", datetime(1960, 1, 2, 3, 4, 5)),
    (t.Decimal(5, 2), b"1.005", Decimal("1.01")),
    (t.Decimal(38, 0), b"9" * 38, Decimal("9" * 38)),
    (t.Varchar(3), b"abcdef", "abc"),
    (t.Char(5), b"ab  ", "ab"),
    (t.VARBINARY, b"YWJj", b"abc"),
]


@pytest.mark.parametrize(("type_", "text", "expected"), GOOD)
def test_a_text_of_the_declared_type_is_read(
    engine_bench: EngineBench, type_: t.TrinoType, text: bytes, expected: Any
) -> None:
    assert read(engine_bench, text + b"\n", columns=one(type_)) == [(expected,)]


BAD = [
    (t.BIGINT, "1.5"), (t.BIGINT, "1e3"), (t.BIGINT, "0x10"), (t.BIGINT, "1_000"),
    (t.BIGINT, " 1"), (t.BIGINT, "9223372036854775808"), (t.TINYINT, "128"), (t.BIGINT, "x"),
    (t.DOUBLE, "1_0.5"), (t.DOUBLE, "inf"), (t.DOUBLE, "1,5"[:1] + "x"),
    (t.BOOLEAN, "t"), (t.BOOLEAN, "1"), (t.BOOLEAN, "yes"),
    (t.DATE, "2020-02-30"), (t.DATE, "2020/01/01"), (t.DATE, "epoch"), (t.DATE, "infinity"),
    (t.DATE, "0044-03-15 (BC)"), (t.DATE, "10000-01-01"),
    (t.Timestamp(3), "0044-03-15 (BC) 00:00:00"), (t.Timestamp(3), "10000-01-01 00:00:00"),
    (t.Timestamp(3), "2020-01-01T00:00:00"), (t.Timestamp(3), "2020-01-01 00:00:00+02"),
    (t.Timestamp(3), "2020-01-01 25:00:00"),
    (t.Decimal(5, 2), "1000"), (t.Decimal(5, 2), "1_0"), (t.Decimal(5, 2), " 1"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "text"), BAD)
def test_a_text_of_no_declared_type_is_bad_data_with_file_line_column_and_value(
    engine_bench: EngineBench, type_: t.TrinoType, text: str
) -> None:
    columns = [TableColumn("first", t.VARCHAR), TableColumn("bad", type_)]
    data = f"x,\ny,\nz,{text}\n".encode()
    with pytest.raises(QueryServiceError) as caught:
        read(
            engine_bench,
            {"good": b"x,\n", "dir/f": data},
            columns=columns,
            table_parameters={"querysvc.on_bad_record": "fail"},
        )
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA
    assert caught.value.message == (
        f"s3://bucket/dir/f, line 3: column bad: value '{text}' is not a valid {type_}"
    )


def test_a_bad_value_in_a_column_that_is_not_used_does_no_harm(engine_bench: EngineBench) -> None:
    assert read(engine_bench, b"x,y,1.5\n", used=[2]) == [(1.5,)]


def test_invalid_utf8_is_bad_data_with_its_line(engine_bench: EngineBench) -> None:
    with pytest.raises(QueryServiceError, match=r"s3://bucket/dir/f, line 2: ") as caught:
        read(engine_bench, b"1,x\n2,\xff\n")
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


def test_nested_values_have_a_delimiter_for_each_depth(engine_bench: EngineBench) -> None:
    columns = [
        TableColumn("l", t.Array(t.BIGINT)),
        TableColumn("m", t.Map(t.VARCHAR, t.Array(t.BIGINT))),
        TableColumn("r", t.Row((t.RowField("x", t.BIGINT), t.RowField("y", t.VARCHAR)))),
    ]
    data = b"1\x022\x02\\N\x01k\x031\x042\x02z\x03\\N\x015\x02six\n\\N\x01\\N\x01\\N\n"
    assert read(engine_bench, data, {}, columns) == [
        ([1, 2, None], [("k", [1, 2]), ("z", None)], {"f0": 5, "f1": "six"}),
        (None, None, None),
    ]


def test_count_reads_no_value(engine_bench: EngineBench) -> None:
    rows = read(
        engine_bench, b"x\n\ny\n", used=[], sql="SELECT count(*) FROM t0", result=[("n", t.BIGINT)]
    )
    assert rows == [(3,)]


def test_open_csv_unquotes_and_keeps_separators(engine_bench: EngineBench) -> None:
    data = b'"1","x, ""y""","1.5"\n2,,3\n'
    assert read_csv(engine_bench, data) == [(1, 'x, "y"', 1.5), (2, "", 3.0)]


def test_open_csv_escapes_count_inside_quotes(engine_bench: EngineBench) -> None:
    assert read_csv(engine_bench, b'"1","a\\"b\\\\c","1.5"\n') == [(1, 'a"b\\c', 1.5)]


def test_open_csv_never_takes_an_empty_field_for_null(engine_bench: EngineBench) -> None:
    with pytest.raises(QueryServiceError, match="line 1: column a: value '' is not a valid bigint"):
        read_csv(engine_bench, b'"",x,1\n')


def test_open_csv_missing_columns_are_null_and_extra_ones_ignored(
    engine_bench: EngineBench,
) -> None:
    data = b'"1"\n"2","x","2","more"\n'
    assert read_csv(engine_bench, data) == [(1, None, None), (2, "x", 2.0)]


def test_open_csv_dates_are_days_and_timestamps_milliseconds(engine_bench: EngineBench) -> None:
    columns = [TableColumn("d", t.DATE), TableColumn("t", t.Timestamp(3))]
    assert read_csv(engine_bench, b"18321,1582934400123\n", columns=columns) == [
        (date(2020, 2, 29), datetime(2020, 2, 29, 0, 0, 0, 123000))
    ]
    with pytest.raises(QueryServiceError, match="2020-02-29"):
        read_csv(engine_bench, b"2020-02-29,1\n", columns=columns)


def test_open_csv_with_its_own_characters(engine_bench: EngineBench) -> None:
    parameters = {"separatorChar": ";", "quoteChar": "'", "escapeChar": "!"}
    data = b"'1';'x;!'y';'1.5'\n"
    assert read_csv(engine_bench, data, parameters=parameters) == [(1, "x;'y", 1.5)]


def test_many_rows_over_many_buffers_are_all_there(engine_bench: EngineBench) -> None:
    data = b"".join(b"%d,text %d,%d.5\n" % (i, i, i) for i in range(400_000))
    rows = read(
        engine_bench,
        {"a": data, "b": data[:-1]},
        sql="SELECT count(*), CAST(sum(c0) AS BIGINT), sum(c2), count(DISTINCT c1) FROM t0",
        result=[("n", t.BIGINT), ("s", t.BIGINT), ("d", t.DOUBLE), ("k", t.BIGINT)],
    )
    total = sum(range(400_000))
    assert rows == [(800_000, 2 * total, 2.0 * total + 400_000, 400_000)]
