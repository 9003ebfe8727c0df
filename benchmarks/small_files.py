"""2,500 small Parquet files, full scan: querysvc against httpfs with an explicit list, 16 threads.

Each run is cold: a fresh process with empty caches. querysvc also plans and lists, httpfs does not.

    python benchmarks/small_files.py [--files 2500] [--runs 3]
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from peers import bare_duckdb
from support import Client, S3Server, median, record, s3_server, service, slow_network

BUCKET = "small"
ROWS_PER_FILE = 400
DDL = (
    "CREATE DATABASE IF NOT EXISTS small",
    f"""CREATE EXTERNAL TABLE small.events (id bigint, amount double, note string)
        STORED AS PARQUET LOCATION 's3://{BUCKET}/events/'""",
)
SELECTED = "SELECT count(*), sum(id), max(amount), max(note) FROM"
LIMITS = {"loopback": 0.6, "slow": 0.35}


def upload(server: S3Server, files: int) -> list[str]:
    """Write the files; their addresses."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    client = server.client()
    client.create_bucket(Bucket=BUCKET)

    def put(number: int) -> str:
        ids = range(number * ROWS_PER_FILE, (number + 1) * ROWS_PER_FILE)
        table = pa.table(
            {
                "id": pa.array(ids, pa.int64()),
                "amount": [one / 7 for one in ids],
                "note": [f"note {one:012d}" for one in ids],
            }
        )
        sink = io.BytesIO()
        pq.write_table(table, sink)
        key = f"events/part-{number:05d}.parquet"
        client.put_object(Bucket=BUCKET, Key=key, Body=sink.getvalue())
        return f"s3://{BUCKET}/{key}"

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(put, range(files)))


def ours(endpoint: str, server: S3Server, files: int) -> float:
    """Seconds of the first query of a fresh service; the answer is checked."""
    with service(endpoint, server) as client:
        for statement in DDL:
            client.run(statement)
        client.run("SELECT 1")
        start = time.perf_counter()
        execution = client.run(f"{SELECTED} events", database="small")
        seconds = time.perf_counter() - start
        check(client, execution, files * ROWS_PER_FILE)
    return seconds


def check(client: Client, execution: dict[str, Any], rows: int) -> None:
    ((count, total, *_others),) = client.rows(execution["id"])
    if (count, total) != (rows, rows * (rows - 1) // 2):
        raise AssertionError(f"wrong answer: {count} rows, sum {total}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2500)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    figures: dict[str, Any] = {"files": options.files, "runs": options.runs}
    bars: dict[str, bool] = {}

    def compare(name: str, endpoint: str, server: S3Server, statement: str) -> None:
        mine, theirs = [], []
        for _ in range(options.runs):
            mine.append(ours(endpoint, server, options.files))
            theirs.append(bare_duckdb(endpoint, server, [statement], threads=16)[0][0])
            print(f"{name}: {mine[-1]:.2f} s, httpfs {theirs[-1]:.2f} s", file=sys.stderr)
        ratio = median(mine) / median(theirs)
        figures[name] = {
            "querysvc_seconds": round(median(mine), 3),
            "httpfs_16_seconds": round(median(theirs), 3),
            "ratio": round(ratio, 3),
        }
        bars[f"{name} <= {LIMITS[name]}"] = ratio <= LIMITS[name]

    with s3_server() as server:
        addresses = upload(server, options.files)
        statement = f"{SELECTED} read_parquet({addresses})"
        compare("loopback", server.url, server, statement)
        with slow_network(server, 0.05) as endpoint:
            compare("slow", endpoint, server, statement)
    record("small_files", figures, bars)


if __name__ == "__main__":
    main()
