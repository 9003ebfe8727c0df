"""awswrangler, unmodified: Athena and Glue through their endpoint settings."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.clients.aws.conftest import BUCKET, OUTPUT, REGION, Aws
from tests.support.s3 import S3Server, find_versitygw

wr = pytest.importorskip("awswrangler")
pd = pytest.importorskip("pandas")
# awswrangler uses what its own dependencies deprecate.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def session(s3: S3Server, aws: Aws) -> Iterator[Any]:
    """A session whose keys S3 knows too: awswrangler has one session for all services."""
    wr.config.athena_endpoint_url = aws.service.url
    wr.config.glue_endpoint_url = aws.service.url
    wr.config.sts_endpoint_url = aws.service.url
    wr.config.s3_endpoint_url = s3.url
    _tell_keys(s3, aws)
    yield boto3.Session(
        aws_access_key_id=aws.access_key,
        aws_secret_access_key=aws.secret_key,
        region_name=REGION,
    )
    for name in ("athena", "glue", "sts", "s3"):
        setattr(wr.config, f"{name}_endpoint_url", None)


def _tell_keys(s3: S3Server, aws: Aws) -> None:
    binary = find_versitygw()
    assert binary is not None, "the S3 server runs"
    command = [binary, "admin", "--access", s3.access_key, "--secret", s3.secret_key]
    command += ["--endpoint-url", s3.url, "create-user", "--role", "admin"]
    command += ["--access", aws.access_key, "--secret", aws.secret_key]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def test_a_query_without_ctas_becomes_a_frame(session: Any, shop: str) -> None:
    frame = wr.athena.read_sql_query(
        "SELECT id, name, born FROM people ORDER BY id",
        database="shop",
        ctas_approach=False,
        boto3_session=session,
        athena_cache_settings={"max_cache_seconds": 0},
    )
    assert frame["id"].tolist() == [1, 2, 3]
    assert frame["name"].tolist()[:1] == ["Ada"]
    assert frame["born"].tolist()[0] == datetime.date(1815, 12, 10)


def test_ctas_and_unload_fail_clearly(session: Any, shop: str) -> None:
    for mode in ({"ctas_approach": True}, {"ctas_approach": False, "unload_approach": True}):
        with pytest.raises(wr.exceptions.QueryFailed, match="NOT_SUPPORTED"):
            wr.athena.read_sql_query(
                "SELECT id FROM people",
                database="shop",
                s3_output=f"{OUTPUT}unload/",
                boto3_session=session,
                **mode,
            )


def test_a_written_dataset_is_a_table_that_can_be_queried(session: Any, shop: str) -> None:
    frame = pd.DataFrame({"id": [1, 2, 3], "price": [0.5, 1.5, None], "day": ["a", "b", "b"]})
    for mode in ("overwrite", "append"):
        wr.s3.to_parquet(
            frame,
            path=f"s3://{BUCKET}/written/",
            dataset=True,
            mode=mode,
            database="shop",
            table="written",
            partition_cols=["day"],
            glue_table_settings={
                "description": "made by awswrangler",
                "columns_comments": {"id": "the key"},
            },
            boto3_session=session,
        )
    found = wr.athena.read_sql_query(
        "SELECT day, count(*) AS n, sum(price) AS total FROM written GROUP BY day ORDER BY day",
        database="shop",
        ctas_approach=False,
        boto3_session=session,
    )
    assert found.to_dict("list") == {"day": ["a", "b"], "n": [2, 4], "total": [1.0, 3.0]}
    types = wr.catalog.get_table_types("shop", "written", boto3_session=session)
    assert types == {"id": "bigint", "price": "double", "day": "string"}
    partitions = wr.catalog.get_parquet_partitions("shop", "written", boto3_session=session)
    assert sorted(partitions.values()) == [["a"], ["b"]]
    comments = wr.catalog.get_columns_comments("shop", "written", boto3_session=session)
    assert comments["id"] == "the key"
    assert wr.catalog.delete_table_if_exists("shop", "written", boto3_session=session)
    assert not wr.catalog.does_table_exist("shop", "written", boto3_session=session)


def test_the_catalog_is_listed_and_searched(session: Any, shop: str) -> None:
    names = [t["Name"] for t in wr.catalog.get_tables(database="shop", boto3_session=session)]
    assert names == ["numbers", "people"]
    found = wr.catalog.search_tables(text="who", boto3_session=session)
    assert [t["Name"] for t in found] == ["people"]
    some = wr.catalog.get_tables(database="shop", name_contains="eopl", boto3_session=session)
    assert [t["Name"] for t in some] == ["people"]
    frame = wr.catalog.table(database="shop", table="people", boto3_session=session)
    assert frame["Column Name"].tolist() == ["id", "name", "born"]
    wr.catalog.create_database("wr_made", exist_ok=True, boto3_session=session)
    assert "wr_made" in wr.catalog.databases(boto3_session=session)["Database"].tolist()
    wr.catalog.delete_database("wr_made", boto3_session=session)


def test_statements_are_described_and_waited_for(session: Any, shop: str) -> None:
    query_id = wr.athena.start_query_execution("SELECT 1", database="shop", boto3_session=session)
    assert wr.athena.wait_query(query_id, boto3_session=session)["Status"]["State"] == "SUCCEEDED"
    frame = wr.athena.describe_table(table="people", database="shop", boto3_session=session)
    assert frame["Column Name"].tolist() == ["id", "name", "born"]
    wr.athena.create_prepared_statement("SELECT ?", "wr_one", boto3_session=session)
    listed = wr.athena.list_prepared_statements(boto3_session=session)
    assert [item["StatementName"] for item in listed] == ["wr_one"]
    wr.athena.delete_prepared_statement("wr_one", boto3_session=session)
