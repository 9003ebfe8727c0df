"""Trino's own command line, of the version whose answers ours equal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.clients.trino.artifacts import fetch_artifact
from tests.support.trino_stack import Stack

JAR = Path.home() / ".m2/repository/io/trino/trino-cli/476/trino-cli-476-executable.jar"
JAVA_HOMES = (os.environ.get("TRINO_JAVA_HOME", ""), "/usr/lib/jvm/temurin-25-jdk-amd64")


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    homes = [home for home in JAVA_HOMES if home and Path(home).is_dir()]
    if not homes:
        pytest.skip("Trino's command line needs Java 24 or newer")
    fetch_artifact("io.trino:trino-cli:476:jar:executable", JAR)
    command = [f"{homes[0]}/bin/java", "-jar", str(JAR), "--server", stack.url, "--user", "eve"]
    command += ["--catalog", "tpch", "--schema", "tiny", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_the_command_line_runs_statements(stack: Stack) -> None:
    script = "SHOW TABLES LIKE 'na%'; USE tpch.tiny; SELECT name FROM nation WHERE nationkey < 2"
    done = run(stack, "--execute", script, "--output-format", "CSV")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['"nation"', '"ALGERIA"', '"ARGENTINA"']


@pytest.mark.slow
def test_the_command_line_tells_an_error_with_its_place(stack: Stack) -> None:
    done = run(stack, "--execute", "SELECT nope FROM nation")
    assert done.returncode == 1
    assert "line 1:8: Column 'nope' cannot be resolved" in done.stderr
