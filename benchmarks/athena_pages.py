"""One million rows by GetQueryResults: 1,000 a page, any page from its token alone.

Reads all pages in order with boto3, then some again in another order by their tokens, and
watches that the service's memory does not grow with what it serves.

    python benchmarks/athena_pages.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import boto3
import psutil
from large_result import watched
from support import median, percentile, record, s3_server, service_process

OUTER = 1_000
AGAIN = 100
GROWTH_BYTES_MAX = 100_000_000


def pages(athena: Any, query_id: str) -> Iterator[tuple[str | None, list[Any], float]]:
    """(token, rows, milliseconds) of each page in order."""
    token: str | None = None
    while True:
        start = time.perf_counter()
        page = page_of(athena, query_id, token)
        yield token, page["ResultSet"]["Rows"], (time.perf_counter() - start) * 1000
        token = page.get("NextToken")
        if token is None:
            return


def page_of(athena: Any, query_id: str, token: str | None) -> dict[str, Any]:
    more = {} if token is None else {"NextToken": token}
    found: dict[str, Any] = athena.get_query_results(
        QueryExecutionId=query_id, MaxResults=1000, **more
    )
    return found


def digest(rows: list[Any]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def walk(athena: Any, query_id: str, rows: int) -> tuple[list[float], dict[str | None, str]]:
    """Milliseconds of every page, and what each held by its token; the numbers must be 0, 1, …"""
    taken, held, expected = [], {}, 0
    for token, found, milliseconds in pages(athena, query_id):
        taken.append(milliseconds)
        held[token] = digest(found)
        numbers = [int(row["Data"][0]["VarCharValue"]) for row in found[token is None :]]
        assert numbers == list(range(expected, expected + len(numbers))), "rows are missing"
        expected += len(numbers)
    assert expected == rows, expected
    return taken, held


def _spread(taken: list[float]) -> dict[str, float]:
    return {"median": round(median(taken), 1), "p99": round(percentile(taken, 0.99), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    inner = options.rows // OUTER
    statement = (
        f"SELECT CAST(a AS bigint) * {inner} + b AS n, 'row of group ' || CAST(a AS varchar) note,"
        f" CAST(b AS double) / 7 AS share FROM UNNEST(sequence(0, {OUTER - 1})) AS t (a)"
        f" CROSS JOIN UNNEST(sequence(0, {inner - 1})) AS u (b) ORDER BY n"
    )
    with s3_server() as server, service_process(server.url, server) as (client, process_id):
        athena = boto3.client(
            "athena",
            endpoint_url=client.server,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )
        query_id = client.run(statement)["id"]
        page_of(athena, query_id, None)  # what is loaded on first use is not growth
        before = psutil.Process(process_id).memory_info().rss
        start = time.perf_counter()
        with watched(process_id) as memory:
            taken, held = walk(athena, query_id, inner * OUTER)
            seconds = time.perf_counter() - start
            tokens = random.Random(7).sample(sorted(held, key=str), min(AGAIN, len(held)))
            again = []
            for token in tokens:
                start = time.perf_counter()
                rows = page_of(athena, query_id, token)["ResultSet"]["Rows"]
                again.append((time.perf_counter() - start) * 1000)
                assert digest(rows) == held[token], "a page is another when it is asked for alone"
    growth = memory.service - before
    figures = {
        "rows": inner * OUTER,
        "pages": len(taken),
        "seconds": round(seconds, 2),
        "page_milliseconds": _spread(taken),
        "page_alone_milliseconds": _spread(again),
        "service_growth_bytes": growth,
    }
    record("athena_pages", figures, {"service grows < 100 MB": growth < GROWTH_BYTES_MAX})


if __name__ == "__main__":
    main()
