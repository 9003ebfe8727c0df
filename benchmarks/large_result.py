"""Ten million rows, streamed as CSV, Arrow and Parquet: the service's memory must hardly grow.

python benchmarks/large_result.py [--rows 10000000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).parent))

import psutil
from support import Client, record, s3_server, service_process

GROWTH_BYTES_MAX = 200_000_000
SAMPLE_SECONDS = 0.05
OUTER = 10_000
FORMATS = {
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}


@dataclass(slots=True)
class Memory:
    """The highest resident bytes seen: of the API process, and of it with its children."""

    service: int = 0
    all: int = 0


@contextmanager
def watched(process_id: int) -> Iterator[Memory]:
    """Sample resident memory until the block ends."""
    process, highest, over = psutil.Process(process_id), Memory(), threading.Event()

    def sample() -> None:
        while True:
            own = process.memory_info().rss
            children = 0
            for child in process.children(recursive=True):
                try:
                    children += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            highest.service = max(highest.service, own)
            highest.all = max(highest.all, own + children)
            if over.wait(SAMPLE_SECONDS):
                return

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield highest
    finally:
        over.set()
        thread.join()


def download(client: Client, query_id: str, media_type: str, sink: BinaryIO) -> None:
    for piece in client.stream(query_id, media_type):
        sink.write(piece)
    sink.flush()


def check(name: str, path: Path, rows: int) -> None:
    """The downloaded file holds each number once, as far as count and sum tell."""
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect()
    relation = f"read_{name}('{path}')"
    if name == "arrow":
        with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as batches:
            connection.register("arrow_batches", batches)
            found = connection.execute("SELECT count(*), sum(n) FROM arrow_batches").fetchone()
    else:
        found = connection.execute(f"SELECT count(*), sum(n) FROM {relation}").fetchone()
    if found != (rows, rows * (rows - 1) // 2):
        raise AssertionError(f"{name}: {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    inner = options.rows // OUTER
    rows = inner * OUTER
    statement = (
        f"SELECT CAST(a AS bigint) * {inner} + b AS n, 'row of group ' || CAST(a AS varchar) note,"
        f" CAST(b AS double) / 7 AS share FROM UNNEST(sequence(0, {OUTER - 1})) AS t (a)"
        f" CROSS JOIN UNNEST(sequence(0, {inner - 1})) AS u (b)"
    )
    figures: dict[str, Any] = {"rows": rows}
    bars: dict[str, bool] = {}
    with (
        s3_server() as server,
        service_process(server.url, server) as (client, process_id),
        tempfile.TemporaryDirectory(prefix="querysvc-bench-") as folder,
    ):
        for media_type in FORMATS.values():  # what is loaded on first use is not growth
            small = client.run("SELECT 1 AS n")
            list(client.stream(small["id"], media_type))
        before = psutil.Process(process_id).memory_info().rss
        start = time.perf_counter()
        with watched(process_id) as memory:
            execution = client.run(statement)
        figures["query"] = {
            "seconds": round(time.perf_counter() - start, 2),
            "service_growth_bytes": memory.service - before,
            "with_workers_bytes_max": memory.all,
        }
        highest = memory.service
        for name, media_type in FORMATS.items():
            path = Path(folder) / f"rows.{name}"
            start = time.perf_counter()
            with watched(process_id) as memory, path.open("wb") as sink:
                download(client, execution["id"], media_type, sink)
            highest = max(highest, memory.service)
            figures[name] = {
                "seconds": round(time.perf_counter() - start, 2),
                "bytes": path.stat().st_size,
                "service_growth_bytes": memory.service - before,
                "with_workers_bytes_max": memory.all,
            }
            check(name, path, rows)
            path.unlink()
            print(f"{name}: {figures[name]}", file=sys.stderr)
    bars["service grows < 200 MB"] = highest - before < GROWTH_BYTES_MAX
    record("large_result", figures, bars)


if __name__ == "__main__":
    main()
