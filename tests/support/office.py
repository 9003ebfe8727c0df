"""A service with an admin, an analyst and her keys, asked over every wire."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import boto3
import botocore.config
import botocore.exceptions
import httpx
import psycopg
from trino.dbapi import connect as trino_connect
from trino.exceptions import TrinoUserError

from querysvc.client import Client, ServiceError
from querysvc.server import open_authenticator
from querysvc.service.auth import KeyRequest
from querysvc.settings import load_settings
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import REGION, S3Server, free_port

PEOPLE = {"root": {"admin"}, "ann": {"analyst"}, "eve": set[str]()}
REFUSALS = (
    ServiceError,
    TrinoUserError,
    botocore.exceptions.ClientError,
    psycopg.Error,
    adbc_driver_manager.Error,
)
"""What each wire's client raises for a statement that is refused."""


@dataclass(frozen=True)
class Office:
    """The service; `root` is an admin, `ann` an analyst, `eve` has no role."""

    service: RunningService
    keys: dict[str, str]
    pair: tuple[str, str]
    pg_port: int
    flight_port: int
    database: str = "shop"

    def client(self, who: str) -> Client:
        return Client(self.service.url, api_key=self.keys[who], timeout_seconds=120)

    def rows(self, sql: str, who: str = "ann") -> list[list[Any]]:
        with self.client(who) as client:
            return list(client.rows(client.run(sql, database=self.database)["id"]))

    def grant(self, to: str, action: str, on: str, **parts: Any) -> str:
        with self.client("root") as client:
            made = client.post("/v1/grants", {"to": to, "actions": [action], "on": on, **parts})
        return str(made["id"])

    def revoke(self, grant_id: str) -> None:
        headers = {"Authorization": f"Bearer {self.keys['root']}"}
        httpx.delete(f"{self.service.url}/v1/grants/{grant_id}", headers=headers).raise_for_status()

    def trino(self, sql: str, who: str = "ann") -> list[list[Any]]:
        port = int(self.service.url.rpartition(":")[2])
        with trino_connect(  # type: ignore[no-untyped-call]
            host="127.0.0.1",
            port=port,
            http_scheme="http",
            catalog="awsdatacatalog",
            schema=self.database,
            # The Python client sends secrets over TLS only, unless told as a bare header.
            http_headers={"Authorization": f"Bearer {self.keys[who]}"},
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            found: list[list[Any]] = cursor.fetchall()
            return found

    def postgresql(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host="127.0.0.1",
            port=self.pg_port,
            user="ann",
            password=self.keys["ann"],
            dbname="awsdatacatalog",
            sslmode="disable",
            autocommit=True,
        ) as connection:
            return connection.execute(sql.encode()).fetchall()

    @contextmanager
    def flight(self) -> Iterator[Any]:
        """A connection to Flight SQL, of ADBC's untyped driver."""
        uri = f"grpc://127.0.0.1:{self.flight_port}"
        options = {"username": "ann", "password": self.keys["ann"]}
        with adbc_driver_flightsql.dbapi.connect(uri, options, autocommit=True) as connection:
            yield connection

    def flightsql(self, sql: str) -> list[tuple[Any, ...]]:
        with self.flight() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def aws(self, name: str) -> Any:
        return boto3.client(
            name,
            endpoint_url=self.service.url,
            region_name=REGION,
            aws_access_key_id=self.pair[0],
            aws_secret_access_key=self.pair[1],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def athena(self, sql: str) -> list[list[str | None]]:
        athena = self.aws("athena")
        query_id = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self.database},
            ResultConfiguration={"OutputLocation": "s3://data/ann/"},
        )["QueryExecutionId"]
        while True:
            status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"][
                "Status"
            ]
            if status["State"] == "FAILED":
                raise ServiceError("FAILED", status["StateChangeReason"])
            if status["State"] == "SUCCEEDED":
                break
        found = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found[1:]]


@contextmanager
def open_office(
    s3: S3Server,
    folder: Path,
    statements: tuple[str, ...],
    *,
    database: str = "shop",
    **settings: Any,
) -> Iterator[Office]:
    """Start the service on every wire, with keys, and run the admin's statements."""
    pg_port, flight_port = free_port(), free_port()
    settings |= {"auth": "keys", "pg_port": pg_port, "flight_port": flight_port}
    with running_service(s3.url, folder, **settings) as running:
        with open_authenticator(load_settings(None, {"state_dir": running.state_dir})) as keys:
            made = {
                name: keys.create_key(KeyRequest(name, frozenset(roles))).secret_text
                for name, roles in PEOPLE.items()
            }
            pair = keys.create_key_pair(KeyRequest("ann", frozenset({"analyst"})))
        aws = (pair.pair.access_key_id, pair.secret_access_key)
        office = Office(running, made, aws, pg_port, flight_port)
        for statement in statements:
            office.rows(statement, "root")
        yield dataclasses.replace(office, database=database)
