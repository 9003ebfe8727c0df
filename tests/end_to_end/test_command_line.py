"""The command line against a running service: output, exit codes, catalog, history."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from tests.support.running_service import RunningService


def test_table_output_draws_rows_and_tells_bytes_on_stderr(service: RunningService) -> None:
    told = service.cli("query", "-d", "shop", "SELECT id, name FROM people ORDER BY id")
    assert told.returncode == 0, told.stderr
    lines = [line.split() for line in told.stdout.decode().splitlines()]
    assert lines[0] == ["id", "name"]
    assert ["1", "Ada"] in lines
    assert b"2 rows in" in told.stderr
    assert b"scanned (1 of 1 files)" in told.stderr


@pytest.mark.parametrize(
    ("output", "expected"),
    [("csv", b'"n"\n"1"\n'), ("jsonl", b'{"n":1}\n')],
)
def test_text_outputs(service: RunningService, output: str, expected: bytes) -> None:
    told = service.cli("query", "-o", output, "SELECT 1 AS n")
    assert (told.returncode, told.stdout) == (0, expected)


def test_parquet_output_is_a_file(service: RunningService) -> None:
    told = service.cli("query", "-d", "shop", "-o", "parquet", "SELECT id FROM orders")
    assert pq.read_table(io.BytesIO(told.stdout)).num_rows == 2000


def test_statement_comes_from_stdin_and_file(service: RunningService, tmp_path: object) -> None:
    told = service.cli("query", "-o", "csv", "-q", stdin=b"SELECT 2 AS n;\n")
    assert (told.stdout, told.stderr) == (b'"n"\n"2"\n', b"")
    path = os.path.join(str(tmp_path), "q.sql")
    with open(path, "w") as file:
        file.write("-- a comment\nSELECT ? AS n")
    told = service.cli("query", "-o", "csv", "--file", path, "-p", "'x'")
    assert told.stdout == b'"n"\n"x"\n'


def test_catalog_commands_show_tables_and_columns(service: RunningService) -> None:
    assert b"shop" in service.cli("databases").stdout
    tables = service.cli("tables", "-d", "shop").stdout.decode()
    assert "orders" in tables
    assert "s3://data/orders/" in tables
    described = service.cli("describe", "shop.orders").stdout.decode()
    assert "decimal(10,2)" in described
    assert "partition key" in described
    missing = service.cli("describe", "shop.nosuch")
    assert missing.returncode == 1
    assert b"TABLE_NOT_FOUND" in missing.stderr


def test_history_lists_what_ran(service: RunningService) -> None:
    service.cli("query", "SELECT 'seen in history'")
    assert "seen in history" in service.cli("history", "-n", "5").stdout.decode()


def test_interrupt_cancels_the_query(service: RunningService) -> None:
    sql = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = -1"
    process = subprocess.Popen(
        # Who was started in the background ignores interrupts, and so do its children.
        [
            "env",
            "--default-signal=INT",
            sys.executable,
            "-m",
            "querysvc",
            "query",
            "-d",
            "shop",
            sql,
        ],
        env={**service.environment, "QUERYSVC_SERVER": service.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not (running := service.client.history(state="RUNNING")["queries"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"cancelled" in stderr
    while service.client.query(running[0]["id"])["state"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert service.client.query(running[0]["id"])["state"] == "CANCELLED"


def test_no_server_is_a_system_error_with_a_hint(service: RunningService) -> None:
    told = service.cli("query", "--server", "http://127.0.0.1:1", "SELECT 1")
    assert told.returncode == 2
    assert b"querysvc serve" in told.stderr


def test_estimate_prints_bytes_and_runs_nothing(service: RunningService) -> None:
    told = service.cli("query", "-d", "shop", "--estimate", "SELECT id FROM orders")
    assert json.loads(told.stdout)["files"] == 2


def test_settings_lists_every_setting_with_its_help(service: RunningService) -> None:
    listed = service.cli("settings").stdout.decode()
    for name in ("host", "port", "state_dir", "s3_endpoint", "s3_region", "auth"):
        assert name in listed


def test_help_is_quick(service: RunningService) -> None:
    took = []
    for _ in range(3):
        started = time.perf_counter()
        told = service.cli("--help")
        took.append(time.perf_counter() - started)
        assert told.returncode == 0
    assert min(took) < 0.9, "300 ms on an idle machine; three times that on a loaded one"
