"""A real service over a real S3, and stock AWS clients that differ by their endpoint alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.config
import pytest

from querysvc_drivers.aws_json import model
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, find_versitygw, require_versitygw, versitygw

BUCKET = "lake"
OUTPUT = f"s3://{BUCKET}/results/"
REGION = "us-east-1"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    require_versitygw()
    with versitygw(tmp_path_factory.mktemp("s3")) as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        people = b"1,Ada,1815-12-10\n2,,1906-12-09\n3,\\N,\n"
        client.put_object(Bucket=BUCKET, Key="people/people.csv", Body=people)
        numbers = b"".join(b"%d\n" % number for number in range(2500))
        client.put_object(Bucket=BUCKET, Key="numbers/numbers.csv", Body=numbers)
        yield server


@dataclass(frozen=True)
class Aws:
    """A signing service and a key pair for it."""

    service: RunningService
    access_key: str
    secret_key: str

    def client(self, name: str, **changes: Any) -> Any:
        """A boto3 client whose answers are checked against botocore's model."""
        values = {
            "endpoint_url": self.service.url,
            "region_name": REGION,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "config": botocore.config.Config(retries={"total_max_attempts": 1}),
            **changes,
        }
        client = boto3.client(name, **values)
        if name in ("athena", "glue"):
            client.meta.events.register(f"before-parse.{name}", _checker(name))
        return client


def _checker(name: str) -> Callable[..., None]:
    import orjson

    def check(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
        if response_dict["status_code"] == 200 and operation_model.output_shape is not None:
            document = orjson.loads(response_dict["body"])
            model.checked(operation_model.output_shape, document)

    return check


@pytest.fixture(scope="session")
def aws(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    state = tmp_path_factory.mktemp("state")
    settings = {"auth": "keys", "output_location": OUTPUT}
    with running_service(s3.url, state, **settings) as service:
        made = service.cli(
            "keys",
            "create",
            "--principal",
            "ada",
            "--role",
            "admin",
            "--aws",
            "--state-dir",
            str(state),
        )
        assert made.returncode == 0, made.stderr
        pairs = dict(line.split("=", 1) for line in made.stdout.decode().split())
        yield Aws(service, pairs["AWS_ACCESS_KEY_ID"], pairs["AWS_SECRET_ACCESS_KEY"])


@pytest.fixture(scope="session")
def shared_keys(s3: S3Server, aws: Aws) -> None:
    """Make S3 know the service's key pair, for clients that have one session for all services."""
    binary = find_versitygw()
    assert binary is not None, "the S3 server runs"
    command = [binary, "admin", "--access", s3.access_key, "--secret", s3.secret_key]
    command += ["--endpoint-url", s3.url, "create-user", "--role", "admin"]
    command += ["--access", aws.access_key, "--secret", aws.secret_key]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="session")
def athena(aws: Aws) -> Any:
    return aws.client("athena")


@pytest.fixture(scope="session")
def glue(aws: Aws) -> Any:
    return aws.client("glue")


@pytest.fixture(scope="session")
def run(athena: Any) -> Callable[..., dict[str, Any]]:
    """Run a statement to its end; the QueryExecution."""
    import time

    def go(sql: str, **request: Any) -> dict[str, Any]:
        started = athena.start_query_execution(QueryString=sql, **request)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
            execution: dict[str, Any] = found["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            time.sleep(0.05)
        raise AssertionError(f"{sql} did not end")

    return go


@pytest.fixture(scope="session")
def shop(run: Callable[..., dict[str, Any]]) -> str:
    """A database with tables."""
    statements = (
        "CREATE DATABASE IF NOT EXISTS shop COMMENT 'what is sold'",
        f"""CREATE EXTERNAL TABLE shop.people (id int COMMENT 'key', name string, born date)
            COMMENT 'who' ROW FORMAT DELIMITED FIELDS TERMINATED BY ','
            LOCATION 's3://{BUCKET}/people/'""",
        f"""CREATE EXTERNAL TABLE shop.numbers (n bigint)
            ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://{BUCKET}/numbers/'""",
    )
    for statement in statements:
        execution = run(statement)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    return "shop"
