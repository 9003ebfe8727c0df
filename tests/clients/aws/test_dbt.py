"""dbt-athena, unmodified: seeds, views, tables, incremental models, snapshots, tests, docs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.aws.conftest import REGION, Aws
from tests.clients.aws.guides import blocks
from tests.support.s3 import S3Server
from tests.support.tools import require_tool

PROJECT = Path(__file__).parent / "dbt_project"
Dbt = Callable[..., str]
pytestmark = pytest.mark.xdist_group("dbt")  # the project is built once


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, aws: Aws, s3: S3Server) -> Path:
    """The project, with the guide's profile."""
    made = Path(shutil.copytree(PROJECT, tmp_path_factory.mktemp("dbt") / "project"))
    (profile,) = blocks("dbt-athena", "yaml", aws.service.url, s3.url)
    (made / "profiles.yml").write_text(profile)
    return made


@pytest.fixture(scope="module")
def dbt(project: Path, aws: Aws, s3: S3Server, shared_keys: None) -> Dbt:
    program = require_tool("dbt/bin/dbt")
    service = dict.fromkeys(("ATHENA", "GLUE", "STS"), aws.service.url)
    endpoints = {f"AWS_ENDPOINT_URL_{name}": url for name, url in {**service, "S3": s3.url}.items()}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **endpoints,
        "AWS_ACCESS_KEY_ID": aws.access_key,
        "AWS_SECRET_ACCESS_KEY": aws.secret_key,
        "AWS_REGION": REGION,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }

    def run(*arguments: str) -> str:
        command = [program, "--no-use-colors", *arguments, "--profiles-dir", "."]
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="module")
def built(dbt: Dbt) -> None:
    """The whole project, built once."""
    assert "PASS=10 WARN=0 ERROR=0" in dbt("build")


@pytest.fixture(scope="module")
def rows(aws: Aws) -> Callable[[str], list[list[Any]]]:
    athena = aws.client("athena")

    def ask(sql: str) -> list[list[Any]]:
        started = athena.start_query_execution(QueryString=sql)["QueryExecutionId"]
        execution: dict[str, Any] = {"Status": {"State": "QUEUED"}}
        while execution["Status"]["State"] in ("QUEUED", "RUNNING"):
            execution = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
        found = athena.get_query_results(QueryExecutionId=started)["ResultSet"]["Rows"]
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found[1:]]

    return ask


def test_a_project_is_built_and_built_again_when_its_data_change(
    built: None, dbt: Dbt, project: Path, rows: Callable[[str], list[list[Any]]]
) -> None:
    people = "SELECT people, country FROM analytics.by_country ORDER BY country"
    assert rows(people) == [["1", "FI"], ["1", "GB"], ["1", "US"]]

    seed = project / "seeds" / "customers.csv"
    seed.write_text(seed.read_text().replace("Linus", "Linus T") + "4,Margaret,US,2024-03-01\n")
    assert "PASS=10 WARN=0 ERROR=0" in dbt("build")
    assert rows(people) == [["1", "FI"], ["1", "GB"], ["2", "US"]]
    # insert_overwrite replaces the partitions that it writes, and no others.
    assert rows("SELECT id, name FROM analytics.events ORDER BY id") == [
        ["1", "Ada"],
        ["2", "Grace"],
        ["3", "Linus T"],
        ["4", "Margaret"],
    ]
    assert rows("SELECT count(*) FROM analytics.log") == [["7"]], "append appends"
    # Iceberg: MERGE, and a table that is made anew beside the old one and takes its name.
    for model in ("ice_merge", "ice_table"):
        assert rows(f"SELECT id, name FROM analytics.{model} WHERE id > 2 ORDER BY id") == [
            ["3", "Linus T"],
            ["4", "Margaret"],
        ]
    snapshot = "SELECT id, name, dbt_valid_to IS NULL FROM analytics.customers_snapshot"
    assert rows(f"{snapshot} WHERE id = 3 ORDER BY dbt_valid_from") == [
        ["3", "Linus", "false"],
        ["3", "Linus T", "true"],
    ]


def test_docs_tell_every_relation_with_its_columns(built: None, dbt: Dbt, project: Path) -> None:
    dbt("docs", "generate")
    catalog = json.loads((project / "target" / "catalog.json").read_text())
    assert catalog["errors"] is None
    node = catalog["nodes"]["model.shop.by_country"]
    columns = {name: column["type"] for name, column in node["columns"].items()}
    assert columns == {"people": "bigint", "latest": "date", "country": "string"}
    assert catalog["nodes"]["model.shop.customer_view"]["metadata"]["type"] == "view"
