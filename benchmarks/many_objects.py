"""A prefix with 100,000 objects: listed, planned, estimated and read, each row once.

Planning is the store's time: a hundred pages, one after the other. The objects are made in the
gateway's own directory: so many uploads would take longer than all that is measured.

    python benchmarks/many_objects.py [--objects 100000]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from hashlib import md5
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from support import record, service

from tests.support.s3 import versitygw

BUCKET = "crowd"
SEEDS = 10


def fill(folder: Path, objects: int) -> None:
    """One line in each object; they are links to a few, for that is what makes them fast."""
    folder.mkdir(parents=True)
    for number in range(objects):
        path = folder / f"part-{number:06d}.csv"
        if number >= SEEDS:
            path.hardlink_to(folder / f"part-{number % SEEDS:06d}.csv")
            continue
        body = f"{number},row {number}\n".encode()
        path.write_bytes(body)
        # What versitygw keeps beside an upload.
        os.setxattr(path, "user.etag", md5(body, usedforsecurity=False).hexdigest().encode())


def main() -> None:
    """Make them, read them, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    count = parser.parse_args().objects
    figures: dict[str, Any] = {"objects": count}
    with (
        tempfile.TemporaryDirectory(prefix="querysvc-bench-objects-") as name,
        versitygw(Path(name)) as server,
    ):
        server.client().create_bucket(Bucket=BUCKET)
        fill(Path(name) / "data" / BUCKET / "rows", count)
        with service(server.url, server) as client:
            client.run(
                "CREATE EXTERNAL TABLE default.rows (n bigint, s string)"
                " ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"
                f" LOCATION 's3://{BUCKET}/rows/'"
            )
            start = time.perf_counter()
            told = client.post("/v1/estimate", {"sql": "SELECT sum(n) FROM rows"})
            figures["estimate_seconds"] = round(time.perf_counter() - start, 2)
            start = time.perf_counter()
            execution = client.run("SELECT count(*), sum(n) FROM rows")
            figures["query_seconds"] = round(time.perf_counter() - start, 2)
            ((rows, total),) = client.rows(execution["id"])
            figures["planning_seconds"] = execution["statistics"]["planning_milliseconds"] / 1000
    bars = {
        "every object is read once": (rows, total) == (count, sum(n % SEEDS for n in range(count))),
        "the estimate counts every object": told["files"] == count,
    }
    record("many_objects", figures, bars)


if __name__ == "__main__":
    main()
