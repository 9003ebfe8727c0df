"""The escape corpus against every wire: nobody reads the canary file or calls its server."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.escape import corpus
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, free_port, require_versitygw, versitygw

MARK = "canary-7f3a9"
INTERNAL = "GENERIC_INTERNAL_ERROR"


@dataclass
class Canary:
    """A file that nobody may read, and a server that nobody may call."""

    file: Path
    url: str
    calls: list[str] = field(default_factory=list)

    def filled(self, statement: str) -> str:
        return statement.format(file=self.file, url=self.url, mark=MARK)


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    file = tmp_path_factory.mktemp("host") / "canary.csv"
    file.write_text(f"a,b\n{MARK},1\n")
    calls: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            calls.append("called")
            self.close_connection = True

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Canary(file, f"http://127.0.0.1:{server.server_port}", calls)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    require_versitygw()
    with versitygw(tmp_path_factory.mktemp("s3")) as server:
        client = server.client()
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key="people/people.csv", Body=b"1,Ada\n")
        client.put_object(Bucket="lake", Key="secret/a.csv", Body=f"{MARK}\n".encode())
        # Keys are opaque: a reader that globs would take the first name for the second.
        client.put_object(Bucket="lake", Key="odd/b[12].csv", Body=b"brackets\n")
        client.put_object(Bucket="lake", Key="other/b1.csv", Body=f"{MARK}\n".encode())
        yield server


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    ports = {"pg_port": free_port(), "flight_port": free_port()}
    state = tmp_path_factory.mktemp("state")
    with running_service(s3.url, state, **ports, submissions_per_second_max=1000) as running:
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


def test_the_corpus_is_large() -> None:
    assert len(set(corpus.refused())) + len(corpus.HARMLESS) + len(corpus.TABLES) >= 300


def test_rest_refuses_every_escape_by_name(service: RunningService, canary: Canary) -> None:
    leaks, answered, internal = [], [], []
    for statement in corpus.refused():
        sql = canary.filled(statement)
        code, text = asked(service, sql)
        if MARK in text.replace(sql, ""):
            leaks.append(sql)
        if code is None:
            answered.append(sql)
        elif code == INTERNAL:
            internal.append((sql, text))
    assert leaks == []
    assert internal == []
    assert {canary.filled(one) for one in MAY_ANSWER} >= set(answered)
    assert canary.calls == []
    assert list(canary.file.parent.iterdir()) == [canary.file]


MAY_ANSWER = (
    "SELECT version()",
    "BEGIN TRANSACTION",
    "USE stolen",
    "SELECT 'a' 'b', content FROM read_text('{file}')",
)
"""What Trino has too, and what means something else to it."""


def test_what_only_looks_dangerous_is_answered(service: RunningService, canary: Canary) -> None:
    failed = {
        sql: answer
        for sql in map(canary.filled, corpus.HARMLESS)
        if (answer := asked(service, sql))[0] not in (None, "INVALID_FUNCTION_ARGUMENT")
    }
    assert failed == {}
    assert canary.calls == []


def test_tables_reach_only_their_own_objects(service: RunningService, canary: Canary) -> None:
    for number, end in enumerate(corpus.TABLES):
        name = f"odd_{number}"
        made, text = asked(service, canary.filled(f"CREATE EXTERNAL TABLE {name} (a string) {end}"))
        read, rows = asked(service, f"SELECT * FROM {name}")
        assert MARK not in text + rows, end
        assert INTERNAL not in (made, read), (end, text, rows)
    assert canary.calls == []


def test_keys_are_opaque(service: RunningService) -> None:
    asked(service, "CREATE EXTERNAL TABLE odd_keys (a string) LOCATION 's3://lake/odd/'")
    code, text = asked(service, 'SELECT a, "$path" FROM odd_keys')
    assert code is None, text
    assert "brackets" in text
    assert "s3://lake/odd/b[12].csv" in text


CATALOG = "awsdatacatalog"
SAMPLE = slice(None, None, 7)


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


@pytest.mark.parametrize("ask", [over_trino, over_athena, over_postgresql, over_flight])
def test_the_other_wires_tell_nothing_either(
    service: RunningService, canary: Canary, ask: Any
) -> None:
    for statement in corpus.refused()[SAMPLE]:
        sql = canary.filled(statement)
        text = ask(service, sql)
        assert MARK not in text.replace(sql, ""), sql
        assert "Traceback" not in text, sql
    assert canary.calls == []
    assert list(canary.file.parent.iterdir()) == [canary.file]


def test_the_service_is_still_well(service: RunningService) -> None:
    assert asked(service, "SELECT b FROM t")[1].count("Ada") == 1
    with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), 5):
        pass
