"""Glue's crawlers through boto3: made, run over real objects, stopped, changed and deleted."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients.aws.conftest import BUCKET
from tests.clients.aws.test_glue import code_of
from tests.support.s3 import S3Server

Crawl = Callable[..., dict[str, Any]]
HIVE_ROW = b'{"id": 1, "name": "a"}\n'


@pytest.fixture
def place(s3: S3Server) -> str:
    """A prefix of one test's own, with two tables: one partitioned, one of CSV."""
    prefix = f"crawled/{uuid.uuid4().hex[:8]}"
    client = s3.client()
    for day in ("2024-01-01", "2024-01-02"):
        client.put_object(
            Bucket=BUCKET, Key=f"{prefix}/events/day={day}/a.json", Body=HIVE_ROW * 20
        )
    people = b"id,name\n" + b"".join(b"%d,n%d\n" % (n, n) for n in range(30))
    client.put_object(Bucket=BUCKET, Key=f"{prefix}/people/p.csv", Body=people)
    client.put_object(Bucket=BUCKET, Key=f"{prefix}/people/skip.tmp", Body=b"\x00\x01")
    return prefix


@pytest.fixture
def crawler(glue: Any, place: str) -> Iterator[dict[str, Any]]:
    """A crawler over that prefix, and its request."""
    name = f"c-{place[-8:]}"
    request = {
        "Name": name,
        "Role": "arn:aws:iam::000000000000:role/glue",
        "DatabaseName": f"db_{place[-8:]}",
        "Targets": {"S3Targets": [{"Path": f"s3://{BUCKET}/{place}", "Exclusions": ["**.tmp"]}]},
        "TablePrefix": "raw_",
    }
    glue.create_crawler(**request, Tags={"team": "x"})
    yield request
    glue.delete_crawler(Name=name)
    with contextlib.suppress(glue.exceptions.EntityNotFoundException):
        glue.delete_database(Name=request["DatabaseName"])


@pytest.fixture
def crawl(glue: Any, crawler: dict[str, Any]) -> Crawl:
    """Change the crawler, run it to its end, and give it as it then is."""

    def run(**changes: Any) -> dict[str, Any]:
        name = crawler["Name"]
        if changes:
            glue.update_crawler(Name=name, **changes)
        glue.start_crawler(Name=name)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found: dict[str, Any] = glue.get_crawler(Name=name)["Crawler"]
            if found["State"] == "READY":
                return found
            time.sleep(0.02)
        raise AssertionError("the crawl did not end")

    return run


def test_a_crawl_makes_tables_that_queries_read(
    glue: Any, crawl: Crawl, crawler: dict[str, Any], run: Callable[..., Any]
) -> None:
    found = crawl()
    assert found["LastCrawl"]["Status"] == "SUCCEEDED", found["LastCrawl"]
    database = crawler["DatabaseName"]
    tables = {t["Name"]: t for t in glue.get_tables(DatabaseName=database)["TableList"]}
    assert sorted(tables) == ["raw_events", "raw_people"]
    assert [k["Name"] for k in tables["raw_events"]["PartitionKeys"]] == ["day"]
    parameters = tables["raw_people"]["Parameters"]
    assert parameters["UPDATED_BY_CRAWLER"] == crawler["Name"]
    assert (parameters["classification"], parameters["objectCount"]) == ("csv", "1")
    (metrics,) = glue.get_crawler_metrics(CrawlerNameList=[crawler["Name"]])["CrawlerMetricsList"]
    assert (metrics["TablesCreated"], metrics["TablesUpdated"]) == (2, 0)
    assert metrics["LastRuntimeSeconds"] > 0
    counted = run(
        f"SELECT count(*), sum(id) FROM {database}.raw_events WHERE day > DATE '2024-01-01'"
    )
    assert counted["Status"]["State"] == "SUCCEEDED", counted["Status"]


def test_a_second_crawl_adds_what_is_new_and_gives_up_what_is_gone(
    glue: Any, s3: S3Server, crawl: Crawl, crawler: dict[str, Any], place: str
) -> None:
    crawl()
    names = {"DatabaseName": crawler["DatabaseName"]}
    before = glue.get_table(**names, Name="raw_events")["Table"]["VersionId"]
    assert crawl()["LastCrawl"]["Status"] == "SUCCEEDED"
    assert glue.get_table(**names, Name="raw_events")["Table"]["VersionId"] == before
    client = s3.client()
    client.put_object(Bucket=BUCKET, Key=f"{place}/events/day=2024-01-03/a.json", Body=HIVE_ROW)
    for name in ("p.csv", "skip.tmp"):
        client.delete_object(Bucket=BUCKET, Key=f"{place}/people/{name}")
    crawl()
    parts = glue.get_partitions(**names, TableName="raw_events")["Partitions"]
    assert [p["Values"] for p in parts] == [["2024-01-01"], ["2024-01-02"], ["2024-01-03"]]
    people = glue.get_table(**names, Name="raw_people")["Table"]["Parameters"]
    assert people["DEPRECATED_BY_CRAWLER"] == crawler["Name"]
    client.delete_object(Bucket=BUCKET, Key=f"{place}/events/day=2024-01-01/a.json")
    policy = {"UpdateBehavior": "LOG", "DeleteBehavior": "DELETE_FROM_DATABASE"}
    crawl(SchemaChangePolicy=policy)
    parts = glue.get_partitions(**names, TableName="raw_events")["Partitions"]
    assert [p["Values"] for p in parts] == [["2024-01-02"], ["2024-01-03"]]
    assert code_of(glue.get_table, **names, Name="raw_people") == "EntityNotFoundException"


def test_a_crawl_merges_columns_where_that_is_configured(
    glue: Any, s3: S3Server, crawl: Crawl, crawler: dict[str, Any], place: str
) -> None:
    crawl()
    names = {"DatabaseName": crawler["DatabaseName"], "Name": "raw_people"}
    body = b"key,name\n" + b"1,a\n2,b\n3,c\n" * 5
    s3.client().put_object(Bucket=BUCKET, Key=f"{place}/people/p.csv", Body=body)
    merging = '{"Version":1.0,"CrawlerOutput":{"Tables":{"AddOrUpdateBehavior":"MergeNewColumns"}}}'
    crawl(Configuration=merging)
    columns = glue.get_table(**names)["Table"]["StorageDescriptor"]["Columns"]
    assert [column["Name"] for column in columns] == ["id", "name", "key"]


def test_a_table_elsewhere_keeps_its_name(glue: Any, crawl: Crawl, crawler: dict[str, Any]) -> None:
    glue.create_database(DatabaseInput={"Name": crawler["DatabaseName"]})
    own = {"Name": "raw_people", "StorageDescriptor": {"Location": "s3://elsewhere/x/"}}
    glue.create_table(DatabaseName=crawler["DatabaseName"], TableInput=own)
    crawl()
    tables = glue.get_tables(DatabaseName=crawler["DatabaseName"])["TableList"]
    locations = {t["Name"]: t["StorageDescriptor"]["Location"] for t in tables}
    assert locations.pop("raw_people") == "s3://elsewhere/x/"
    assert sorted(name[:11] for name in locations) == ["raw_events", "raw_people_"]


def test_a_crawl_that_fails_says_why_and_the_crawler_is_ready_again(crawl: Crawl) -> None:
    found = crawl(Targets={"S3Targets": [{"Path": "s3://no-such-bucket/x/"}]})
    assert found["LastCrawl"]["Status"] == "FAILED"
    assert "no-such-bucket" in found["LastCrawl"]["ErrorMessage"]
    assert found["Version"] == 2


def test_a_crawler_is_listed_with_its_settings(glue: Any, crawler: dict[str, Any]) -> None:
    name = crawler["Name"]
    found = glue.get_crawler(Name=name)["Crawler"]
    assert found.items() >= {k: crawler[k] for k in ("Name", "Role", "TablePrefix")}.items()
    assert found["Targets"]["S3Targets"] == crawler["Targets"]["S3Targets"]
    assert (found["State"], found["Version"], "LastCrawl" in found) == ("READY", 1, False)
    assert name in glue.list_crawlers(Tags={"team": "x"})["CrawlerNames"]
    assert name not in glue.list_crawlers(Tags={"team": "y"})["CrawlerNames"]
    assert name in [c["Name"] for c in glue.get_crawlers()["Crawlers"]]
    many = glue.batch_get_crawlers(CrawlerNames=[name, "none"])
    assert ([c["Name"] for c in many["Crawlers"]], many["CrawlersNotFound"]) == ([name], ["none"])
    arn = f"arn:aws:glue:eu-west-1:000000000000:crawler/{name}"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"team": "x"}


def test_crawlers_answer_with_the_modelled_errors(glue: Any, crawler: dict[str, Any]) -> None:
    assert code_of(glue.create_crawler, **crawler) == "AlreadyExistsException"
    missing = {"Name": "none"}
    for call in (glue.get_crawler, glue.start_crawler, glue.stop_crawler, glue.delete_crawler):
        assert code_of(call, **missing) == "EntityNotFoundException"
    assert code_of(glue.update_crawler, **missing) == "EntityNotFoundException"
    name = {"Name": crawler["Name"]}
    assert code_of(glue.stop_crawler, **name) == "CrawlerNotRunningException"
    schedule = {"CrawlerName": crawler["Name"]}
    assert code_of(glue.start_crawler_schedule, **schedule) == "NoScheduleException"
    assert code_of(glue.stop_crawler_schedule, **schedule) == "SchedulerNotRunningException"
    assert code_of(glue.update_crawler_schedule, **schedule) == "InvalidInputException"
    wrongs: tuple[dict[str, Any], ...] = (
        {"Schedule": "cron(0 0 * * ? *)"},
        {"Targets": {"JdbcTargets": [{"Path": "x"}]}},
        {"Targets": {"S3Targets": []}},
        {"Targets": {"S3Targets": [{"Path": "http://x"}]}},
        {"Configuration": '{"Grouping": {"TableLevelConfiguration": 3}}'},
        {"Configuration": "{"},
        {"Classifiers": ["own"]},
        {"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}},
    )
    for wrong in wrongs:
        assert code_of(glue.update_crawler, **name, **wrong) == "InvalidInputException", wrong
