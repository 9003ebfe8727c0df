"""A service with a canary object, and how each wire is asked; layers of its workers may be off."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

import httpx
import pytest

from tests.faults.escape.cages import LAYERS_OFF, MARK
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, free_port


def fill(s3: S3Server) -> None:
    """Objects that may be read, and beside them some that may not."""
    client = s3.client()
    client.create_bucket(Bucket="lake")
    client.put_object(Bucket="lake", Key="people/people.csv", Body=b"1,Ada\n")
    client.put_object(Bucket="lake", Key="secret/a.csv", Body=f"{MARK}\n".encode())
    # Keys are opaque: a reader that globs would take the first name for the second.
    client.put_object(Bucket="lake", Key="odd/b[12].csv", Body=b"brackets\n")
    client.put_object(Bucket="lake", Key="other/b1.csv", Body=f"{MARK}\n".encode())


@contextmanager
def service_without(
    layers: tuple[str, ...], s3: S3Server, folder: Path, **settings: Any
) -> Iterator[RunningService]:
    """The service on every wire, its workers without these layers, and a table `t`."""
    ports = {"pg_port": free_port(), "flight_port": free_port()}
    settings |= {"submissions_per_second_max": 1000, **ports}
    module = "tests.support.uncontained" if layers else "querysvc"
    with (
        mock.patch.dict(os.environ, {LAYERS_OFF: json.dumps(layers)}),
        running_service(s3.url, folder, module=module, **settings) as running,
    ):
        running.client.run("CREATE DATABASE IF NOT EXISTS default")
        running.client.run(
            "CREATE EXTERNAL TABLE t (a int, b string) ROW FORMAT DELIMITED"
            " FIELDS TERMINATED BY ',' LOCATION 's3://lake/people/'"
        )
        running.environment["QUERYSVC_TEST_PG_PORT"] = str(ports["pg_port"])
        running.environment["QUERYSVC_TEST_FLIGHT_PORT"] = str(ports["flight_port"])
        yield running


def asked(service: RunningService, sql: str) -> tuple[str | None, str]:
    """Over REST: (the error's code, all of the answer's text)."""
    answer = httpx.post(
        f"{service.url}/v1/queries", params={"wait": 30}, json={"sql": sql}, timeout=60
    )
    document: dict[str, Any] = answer.json()
    if answer.status_code >= 400:
        return document["code"], answer.text
    if document["error"] is not None:
        return document["error"]["code"], document["error"]["message"]
    assert document["state"] == "SUCCEEDED", document
    return None, httpx.get(f"{service.url}/v1/queries/{document['id']}/results", timeout=60).text


def over_rest(service: RunningService, sql: str) -> str:
    return " ".join(filter(None, asked(service, sql)))


def over_trino(service: RunningService, sql: str) -> str:
    page = httpx.post(
        f"{service.url}/v1/statement",
        content=sql.encode(),
        headers={
            "X-Trino-User": "eve",
            "X-Trino-Catalog": "awsdatacatalog",
            "X-Trino-Schema": "default",
        },
    ).json()
    text = ""
    while "nextUri" in page:
        text += str(page.get("data", "")) + str(page.get("error", ""))
        page = httpx.get(page["nextUri"], timeout=60).json()
    return text + str(page.get("data", "")) + str(page.get("error", ""))


def over_athena(service: RunningService, sql: str) -> str:
    import boto3
    import botocore.exceptions

    client = boto3.client(
        "athena",
        endpoint_url=service.url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    try:
        started = client.start_query_execution(
            QueryString=sql, ResultConfiguration={"OutputLocation": "s3://lake/results/"}
        )["QueryExecutionId"]
        status: dict[str, Any] = {"State": "QUEUED"}
        while status["State"] in ("QUEUED", "RUNNING"):
            status = client.get_query_execution(QueryExecutionId=started)["QueryExecution"][
                "Status"
            ]
        if status["State"] != "SUCCEEDED":
            return str(status)
        return str(client.get_query_results(QueryExecutionId=started)["ResultSet"])
    except botocore.exceptions.ClientError as error:
        return str(error)


def over_postgresql(service: RunningService, sql: str) -> str:
    psycopg = pytest.importorskip("psycopg")
    port = service.environment["QUERYSVC_TEST_PG_PORT"]
    try:
        with psycopg.connect(
            f"host=127.0.0.1 port={port} user=eve dbname=awsdatacatalog", autocommit=True
        ) as connection:
            cursor = connection.execute(sql)
            return str(cursor.fetchall() if cursor.description else cursor.statusmessage)
    except (psycopg.Error, ValueError) as error:
        return str(error)


def over_flight(service: RunningService, sql: str) -> str:
    flightsql = pytest.importorskip("adbc_driver_flightsql.dbapi")
    manager = pytest.importorskip("adbc_driver_manager")
    uri = f"grpc://127.0.0.1:{service.environment['QUERYSVC_TEST_FLIGHT_PORT']}"
    try:
        with flightsql.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return str(cursor.fetchall())
    except (manager.Error, UnicodeError, ValueError) as error:
        return str(error)


WIRES: Final[dict[str, Callable[[RunningService, str], str]]] = {
    "rest": over_rest,
    "trino": over_trino,
    "athena": over_athena,
    "postgresql": over_postgresql,
    "flightsql": over_flight,
}
