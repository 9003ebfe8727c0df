"""Writes over REST: readers see all of one or none, and what is lost is cleared."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from querysvc.client import ServiceError
from tests.end_to_end.conftest import ENDLESS, until
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server

MANY = "(SELECT h * 1000 + l AS n FROM UNNEST(sequence(0, 49)) a(h), UNNEST(sequence(0, 999)) b(l))"
ROWS = 50_000


TYPES = """SELECT * FROM (VALUES
 (1, 'a b', ARRAY['x', 'y'], MAP(ARRAY[CAST('k' AS varchar)], ARRAY[1]),
  CAST(ROW(1, 'q') AS ROW(a integer, b varchar)), 1.5e0, REAL '2.5', DECIMAL '1.10', true,
  DATE '2020-01-01', TIMESTAMP '2020-01-01 01:02:03.456', CAST('a' AS char(3)), to_utf8('AB')),
 (NULL, '', ARRAY[], MAP(), NULL, 1e10, REAL '1e10', NULL, NULL, DATE '1850-01-01',
  TIMESTAMP '1960-01-01 01:02:03.000', NULL, NULL),
 (3, 'é"\\', ARRAY[NULL, 'z'], MAP(ARRAY[CAST('k' AS varchar), 'l'], ARRAY[NULL, 2]),
  CAST(ROW(NULL, NULL) AS ROW(a integer, b varchar)), -1e-7, REAL '-0.1', DECIMAL '-0.01', false,
  DATE '2024-02-29', TIMESTAMP '2024-02-29 23:59:59.999', 'abc', X'')
) t(i, v, a, m, r, d, f, n, b, day, t, c, x)"""


def count(service: RunningService, table: str) -> int:
    query_id = service.client.run(f"SELECT count(*) FROM {table}")["id"]
    ((found,),) = service.client.rows(query_id)
    return int(found)


@pytest.fixture(scope="module")
def table(service: RunningService) -> str:
    service.client.run("CREATE DATABASE IF NOT EXISTS made LOCATION 's3://data/made/'")
    service.client.run("DROP TABLE IF EXISTS made.seen")
    service.client.run(
        "CREATE TABLE made.seen WITH (partitioned_by = ARRAY['p']) AS"
        f" SELECT n, n % 5 AS p FROM {MANY}"
    )
    return "made.seen"


@pytest.mark.parametrize("form", ["PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE"])
def test_every_type_is_read_as_it_was_written(
    service: RunningService, table: str, form: str
) -> None:
    all_but_binary = TYPES.replace("SELECT *", "SELECT i, v, a, m, r, d, f, n, b, day, t, c")
    rows = all_but_binary if form == "JSON" else TYPES
    made = f"made.types_{form.lower()}"
    service.client.run(
        f"CREATE TABLE {made} WITH (format = '{form}', external_location = 's3://data/{made}/')"
        f" AS {rows}"
    )
    assert count(service, f"(SELECT * FROM {made} INTERSECT {rows}) x") == 3


@pytest.mark.timeout(120)
def test_readers_see_all_of_an_insert_or_none(service: RunningService, table: str) -> None:
    seen: list[int] = []
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            seen.append(count(service, table))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(3):
            service.client.run(
                f"INSERT INTO {table} SELECT n, IF(n % 2 = 0, {number + 100}, n % 5) FROM {MANY}"
            )
    finally:
        is_done.set()
        reader.join()
    assert seen == sorted(seen)
    assert {found % ROWS for found in seen} == {0}
    assert count(service, table) == 4 * ROWS


def test_objects_of_a_write_that_runs_are_hidden(
    service: RunningService, s3: S3Server, table: str
) -> None:
    before = count(service, table)
    insert = service.client.submit(f"INSERT INTO {table} SELECT count(*), 1 FROM ({ENDLESS}) t")
    query_id = insert["id"]
    until(lambda: service.client.query(query_id)["state"] == "RUNNING")
    client = s3.client()
    (whole, *_) = client.list_objects_v2(Bucket="data", Prefix="made/seen/p=1/")["Contents"]
    copy = f"made/seen/p=1/{query_id}_half"

    def place_and_count() -> int:
        client.copy_object(
            Bucket="data", Key=copy, CopySource={"Bucket": "data", "Key": whole["Key"]}
        )
        return count(service, table)

    until(lambda: place_and_count() == before)
    service.client.cancel(query_id)
    until(lambda: service.client.query(query_id)["state"] == "CANCELLED")
    client.delete_object(Bucket="data", Key=copy)
    assert count(service, table) == before


def test_a_table_goes_to_its_databases_location(
    service: RunningService, s3: S3Server, table: str
) -> None:
    keys = [
        entry["Key"]
        for entry in s3.client().list_objects_v2(Bucket="data", Prefix="made/")["Contents"]
    ]
    assert all(key.startswith("made/seen/p=") for key in keys)
    service.client.run("CREATE DATABASE IF NOT EXISTS placeless")
    answer = service.client.submit("CREATE TABLE placeless.x AS SELECT 1 AS n", wait_seconds=10)
    assert answer["error"]["code"] == "INVALID_TABLE_PROPERTY"


def test_the_cost_of_a_write_is_that_of_its_query(service: RunningService, table: str) -> None:
    query = f"SELECT sum(n) AS n FROM {table}"
    estimates = [
        service.client.post("/v1/estimate", {"sql": sql})
        for sql in (query, f"CREATE TABLE made.other AS {query}")
    ]
    assert estimates[0]["scanned_bytes"] == estimates[1]["scanned_bytes"] > 0


@pytest.mark.parametrize("form", ["PARQUET", "JSON"])
def test_rows_of_a_bucket_are_in_its_one_file(
    service: RunningService, table: str, form: str
) -> None:
    name = f"made.bucketed_{form.lower()}"
    service.client.run(
        f"CREATE TABLE {name} WITH (format = '{form}', bucketed_by = ARRAY['note'],"
        " bucket_count = 5, partitioned_by = ARRAY['day']) AS"
        " SELECT id, note, day FROM shop.orders"
    )

    def rows(sql: str) -> list[list[Any]]:
        return list(service.client.rows(service.client.run(sql)["id"]))

    counted = 'SELECT count(*), count(DISTINCT "$path"), count(DISTINCT "$bucket") FROM '
    assert rows(counted + name) == [[2000, 10, 5]]
    scattered = f'SELECT note, day FROM {name} GROUP BY 1, 2 HAVING count(DISTINCT "$bucket") > 1'
    assert rows(scattered) == []
    assert "INTO 5 BUCKETS" in repr(rows(f"SHOW CREATE TABLE {name}"))
    with pytest.raises(ServiceError, match="INSERT into the bucketed table"):
        service.client.run(f"INSERT INTO {name} VALUES (1, 'x', DATE '2024-01-01')")
