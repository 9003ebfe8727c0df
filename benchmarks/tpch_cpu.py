"""Where the processor time of TPC-H's 22 queries goes: by process, and against bare DuckDB.

For each query, over bytes that everybody has cached: the seconds of our processes (workers,
fetcher, API, gates); of bare DuckDB with httpfs; of the SQL that we generate, and of the query as
it is written, both in bare DuckDB over local files. The last two differ by the lowering, the
second and the fourth by S3, the first and the third by the service. Processor time, so that a busy
machine may run it. About two minutes.

    python benchmarks/tpch_cpu.py [--scale 1] [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from peers import run_peer
from support import S3Server, record, s3_server, service_process
from tpch import BUCKET, TABLES, generate, hive_type, queries, register, upload

ROLES = {"fetcher_process": "fetcher", "zygote": "workers", "gate_process": "gates"}
TICKS = os.sysconf("SC_CLK_TCK")
SETTLE_SECONDS = 0.25
"""After a run: what processes do once the answer is there is theirs, too."""


def processor_seconds(service: int) -> dict[str, float]:
    """Of the service and all below it so far, by what they are."""
    parents: dict[int, tuple[int, float, str]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            command = Path(f"/proc/{entry}/cmdline").read_text()
        except OSError:  # it has ended
            continue
        used = sum(map(int, fields[11:15])) / TICKS  # with children that ended
        parents[int(entry)] = (int(fields[1]), used, command)
    totals: dict[str, float] = {}
    for process, (_parent, used, command) in parents.items():
        ancestor = process
        while ancestor not in (service, 0):
            ancestor = parents[ancestor][0] if ancestor in parents else 0
        if ancestor == service:
            role = next((role for word, role in ROLES.items() if word in command), "api")
            totals[role] = totals.get(role, 0.0) + used
    return totals


def ours(server: S3Server, folder: Path, statements: list[str], runs: int) -> list[dict[str, Any]]:
    """Seconds a run by process, for each query."""
    found = []
    with service_process(server.url, server) as (client, process_id):
        register(client, folder)
        for statement in statements:
            client.run(statement, database="tpch")
            time.sleep(SETTLE_SECONDS)
            before = processor_seconds(process_id)
            for _ in range(runs):
                client.run(statement, database="tpch")
            time.sleep(SETTLE_SECONDS)
            after = processor_seconds(process_id)
            found.append({k: (after[k] - before.get(k, 0.0)) / runs for k in after})
    return found


def httpfs(server: S3Server, statements: list[str], runs: int) -> list[float]:
    """Seconds a run of bare DuckDB, whose first run of each query does not count."""
    views = [
        f"CREATE VIEW {t} AS FROM read_parquet('s3://{BUCKET}/{t}/{t}.parquet')" for t in TABLES
    ]
    request = {
        "endpoint": server.url.removeprefix("http://"),
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "region": server.region,
        "cold": True,
        "runs": runs + 1,
        "setup": [*views, "SET enable_progress_bar = false"],
        "queries": statements,
        "clock": "processor",
    }
    return [sum(times[1:]) / runs for times in run_peer("duckdb", request)]


def local(folder: Path, statements: list[str], runs: int) -> list[tuple[float, float]]:
    """Seconds over local files: of the SQL that we generate, and of the query as it is."""
    import duckdb
    import pyarrow.parquet as pq

    from querysvc.engines.duckdb.functions.install import install
    from tests.support.local_engine import DataSet, LocalEngine

    schemas = {table: pq.read_schema(folder / f"{table}.parquet") for table in TABLES}
    with tempfile.TemporaryDirectory() as name:
        columns = [
            {"table": t, "columns": [[f.name, _trino(str(f.type))] for f in schema]}
            for t, schema in schemas.items()
        ]
        (Path(name) / "tables.json").write_text(json.dumps(columns))
        engine = LocalEngine(DataSet("local", "tpch", folder, Path(name) / "tables.json"))
        engine.connection.execute(f"SET threads = {os.cpu_count()}")
        plain = duckdb.connect()
        for table in TABLES:
            plain.execute(f"CREATE VIEW {table} AS FROM '{folder}/{table}.parquet'")
        found = []
        for statement in statements:
            lowered = engine.lower(engine.analyse(statement), narrows=True)
            install(engine.connection, lowered)
            pairs = [
                (_used(engine.connection, str(lowered.sql)), _used(plain, statement))
                for _ in range(runs)
            ]
            found.append((min(mine for mine, _ in pairs), min(theirs for _, theirs in pairs)))
    return found


def _trino(arrow: str) -> str:
    return "varchar" if hive_type(arrow) == "string" else hive_type(arrow)


def _used(connection: Any, sql: str) -> float:
    before = time.process_time()
    connection.execute(sql).fetchall()
    return time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    folder, statements = generate(options.scale), queries()
    with s3_server() as server:
        upload(server, folder)
        mine = ours(server, folder, statements, options.runs)
        theirs = httpfs(server, statements, options.runs)
    over_files = local(folder, statements, options.runs)
    table: dict[str, dict[str, float]] = {}
    for number, (own, peer, (generated, plain)) in enumerate(
        zip(mine, theirs, over_files, strict=True), 1
    ):
        row = {"querysvc": sum(own.values()), **own, "httpfs": peer}
        row |= {"generated_local": generated, "plain_local": plain}
        table[f"q{number}"] = {name: round(seconds, 3) for name, seconds in row.items()}
    names = dict.fromkeys(name for row in table.values() for name in row)
    total = {n: round(sum(row.get(n, 0.0) for row in table.values()), 2) for n in names}
    record("tpch_cpu", {"processor_seconds": total, "per_query": table})


if __name__ == "__main__":
    main()
