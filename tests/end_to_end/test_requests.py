"""What a query asks of S3, counted at the S3 server."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.end_to_end.conftest import BUCKET, orders
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server

DAYS, FILES = 4, 3
ROOT = f"requests-{uuid.uuid4().hex[:8]}"
PROJECTED = (
    "TBLPROPERTIES ('projection.enabled' = 'true', 'projection.day.type' = 'date',"
    " 'projection.day.range' = '2024-01-01,2024-12-31', 'projection.day.format' = 'yyyy-MM-dd')"
)


@pytest.fixture(scope="module")
def daily(service: RunningService, s3: S3Server) -> Iterator[RunningService]:
    store = s3.client()
    for number in range(DAYS * FILES):
        key = f"{ROOT}/day=2024-01-0{number % DAYS + 1}/f{number}.parquet"
        store.put_object(Bucket=BUCKET, Key=key, Body=orders(500 + number))
    service.client.run(f"CREATE DATABASE requests LOCATION 's3://{BUCKET}/{ROOT}/'")
    for name, properties in (("registered", ""), ("projected", PROJECTED)):
        service.client.run(
            f"CREATE EXTERNAL TABLE requests.{name} (id bigint, note string)"
            " PARTITIONED BY (day date) STORED AS PARQUET"
            f" LOCATION 's3://{BUCKET}/{ROOT}/' {properties}"
        )
    service.client.run("MSCK REPAIR TABLE requests.registered")
    yield service
    service.client.run("DROP DATABASE requests CASCADE")


@pytest.mark.parametrize(("table", "day"), [("registered", 2), ("projected", 3)])
def test_a_filter_on_one_day_asks_for_that_days_objects_alone(
    daily: RunningService, s3: S3Server, table: str, day: int
) -> None:
    assert s3.log is not None
    before = s3.log.stat().st_size
    sql = f"SELECT count(note) FROM {table} WHERE day = DATE '2024-01-0{day}'"
    statistics = daily.client.run(sql, database="requests")["statistics"]
    asked = [one for one in s3.requests(before) if one[2].find("prefix=") >= 0 or ROOT in one[1]]
    objects = Counter(path for method, path, _ in asked if method == "GET" and ROOT in path)
    listed = {query for _method, path, query in asked if ROOT not in path}
    folder = f"{ROOT}/day=2024-01-0{day}/"
    assert set(objects) == {
        f"/{BUCKET}/{folder}f{number}.parquet"
        for number in range(DAYS * FILES)
        if number % DAYS + 1 == day
    }
    assert statistics["total_files"] == FILES
    assert len(listed) == 1
    assert f"day%3D2024-01-0{day}" in min(listed) or f"day=2024-01-0{day}" in min(listed)
