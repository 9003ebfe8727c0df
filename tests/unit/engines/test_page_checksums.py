"""`querysvc.verify_checksums`: a damaged Parquet page is an error that names it, never a value."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.engines.duckdb.readers.page_checksums import PageChecksums
from querysvc.engines.duckdb.readers.thrift import ThriftError, read_struct
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

PARQUET = descriptor(StorageFormat.PARQUET)
COLUMNS = [TableColumn("a", t.BIGINT), TableColumn("s", t.VARCHAR)]
ROWS = 20_000
SUM = "SELECT sum(c0), count(c1) FROM t0"
RESULT = [("a", t.BIGINT), ("s", t.BIGINT)]


def parquet(**options: Any) -> bytes:
    """Two row groups, several pages a chunk, uncompressed: a flipped byte is another value."""
    table = pa.table({"a": list(range(ROWS)), "s": [f"text {n}" for n in range(ROWS)]})
    sink = io.BytesIO()
    given = {"row_group_size": ROWS // 2, "data_page_size": 8 << 10, "use_dictionary": False}
    pq.write_table(table, sink, **{"compression": "none", **given, **options})
    return sink.getvalue()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x01]) + data[at + 1 :]


def chunk(data: bytes, row_group: int, column: int) -> tuple[int, int]:
    found = pq.read_metadata(io.BytesIO(data)).row_group(row_group).column(column)
    return found.data_page_offset, found.total_compressed_size


def total(bench: EngineBench, data: bytes, verify: str | None = "true") -> list[tuple[Any, ...]]:
    parameters = {} if verify is None else {"querysvc.verify_checksums": verify}
    partitions = [((), {"t/data.parquet": data})]
    return bench.select(PARQUET, COLUMNS, partitions, SUM, RESULT, table_parameters=parameters)


RIGHT = [(ROWS * (ROWS - 1) // 2, ROWS)]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_whole_pages_pass(engine_bench: EngineBench, version: str) -> None:
    data = parquet(write_page_checksum=True, data_page_version=version)
    assert total(engine_bench, data) == RIGHT


@pytest.mark.parametrize("row_group", [0, 1])
@pytest.mark.parametrize("part", [0.3, 0.999])
def test_a_damaged_page_is_named(engine_bench: EngineBench, row_group: int, part: float) -> None:
    data = parquet(write_page_checksum=True)
    start, length = chunk(data, row_group, 0)
    damaged = flipped(data, start + int(length * part))
    with pytest.raises(QueryServiceError) as caught:
        total(engine_bench, damaged)
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA
    assert "t/data.parquet: " in caught.value.message
    assert f"row group {row_group} (from 0), column a: page " in caught.value.message
    wrong = total(engine_bench, damaged, None)
    assert wrong != RIGHT, "without the property nobody notices"


def test_pages_without_checksums_pass(engine_bench: EngineBench) -> None:
    assert total(engine_bench, parquet(write_page_checksum=False)) == RIGHT


def test_columns_that_are_not_read_are_not_judged(engine_bench: EngineBench) -> None:
    data = parquet(write_page_checksum=True)
    start, length = chunk(data, 0, 1)
    damaged = {"t/data.parquet": flipped(data, start + length // 2)}
    found = engine_bench.select(
        PARQUET,
        COLUMNS,
        [((), damaged)],
        "SELECT sum(c0) FROM t0",
        [("a", t.BIGINT)],
        table_parameters={"querysvc.verify_checksums": "true"},
        used=(0,),
    )
    assert found == [(RIGHT[0][0],)]


def test_the_property_is_true_or_false(engine_bench: EngineBench) -> None:
    with pytest.raises(QueryServiceError) as caught:
        total(engine_bench, parquet(), "maybe")
    assert caught.value.code is ErrorCode.INVALID_TABLE_PROPERTY


def test_chunks_are_checked_however_they_are_read() -> None:
    data = parquet(write_page_checksum=True)
    start, length = chunk(data, 0, 0)
    for damaged in (False, True):
        seen = flipped(data, start + length // 2) if damaged else data
        for size in (100, 4096, length, len(data)):
            checksums = PageChecksums()
            checksums.expect(0, start, length, "here")
            pieces = [(at, seen[at : at + size]) for at in range(0, len(data), size)]
            raised = False
            for offset, piece in reversed(pieces):
                try:
                    checksums.see(0, offset, piece)
                except QueryServiceError:
                    raised = True
            assert raised is damaged


@pytest.mark.parametrize("data", [b"", b"\x15", b"\x15\xff", b"\x1c" * 40, b"\x19\xf5\xff\x7f"])
def test_broken_headers_are_errors(data: bytes) -> None:
    with pytest.raises(ThriftError):
        read_struct(memoryview(data), 0)
