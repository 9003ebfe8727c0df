"""Processor time of the Trino wire's pages: 1,000,000 rows × 8 columns as JSON text.

Against what a server without Arrow does: rows as Python values (`fetchmany`), written by orjson and
not encoded. The query's own time is taken from both: what is compared is making pages of rows.
Run: .venv/bin/python -m benchmarks.trino_pages
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa

from benchmarks.support import record
from querysvc.model import ResultColumn
from querysvc.results.json_values import json_rows
from querysvc.types.parse import parse_type
from querysvc_drivers.trino.encoding import Rows, SpooledAddress, data_member
from querysvc_drivers.trino.paging import PAGE_BYTES_DEFAULT, SEGMENT_BYTES_DEFAULT, RowBuffer
from querysvc_drivers.trino.rows import rows_json
from querysvc_drivers.trino.segments import SegmentStore

ROWS = 1_000_000
RUNS = 5
SHARE_MAX = 1 / 3
ENCODINGS = (None, "json", "json+zstd", "json+lz4")
TYPES = (
    "bigint",
    "integer",
    "double",
    "decimal(12, 2)",
    "varchar",
    "date",
    "timestamp(3)",
    "boolean",
)
SQL = f"""SELECT i AS a, CAST(i % 1000 AS INTEGER) AS b, i / 7.0 AS c,
 CAST(i / 100.0 AS DECIMAL(12, 2)) AS d, 'customer number ' || i AS e,
 DATE '2020-01-01' + CAST(i % 3650 AS INTEGER) AS f,
 TIMESTAMP '2020-01-01' + to_milliseconds(i * 1000) AS g, i % 2 = 0 AS h FROM range({ROWS}) t(i)"""
COLUMNS = tuple(ResultColumn(f"c{i}", parse_type(text)) for i, text in enumerate(TYPES))


def pages(batches: list[pa.RecordBatch], encoding: str | None, store: SegmentStore) -> int:
    """The wire's way: rows inside the pages, or in segments on disk when they are encoded."""
    total = 0
    size = PAGE_BYTES_DEFAULT if encoding is None else SEGMENT_BYTES_DEFAULT

    def spool(body: bytes, /) -> SpooledAddress | None:
        nonlocal total
        segment = store.put(body)
        assert segment is not None
        total += len(store.get(segment) or b"")
        store.acknowledge(segment)
        return SpooledAddress("", "", "")

    for batch in batches:
        buffer = RowBuffer()
        buffer.add((batch,))
        while buffer:
            parts = buffer.take(size)
            count = sum(part.num_rows for part in parts)
            rows = Rows(rows_json(COLUMNS, parts), 0, count)
            member = data_member(rows, encoding, spool)
            total += len(member)
    return total


def by_lists(batches: list[pa.RecordBatch]) -> int:
    """Arrow to Python lists to orjson: what `ResultPage.json_rows` gives."""
    return sum(len(orjson.dumps(list(json_rows(COLUMNS, batch)))) for batch in batches)


def by_fetchmany() -> int:
    """DuckDB's own rows, texts made one by one, written by orjson."""
    cursor, total = duckdb.connect().execute(SQL), 0
    while rows := cursor.fetchmany(10_000):
        total += len(orjson.dumps(rows, default=str))
    return total


def measured(work: Callable[[], int]) -> dict[str, float]:
    """Processor seconds of all threads (the median of some runs, memory warm), and bytes."""
    size, seconds = work(), []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return {"cpu_seconds": round(statistics.median(seconds), 3), "megabytes": round(size / 1e6)}


def main() -> None:
    """Measure and record."""
    pa.set_cpu_count(1)
    connection = duckdb.connect(config={"threads": "1"})
    batches = list(connection.execute(SQL).to_arrow_reader(50_000))
    query = measured(lambda: len(connection.execute(SQL).to_arrow_table()))
    peer = measured(by_fetchmany)
    report = {
        "query_alone": query,
        "fetchmany_and_orjson (query included)": peer,
        "lists_and_orjson": measured(lambda: by_lists(batches)),
    }
    bars = {}
    peer_seconds = peer["cpu_seconds"] - query["cpu_seconds"]
    with tempfile.TemporaryDirectory() as folder:
        store = SegmentStore(Path(folder))
        for encoding in ENCODINGS:
            figures = measured(functools.partial(pages, batches, encoding, store))
            share = figures["cpu_seconds"] / peer_seconds
            name = encoding or "inline"
            report[f"pages_{name}"] = {**figures, "share_of_peer": round(share, 3)}
            bars[f"pages ({name}) take at most a third of fetchmany and orjson"] = (
                share <= SHARE_MAX
            )
    record("trino_pages", report, bars)


if __name__ == "__main__":
    main()
