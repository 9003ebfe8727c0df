"""Planning over many partitions and files: 100,000 registered partitions, a table of 5,000 files.

Partitions' folders are made in the gateway's own directory: so many uploads would take longer than
all that is measured. Times are the service's own (planning) or a statement's, of a warm service.

    python benchmarks/partitions.py [--partitions 100000] [--files 5000]
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from support import Client, S3Server, median, record, service

from tests.support.s3 import versitygw

BUCKET = "many"
SHARDS = 100
DAYS = 50
DDL = (
    "CREATE DATABASE IF NOT EXISTS many",
    f"""CREATE EXTERNAL TABLE many.parts (id bigint) PARTITIONED BY (day int, shard string)
        STORED AS PARQUET LOCATION 's3://{BUCKET}/parts/'""",
    f"""CREATE EXTERNAL TABLE many.files (id bigint) PARTITIONED BY (day int)
        STORED AS PARQUET LOCATION 's3://{BUCKET}/files/'""",
)


def parquet() -> bytes:
    """Ten rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(range(10), pa.int64())}), sink)
    return sink.getvalue()


def fill(server: S3Server, folder: Path, partitions: int, files: int) -> None:
    """Folders of partitions, one object in one of them, and the files of the other table."""
    client, body = server.client(), parquet()
    client.create_bucket(Bucket=BUCKET)
    root = folder / "data" / BUCKET / "parts"
    for number in range(partitions):
        day, shard = divmod(number, SHARDS)
        (root / f"day={day}" / f"shard=s{shard}").mkdir(parents=True)
    client.put_object(Bucket=BUCKET, Key="parts/day=7/shard=s3/part.parquet", Body=body)

    def put(number: int) -> None:
        key = f"files/day={number % DAYS}/part-{number:05d}.parquet"
        client.put_object(Bucket=BUCKET, Key=key, Body=body)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(files)))


def planning(client: Client, sql: str, rows: int, runs: int = 5) -> dict[str, Any]:
    """The median of the planning times, and what was left; the answer is checked."""
    times = []
    for _ in range(runs):
        execution = client.run(sql, database="many")
        ((count,),) = client.rows(execution["id"])
        if count != rows:
            raise AssertionError(f"{sql}: {count} rows")
        times.append(execution["statistics"]["planning_milliseconds"])
    statistics = execution["statistics"]
    return {
        "milliseconds": median(times),
        "partitions": [statistics["scanned_partitions"], statistics["total_partitions"]],
        "files": statistics["total_files"],
    }


def timed(client: Client, sql: str) -> float:
    """Seconds of a statement."""
    start = time.perf_counter()
    client.run(sql, database="many")
    return round(time.perf_counter() - start, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=5_000)
    options = parser.parse_args()
    figures: dict[str, Any] = {"partitions": options.partitions, "files": options.files}
    with (
        tempfile.TemporaryDirectory(prefix="querysvc-bench-partitions-") as folder,
        versitygw(Path(folder)) as server,
    ):
        fill(server, Path(folder), options.partitions, options.files)
        with service(server.url, server) as client:
            for statement in DDL:
                client.run(statement)
            figures["repair_new_seconds"] = timed(client, "MSCK REPAIR TABLE parts")
            figures["repair_known_seconds"] = timed(client, "MSCK REPAIR TABLE parts")
            client.run("MSCK REPAIR TABLE files", database="many")
            count = "SELECT count(*) FROM"
            one = f"{count} parts WHERE day = 7 AND shard = 's3'"
            figures["one_partition"] = planning(client, one, 10)
            like = f"{count} parts WHERE day = 7 AND shard LIKE '%3' AND day % 2 = 1"
            figures["predicate"] = planning(client, like, 10)
            figures["all_files"] = planning(client, f"{count} files", 10 * options.files)
            day = f"{count} files WHERE day = 3"
            figures["one_day"] = planning(client, day, 10 * options.files // DAYS)
    bars = {
        "WHERE key = … of 100,000 partitions plans <= 200 ms": figures["one_partition"][
            "milliseconds"
        ]
        <= 200,
        "MSCK of an up-to-date table <= 30 s": figures["repair_known_seconds"] <= 30,
        "5,000 files plan <= 1 s": figures["all_files"]["milliseconds"] <= 1000,
        "one day reads that day's files": figures["one_day"]["files"] == options.files // DAYS,
    }
    record("partitions", figures, bars)


if __name__ == "__main__":
    main()
