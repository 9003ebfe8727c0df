"""An earlier result answers again only while nothing that it depends on has changed."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import BUCKET, orders
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server

SQL = "SELECT count(*) FROM shop.reused"


@pytest.fixture
def table(service: RunningService, s3: S3Server) -> str:
    s3.client().put_object(Bucket=BUCKET, Key="reused/a.parquet", Body=orders())
    service.client.run(
        """CREATE EXTERNAL TABLE IF NOT EXISTS shop.reused (id bigint)
           STORED AS PARQUET LOCATION 's3://data/reused/'"""
    )
    service.client.run(SQL)
    return "reused"


def run(service: RunningService, sql: str = SQL, **options: object) -> tuple[bool, list[object]]:
    options = {"result_reuse_age_max_minutes": 60, **options}
    execution = service.client.run(sql, **options)
    if execution["reused_previous_result"]:
        assert execution["statistics"]["scanned_bytes"] == 0
    return execution["reused_previous_result"], list(service.client.rows(execution["id"]))


def test_an_equal_query_is_answered_without_reading(service: RunningService, table: str) -> None:
    assert run(service) == (True, [[1000]])
    assert run(service, "select  COUNT(*)\nfrom shop.reused -- again") == (True, [[1000]])


def test_age_zero_runs(service: RunningService, table: str) -> None:
    assert run(service, result_reuse_age_max_minutes=0) == (False, [[1000]])


@pytest.mark.parametrize("change", ["add", "replace", "delete"])
def test_any_change_of_the_objects_runs(
    service: RunningService, s3: S3Server, table: str, change: str
) -> None:
    client = s3.client()
    client.put_object(Bucket=BUCKET, Key=f"reused/{change}.parquet", Body=orders())
    assert run(service) == (False, [[2000]])
    assert run(service) == (True, [[2000]])
    match change:
        case "add":
            client.put_object(Bucket=BUCKET, Key="reused/more.parquet", Body=orders())
            expected = 3000
        case "replace":
            client.put_object(Bucket=BUCKET, Key="reused/replace.parquet", Body=orders(10))
            expected = 1010
        case _:
            client.delete_object(Bucket=BUCKET, Key="reused/a.parquet")
            expected = 1000
    assert run(service) == (False, [[expected]])
    for key in (f"{change}.parquet", "more.parquet"):
        client.delete_object(Bucket=BUCKET, Key=f"reused/{key}")


@pytest.mark.parametrize(
    "other",
    [
        "SELECT count(*) AS n FROM shop.reused",
        "SELECT count(id) FROM shop.reused",
        "SELECT count(*) FROM shop.reused WHERE id < 1000",
    ],
)
def test_another_question_runs(service: RunningService, table: str, other: str) -> None:
    assert run(service, other)[0] is False


@pytest.mark.parametrize(
    "sql", ["SELECT now()", "SELECT random()", "SELECT current_date", "SELECT uuid()"]
)
def test_what_may_differ_from_run_to_run_runs(service: RunningService, sql: str) -> None:
    service.client.run(sql)
    assert run(service, sql)[0] is False


def test_parameters_and_the_zone_belong_to_the_question(service: RunningService) -> None:
    sql = "SELECT ? + 1, CAST(TIMESTAMP '2024-01-01 00:00:00 UTC' AS timestamp)"
    assert run(service, sql, parameters=["40"])[0] is False
    assert run(service, sql, parameters=["40"])[0] is True
    assert run(service, sql, parameters=["41"])[0] is False
    assert run(service, sql, parameters=["40"], time_zone="Asia/Tokyo")[0] is False


def test_a_reused_result_outlives_the_query_that_it_came_from(
    service: RunningService, table: str
) -> None:
    execution = service.client.run(SQL, result_reuse_age_max_minutes=60)
    assert execution["reused_previous_result"]
    for suffix in ("arrow", "index"):
        for path in service.state_dir.rglob(f"*.{suffix}"):
            if not path.name.startswith(execution["id"]):
                path.unlink()
    assert list(service.client.rows(execution["id"])) == [[1000]]


def test_the_command_line_takes_a_result_of_an_age(service: RunningService, table: str) -> None:
    done = service.cli("query", SQL, "--reuse-minutes", "60")
    assert (done.returncode, b"an earlier result" in done.stderr) == (0, True), done.stderr
