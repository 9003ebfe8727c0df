"""Partitions of a running service: which are read, what is told of them."""

from __future__ import annotations

import pytest

from querysvc.client import ServiceError
from tests.end_to_end.conftest import BUCKET, orders, until
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server


def scanned(service: RunningService, sql: str) -> tuple[object, int, int]:
    execution = service.client.run(sql, database="shop")
    ((value,),) = service.client.rows(execution["id"])
    statistics = execution["statistics"]
    return value, statistics["scanned_partitions"], statistics["total_partitions"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("day_of_month(day) = 2 AND year(day) = 2024", (1000, 1, 2)),
        ("CAST(day AS varchar) LIKE '%-01'", (1000, 1, 2)),
        ("day = DATE '2024-01-01' + INTERVAL '1' DAY", (1000, 1, 2)),
        ("date_trunc('month', day) = DATE '2024-02-01'", (0, 0, 2)),
        ("day = DATE '2024-01-01' OR day_of_week(day) = 7", (1000, 1, 2)),
        ("date_format(day, '%d') IN ('01', '02')", (2000, 2, 2)),
        ("day < current_date", (2000, 2, 2)),
        ("1 / (day_of_month(day) - 3) < 0", (1000, 1, 2)),
        ("try(1 / (day_of_month(day) - 2)) IS NULL", (1000, 1, 2)),
    ],
)
def test_predicates_over_keys_are_evaluated_before_anything_is_listed(
    service: RunningService, condition: str, expected: tuple[object, int, int]
) -> None:
    assert scanned(service, f"SELECT count(*) FROM orders WHERE {condition}") == expected


def test_a_predicate_that_fails_on_a_partition_fails_the_query(service: RunningService) -> None:
    with pytest.raises(ServiceError, match="DIVISION_BY_ZERO"):
        scanned(service, "SELECT count(*) FROM orders WHERE 1 / (day_of_month(day) - 2) < 0")


def rows(service: RunningService, sql: str) -> list[list[object]]:
    execution = service.client.run(sql, database="shop")
    return list(service.client.rows(execution["id"])) if execution["columns"] else []


def test_a_tables_partitions_and_properties_are_tables(service: RunningService) -> None:
    assert rows(service, 'SELECT * FROM "orders$partitions" ORDER BY 1') == [
        ["2024-01-01"],
        ["2024-01-02"],
    ]
    assert rows(service, 'SELECT day FROM "orders$partitions" WHERE day_of_month(day) = 2') == [
        ["2024-01-02"]
    ]
    assert rows(service, 'SELECT * FROM "people$properties"') == [["TRUE", "1"]]
    with pytest.raises(ServiceError, match=r"Table 'awsdatacatalog.shop.people\$partitions' does"):
        rows(service, 'SELECT * FROM "people$partitions"')


def test_folders_become_partitions_by_themselves(service: RunningService, s3: S3Server) -> None:
    rows(
        service,
        """CREATE EXTERNAL TABLE found (id bigint, amount decimal(10,2), note string)
           PARTITIONED BY (region string, n int) STORED AS PARQUET LOCATION 's3://data/found/'
           TBLPROPERTIES ('partition_discovery' = 'auto')""",
    )
    client = s3.client()

    def put(region: str, n: int) -> None:
        key = f"found/region={region}/n={n}/part.parquet"
        client.put_object(Bucket=BUCKET, Key=key, Body=orders(10))

    put("a%2Fb", 1)
    put("eu", 2)
    query = "SELECT region, n, count(*) FROM found GROUP BY 1, 2 ORDER BY 1"
    assert rows(service, query) == [["a/b", 1, 10], ["eu", 2, 10]]
    assert rows(service, 'SELECT region FROM "found$partitions" WHERE n = 2') == [["eu"]]
    # Registered elsewhere: the registered location is the partition's.
    rows(
        service,
        "ALTER TABLE found ADD PARTITION (region='eu', n=2) LOCATION 's3://data/found/none/'",
    )
    assert rows(service, query) == [["a/b", 1, 10]]
    rows(service, "ALTER TABLE found DROP PARTITION (region='eu', n=2)")
    put("us", 3)
    execution = service.client.run("SELECT count(*) FROM found WHERE n >= 2", database="shop")
    told = execution["warnings"]
    answer = list(service.client.rows(execution["id"]))
    # Within the listing's validity the answer is of that listing, and says so.
    assert (answer, bool(told)) in (([[10]], True), ([[20]], False))
    assert not told or "partition_discovery = auto" in told[0]
    until(lambda: rows(service, "SELECT count(*) FROM found WHERE n >= 2") == [[20]])
    rows(service, "DROP TABLE found")
