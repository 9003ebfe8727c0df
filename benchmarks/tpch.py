"""TPC-H SF1 as Parquet on versitygw, 22 queries: querysvc against bare DuckDB with httpfs.

Cold: a fresh process and empty caches for every peer, each query once. Warm: the second run. Over
loopback, and through a proxy that adds 50 ms a request. Answers are checked against DuckDB's.

    python benchmarks/tpch.py [--scale 1] [--runs 3]
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from peers import bare_duckdb, run_peer
from support import CACHE, Client, S3Server, median, record, s3_server, service, slow_network

BUCKET = "tpch"
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
HIVE = {
    "int64": "bigint",
    "int32": "int",
    "date32[day]": "date",
    "string": "string",
    "string_view": "string",
    "large_string": "string",
}


def generate(scale: int) -> Path:
    """The eight tables as one Parquet file each, made once."""
    folder = CACHE / f"tpch-sf{scale}"
    if not (folder / "supplier.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        tool = Path(sys.executable).parent / "tpchgen-cli"
        subprocess.run(
            [tool, "parquet", "-s", str(scale), "--output-dir", folder, "--quiet"], check=True
        )
    return folder


def queries() -> list[str]:
    """The 22 statements, from DuckDB's tpch extension; they are plain SQL."""
    import duckdb
    import duckdb_extension_tpch

    extension = next(Path(duckdb_extension_tpch.__file__).parent.rglob("tpch.duckdb_extension"))
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    rows = connection.execute("SELECT query FROM tpch_queries() ORDER BY query_nr").fetchall()
    statements = [text.strip().rstrip(";") for (text,) in rows]
    # Query 15 as DuckDB writes it groups by an output alias, which Trino does not resolve.
    assert "supplier_no)" in "".join(statements[14].split())
    statements[14] = re.sub(
        r"(GROUP\s+BY\s+)supplier_no\b", r"\1l_suppkey", statements[14], flags=re.IGNORECASE
    )
    return statements


def upload(server: S3Server, folder: Path) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    for table in TABLES:
        client.upload_file(str(folder / f"{table}.parquet"), BUCKET, f"{table}/{table}.parquet")


def register(client: Client, folder: Path) -> None:
    import pyarrow.parquet as pq

    client.run("CREATE DATABASE IF NOT EXISTS tpch")
    for table in TABLES:
        schema = pq.read_schema(folder / f"{table}.parquet")
        columns = ", ".join(f"{f.name} {_hive(str(f.type))}" for f in schema)
        client.run(
            f"CREATE EXTERNAL TABLE tpch.{table} ({columns}) STORED AS PARQUET"
            f" LOCATION 's3://{BUCKET}/{table}/'"
        )


def _hive(arrow: str) -> str:
    if arrow.startswith("decimal128"):
        return "decimal" + arrow.removeprefix("decimal128")
    return HIVE[arrow]


def ours(endpoint: str, server: S3Server, folder: Path, statements: list[str], runs: int) -> Any:
    """Seconds per query: [cold, warm, …]; the answers of the last run."""
    with service(endpoint, server) as client:
        register(client, folder)
        client.run("SELECT 1")
        times, answers = [], []
        for statement in statements:
            own: list[float] = []
            for _ in range(runs):
                start = time.perf_counter()
                execution = client.run(statement, database="tpch")
                own.append(time.perf_counter() - start)
            times.append(own)
            answers.append(list(client.rows(execution["id"])))
        return times, answers


def bare(
    endpoint: str, server: S3Server, statements: list[str], runs: int, threads: int | None
) -> Any:
    setup = [
        f"CREATE VIEW {t} AS FROM read_parquet('s3://{BUCKET}/{t}/{t}.parquet')" for t in TABLES
    ]
    return bare_duckdb(endpoint, server, statements, runs=runs, threads=threads, setup=setup)


def polars(endpoint: str, server: S3Server, statements: list[str]) -> Any:
    return run_peer(
        "polars",
        {
            "endpoint": endpoint.removeprefix("http://"),
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "region": server.region,
            "runs": 1,
            "queries": statements,
            "tables": {t: f"s3://{BUCKET}/{t}/{t}.parquet" for t in TABLES},
        },
    )


def check_answers(folder: Path, statements: list[str], answers: list[Any]) -> int:
    """How many answers equal DuckDB's over the local files."""
    import duckdb

    connection = duckdb.connect()
    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS FROM '{folder}/{table}.parquet'")
    equal = 0
    for number, (statement, rows) in enumerate(zip(statements, answers, strict=True), 1):
        expected = connection.execute(statement).fetchall()
        same = len(expected) == len(rows) and all(
            _same(a, b)
            for e, r in zip(expected, rows, strict=True)
            for a, b in zip(e, r, strict=True)
        )
        equal += same
        if not same:
            print(f"query {number} differs: {expected[:2]} | {rows[:2]}", file=sys.stderr)
    return equal


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, float | Decimal):
        # avg(decimal) is a double in DuckDB and a decimal of the argument's scale in Trino.
        return math.isclose(float(expected), float(found), rel_tol=1e-6, abs_tol=0.006)
    return str(expected) == str(found)


def total(times: list[list[float]], run: int = 0) -> float:
    return sum(runs[run] for runs in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3, help="whole rounds; the median counts")
    options = parser.parse_args()
    folder, statements = generate(options.scale), queries()
    figures: dict[str, Any] = {"scale_factor": options.scale, "rounds": options.runs}
    rounds: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        rounds.setdefault(name, []).append(value)
        print(f"{name}: {value:.2f} s", file=sys.stderr)

    with s3_server() as server:
        upload(server, folder)
        for _ in range(options.runs):
            mine, answers = ours(server.url, server, folder, statements, 2)
            theirs = bare(server.url, server, statements, 2, None)
            note("loopback_cold_querysvc", total(mine))
            note("loopback_cold_httpfs", total(theirs))
            note("loopback_warm_querysvc", total(mine, 1))
            note("loopback_warm_httpfs", total(theirs, 1))
        figures["answers_equal_to_duckdb"] = check_answers(folder, statements, answers)
        figures["per_query_loopback_cold"] = {
            f"q{n}": [round(a[0], 3), round(b[0], 3)]
            for n, (a, b) in enumerate(zip(mine, theirs, strict=True), 1)
        }
        by_polars = polars(server.url, server, statements)
        answered = [n for n, runs in enumerate(by_polars) if runs]
        figures["polars_loopback"] = {
            "queries": len(answered),
            "polars_seconds": round(sum(by_polars[n][0] for n in answered), 2),
            "querysvc_seconds": round(sum(mine[n][0] for n in answered), 2),
        }
        with slow_network(server, 0.05) as endpoint:
            for _ in range(options.runs):
                note("slow_cold_querysvc", total(ours(endpoint, server, folder, statements, 1)[0]))
            note("slow_cold_httpfs", total(bare(endpoint, server, statements, 1, None)))
            note("slow_cold_httpfs_16", total(bare(endpoint, server, statements, 1, 16)))
    seconds = {name: round(median(values), 3) for name, values in rounds.items()}
    ratios = {
        "loopback_cold": seconds["loopback_cold_querysvc"] / seconds["loopback_cold_httpfs"],
        "loopback_warm": seconds["loopback_warm_querysvc"] / seconds["loopback_warm_httpfs"],
        "slow_cold": seconds["slow_cold_querysvc"] / seconds["slow_cold_httpfs"],
        "slow_cold_16": seconds["slow_cold_querysvc"] / seconds["slow_cold_httpfs_16"],
    }
    limits = {"loopback_cold": 0.9, "loopback_warm": 1.1, "slow_cold": 0.25, "slow_cold_16": 0.6}
    figures["seconds"] = seconds
    figures["ratios_to_httpfs"] = {name: round(value, 3) for name, value in ratios.items()}
    bars = {f"{name} <= {limit}": ratios[name] <= limit for name, limit in limits.items()}
    bars["22 answers equal"] = figures["answers_equal_to_duckdb"] == len(statements)
    record("tpch", figures, bars)


if __name__ == "__main__":
    main()
