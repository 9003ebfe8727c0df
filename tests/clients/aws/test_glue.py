"""boto3's Glue client, unmodified, with signed requests."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients.aws.conftest import BUCKET, Aws

PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}


def code_of(call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    code: str = caught.value.response["Error"]["Code"]
    return code


def table_input(name: str = "t", **members: Any) -> dict[str, Any]:
    descriptor = {
        "Columns": [{"Name": "ID", "Type": "int"}, {"Name": "b", "Type": "string", "Comment": "c"}],
        "Location": f"s3://{BUCKET}/t/",
        **PARQUET,
    }
    keys = [{"Name": "day", "Type": "date"}, {"Name": "region", "Type": "string"}]
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": descriptor,
        "PartitionKeys": keys,
        "Parameters": {"classification": "parquet"},
        **members,
    }


def partition_input(*values: str) -> dict[str, Any]:
    place = f"s3://{BUCKET}/t/day={values[0]}/"
    return {"Values": list(values), "StorageDescriptor": {"Location": place, **PARQUET}}


@pytest.fixture
def database(glue: Any) -> Iterator[str]:
    name = f"db_{uuid.uuid4().hex[:8]}"
    glue.create_database(DatabaseInput={"Name": name})
    yield name
    glue.delete_database(Name=name)


@pytest.fixture
def table(glue: Any, database: str) -> dict[str, str]:
    glue.create_table(DatabaseName=database, TableInput=table_input())
    return {"DatabaseName": database, "TableName": "t"}


def test_a_database_lives(glue: Any) -> None:
    glue.create_database(
        DatabaseInput={"Name": "Life", "Description": "d", "Parameters": {"a": "b"}}
    )
    found = glue.get_database(Name="LIFE", CatalogId="000000000000")["Database"]
    assert (found["Name"], found["Description"], found["Parameters"]) == ("life", "d", {"a": "b"})
    assert found["CreateTime"].tzinfo is not None
    assert code_of(glue.create_database, DatabaseInput={"Name": "life"}) == "AlreadyExistsException"
    glue.update_database(Name="life", DatabaseInput={"Name": "life", "Description": "e"})
    names = {d["Name"]: d.get("Description") for d in glue.get_databases()["DatabaseList"]}
    assert names["life"] == "e"
    glue.delete_database(Name="life")
    assert code_of(glue.get_database, Name="life") == "EntityNotFoundException"
    assert code_of(glue.delete_database, Name="life") == "EntityNotFoundException"
    unknown = code_of(glue.get_databases, CatalogId="000000000000:s3tablescatalog/x")
    assert unknown == "EntityNotFoundException"


def test_a_table_lives_with_its_versions(glue: Any, database: str) -> None:
    names = {"DatabaseName": database}
    glue.create_table(**names, TableInput=table_input("T", Owner="me"))
    found = glue.get_table(**names, Name="T")["Table"]
    assert (found["Name"], found["VersionId"], found["Owner"]) == ("t", "0", "me")
    assert [c["Name"] for c in found["StorageDescriptor"]["Columns"]] == ["id", "b"]
    assert found["StorageDescriptor"]["SerdeInfo"] == PARQUET["SerdeInfo"]
    assert found["IsRegisteredWithLakeFormation"] is False
    again = code_of(glue.create_table, **names, TableInput=table_input())
    assert again == "AlreadyExistsException"
    glue.update_table(**names, TableInput=table_input(Description="one"))
    glue.update_table(**names, TableInput=table_input(Description="two"), SkipArchive=True)
    versions = glue.get_table_versions(**names, TableName="t")["TableVersions"]
    assert [(v["VersionId"], v["Table"].get("Description")) for v in versions] == [
        ("2", "two"),
        ("0", None),
    ]
    assert glue.get_table_version(**names, TableName="t", VersionId="0")["TableVersion"]
    glue.delete_table_version(**names, TableName="t", VersionId="0")
    errors = glue.batch_delete_table_version(**names, TableName="t", VersionIds=["0", "x"])[
        "Errors"
    ]
    assert [e["ErrorDetail"]["ErrorCode"] for e in errors] == [
        "EntityNotFoundException",
        "InvalidInputException",
    ]
    glue.delete_table(**names, Name="t")
    assert code_of(glue.get_table, **names, Name="t") == "EntityNotFoundException"
    errors = glue.batch_delete_table(**names, TablesToDelete=["t"])["Errors"]
    assert errors[0]["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"


def test_a_table_without_a_type_has_none(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput={"Name": "bare"})
    found = glue.get_table(DatabaseName=database, Name="bare")["Table"]
    assert "TableType" not in found
    assert "StorageDescriptor" not in found


def test_of_four_concurrent_commits_one_wins_each_version(
    aws: Aws, glue: Any, database: str
) -> None:
    names = {"DatabaseName": database}
    iceberg = {"Name": "ice", "Parameters": {"table_type": "ICEBERG", "log": ""}}
    glue.create_table(**names, TableInput=iceberg)
    commits_each = 5

    def commit(writer: int) -> None:
        own = aws.client("glue")
        done = 0
        while done < commits_each:
            current = own.get_table(**names, Name="ice")["Table"]
            log = f"{current['Parameters']['log']},{writer}"
            value = {**iceberg, "Parameters": {"table_type": "ICEBERG", "log": log}}
            try:
                own.update_table(**names, TableInput=value, VersionId=current["VersionId"])
            except own.exceptions.ConcurrentModificationException:
                continue
            done += 1

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    table = glue.get_table(**names, Name="ice")["Table"]
    log = table["Parameters"]["log"].strip(",").split(",")
    assert table["VersionId"] == "20"
    assert sorted(log) == sorted("0123" * commits_each)


def test_tables_are_found_by_pattern_page_and_text(glue: Any, database: str) -> None:
    for name in ("sales_a", "sales_b", "other"):
        glue.create_table(DatabaseName=database, TableInput={"Name": name, "Description": "money"})

    def names(**request: Any) -> list[str]:
        pages = glue.get_paginator("get_tables").paginate(DatabaseName=database, **request)
        return [table["Name"] for page in pages for table in page["TableList"]]

    assert names() == ["other", "sales_a", "sales_b"]
    assert names(Expression="*ales*", PaginationConfig={"PageSize": 1}) == ["sales_a", "sales_b"]
    assert names(Expression="sal.*|oth*") == ["other", "sales_a", "sales_b"]
    brief = glue.get_tables(DatabaseName=database, AttributesToGet=["NAME"])["TableList"]
    assert brief == [{"Name": "other"}, {"Name": "sales_a"}, {"Name": "sales_b"}]
    found = glue.search_tables(SearchText="money")["TableList"]
    assert [t["Name"] for t in found if t["DatabaseName"] == database] == names()


def test_partitions_live_alone(glue: Any, table: dict[str, str]) -> None:
    values = {"PartitionValues": ["2024-01-01", "eu"]}
    glue.create_partition(**table, PartitionInput=partition_input("2024-01-01", "eu"))
    again = code_of(
        glue.create_partition, **table, PartitionInput=partition_input("2024-01-01", "eu")
    )
    assert again == "AlreadyExistsException"
    found = glue.get_partition(**table, **values)["Partition"]
    assert (found["Values"], found["TableName"]) == (["2024-01-01", "eu"], "t")
    changed = {**partition_input("2024-01-01", "eu"), "Parameters": {"n": "1"}}
    glue.update_partition(
        **table, PartitionValueList=values["PartitionValues"], PartitionInput=changed
    )
    assert glue.get_partition(**table, **values)["Partition"]["Parameters"] == {"n": "1"}
    glue.delete_partition(**table, **values)
    assert code_of(glue.get_partition, **table, **values) == "EntityNotFoundException"
    wrong = code_of(glue.create_partition, **table, PartitionInput=partition_input("2024-01-01"))
    assert wrong == "InvalidInputException"


def test_partitions_live_in_batches(glue: Any, table: dict[str, str]) -> None:
    one, two = partition_input("2024-01-01", "eu"), partition_input("2024-01-02", "us")
    assert glue.batch_create_partition(**table, PartitionInputList=[one])["Errors"] == []
    errors = glue.batch_create_partition(**table, PartitionInputList=[one, two])["Errors"]
    assert [(e["PartitionValues"], e["ErrorDetail"]["ErrorCode"]) for e in errors] == [
        (["2024-01-01", "eu"], "AlreadyExistsException")
    ]
    wanted = [{"Values": v} for v in (["2024-01-02", "us"], ["2024-01-09", "us"])]
    got = glue.batch_get_partition(**table, PartitionsToGet=wanted)
    assert [p["Values"] for p in got["Partitions"]] == [["2024-01-02", "us"]]
    entries = [
        {"PartitionValueList": item["Values"], "PartitionInput": {**two, **item}} for item in wanted
    ]
    errors = glue.batch_update_partition(**table, Entries=entries)["Errors"]
    assert [e["ErrorDetail"]["ErrorCode"] for e in errors] == ["EntityNotFoundException"]
    errors = glue.batch_delete_partition(**table, PartitionsToDelete=wanted)["Errors"]
    assert [e["ErrorDetail"]["ErrorCode"] for e in errors] == ["EntityNotFoundException"]


def test_partitions_are_filtered_segmented_and_paged(glue: Any, table: dict[str, str]) -> None:
    given = [
        partition_input(f"2024-01-{day:02}", region)
        for day in range(1, 29)
        for region in ("eu", "us")
    ]
    glue.batch_create_partition(**table, PartitionInputList=given)

    def values(**request: Any) -> list[tuple[str, ...]]:
        pages = glue.get_paginator("get_partitions").paginate(**table, **request)
        return sorted(tuple(p["Values"]) for page in pages for p in page["Partitions"])

    everything = sorted(tuple(item["Values"]) for item in given)
    assert values(PaginationConfig={"PageSize": 7}) == everything
    assert values(Expression="region = 'eu' AND day >= '2024-01-27'") == [
        ("2024-01-27", "eu"),
        ("2024-01-28", "eu"),
    ]
    assert values(Expression="((region = 'eu')) AND (day in ('2024-01-01', '2024-01-02'))") == [
        ("2024-01-01", "eu"),
        ("2024-01-02", "eu"),
    ]
    segments = [values(Segment={"SegmentNumber": n, "TotalSegments": 5}) for n in range(5)]
    assert sorted(item for segment in segments for item in segment) == everything
    brief = glue.get_partitions(**table, ExcludeColumnSchema=True, MaxResults=1)["Partitions"]
    assert "Columns" not in brief[0]["StorageDescriptor"]
    assert code_of(glue.get_partitions, **table, Expression="day >") == "InvalidInputException"
    bad = code_of(glue.get_partitions, **table, Segment={"SegmentNumber": 5, "TotalSegments": 5})
    assert bad == "InvalidInputException"


def test_statistics_of_tables_and_partitions(glue: Any, table: dict[str, str]) -> None:
    glue.create_partition(**table, PartitionInput=partition_input("2024-01-01", "eu"))
    data = {"MinimumValue": 1, "MaximumValue": 9, "NumberOfNulls": 0, "NumberOfDistinctValues": 3}
    given = {
        "ColumnName": "id",
        "ColumnType": "int",
        "AnalyzedTime": datetime(2024, 1, 1, tzinfo=UTC),
        "StatisticsData": {"Type": "LONG", "LongColumnStatisticsData": data},
    }
    of_partition = {"PartitionValues": ["2024-01-01", "eu"]}
    for name, values in (("table", {}), ("partition", of_partition)):
        names = {**table, **values}
        get = getattr(glue, f"get_column_statistics_for_{name}")
        empty = get(**names, ColumnNames=["id"])
        assert empty["ColumnStatisticsList"] == []
        assert empty["Errors"][0]["ColumnName"] == "id"
        update = getattr(glue, f"update_column_statistics_for_{name}")
        assert update(**names, ColumnStatisticsList=[given])["Errors"] == []
        assert get(**names, ColumnNames=["id"])["ColumnStatisticsList"] == [given]
        delete = getattr(glue, f"delete_column_statistics_for_{name}")
        delete(**names, ColumnName="id")
        delete(**names, ColumnName="id")
        missing = {**names, "TableName": "none"}
        assert code_of(delete, **missing, ColumnName="id") == "EntityNotFoundException"


def test_functions_live(glue: Any, database: str) -> None:
    names = {"DatabaseName": database}
    value = {"FunctionName": "trino__f", "ClassName": "TrinoFunction", "OwnerName": "me"}
    glue.create_user_defined_function(**names, FunctionInput=value)
    found = glue.get_user_defined_function(**names, FunctionName="trino__f")
    assert found["UserDefinedFunction"]["ClassName"] == "TrinoFunction"
    pages = glue.get_user_defined_functions(**names, Pattern="trino__.*")["UserDefinedFunctions"]
    assert [f["FunctionName"] for f in pages] == ["trino__f"]
    assert glue.get_user_defined_functions(Pattern="trino__f")["UserDefinedFunctions"] == pages
    glue.update_user_defined_function(
        **names, FunctionName="trino__f", FunctionInput={**value, "OwnerName": "you"}
    )
    glue.delete_user_defined_function(**names, FunctionName="trino__f")
    missing = code_of(glue.get_user_defined_function, **names, FunctionName="trino__f")
    assert missing == "EntityNotFoundException"


def test_what_is_empty_is_empty_and_what_is_not_ours_is_said(
    glue: Any, table: dict[str, str]
) -> None:
    assert glue.get_catalog(CatalogId="000000000000")["Catalog"]["Name"] == "awsdatacatalog"
    assert glue.get_catalogs()["CatalogList"] == []
    assert glue.get_connections()["ConnectionList"] == []
    assert code_of(glue.get_connection, Name="c") == "EntityNotFoundException"
    assert code_of(glue.get_resource_policy) == "EntityNotFoundException"
    assert code_of(glue.list_jobs) == "UnknownOperationException"


def test_partition_indexes_live(glue: Any, database: str) -> None:
    table = {"DatabaseName": database, "TableName": "t"}

    def told() -> dict[str, list[str]]:
        found = glue.get_partition_indexes(**table)["PartitionIndexDescriptorList"]
        assert all(index["IndexStatus"] == "ACTIVE" for index in found)
        return {i["IndexName"]: [f"{k['Name']} {k['Type']}" for k in i["Keys"]] for i in found}

    def refused(name: str, *keys: str) -> str:
        index = {"Keys": list(keys), "IndexName": name}
        return code_of(glue.create_partition_index, **table, PartitionIndex=index)

    first = [{"Keys": ["day"], "IndexName": "By_Day"}]
    glue.create_table(DatabaseName=database, TableInput=table_input(), PartitionIndexes=first)
    for name, keys in (("both", ["day", "Region"]), ("region", ["region"])):
        glue.create_partition_index(**table, PartitionIndex={"Keys": keys, "IndexName": name})
    glue.update_table(DatabaseName=database, TableInput=table_input(Description="d"))
    everything = {
        "by_day": ["day date"],
        "both": ["day date", "region string"],
        "region": ["region string"],
    }
    assert told() == everything
    assert refused("fourth", "region", "day") == "ResourceNumberLimitExceededException"
    glue.delete_partition_index(**table, IndexName="Both")
    assert refused("by_day", "region", "day") == "AlreadyExistsException"
    assert refused("again", "day") == "AlreadyExistsException"
    assert refused("twice", "day", "day") == "InvalidInputException"
    assert refused("unknown", "nosuch") == "InvalidInputException"
    gone = code_of(glue.delete_partition_index, **table, IndexName="both")
    assert gone == "EntityNotFoundException"
    assert told().keys() == everything.keys() - {"both"}


def test_tags_live(glue: Any, database: str) -> None:
    arn = f"arn:aws:glue:us-east-1:000000000000:database/{database}"
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"a": "1", "b": "2"})
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["a"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"b": "2"}
