"""The peers of a benchmark, each run in a process of its own: bare DuckDB with httpfs, Polars.

    python benchmarks/peers.py duckdb|polars JSON

The JSON names endpoint, keys, threads (null: the default), tables (name → s3 address) or setup, the
queries and how often each runs, by which clock; the answer is JSON: seconds per query and run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run_peer(peer: str, request: dict[str, Any], *, timeout_seconds: float = 1800) -> list[Any]:
    """Run the queries in a fresh process of the peer; seconds per query and run."""
    command = [sys.executable, __file__, peer]
    answer = subprocess.run(
        command,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
    )
    if answer.returncode:
        raise RuntimeError(f"{peer}: {answer.stderr[-2000:]}")
    found: list[Any] = json.loads(answer.stdout)
    return found


def bare_duckdb(
    endpoint: str, server: Any, statements: list[str], **options: Any
) -> list[list[float]]:
    """Bare DuckDB with httpfs; options: runs, threads, cold, setup."""
    request = {
        "endpoint": endpoint.removeprefix("http://"),
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "region": server.region,
        "cold": True,
        "runs": 1,
        "setup": [],
        "queries": statements,
        **options,
    }
    return run_peer("duckdb", request)


def _duckdb(request: dict[str, Any]) -> list[list[float]]:
    import duckdb
    import duckdb_extension_httpfs

    extension = next(Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"))
    times: list[list[float]] = []
    connection = None
    for query in request["queries"]:
        if connection is None or request["cold"]:
            connection = duckdb.connect()
            connection.execute(f"LOAD '{extension}'")
            connection.execute(
                "CREATE SECRET (TYPE s3, KEY_ID ?, SECRET ?, ENDPOINT ?, REGION ?,"
                " URL_STYLE 'path', USE_SSL false)",
                [
                    request["access_key"],
                    request["secret_key"],
                    request["endpoint"],
                    request["region"],
                ],
            )
            if request.get("threads"):
                connection.execute(f"SET threads={int(request['threads'])}")
            for statement in request["setup"]:
                connection.execute(statement)
        runs = []
        clock = CLOCKS[request.get("clock", "wall")]
        for _ in range(request["runs"]):
            start = clock()
            connection.execute(query).fetchall()
            runs.append(clock() - start)
        times.append(runs)
    return times


def _polars(request: dict[str, Any]) -> list[list[float]]:
    import polars

    options = {
        "aws_access_key_id": request["access_key"],
        "aws_secret_access_key": request["secret_key"],
        "aws_endpoint_url": f"http://{request['endpoint']}",
        "aws_region": request["region"],
        "aws_allow_http": "true",
    }
    context = polars.SQLContext()
    for name, address in request["tables"].items():
        context.register(name, polars.scan_parquet(address, storage_options=options))
    times: list[list[float]] = []
    for query in request["queries"]:
        runs: list[float] = []
        try:
            for _ in range(request["runs"]):
                start = time.perf_counter()
                context.execute(query, eager=True)
                runs.append(time.perf_counter() - start)
        except polars.exceptions.PolarsError:
            runs = []  # its SQL lacks something the query needs: told as «no figure»
        times.append(runs)
    return times


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
PEERS = {"duckdb": _duckdb, "polars": _polars}

if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](json.load(sys.stdin))))
