"""The second corpus over the wires: nothing of the host or of other objects comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import httpx
import psycopg
import pytest

from tests.faults.escape import attacks
from tests.faults.escape.cages import MARK, Canary
from tests.faults.escape.wires import WIRES, asked, service_without
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server

INTERNAL = "GENERIC_INTERNAL_ERROR"
STATE_MARKS = ("SQLite format 3", "root:x:0:", MARK)


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    limits = {"query_timeout_seconds": 2, "query_memory_bytes": 256 << 20}
    with service_without((), s3, tmp_path_factory.mktemp("state"), **limits) as running:
        yield running


@pytest.fixture(autouse=True)
def unharmed(canary: Canary) -> Iterator[None]:
    yield
    assert canary.harm() == []


def filled(canary: Canary, statement: str) -> str:
    return canary.filled(attacks.filled_in(statement))


def leaks(text: str, *sent: str) -> list[str]:
    """The marks in what came back, without what was only told back."""
    for one in sent:
        text = text.replace(one, "")
    return [mark for mark in STATE_MARKS if mark in text]


def test_the_corpus_is_large() -> None:
    made = [*attacks.VALUES, *attacks.TABLES, *attacks.views(), *attacks.glue_tables()]
    assert len([*made, *attacks.HEADERS, *attacks.PATHS, *attacks.STARTUP]) >= 150


@pytest.mark.parametrize("wire", WIRES)
def test_texts_and_names_stay_what_they_are(
    service: RunningService, canary: Canary, wire: str
) -> None:
    for statement in attacks.VALUES[list(WIRES).index(wire) :: len(WIRES)]:
        sql = filled(canary, statement)
        code, text = asked(service, sql)
        assert code != INTERNAL, (sql, text)
        assert leaks(text, sql) == [], sql
        told = "" if wire == "rest" else WIRES[wire](service, sql)
        assert leaks(told, sql) == [], sql
        assert "Traceback" not in told, sql


def test_tables_read_nothing_but_their_own_location(
    service: RunningService, canary: Canary
) -> None:
    for number, end in enumerate(attacks.TABLES):
        sql = filled(canary, f"CREATE EXTERNAL TABLE o{number} (a string) {end}")
        made, text = asked(service, sql)
        read, rows = asked(service, f"SELECT * FROM o{number} WHERE a <> 'z'")
        assert INTERNAL not in (made, read), (end, text, rows)
        assert leaks(text + rows, sql) == [], end


def glue(service: RunningService) -> Any:
    return boto3.client(
        "glue",
        endpoint_url=service.url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )


def refused(client: Any, table: dict[str, Any]) -> str | None:
    try:
        client.create_table(DatabaseName="default", TableInput=table)
    except (botocore.exceptions.ClientError, botocore.exceptions.ParamValidationError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", [attacks.views, attacks.glue_tables])
def test_what_glue_was_given_is_refused_or_read_as_it_says(
    service: RunningService, canary: Canary, kind: Any
) -> None:
    client = glue(service)
    for table in kind():
        told = fill_in(canary, table)
        refusal = refused(client, told)
        if refusal is not None:
            assert "InternalServiceException" not in refusal, told
            continue
        for sql in (f"SELECT * FROM {told['Name']}", f"SHOW CREATE TABLE {told['Name']}"):
            code, text = asked(service, sql)
            assert code != INTERNAL, (told, text)
            assert leaks(text) == [] or "SHOW" in sql, told


def fill_in(canary: Canary, value: Any) -> Any:
    """The value with the canary's addresses in each of its texts."""
    if isinstance(value, dict):
        return {key: fill_in(canary, one) for key, one in value.items()}
    if isinstance(value, list):
        return [fill_in(canary, one) for one in value]
    if not isinstance(value, str):
        return value
    return value.replace("{file}", str(canary.file)).replace("{url}", canary.url)


def test_headers_of_trinos_wire_change_no_statement(
    service: RunningService, canary: Canary
) -> None:
    for headers in attacks.HEADERS:
        told = fill_in(canary, dict(headers))
        for sql in ("EXECUTE p", "SELECT b FROM awsdatacatalog.default.t"):
            text = followed(service, sql, {"X-Trino-User": "eve", **told})
            assert leaks(text, *told.values()) == [], told
            assert INTERNAL not in text, (told, text)


def followed(service: RunningService, sql: str, headers: dict[str, str]) -> str:
    """All pages of a statement, wherever the service says that they are."""
    answer = httpx.post(f"{service.url}/v1/statement", content=sql, headers=headers, timeout=60)
    text, page = answer.text, answer.json() if answer.text.startswith("{") else {}
    while "nextUri" in page:
        path = httpx.URL(page["nextUri"]).raw_path.decode()
        answer = httpx.get(service.url + path, headers=headers, timeout=60)
        text += answer.text
        page = answer.json()
    return text


@pytest.mark.parametrize("path", attacks.PATHS)
def test_no_path_leads_to_a_file(service: RunningService, path: str) -> None:
    answer = httpx.get(service.url + path, timeout=30)
    assert answer.status_code < 500, answer.text
    assert leaks(answer.text) == []


def test_startup_options_set_nothing_of_the_hosts(service: RunningService) -> None:
    port = service.environment["QUERYSVC_TEST_PG_PORT"]
    for options in attacks.STARTUP:
        try:
            with psycopg.connect(
                host="127.0.0.1", port=port, user="eve", dbname="awsdatacatalog", options=options
            ) as connection:
                told = str(connection.execute("SELECT b FROM t").fetchall())
        except psycopg.Error as error:
            told = str(error)
        assert leaks(told) == [], options
        assert "Traceback" not in told


@pytest.mark.parametrize("location", ["file:///tmp/x/", "{url}/x/", "s3://lake/../x/", "/tmp/x"])
def test_results_go_to_s3_alone(service: RunningService, canary: Canary, location: str) -> None:
    body = {"sql": "SELECT 1", "output_location": canary.filled(location)}
    answer = httpx.post(f"{service.url}/v1/queries?wait=20", json=body, timeout=60)
    assert answer.status_code == 400 or answer.json()["output_location"].startswith("s3://lake/")
    assert not Path("/tmp/x").exists()


def test_the_service_is_still_well(service: RunningService) -> None:
    assert "Ada" in asked(service, "SELECT b FROM t")[1]
    assert "Traceback" not in service.log()
