"""A million rows × 8 columns through psycopg: processor seconds of server and client, memory.

python benchmarks/pgwire.py [--rows 1000000]

The server's seconds are those of the API process while rows are read (the engine's workers, which
make the rows, are not counted); a slow client shows that its memory does not grow with the result.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import psutil
import psycopg
from large_result import watched
from support import record, s3_server, service_process

from tests.support.s3 import free_port

OUTER = 10_000
GROWTH_BYTES_MAX = 200_000_000
SLOW_ROWS = 20
SLOW_SECONDS = 10.0


def query(rows: int) -> str:
    """Rows of eight common types."""
    return f"""SELECT i AS a, CAST(i % 1000 AS integer) AS b, i / 7e0 AS c,
 CAST(i / 100e0 AS decimal(12, 2)) AS d, concat('customer number ', CAST(i AS varchar)) AS e,
 date_add('day', i % 3650, DATE '2020-01-01') AS f,
 date_add('second', i, TIMESTAMP '2020-01-01 00:00:00.000') AS g, i % 2 = 0 AS h
 FROM (SELECT CAST(o AS bigint) * {rows // OUTER} + n AS i
 FROM UNNEST(sequence(0, {OUTER - 1})) t(o) CROSS JOIN UNNEST(sequence(1, {rows // OUTER})) u(n))"""


def read(dsn: str, sql: str, *, binary: bool) -> int:
    """Stream the rows, converted to Python's values."""
    with psycopg.connect(dsn) as connection, connection.cursor(binary=binary) as cursor:
        return sum(1 for _ in cursor.stream(sql, size=1000))


def copy(dsn: str, sql: str, options: str) -> int:
    """Copy the rows out; only their bytes are looked at."""
    statement = f"COPY ({sql}) TO STDOUT ({options})"
    with psycopg.connect(dsn) as connection, connection.cursor().copy(statement) as out:
        return sum(len(part) for part in out)


def slowly(dsn: str, sql: str) -> int:
    """Read a few rows, then none for some seconds while the server has them all."""
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        rows = cursor.stream(sql, size=1)
        count = sum(1 for _, _ in zip(range(SLOW_ROWS), rows, strict=False))
        time.sleep(SLOW_SECONDS)
        rows.close()
        return count


def measured(process_id: int, work: Any, *arguments: Any, **options: Any) -> dict[str, float]:
    """What a read takes."""
    server, client = psutil.Process(process_id), psutil.Process()
    before = server.memory_info().rss
    own, theirs, began = client.cpu_times(), server.cpu_times(), time.perf_counter()
    with watched(process_id) as memory:
        work(*arguments, **options)
    seconds = time.perf_counter() - began
    own_after, theirs_after = client.cpu_times(), server.cpu_times()
    return {
        "wall_seconds": round(seconds, 2),
        "server_cpu_seconds": round(_total(theirs_after) - _total(theirs), 2),
        "client_cpu_seconds": round(_total(own_after) - _total(own), 2),
        "server_memory_growth_megabytes": round(max(0, memory.service - before) / 1e6),
    }


def _total(times: Any) -> float:
    return float(times.user + times.system)


def main() -> None:
    """Record the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    port, sql = free_port(), query(rows)
    dsn = f"host=127.0.0.1 port={port} user=bench dbname=awsdatacatalog"
    with s3_server() as s3, service_process(s3.url, s3, pg_port=port) as (_, process_id):
        read(dsn, query(OUTER), binary=False)
        figures: dict[str, Any] = {
            "rows": rows,
            "text": measured(process_id, read, dsn, sql, binary=False),
            "binary": measured(process_id, read, dsn, sql, binary=True),
            "copy_text": measured(process_id, copy, dsn, sql, "FORMAT text"),
            "copy_csv": measured(process_id, copy, dsn, sql, "FORMAT csv"),
            "copy_binary": measured(process_id, copy, dsn, sql, "FORMAT binary"),
            "slow_client": measured(process_id, slowly, dsn, sql),
        }
    growth = max(
        figure["server_memory_growth_megabytes"]
        for figure in figures.values()
        if isinstance(figure, dict)
    )
    record(
        "pgwire", figures, {"server memory grows less than 200 MB": growth * 1e6 < GROWTH_BYTES_MAX}
    )


if __name__ == "__main__":
    main()
