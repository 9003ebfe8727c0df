"""A real service with Flight SQL, keys and S3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, free_port, require_versitygw, versitygw

BUCKET = "lake"


@dataclass(frozen=True)
class FlightService:
    """The service, its Flight address, and Ada's API key."""

    service: RunningService
    uri: str
    api_key: str


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    require_versitygw()
    with versitygw(tmp_path_factory.mktemp("s3")) as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        people = b"1,Ada,1815-12-10\n2,Grace,1906-12-09\n3,\\N,\n"
        client.put_object(Bucket=BUCKET, Key="people/people.csv", Body=people)
        numbers = b"".join(b"%d\n" % number for number in range(100_000))
        client.put_object(Bucket=BUCKET, Key="numbers/numbers.csv", Body=numbers)
        yield server


@pytest.fixture(scope="session")
def flight(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlightService]:
    state: Path = tmp_path_factory.mktemp("state")
    port = free_port()
    settings = {"auth": "keys", "output_location": f"s3://{BUCKET}/results/", "flight_port": port}
    with running_service(s3.url, state, **settings) as service:
        made = service.cli(
            *("keys", "create", "--principal", "ada", "--role", "admin"),
            *("--state-dir", str(state)),
        )
        assert made.returncode == 0, made.stderr
        key = next(word for word in made.stdout.decode().split() if word.startswith("qsvc_"))
        yield FlightService(service, f"grpc://127.0.0.1:{port}", key)


@pytest.fixture(scope="session")
def people(flight: FlightService) -> None:
    """The database `shop` with its tables."""
    for statement in (
        "CREATE DATABASE shop",
        f"""CREATE EXTERNAL TABLE shop.people (id int, name string, born date)
            ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://{BUCKET}/people/'""",
        f"CREATE EXTERNAL TABLE shop.numbers (n bigint) LOCATION 's3://{BUCKET}/numbers/'",
    ):
        done = flight.service.cli("query", statement, "--api-key", flight.api_key)
        assert done.returncode == 0, done.stderr
