"""Spools: pages by row number, reading while writing, encoders over batches."""

from __future__ import annotations

import io
import json
import random
import struct
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn
from querysvc.results.encoders import (
    encode_arrow,
    encode_json,
    encode_ndjson,
    encode_parquet,
    unique_names,
)
from querysvc.results.pages import decode_page_token, encode_page_token
from querysvc.results.spool import BatchEnd, LiveSpool, SpoolDirectory, write_rows
from querysvc.types.algebra import BIGINT, VARCHAR

COLUMNS = (ResultColumn("n", BIGINT), ResultColumn("t", VARCHAR))
SIZES = [1, 5, 0, 1000, 3, 77]
TOTAL = sum(SIZES)


def batch(start: int, size: int) -> pa.RecordBatch:
    numbers = range(start, start + size)
    return pa.RecordBatch.from_arrays(
        [pa.array(numbers, pa.int64()), pa.array(map(str, numbers), pa.string())], names=["0", "1"]
    )


def write(path: Path, live: LiveSpool) -> None:
    with path.open("wb") as sink, pa.ipc.new_stream(sink, batch(0, 0).schema) as writer:
        start = 0
        for size in SIZES:
            writer.write_batch(batch(start, size))
            sink.flush()
            live.add_batch(sink.tell(), size)
            start += size
    live.close()


@pytest.fixture
def spools(tmp_path: Path) -> SpoolDirectory:
    spools = SpoolDirectory(tmp_path / "results")
    live = LiveSpool(spools.stream_path("q"))
    write(spools.stream_path("q"), live)
    spools.commit("q", live.ends)
    return spools


def numbers(batches: object) -> list[int]:
    return [n for item in batches for n in item.column(0).to_pylist()]  # type: ignore[attr-defined]


def test_every_page_is_read_from_its_row_number_alone(spools: SpoolDirectory) -> None:
    reader = spools.open("q")
    assert reader.rows == TOTAL
    chance = random.Random(7)
    spans = [(chance.randrange(TOTAL + 10), chance.randrange(1, 1200)) for _ in range(200)]
    for first, size in [*spans, (0, 0), (0, TOTAL), (TOTAL, 1), (TOTAL - 1, 1), (6, 1000)]:
        expected = list(range(first, min(first + size, TOTAL)))
        assert numbers(reader.slice(first, size)) == expected


def test_a_reader_follows_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "q.arrow"
    live = LiveSpool(path)
    seen: list[int] = []
    reader = threading.Thread(target=lambda: seen.extend(numbers(live.follow(2))))
    reader.start()
    write(path, live)
    reader.join(10)
    assert seen == list(range(2, TOTAL))


def test_waiting_for_a_row_that_never_comes_ends_with_the_writer(tmp_path: Path) -> None:
    live = LiveSpool(tmp_path / "q.arrow")
    assert not live.wait(0, timeout_seconds=0.01)
    threading.Timer(0.02, live.close).start()
    assert not live.wait(0, timeout_seconds=10)
    assert list(live.follow()) == []


def test_a_deleted_result_is_told_as_expired(spools: SpoolDirectory) -> None:
    reader = spools.open("q")
    spools.delete("q")
    assert spools.query_ids() == frozenset()
    with pytest.raises(QueryServiceError) as caught:
        spools.open("q")
    assert caught.value.code is ErrorCode.RESULT_EXPIRED
    with pytest.raises(QueryServiceError) as caught:
        reader.slice(0, 1)
    assert caught.value.code is ErrorCode.RESULT_EXPIRED


def test_an_uncommitted_result_is_not_readable(tmp_path: Path) -> None:
    spools = SpoolDirectory(tmp_path)
    write(spools.stream_path("q"), LiveSpool(spools.stream_path("q")))
    with pytest.raises(QueryServiceError):
        spools.open("q")


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_small_tables_are_spooled_too(tmp_path: Path, rows: int) -> None:
    spools = SpoolDirectory(tmp_path)
    table = pa.table({"0": pa.array(["x"] * rows, pa.string())})
    spools.commit("q", write_rows(spools.stream_path("q"), table))
    reader = spools.open("q")
    assert reader.rows == rows
    assert numbers(reader.slice(0, 10)) == ["x"] * rows


def test_page_tokens_round_trip_and_foreign_ones_are_refused() -> None:
    assert decode_page_token(encode_page_token(123456)) == 123456
    for token in ("", "x", encode_page_token(1) + "=", "cjAx", "é"):
        with pytest.raises(QueryServiceError) as caught:
            decode_page_token(token)
        assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_json_is_one_object(spools: SpoolDirectory) -> None:
    document = json.loads(b"".join(encode_json(COLUMNS, spools.open("q").batches())))
    assert document["columns"] == [
        {"name": "n", "type": "bigint"},
        {"name": "t", "type": "varchar"},
    ]
    assert document["rows"] == [[n, str(n)] for n in range(TOTAL)]
    assert json.loads(b"".join(encode_json(COLUMNS, ())))["rows"] == []


def test_ndjson_is_one_object_a_row(spools: SpoolDirectory) -> None:
    lines = b"".join(encode_ndjson(COLUMNS, spools.open("q").batches())).splitlines()
    assert [json.loads(line) for line in lines] == [{"n": n, "t": str(n)} for n in range(TOTAL)]


def test_names_that_repeat_get_numbers() -> None:
    assert unique_names(["a", "a", "a_2", "b", "a"]) == ["a", "a_2", "a_2_2", "b", "a_3"]


def test_arrow_and_parquet_hold_every_row(spools: SpoolDirectory) -> None:
    stream = b"".join(encode_arrow(COLUMNS, spools.open("q").batches()))
    table = pa.ipc.open_stream(stream).read_all()
    parquet = b"".join(encode_parquet(COLUMNS, spools.open("q").batches()))
    assert table.column_names == ["n", "t"]
    assert table["n"].to_pylist() == list(range(TOTAL))
    assert pq.read_table(io.BytesIO(parquet)).equals(table)


def test_empty_results_are_whole_files_too() -> None:
    assert pa.ipc.open_stream(b"".join(encode_arrow(COLUMNS, ()))).read_all().num_rows == 0
    assert pq.read_table(io.BytesIO(b"".join(encode_parquet(COLUMNS, ())))).num_rows == 0


def test_streams_come_in_chunks_as_they_are_encoded() -> None:
    produced = 0

    def batches() -> object:
        nonlocal produced
        for start in range(0, 1_000_000, 50_000):
            produced += 1
            yield batch(start, 50_000)

    for encode in (encode_arrow, encode_parquet, encode_json, encode_ndjson):
        produced = 0
        chunks = encode(COLUMNS, batches())  # type: ignore[arg-type]
        size = len(next(chunks)) + len(next(chunks))
        assert size > 0
        assert produced < 8, "the first bytes come before the last rows are read"


def test_a_batch_that_points_beyond_its_bytes_is_told_and_never_read(tmp_path: Path) -> None:
    offsets = pa.py_buffer(struct.pack("<3i", 0, 1 << 30, 1))
    lying = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"x"))
    spools = SpoolDirectory(tmp_path)
    path = spools.stream_path("q")
    with pa.OSFile(str(path), "wb") as sink:
        batch = pa.RecordBatch.from_arrays([lying], names=["0"])
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
            end = sink.tell()
    spools.commit("q", (BatchEnd(end, 2),))
    with pytest.raises(QueryServiceError, match="damaged"):
        spools.open("q").slice(0, 2)
