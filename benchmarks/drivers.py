"""A million rows × 8 columns through every stock driver: processor seconds of both sides.

python benchmarks/drivers.py [--rows 1000000] [--only trino adbc …]

Every client is a process of its own, whose processor time is all of its threads'; a JVM's start is
in it, Python's imports and a first connection are not. The server's is that of the API process
while the rows are read: the engine's workers, which make the rows, do the same for every driver and
are not counted.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import psutil
from large_result import watched
from pgwire import OUTER, query
from support import record, s3_server, service_process

from tests.support.s3 import free_port

MAVEN = Path.home() / ".m2/repository"
JARS = {
    "trino": MAVEN / "io/trino/trino-jdbc/476/trino-jdbc-476.jar",
    "postgresql": MAVEN / "org/postgresql/postgresql/42.7.7/postgresql-42.7.7.jar",
    "arrow-flight-sql": MAVEN
    / "org/apache/arrow/flight-sql-jdbc-driver/18.3.0/flight-sql-jdbc-driver-18.3.0.jar",
}
ARROW_OPENS = "--add-opens=java.base/java.nio=ALL-UNNAMED"
"""Arrow's allocator reaches into the JVM's buffers."""
GROWTH_BYTES_MAX = 200_000_000
FLIGHT_SHARE_MAX = 0.1
BATCH = 10_000


def trino_python(port: int, sql: str) -> int:
    """trino-python-client, as it is unless told otherwise."""
    import trino

    cursor = trino.dbapi.connect(host="127.0.0.1", port=port, user="bench").cursor()
    cursor.execute(sql)
    return sum(1 for _ in cursor)


def psycopg_rows(port: int, sql: str) -> int:
    """psycopg 3, streaming."""
    import psycopg

    dsn = f"host=127.0.0.1 port={port} user=bench dbname=awsdatacatalog"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        return sum(1 for _ in cursor.stream(sql, size=1000))


def asyncpg_rows(port: int, sql: str) -> int:
    """asyncpg, by a cursor: binary values."""
    import asyncio

    import asyncpg

    async def read() -> int:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=port, user="bench", database="awsdatacatalog", ssl=False
        )
        count = 0
        async with connection.transaction():
            async for _ in connection.cursor(sql, prefetch=BATCH):
                count += 1
        await connection.close()
        return count

    return asyncio.run(read())


def odbc(port: int, sql: str) -> int:
    """psqlODBC by pyodbc."""
    import pyodbc

    text = (
        f"Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={port};Database=awsdatacatalog;"
        "Uid=bench;UseDeclareFetch=1;Fetch=10000"
    )
    cursor = pyodbc.connect(text).cursor()
    cursor.execute(sql)
    rows = 0
    while found := cursor.fetchmany(BATCH):
        rows += len(found)
    return rows


def adbc(port: int, sql: str) -> int:
    """ADBC's Flight SQL driver, reading Arrow batches."""
    from adbc_driver_flightsql import dbapi

    with (
        dbapi.connect(f"grpc://127.0.0.1:{port}", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
        return sum(batch.num_rows for batch in cursor.fetch_record_batch())


def java(url: str, sql: str) -> int:
    """A JDBC driver, every value by getObject."""
    jar = JARS[url.split(":")[1]]
    program = Path(__file__).with_name("ReadAll.java")
    command = ["java", ARROW_OPENS, "-Xmx1g", "-cp", str(jar), str(program), url, sql]
    return int(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    )


CLIENTS: dict[str, tuple[str, Callable[[int, str], int]]] = {
    "trino": ("http", trino_python),
    "trino-jdbc": (
        "http",
        lambda port, sql: java(f"jdbc:trino://127.0.0.1:{port}/awsdatacatalog", sql),
    ),
    "psycopg": ("pg", psycopg_rows),
    "asyncpg": ("pg", asyncpg_rows),
    "pgjdbc": (
        "pg",
        lambda port, sql: java(f"jdbc:postgresql://127.0.0.1:{port}/awsdatacatalog", sql),
    ),
    "psqlodbc": ("pg", odbc),
    "adbc": ("flight", adbc),
    "flight-jdbc": (
        "flight",
        lambda port, sql: java(
            f"jdbc:arrow-flight-sql://127.0.0.1:{port}/?useEncryption=false", sql
        ),
    ),
}


def as_client(name: str, port: int, sql: str) -> None:
    """What a client's process does: read all, print rows and processor seconds."""
    read = CLIENTS[name][1]
    if "jdbc" not in name:
        read(port, "SELECT 1")  # what Python imports is loaded
    before = _processor_seconds()
    rows = read(port, sql)
    print(rows, _processor_seconds() - before)


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(name: str, port: int, rows: int, process_id: int) -> dict[str, float]:
    """What reading costs both sides."""
    server = psutil.Process(process_id)
    memory_before, times = server.memory_info().rss, server.cpu_times()
    began = time.perf_counter()
    command = [sys.executable, __file__, "--client", name, str(port), query(rows)]
    with watched(process_id) as memory:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    found, client_seconds = done.stdout.split()
    assert int(found) == rows, f"{name}: {found} rows"
    after = server.cpu_times()
    used = after.user + after.system - times.user - times.system
    return {
        "wall_seconds": round(seconds, 2),
        "server_cpu_seconds": round(used, 2),
        "client_cpu_seconds": round(float(client_seconds), 2),
        "server_memory_growth_megabytes": round(max(0, memory.service - memory_before) / 1e6),
    }


def main() -> None:
    """Record the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", default=list(CLIENTS), choices=list(CLIENTS))
    parser.add_argument("--client", nargs=3)
    options = parser.parse_args()
    if options.client:
        name, port, sql = options.client
        as_client(name, int(port), sql)
        return
    ports = {"pg": free_port(), "flight": free_port()}
    figures: dict[str, Any] = {"rows": options.rows}
    with (
        s3_server() as s3,
        service_process(s3.url, s3, pg_port=ports["pg"], flight_port=ports["flight"]) as (
            client,
            process_id,
        ),
    ):
        ports["http"] = int(str(client.server).rpartition(":")[2])
        for name in options.only:
            port = ports[CLIENTS[name][0]]
            measured(name, port, OUTER, process_id)  # connections, imports, caches: warm
            figures[name] = measured(name, port, options.rows, process_id)
            print(name, figures[name], flush=True)
    record("drivers", figures, _bars(figures))


def _bars(figures: dict[str, Any]) -> dict[str, bool]:
    drivers = [figure for figure in figures.values() if isinstance(figure, dict)]
    growth = max(figure["server_memory_growth_megabytes"] for figure in drivers)
    bars = {"server memory grows less than 200 MB": growth * 1e6 < GROWTH_BYTES_MAX}
    if "adbc" in figures and "trino" in figures:
        bars["ADBC's client takes at most a tenth of trino-python-client's"] = (
            figures["adbc"]["client_cpu_seconds"]
            <= FLIGHT_SHARE_MAX * figures["trino"]["client_cpu_seconds"]
        )
    return bars


if __name__ == "__main__":
    main()
