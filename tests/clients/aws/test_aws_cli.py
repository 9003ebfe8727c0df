"""The AWS CLI, unmodified."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.aws.conftest import OUTPUT, REGION, Aws
from tests.support.tools import require_tool


@pytest.fixture(scope="module")
def cli(aws: Aws) -> Callable[..., Any]:
    program = require_tool("awscli/bin/aws")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": aws.service.url,
        "AWS_ACCESS_KEY_ID": aws.access_key,
        "AWS_SECRET_ACCESS_KEY": aws.secret_key,
        "AWS_DEFAULT_REGION": REGION,
    }

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    return run


def test_a_query_is_started_watched_and_read(cli: Callable[..., Any], shop: str) -> None:
    started = cli(
        *("athena", "start-query-execution", "--query-string", "SELECT max(n) AS n FROM numbers"),
        *("--query-execution-context", "Database=shop"),
        *("--result-configuration", f"OutputLocation={OUTPUT}"),
    )
    by_id = ("--query-execution-id", started["QueryExecutionId"])
    state = "QUEUED"
    while state in ("QUEUED", "RUNNING"):
        found = cli("athena", "get-query-execution", *by_id)
        state = found["QueryExecution"]["Status"]["State"]
    assert state == "SUCCEEDED"
    results = cli("athena", "get-query-results", *by_id)
    assert results["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "2499"}]


def test_the_catalog_and_the_caller_are_told(cli: Callable[..., Any], shop: str) -> None:
    tables = cli("glue", "get-tables", "--database-name", "shop")["TableList"]
    assert {"people", "numbers"} <= {table["Name"] for table in tables}
    assert cli("sts", "get-caller-identity")["Arn"].endswith("ada")
    groups = cli("athena", "list-work-groups")["WorkGroups"]
    assert "primary" in {group["Name"] for group in groups}
