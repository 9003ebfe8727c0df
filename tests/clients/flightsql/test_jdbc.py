"""Arrow's Flight SQL JDBC driver, unmodified."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.flightsql.conftest import FlightService
from tests.clients.trino.artifacts import fetch_artifact

VERSION = "18.3.0"
ARTIFACT = f"org.apache.arrow:flight-sql-jdbc-driver:{VERSION}"
JAR = (
    Path.home()
    / f".m2/repository/org/apache/arrow/flight-sql-jdbc-driver/{VERSION}"
    / f"flight-sql-jdbc-driver-{VERSION}.jar"
)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def seen(flight: FlightService, people: None) -> dict[str, Any]:
    fetch_artifact(ARTIFACT, JAR)
    port = flight.uri.rpartition(":")[2]
    command = [sys.executable, "-m", "tests.clients.flightsql.jdbc", str(JAR), port]
    command.append(flight.api_key)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-4000:]
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def test_rows_and_prepared_statements(seen: dict[str, Any]) -> None:
    assert seen["rows"] == [
        ["1", "Ada", "1815-12-10"],
        ["2", "Grace", "1906-12-09"],
        ["3", None, None],
    ]
    assert seen["prepared"] == [["Grace"]] * 7


def test_metadata(seen: dict[str, Any]) -> None:
    assert seen["product"] == "querysvc"
    assert seen["tables"] == [["shop", "people", "TABLE"]]
    assert seen["columns"] == ["id", "name", "born"]


def test_updates_and_errors(seen: dict[str, Any]) -> None:
    assert seen["updated"] in (0, -1)
    assert "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved" in seen["error"]
    assert "Traceback" not in seen["error"]
