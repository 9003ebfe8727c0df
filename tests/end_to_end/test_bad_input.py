"""Bad input over REST and the command line: a clear error, and the service goes on."""

from __future__ import annotations

import re

import httpx
import pytest

from querysvc.client import ServiceError
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, free_port

TOO_LONG = "SELECT '" + "x" * (262_145 - 9) + "'"

CASES = [
    ("SELECT * FROM nosuch", "TABLE_NOT_FOUND", "line 1:15: Table 'awsdatacatalog.shop.nosuch'", 1),
    ("SELECT x FROM people", "COLUMN_NOT_FOUND", "line 1:8: Column 'x' cannot be resolved", 1),
    ("SELECT nosuch(1)", "FUNCTION_NOT_FOUND", "line 1:8: Function 'nosuch' not registered", 1),
    ("SELEC 1", "SYNTAX_ERROR", "line 1:1: mismatched input 'SELEC'", 1),
    ("SELECT 1,\n  FROM people", "SYNTAX_ERROR", "line 2:3: mismatched input 'FROM'", 1),
    ("SELECT 1/0", "DIVISION_BY_ZERO", "", 1),
    ("SELECT * FROM nowhere", "BUCKET_NOT_FOUND", "no-such-bucket", 2),
    ("SELECT * FROM truncated", "HIVE_BAD_DATA", "s3://data/truncated/part.parquet", 2),
    (TOO_LONG, "QUERY_TEXT_TOO_LARGE", "262144", 1),
]


@pytest.mark.parametrize(("sql", "code", "text", "exit_code"), CASES, ids=[c[1] for c in CASES])
def test_statement_is_refused_by_name(
    service: RunningService, sql: str, code: str, text: str, exit_code: int
) -> None:
    with pytest.raises(ServiceError) as raised:
        service.client.run(sql, database="shop")
    assert raised.value.code == code
    assert text in str(raised.value)
    told = service.cli("query", "-d", "shop", stdin=sql.encode())
    assert told.returncode == exit_code, told.stderr
    assert code in told.stderr.decode()
    assert text in told.stderr.decode()
    assert told.stdout == b""
    assert service.client.run("SELECT 1")["state"] == "SUCCEEDED"


def test_bad_csv_value_is_named_with_file_line_column_and_value(service: RunningService) -> None:
    with pytest.raises(ServiceError) as raised:
        service.client.run("SELECT sum(id) FROM bad_csv", database="shop")
    assert raised.value.code == "HIVE_BAD_DATA"
    for part in ("s3://data/bad_csv/rows.csv", "line 3", "id", "five"):
        assert part in raised.value.message, raised.value.message


def test_malformed_utf8_is_refused(service: RunningService) -> None:
    response = httpx.post(
        f"{service.url}/v1/queries",
        content=b'{"sql": "SELECT \xff\xfe"}',
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    told = service.cli("query", stdin=b"SELECT '\xff'")
    assert told.returncode == 1
    assert b"UTF-8" in told.stderr


@pytest.mark.parametrize("body", [b"", b"[]", b'{"sql": 5}', b'{"sql": "SELECT 1", "nosuch": 1}'])
def test_malformed_request_is_a_problem_document(service: RunningService, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = httpx.post(f"{service.url}/v1/queries", content=body, headers=headers)
    assert response.status_code == 400
    problem = response.json()
    assert (problem["code"], problem["status"]) == ("INVALID_REQUEST", 400)


def test_unknown_query_and_path_are_not_found(service: RunningService) -> None:
    for path in ("/v1/queries/nosuch", "/v1/queries/nosuch/results", "/v1/nosuch"):
        response = httpx.get(service.url + path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


def test_wrong_credentials_are_told(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("wrong")
    with running_service(
        s3.url, state, s3_access_key_id="nobody", s3_secret_access_key="wrong"
    ) as wrong:
        wrong.client.run(
            "CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://data/x/'"
        )
        with pytest.raises(ServiceError) as raised:
            wrong.client.run("SELECT * FROM t")
        assert raised.value.code in ("INVALID_CREDENTIALS", "ACCESS_DENIED")
        assert wrong.client.run("SELECT 1")["state"] == "SUCCEEDED"


def test_unreachable_s3_is_told_and_the_service_goes_on(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("down")
    with running_service(endpoint, folder, s3_attempts_max=2) as alone:
        alone.client.run("CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://b/x/'")
        with pytest.raises(ServiceError) as raised:
            alone.client.run("SELECT * FROM t")
        assert raised.value.code == "STORAGE_UNAVAILABLE"
        assert endpoint.removeprefix("http://") in raised.value.message
        assert alone.client.run("SELECT 1")["state"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT amout FROM shop.orders", "Did you mean amount?"),
        ("SELECT * FROM shop.ordes", "Did you mean orders?"),
        ("SELECT substring_('a', 1)", "Did you mean substring"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_like(
    service: RunningService, sql: str, told: str
) -> None:
    with pytest.raises(ServiceError, match=re.escape(told)):
        service.client.run(sql)
    done = service.cli("query", sql)
    assert (done.returncode, told.encode() in done.stderr) == (1, True), done.stderr
    with pytest.raises(ServiceError, match=re.escape(told)):
        service.client.post("/v1/validate", {"sql": sql})
