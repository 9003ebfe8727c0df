"""awswrangler, unmodified: Athena and Glue through their endpoint settings."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.clients.aws.conftest import BUCKET, REGION, Aws
from tests.support.s3 import S3Server

wr = pytest.importorskip("awswrangler")
pd = pytest.importorskip("pandas")
# awswrangler uses what its own dependencies deprecate.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def session(s3: S3Server, aws: Aws, shared_keys: None) -> Iterator[Any]:
    """A session whose keys S3 knows too: awswrangler has one session for all services."""
    wr.config.athena_endpoint_url = aws.service.url
    wr.config.glue_endpoint_url = aws.service.url
    wr.config.sts_endpoint_url = aws.service.url
    wr.config.s3_endpoint_url = s3.url
    yield boto3.Session(
        aws_access_key_id=aws.access_key,
        aws_secret_access_key=aws.secret_key,
        region_name=REGION,
    )
    for name in ("athena", "glue", "sts", "s3"):
        setattr(wr.config, f"{name}_endpoint_url", None)


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


@pytest.mark.parametrize("mode", ["ctas_approach", "unload_approach"])
def test_a_frame_is_read_from_files_that_the_query_wrote(
    session: Any, shop: str, s3: S3Server, mode: str
) -> None:
    prefix = f"wrangled/{mode}/"
    frame = wr.athena.read_sql_query(
        "SELECT id, name, born FROM people ORDER BY id",
        database="shop",
        s3_output=f"s3://{BUCKET}/{prefix}",
        boto3_session=session,
        athena_cache_settings={"max_cache_seconds": 0},
        **{"ctas_approach": False, mode: True},
    )
    assert sorted(frame["id"].tolist()) == [1, 2, 3]
    assert frame.set_index("id")["born"].to_dict()[1] == datetime.date(1815, 12, 10)
    # The temporary table and its objects are deleted by awswrangler, as on AWS.
    tables = wr.catalog.get_tables(database="shop", boto3_session=session)
    assert not [table["Name"] for table in tables if table["Name"].startswith("temp_table")]
    listed = s3.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    assert [entry["Key"] for entry in listed if entry["Key"].endswith((".parquet", "_data"))] == []


def test_a_table_is_made_by_ctas(session: Any, shop: str) -> None:
    made = wr.athena.create_ctas_table(
        sql="SELECT id, name, born FROM people",
        database="shop",
        ctas_table="wrangled",
        s3_output=f"s3://{BUCKET}/wrangled/made/",
        storage_format="parquet",
        write_compression="snappy",
        partitioning_info=["born"],
        wait=True,
        boto3_session=session,
    )
    assert made["ctas_table"] == "wrangled"
    partitions = wr.catalog.get_parquet_partitions("shop", "wrangled", boto3_session=session)
    assert ["1815-12-10"] in partitions.values()
    frame = wr.athena.read_sql_query(
        "SELECT count(*) AS n FROM wrangled",
        database="shop",
        ctas_approach=False,
        boto3_session=session,
    )
    assert frame["n"].tolist() == [3]
    assert wr.catalog.delete_table_if_exists("shop", "wrangled", boto3_session=session)


def test_an_unload_is_listed_by_its_manifest(session: Any, shop: str, s3: S3Server) -> None:
    metadata = wr.athena.unload(
        sql="SELECT id, name FROM people",
        path=f"s3://{BUCKET}/wrangled/unload/",
        database="shop",
        file_format="ORC",
        compression="zlib",
        boto3_session=session,
    )
    assert metadata.output_location.endswith(".csv")
    assert metadata.manifest_location.endswith("-manifest.csv")
    key = metadata.manifest_location.removeprefix(f"s3://{BUCKET}/")
    body = s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()
    frame = wr.s3.read_orc(body.decode().split(), boto3_session=session)
    assert sorted(frame["id"].tolist()) == [1, 2, 3]


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


def test_an_iceberg_table_is_written_merged_and_deleted_from(session: Any, shop: str) -> None:
    import pandas as pd

    def frame(*rows: tuple[int, str, str]) -> Any:
        return pd.DataFrame(rows, columns=["id", "name", "part"])

    def write(rows: Any, **options: Any) -> None:
        wr.athena.to_iceberg(
            rows,
            "shop",
            "wrangled_ice",
            temp_path="s3://lake/wrangled_tmp/",
            table_location="s3://lake/wrangled_ice/",
            partition_cols=["part"],
            keep_files=False,
            boto3_session=session,
            s3_output="s3://lake/wrangled_out/",
            **options,
        )

    def found() -> list[tuple[Any, ...]]:
        read = wr.athena.read_sql_query(
            "SELECT id, name, part FROM wrangled_ice ORDER BY id",
            "shop",
            ctas_approach=False,
            boto3_session=session,
            s3_output="s3://lake/wrangled_out/",
        )
        return list(read.itertuples(index=False, name=None))

    write(frame((1, "a", "x"), (2, "b", "x"), (3, "c", "y")))
    write(frame((2, "bb", "x"), (4, "d", "y")), merge_cols=["id"])
    assert found() == [(1, "a", "x"), (2, "bb", "x"), (3, "c", "y"), (4, "d", "y")]
    wr.athena.delete_from_iceberg_table(
        pd.DataFrame({"id": [1, 77]}),
        "shop",
        "wrangled_ice",
        merge_cols=["id"],
        temp_path="s3://lake/wrangled_tmp/",
        keep_files=False,
        boto3_session=session,
        s3_output="s3://lake/wrangled_out/",
    )
    assert found() == [(2, "bb", "x"), (3, "c", "y"), (4, "d", "y")]
    assert wr.catalog.delete_table_if_exists("shop", "wrangled_ice", boto3_session=session)
