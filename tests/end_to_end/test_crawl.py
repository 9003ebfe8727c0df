"""Crawling a bucket: the tables that it proposes are made, and read."""

from __future__ import annotations

import pytest

from querysvc.client import ServiceError
from tests.support.running_service import RunningService


@pytest.fixture(scope="module")
def crawled(service: RunningService) -> str:
    service.client.run("CREATE DATABASE IF NOT EXISTS crawled")
    return "crawled"


def test_ddl_is_printed_first_and_changes_nothing(service: RunningService, crawled: str) -> None:
    done = service.cli("crawl", "s3://data/orders/", "--database", crawled)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert text.startswith("-- crawled.orders: 2 objects, ")
    assert "CREATE EXTERNAL TABLE `orders`(\n  `id` bigint,\n  `amount` decimal(10,2)," in text
    assert "PARTITIONED BY (\n  `day` date)" in text
    assert "MSCK REPAIR TABLE crawled.orders;" in text
    assert "'projection.day.range' = '2024-01-01,2024-01-02'" in text
    with pytest.raises(ServiceError, match="does not exist"):
        service.client.run("SELECT * FROM crawled.orders")


def test_applied_tables_answer(service: RunningService, crawled: str) -> None:
    for name in ("orders", "people", "events"):
        done = service.cli("crawl", f"s3://data/{name}/", "--apply", "--database", crawled)
        assert done.returncode == 0, done.stderr

    def rows(sql: str) -> list[list[object]]:
        execution = service.client.run(sql, database=crawled)
        return list(service.client.rows(execution["id"]))

    assert rows("SELECT count(*), min(day) FROM orders") == [[2000, "2024-01-01"]]
    assert rows("SELECT id, name, born FROM people ORDER BY id") == [
        [1, "Ada", "1815-12-10"],
        [2, "", None],
    ]
    assert rows("SELECT kind, tags FROM events ORDER BY 1") == [["click", ["a", "b"]], [None, []]]


def test_a_table_can_be_named_and_damage_is_told(service: RunningService) -> None:
    found = service.client.post("/v1/crawl", {"location": "s3://data/orders", "table": "o"})
    (table,) = found["tables"]
    assert (table["table"]["name"], table["partitions"], found["is_applied"]) == ("o", 2, False)
    with pytest.raises(ServiceError, match="No sampled object can be read"):
        service.client.post("/v1/crawl", {"location": "s3://data/truncated/"})


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("s3://data/none/", "INVALID_REQUEST"),
        ("s3://no-such-bucket/x/", "BUCKET_NOT_FOUND"),
        ("file:///etc/", "INVALID"),
    ],
)
def test_nothing_to_crawl_is_told(service: RunningService, location: str, code: str) -> None:
    with pytest.raises(ServiceError, match=code):
        service.client.post("/v1/crawl", {"location": location})


def test_a_table_that_is_well_has_no_findings(service: RunningService, crawled: str) -> None:
    service.cli("crawl", "s3://data/orders/", "--apply", "-d", crawled, "--table", "well")
    done = service.cli("doctor", "table", "crawled.well")
    assert (done.returncode, b"nothing is wrong" in done.stdout) == (0, True), done.stdout


def test_what_is_wrong_with_a_table_comes_with_what_mends_it(
    service: RunningService, crawled: str
) -> None:
    service.client.run(
        """CREATE EXTERNAL TABLE crawled.ill (id int, gone string)
           PARTITIONED BY (day date) STORED AS PARQUET LOCATION 's3://data/orders/'"""
    )
    service.client.run("ALTER TABLE crawled.ill ADD PARTITION (day = '2024-01-01')")
    service.client.run("ALTER TABLE crawled.ill ADD PARTITION (day = '1999-01-01')")
    done = service.cli("doctor", "table", "crawled.ill")
    assert done.returncode == 1, done.stderr
    text = done.stdout.decode()
    for told in (
        "1 folders are no partitions, such as day=2024-01-02",
        "MSCK REPAIR TABLE crawled.ill;",
        "partitions without objects",
        "ALTER TABLE crawled.ill DROP PARTITION (day = '1999-01-01');",
        "no sampled object has gone",
        "ALTER TABLE crawled.ill ADD COLUMNS (`amount` decimal(10,2), `note` string);",
        "column id is declared int, the objects hold bigint",
        "ALTER TABLE crawled.ill CHANGE COLUMN `id` `id` bigint;",
    ):
        assert told in text
    for _ in ("the table", "its partitions, which then declare other columns"):
        for line in text.splitlines():
            if line.startswith("    "):
                service.client.run(line.strip("; "))
        text = service.cli("doctor", "table", "crawled.ill").stdout.decode()
    assert text.count("!") == 1, "the column without data is left"


def test_doctor_still_takes_settings(service: RunningService) -> None:
    done = service.cli("doctor", "table")
    assert done.returncode != 0
