"""TPC-H SF1 as Parquet on versitygw, 22 queries: querysvc against bare DuckDB with httpfs.

Cold: no bytes are kept from one query to the next (a service without its range cache; a fresh
connection for httpfs). Warm: the second run of each query, with everybody's caches. Over loopback,
in turns, the least time of each query counts; and once through a proxy that adds 50 ms a request.
Answers are checked against DuckDB's. About four minutes, most of them httpfs at 50 ms.

    python benchmarks/tpch.py [--scale 1] [--rounds 2] [--no-slow] [--trino]

`--trino` starts a Trino 476 by the shared oracle.py (ORACLE, JAVA_HOME) and records it, too.
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from peers import bare_duckdb, run_peer
from support import CACHE, Client, S3Server, record, s3_server, service, slow_network

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
        columns = ", ".join(f"{f.name} {hive_type(str(f.type))}" for f in schema)
        client.run(
            f"CREATE EXTERNAL TABLE tpch.{table} ({columns}) STORED AS PARQUET"
            f" LOCATION 's3://{BUCKET}/{table}/'"
        )


def hive_type(arrow: str) -> str:
    """Hive's name of an Arrow type."""
    if arrow.startswith("decimal128"):
        return "decimal" + arrow.removeprefix("decimal128")
    return HIVE[arrow]


def ours(
    endpoint: str, server: S3Server, folder: Path, statements: list[str], *, is_cached: bool
) -> Any:
    """Seconds per query: [first, second] with the cache, else [only]; the answers."""
    settings = {} if is_cached else {"s3_range_cache_bytes": 0}
    with service(endpoint, server, **settings) as client:
        register(client, folder)
        client.run("SELECT 1")
        times, answers = [], []
        for statement in statements:
            own: list[float] = []
            for _ in range(2 if is_cached else 1):
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


def trino(server: S3Server, folder: Path, statements: list[str]) -> list[float]:
    """Seconds per query of a Trino over the same objects, each query once."""
    import pyarrow.parquet as pq
    from trino_reads_writes import trino as running

    properties = {
        "connector.name": "hive",
        "hive.metastore": "file",
        "hive.metastore.catalog.dir": "local:///metastore",
        "fs.native-local.enabled": "true",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": server.url,
        "s3.region": server.region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": server.access_key,
        "s3.aws-secret-key": server.secret_key,
    }
    with tempfile.TemporaryDirectory(prefix="querysvc-bench-trino-") as name:
        (Path(name) / "local" / "metastore").mkdir(parents=True)
        properties["local.location"] = str(Path(name) / "local")
        with running(Path(name), {"ours": properties}) as ask:

            def run(sql: str) -> float:
                start = time.perf_counter()
                answer = ask(sql, catalog="ours", schema="tpch", timeout=120)
                if "error_name" in answer:
                    raise RuntimeError(f"Trino: {answer}")
                return time.perf_counter() - start

            run("CREATE SCHEMA IF NOT EXISTS ours.tpch")
            for table in TABLES:
                schema = pq.read_schema(folder / f"{table}.parquet")
                columns = ", ".join(f"{f.name} {_trino(str(f.type))}" for f in schema)
                run(
                    f"CREATE TABLE IF NOT EXISTS ours.tpch.{table} ({columns}) WITH"
                    f" (format = 'PARQUET', external_location = 's3://{BUCKET}/{table}/')"
                )
            return [run(statement) for statement in statements]


def _trino(arrow: str) -> str:
    return {"string": "varchar", "int": "integer"}.get(hive_type(arrow), hive_type(arrow))


class Times:
    """The least seconds of each query, by who ran it and how."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = {}

    def note(self, name: str, seconds: Iterable[float]) -> None:
        """Take a round in."""
        taken = list(seconds)
        self.of[name] = [min(pair) for pair in zip(self.of.get(name, taken), taken, strict=True)]
        print(f"{name}: {sum(taken):.2f} s", file=sys.stderr)

    def ratio(self, name: str, peer: str) -> float:
        """Total over total."""
        return sum(self.of[name]) / sum(self.of[peer])


def loopback(
    times: Times, server: S3Server, folder: Path, statements: list[str], rounds: int
) -> list[Any]:
    """Run us and httpfs in turns; our last answers."""
    answers: list[Any] = []
    for _ in range(rounds):
        mine, answers = ours(server.url, server, folder, statements, is_cached=False)
        times.note("loopback_cold_querysvc", (one for (one,) in mine))
        theirs = bare(server.url, server, statements, 2, None)
        times.note("loopback_cold_httpfs", (first for first, _second in theirs))
        times.note("loopback_warm_httpfs", (second for _first, second in theirs))
        mine, _ = ours(server.url, server, folder, statements, is_cached=True)
        times.note("loopback_warm_querysvc", (second for _first, second in mine))
    return answers


def slow(times: Times, server: S3Server, folder: Path, statements: list[str]) -> None:
    """Run us and httpfs, with 2 and with 16 threads, through a slow network."""
    with slow_network(server, 0.05) as endpoint:
        mine, _ = ours(endpoint, server, folder, statements, is_cached=False)
        times.note("slow_cold_querysvc", (one for (one,) in mine))
        for name, threads in (("slow_cold_httpfs", None), ("slow_cold_httpfs_16", 16)):
            theirs = bare(endpoint, server, statements, 1, threads)
            times.note(name, (one for (one,) in theirs))


def against_polars(times: Times, server: S3Server, statements: list[str]) -> dict[str, Any]:
    """Polars over the same objects, where its SQL can say the query."""
    theirs = polars(server.url, server, statements)
    answered = [number for number, runs in enumerate(theirs) if runs]
    mine = times.of["loopback_cold_querysvc"]
    return {
        "queries": len(answered),
        "polars_seconds": round(sum(theirs[number][0] for number in answered), 2),
        "querysvc_seconds": round(sum(mine[number] for number in answered), 2),
    }


LIMITS = {
    "loopback_cold": ("loopback_cold_querysvc", "loopback_cold_httpfs", 0.9),
    "loopback_warm": ("loopback_warm_querysvc", "loopback_warm_httpfs", 1.1),
    "slow_cold": ("slow_cold_querysvc", "slow_cold_httpfs", 0.25),
    "slow_cold_16": ("slow_cold_querysvc", "slow_cold_httpfs_16", 0.6),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2, help="on loopback; the least time counts")
    parser.add_argument("--no-slow", action="store_true", help="without the slow network")
    parser.add_argument("--trino", action="store_true", help="start a Trino and record it, too")
    options = parser.parse_args()
    folder, statements = generate(options.scale), queries()
    times = Times()
    figures: dict[str, Any] = {"scale_factor": options.scale, "rounds": options.rounds}
    with s3_server() as server:
        upload(server, folder)
        answers = loopback(times, server, folder, statements, options.rounds)
        figures["answers_equal_to_duckdb"] = check_answers(folder, statements, answers)
        figures["polars_loopback"] = against_polars(times, server, statements)
        if not options.no_slow:
            slow(times, server, folder, statements)
        if options.trino:
            times.note("loopback_trino_476", trino(server, folder, statements))
    figures["seconds"] = {name: round(sum(runs), 3) for name, runs in times.of.items()}
    figures["per_query"] = {
        f"q{number + 1}": {name: round(runs[number], 3) for name, runs in times.of.items()}
        for number in range(len(statements))
    }
    measured = {name: limit for name, limit in LIMITS.items() if limit[1] in times.of}
    ratios = {name: times.ratio(mine, peer) for name, (mine, peer, _limit) in measured.items()}
    figures["ratios_to_httpfs"] = {name: round(value, 3) for name, value in ratios.items()}
    bars = {
        f"{name} <= {limit}": ratios[name] <= limit
        for name, (_mine, _peer, limit) in measured.items()
    }
    bars["22 answers equal"] = figures["answers_equal_to_duckdb"] == len(statements)
    record("tpch", figures, bars)


if __name__ == "__main__":
    main()
