"""1,000 queries each, of 16 threads, over the same CSV and Parquet file: count and sums checked.

The bytes of one file reach many engine threads through one file object; a fault there gives wrong
answers, not errors. Queries of both formats run at the same time, as many as the service runs.

    python benchmarks/same_file.py [--queries 1000]   (of each format; four minutes at most)
"""

from __future__ import annotations

import argparse
import io
import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from support import Client, S3Server, record, s3_server, service

BUCKET = "same"
ROWS = 200_000
THREADS = 16
CLIENTS = 4
SECONDS_MAX = 230.0
STORAGE = {"csv": "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','", "parquet": "STORED AS PARQUET"}


def upload(server: S3Server) -> tuple[int, int, int]:
    """Write the rows as CSV and as Parquet of many row groups; count and both sums."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = range(ROWS)
    squares = [one * one % 1_000_003 for one in numbers]
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    text = "".join(f"{one},{square},note-{one:010d}\n" for one, square in enumerate(squares))
    client.put_object(Bucket=BUCKET, Key="csv/data.csv", Body=text.encode())
    notes = [f"note-{one:010d}" for one in numbers]
    table = pa.table({"n": pa.array(numbers, pa.int64()), "square": squares, "note": notes})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=5_000)
    client.put_object(Bucket=BUCKET, Key="parquet/data.parquet", Body=sink.getvalue())
    return ROWS, sum(numbers), sum(squares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1000, help="of each format")
    options = parser.parse_args()
    wrong: list[str] = []
    failed: list[str] = []
    done = {"csv": 0, "parquet": 0}
    start = time.perf_counter()
    with s3_server() as server:
        expected = list(upload(server))
        with service(
            server.url, server, query_threads=THREADS, running_queries_max=CLIENTS
        ) as first:
            first.run("CREATE DATABASE same")
            for name, storage in STORAGE.items():
                first.run(
                    f"CREATE EXTERNAL TABLE same.{name} (n bigint, square bigint, note string)"
                    f" {storage} LOCATION 's3://{BUCKET}/{name}/'"
                )

            def work(number: int) -> None:
                with Client(first.server, timeout_seconds=120) as client:
                    for at in range(number, options.queries, CLIENTS):
                        for name in STORAGE:
                            if time.perf_counter() - start > SECONDS_MAX:
                                return
                            ask(client, name, at)

            def ask(client: Client, name: str, at: int) -> None:
                # A literal of its own keeps every query a query: no result is reused.
                sql = f"SELECT count(*), sum(n), sum(square) FROM {name} WHERE n >= 0 - {at}"
                try:
                    execution = client.run(sql, database="same")
                    rows = list(client.rows(execution["id"]))
                except Exception as error:  # counted and shown: the run goes on
                    failed.append(f"{name}: {error}")
                    return
                done[name] += 1
                if rows != [expected]:
                    wrong.append(f"{name}: {rows}")

            with ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(work, range(CLIENTS)))
    for line in itertools.chain(wrong[:5], failed[:5]):
        print(line, file=sys.stderr)
    figures: dict[str, Any] = {
        "engine_threads": THREADS,
        "queries": done,
        "wrong": len(wrong),
        "failed": len(failed),
        "seconds": round(time.perf_counter() - start, 1),
    }
    bars = {
        "1,000 queries of each format answered": min(done.values()) >= 1000,
        "none wrong": not wrong,
        "no error": not failed,
    }
    record("same_file", figures, bars)


if __name__ == "__main__":
    main()
