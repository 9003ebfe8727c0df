"""What we write, read by Trino 476 through our Glue endpoint: every format, codec and type.

ORACLE=/path/to/oracle.py starts and stops Trino (it needs a JDK of at least 24, see JAVA_HOME). The
result goes to benchmarks/results/trino_reads_writes.json.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from support import record

from querysvc.client import ServiceError
from querysvc.sql.writes.codecs import CODECS
from querysvc_catalog.serdes import StorageFormat
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, free_port, versitygw

ORACLE = Path(os.environ.get("ORACLE", "/work/shared/oracle/oracle.py"))
BUCKET = "lake"
ROWS = """SELECT * FROM (VALUES
 (1, 'a b', ARRAY['x', 'y'], MAP(ARRAY[CAST('k' AS varchar)], ARRAY[1]),
  CAST(ROW(1, 'q') AS ROW(a integer, b varchar)),
  1.5e0, REAL '2.5', DECIMAL '1.10', true, DATE '2020-01-01', TIMESTAMP '2020-01-01 01:02:03.456',
  X'4142', CAST('a' AS char(3)), CAST(NULL AS varchar), TINYINT '1', SMALLINT '2', DECIMAL
  '12345678901234567890.5'),
 (NULL, '', ARRAY[], MAP(), NULL, 1e10, REAL '1e10', NULL, NULL, DATE '1850-01-01',
  TIMESTAMP '1960-01-01 01:02:03.000', NULL, NULL, 'x', TINYINT '-1', SMALLINT '-2', NULL),
 (3, 'é"\\', ARRAY[NULL, 'z'], MAP(ARRAY[CAST('k' AS varchar), 'l'], ARRAY[NULL, 2]),
  CAST(ROW(NULL, NULL) AS ROW(a integer, b varchar)), -1.5e-7, REAL '-1e-7',
  DECIMAL '-0.01', false, DATE '2024-02-29', TIMESTAMP '2024-02-29 23:59:59.999', X'', 'abc', '',
  TINYINT '127', SMALLINT '32767', DECIMAL '-1.5')
) t(i, v, a, m, r, d, f, n, b, day, t, x, c, s, ti, si, big)"""
TEXTS = """SELECT CAST(a AS varchar) a, CAST(b AS varchar) b FROM
 (VALUES ('q"uote', 'x,y'), ('', 'z')) t(a, b)"""


@contextmanager
def trino(folder: Path, connectors: dict[str, dict[str, str]]) -> Iterator[Any]:
    """A Trino with catalogs of these names and properties; the oracle's module asks it."""
    catalogs = folder / "catalogs"
    catalogs.mkdir()
    for catalog, properties in connectors.items():
        lines = (f"{name}={value}\n" for name, value in properties.items())
        (catalogs / f"{catalog}.properties").write_text("".join(lines))
    plugins = ",".join(sorted({one["connector.name"] for one in connectors.values()}))
    spec = importlib.util.spec_from_file_location("oracle", ORACLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    port = free_port()
    place = ["--dir", os.environ.get("TRINO_DIR", str(folder / "trino"))]
    start = [sys.executable, str(ORACLE), "start", *place, "--port", str(port), "--heap", "1G"]
    start += ["--plugins", plugins, "--catalogs", str(catalogs)]
    start += ["--java-home", os.environ.get("JAVA_HOME", "/usr/lib/jvm/temurin-25-jdk-amd64")]
    subprocess.run(start, check=True)
    try:
        yield lambda sql, **options: module.ask(sql, url=f"http://127.0.0.1:{port}", **options)
    finally:
        subprocess.run([sys.executable, str(ORACLE), "stop", *place], check=True)


def properties(server: S3Server, service: RunningService) -> dict[str, str]:
    """The hive connector over our Glue endpoint."""
    glue = "hive.metastore.glue"
    return {
        "connector.name": "hive",
        "hive.metastore": "glue",
        f"{glue}.endpoint-url": service.url,
        f"{glue}.region": server.region,
        f"{glue}.aws-access-key": "any",
        f"{glue}.aws-secret-key": "any",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": server.url,
        "s3.region": server.region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": server.access_key,
        "s3.aws-secret-key": server.secret_key,
    }


def writes() -> Iterator[tuple[str, str]]:
    """(name, statement) of every table."""
    for form, codecs in CODECS.items():
        if form is StorageFormat.OPENX_JSON:
            continue
        rows = TEXTS if form is StorageFormat.CSV else ROWS
        for codec in codecs:
            options = f"format = '{form}', write_compression = '{codec}'"
            if form is StorageFormat.JSON:  # holds no binary values
                rows = ROWS.replace("X'4142'", "CAST(NULL AS varchar)").replace("X''", "NULL")
            if form is StorageFormat.AVRO:
                rows = ROWS.replace("TINYINT", "INTEGER").replace("SMALLINT", "INTEGER")
            yield f"{form}_{codec}".lower(), f"WITH ({options}) AS {rows}"
    options = "format = 'TEXTFILE', field_delimiter = '|'"
    yield "piped", f"WITH ({options}) AS {ROWS}"
    for form in (StorageFormat.PARQUET, StorageFormat.ORC):
        columns = "i, v, m, n, b, t, day, si"
        keys = f"format = '{form}', partitioned_by = ARRAY['day', 'si']"
        yield f"parted_{form}".lower(), f"WITH ({keys}) AS SELECT {columns} FROM ({ROWS})"


def differing(service: RunningService, ask: Any, name: str, statement: str) -> str:
    """What is wrong with a table as Trino reads it; empty when nothing is."""
    try:
        service.client.run(f"CREATE TABLE w.{name} {statement}")
        if name.startswith("parted"):
            service.client.run(f"INSERT INTO w.{name} SELECT * FROM w.{name}")
    except ServiceError as error:
        return f"not written: {error}"
    query = statement.partition(" AS ")[2]
    again = f"({query})" + (f" UNION ALL ({query})" if name.startswith("parted") else "")
    wanted = ask(again)
    found = ask(f"SELECT * FROM ours.w.{name}")
    if "error_name" in found:
        return f"{found['error_name']}: {found['error_message']}"
    missing = [row for row in found["rows"] if row not in wanted["rows"]]
    if missing or len(found["rows"]) != len(wanted["rows"]):
        return f"found {missing or found['rows']}, wanted {wanted['rows']}"
    return ""


def main() -> int:
    """Write, let Trino read, record."""
    with tempfile.TemporaryDirectory(prefix="querysvc-trino-") as name:
        folder = Path(name)
        with versitygw(folder / "s3") as server:
            server.client().create_bucket(Bucket=BUCKET)
            output = f"s3://{BUCKET}/out/"
            with (
                running_service(server.url, folder / "state", output_location=output) as service,
                trino(folder, {"ours": properties(server, service)}) as ask,
            ):
                service.client.run("CREATE DATABASE w")
                wrong = {}
                tables = list(writes())
                for table, statement in tables:
                    wrong[table] = differing(service, ask, table, statement)
                    print(table, wrong[table] or "equal", flush=True)
    wrong = {table: problem for table, problem in wrong.items() if problem}
    record(
        "trino_reads_writes",
        {"tables": len(tables), "equal": len(tables) - len(wrong), "wrong": wrong},
        {"Trino 476 reads every table equal": not wrong},
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
