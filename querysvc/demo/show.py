"""`querysvc demo`: an embedded S3, the real service, real data, five queries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from querysvc.cli import formats
from querysvc.client import Client, JsonObject, ServiceError, ServiceUnreachableError
from querysvc.demo import data, store

START_SECONDS_MAX = 60.0
_STILL_SERVING = """
Still serving; Ctrl-C ends it and forgets the data.

  API         {url}/docs
  query       .venv/bin/querysvc query{server} -d nyc "SELECT * FROM planes LIMIT 5"
  shell       .venv/bin/querysvc shell{server} -d nyc
  curl        curl -s '{url}/v1/queries?wait=10' -H 'Content-Type: application/json' \\
                   -d '{{"database": "nyc", "sql": "SELECT count(*) FROM flights"}}'
"""


def run(*, once: bool, port: int) -> int:
    """Run the demonstration; the exit code is 0 when every query did what it should."""
    started = time.monotonic()
    port = port if port and _is_free(port) else store.free_port()
    with store.embedded_store() as endpoint, tempfile.TemporaryDirectory("-querysvc") as state:
        typer.echo(f"An embedded S3 at {endpoint}")
        count, size = store.upload(endpoint, data.BUCKET, data.demo_objects())
        typer.echo(
            f"  {count} objects, {formats.byte_text(size)}: Parquet by month, gzip'd CSV, JSON"
        )
        with _service(endpoint, port, Path(state)) as client:
            typer.echo(f"querysvc at {client.server}\n")
            for statement in data.DDL:
                client.run(statement)
            failures = sum(not _show(client, query) for query in data.QUERIES)
            typer.echo(f"Done in {time.monotonic() - started:.0f} s.")
            if once or failures:
                return 1 if failures else 0
            _keep_serving(client)
    return 0


def _show(client: Client, query: data.DemoQuery) -> bool:
    """Run and print one query; whether it ended as it should."""
    typer.secho(f"— {query.title}", bold=True)
    typer.echo(query.sql)
    try:
        execution = client.run(query.sql, database=data.DATABASE)
    except ServiceError as error:
        typer.echo(f"\n{error}\n")
        return error.code == query.refused_with
    typer.echo("")
    rows = list(client.rows(execution["id"]))
    formats.print_table(execution["columns"], rows)
    typer.echo(f"{formats.summary(execution)}\n")
    return query.refused_with is None and _is_right(query, rows)


def _is_right(query: data.DemoQuery, rows: list[list[object]]) -> bool:
    is_count = query is data.QUERIES[0]
    return rows == [[data.FLIGHT_COUNT]] if is_count else bool(rows)


@contextmanager
def _service(endpoint: str, port: int, state_dir: Path) -> Iterator[Client]:
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": store.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": store.SECRET_KEY,
        # moto answers GetBucketRequestPayment with a bucket listing: ADR-0006.
        "QUERYSVC_S3_UNANSWERED_BUCKET_FACTS": "pass",
        "QUERYSVC_LOG_LEVEL": "warning",
    }
    arguments = [sys.executable, "-m", "querysvc", "serve", "--port", str(port), "--auth", "none"]
    arguments += ["--state-dir", str(state_dir), "--s3-endpoint", endpoint]
    arguments += ["--s3-region", store.REGION]
    process = subprocess.Popen(arguments, env=environment)  # noqa: S603 our own module
    try:
        with Client(f"http://127.0.0.1:{port}") as client:
            _wait_until_ready(client, process)
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _wait_until_ready(client: Client, process: subprocess.Popen[bytes]) -> JsonObject:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended with exit code {process.returncode}")
        try:
            return client.get("/readyz")
        except (ServiceUnreachableError, ServiceError):
            time.sleep(0.1)
    raise RuntimeError(f"the service was not ready within {START_SECONDS_MAX:.0f} s")


def _keep_serving(client: Client) -> None:
    server = "" if client.server.endswith(":8080") else f" -s {client.server}"
    typer.echo(_STILL_SERVING.format(url=client.server, server=server))
    try:
        signal.pause()
    except KeyboardInterrupt:
        typer.echo("")


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
