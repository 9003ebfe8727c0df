"""What is inferred from samples of each format."""

from __future__ import annotations

import gzip
import io
import json

import fastavro
import pyarrow as pa
import pytest
from pyarrow import orc
from pyarrow import parquet as pq

from querysvc.errors import QueryServiceError
from querysvc.inference.infer import infer
from querysvc.inference.model import Inferred, Sample
from querysvc_catalog.serdes import StorageFormat


def whole(data: bytes, key: str = "a") -> Sample:
    return Sample(key, len(data), data, data)


def inferred(*data: bytes) -> Inferred:
    return infer(tuple(whole(one, f"object-{i}") for i, one in enumerate(data)))


def columns(*data: bytes) -> dict[str, str]:
    return dict(inferred(*data).schema.columns)


ARROW = pa.table(
    {
        "Id": pa.array([1], pa.int64()),
        "price": pa.array([None], pa.decimal128(10, 2)),
        "tags": pa.array([["a"]], pa.list_(pa.string())),
        "place": pa.array([{"lat": 1.5, "n": 1}], pa.struct([("lat", "f8"), ("n", "i4")])),
        "at": pa.array([0], pa.timestamp("us")),
    }
)
EXPECTED = {
    "id": "bigint",
    "price": "decimal(10,2)",
    "tags": "array<string>",
    "place": "struct<`lat`:double,`n`:int>",
    "at": "timestamp",
}


def parquet(table: pa.Table = ARROW) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_parquet_and_orc_carry_their_schema() -> None:
    assert columns(parquet()) == EXPECTED
    sink = io.BytesIO()
    orc.write_table(ARROW, sink)
    assert columns(sink.getvalue()) == EXPECTED


@pytest.mark.parametrize("storage_format", ["parquet", "orc"])
def test_the_end_of_a_large_file_is_enough(storage_format: str) -> None:
    table = pa.table({"n": pa.array(range(500_000), pa.int64())})
    sink = io.BytesIO()
    (pq if storage_format == "parquet" else orc).write_table(table, sink)
    data = sink.getvalue()
    sample = Sample("big", len(data), data[:4096], data[-20_000:])
    assert dict(infer((sample,)).schema.columns) == {"n": "bigint"}


def test_avro_carries_its_schema() -> None:
    schema = {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "id", "type": ["null", "long"]},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "m", "type": {"type": "map", "values": "double"}},
        ],
    }
    sink = io.BytesIO()
    fastavro.writer(sink, schema, [{"id": 1, "day": 0, "m": {}}])
    assert columns(sink.getvalue()) == {"id": "bigint", "day": "date", "m": "map<string,double>"}


def test_json_lines_are_merged_over_rows() -> None:
    rows = [
        {"Id": 1, "user": {"name": "a"}, "tags": []},
        {"id": 5_000_000_000, "user": {"age": 3}, "tags": ["x"], "ok": True},
    ]
    data = "\n".join(map(json.dumps, rows)).encode() + b"\n"
    found = inferred(gzip.compress(data))
    assert found.schema.storage_format is StorageFormat.OPENX_JSON
    assert dict(found.schema.columns) == {
        "id": "bigint",
        "user": "struct<name:string,age:int>",
        "tags": "array<string>",
        "ok": "boolean",
    }


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";", "\x01"])
def test_delimiters_and_headers_are_found(delimiter: str) -> None:
    rows = [["id", "Full Name", "born", "zip"], ["1", "Ada", "1815-12-10", "00501"]]
    found = inferred("".join(delimiter.join(row) + "\r\n" for row in rows).encode())
    assert found.schema.storage_format is StorageFormat.TEXTFILE
    assert dict(found.schema.serde_parameters)["field.delim"] == delimiter
    assert found.schema.table_parameters == (("skip.header.line.count", "1"),)
    assert found.schema.columns == (
        ("id", "int"),
        ("full_name", "string"),
        ("born", "date"),
        ("zip", "string"),
    )


def test_a_file_without_a_header_names_columns_by_place() -> None:
    found = inferred(b"1,2.5,x\n2,,y\n")
    assert found.schema.columns == (("col0", "int"), ("col1", "double"), ("col2", "string"))
    assert found.schema.table_parameters == ()


def test_quotes_make_it_opencsv_which_has_no_iso_dates() -> None:
    found = inferred(b'id,note,day\n1,"a, b",2024-01-01\n')
    assert found.schema.storage_format is StorageFormat.CSV
    assert found.schema.columns == (("id", "int"), ("note", "string"), ("day", "string"))


def test_disagreements_name_object_column_and_types() -> None:
    narrow = pa.table({"n": pa.array([1], pa.int32()), "only": pa.array([1])})
    wide = pa.table({"n": pa.array([1], pa.int64())})
    found = inferred(parquet(narrow), parquet(wide))
    assert dict(found.schema.columns)["n"] == "bigint"
    assert found.disagreements == (
        "object-1: column n is bigint, elsewhere int: bigint",
        "object-1: lacks only",
    )


def test_another_format_among_them_is_told() -> None:
    found = inferred(parquet(), parquet(), b'{"a": 1}\n')
    assert found.disagreements == ("object-2: is OPENX_JSON, most are PARQUET",)


def test_rows_of_other_widths_are_told() -> None:
    assert inferred(b"1,2\n3,4\n5\n").disagreements == (
        "object-0: 1 rows have 1 fields, most have 2",
    )


@pytest.mark.parametrize(
    "data",
    [b"\x00\x01\x02", b"PAR1 but no footer", b"[1, 2]\n", b'{"a": 1}\nnot json\n', b"\xff\xfe"],
)
def test_what_cannot_be_read_is_refused_with_its_object(data: bytes) -> None:
    with pytest.raises(QueryServiceError, match="object-0"):
        inferred(data)


def test_a_cut_off_head_loses_only_its_last_line() -> None:
    data = b"".join(b"%d,abc\n" % number for number in range(100_000))
    sample = Sample("big", len(data), data[:1001], data[-1000:])
    assert infer((sample,)).schema.columns == (("col0", "int"), ("col1", "string"))
