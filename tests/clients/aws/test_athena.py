"""boto3's Athena client, unmodified, with signed requests."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients.aws.conftest import OUTPUT, Aws
from tests.support.s3 import S3Server

Run = Callable[..., dict[str, Any]]
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def code_of(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def rows_of(athena: Any, execution: dict[str, Any]) -> list[list[str | None]]:
    answer = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    return [
        [datum.get("VarCharValue") for datum in row["Data"]] for row in answer["ResultSet"]["Rows"]
    ]


def test_a_query_is_told_as_athena_tells_it(run: Run) -> None:
    execution = run("SELECT 1 AS one", QueryExecutionContext={"Catalog": "AwsDataCatalog"})
    query_id = execution["QueryExecutionId"]
    assert re.fullmatch(UUID4, query_id)
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert "StateChangeReason" not in execution["Status"]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{OUTPUT}{query_id}.csv"
    assert execution["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    statistics = execution["Statistics"]
    for name in ("EngineExecution", "TotalExecution", "QueryQueue"):
        assert statistics[f"{name}TimeInMillis"] > 0
    assert "DataManifestLocation" not in statistics


def test_the_first_row_of_a_select_is_its_header(athena: Any, run: Run, shop: str) -> None:
    execution = run("SELECT id, name, born FROM shop.people ORDER BY id")
    assert rows_of(athena, execution) == [
        ["id", "name", "born"],
        ["1", "Ada", "1815-12-10"],
        ["2", "", "1906-12-09"],
        ["3", None, None],
    ]
    assert execution["Statistics"]["DataScannedInBytes"] > 0


def test_column_infos_have_base_names_precision_and_scale(athena: Any, run: Run) -> None:
    execution = run(
        "SELECT CAST(1.5 AS decimal(5,2)) AS d, ARRAY[1] AS a, REAL '1' AS r, true AS b,"
        " 'x' AS v, TIMESTAMP '2020-01-01 00:00:00' AS t, X'3132' AS h"
    )
    answer = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    infos = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(i["Label"], i["Type"], i["Precision"], i["Scale"]) for i in infos] == [
        ("d", "decimal", 5, 2),
        ("a", "array", 0, 0),
        ("r", "float", 17, 0),
        ("b", "boolean", 0, 0),
        ("v", "varchar", 1, 0),
        ("t", "timestamp", 3, 0),
        ("h", "varbinary", 1073741824, 0),
    ]
    values = rows_of(athena, execution)[1]
    assert values == ["1.50", "[1]", "1.0", "true", "x", "2020-01-01 00:00:00.000", "31 32"]


def test_pages_hold_every_row_once_and_follow_from_their_token(
    athena: Any, run: Run, shop: str
) -> None:
    execution = run("SELECT n FROM shop.numbers")
    query_id = execution["QueryExecutionId"]
    seen: list[str] = []
    token: dict[str, str] = {}
    sizes = []
    while True:
        page = athena.get_query_results(QueryExecutionId=query_id, MaxResults=1000, **token)
        rows = page["ResultSet"]["Rows"]
        sizes.append(len(rows))
        seen += [row["Data"][0]["VarCharValue"] for row in rows]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == ["n", *map(str, range(2500))]
    assert sizes == [1000, 1000, 501]


def test_a_page_of_one_row_is_the_header_alone(athena: Any, run: Run) -> None:
    query_id = run("SELECT 7 AS seven")["QueryExecutionId"]
    first = athena.get_query_results(QueryExecutionId=query_id, MaxResults=1)
    assert first["ResultSet"]["Rows"] == [{"Data": [{"VarCharValue": "seven"}]}]
    second = athena.get_query_results(
        QueryExecutionId=query_id, MaxResults=1, NextToken=first["NextToken"]
    )
    assert second["ResultSet"]["Rows"] == [{"Data": [{"VarCharValue": "7"}]}]
    assert "NextToken" not in second


def test_utility_statements_have_no_header_row(athena: Any, run: Run, shop: str) -> None:
    execution = run("SHOW TABLES IN shop")
    assert execution["StatementType"] == "UTILITY"
    assert execution["ResultConfiguration"]["OutputLocation"].endswith(".txt")
    assert rows_of(athena, execution) == [["numbers"], ["people"]]


def test_the_result_lies_in_s3_where_the_execution_says(s3: S3Server, run: Run, shop: str) -> None:
    execution = run("SELECT id, name FROM shop.people ORDER BY id")
    place = execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://")
    bucket, _, key = place.partition("/")
    body = s3.client().get_object(Bucket=bucket, Key=key)["Body"].read()
    assert body == b'"id","name"\n"1","Ada"\n"2",""\n"3",\n'
    assert s3.client().head_object(Bucket=bucket, Key=f"{key}.metadata")["ContentLength"] > 0


def test_a_syntax_error_is_refused_at_the_start(athena: Any) -> None:
    code, message = code_of(athena.start_query_execution, QueryString="SELEC 1")
    assert code == "InvalidRequestException"
    assert message.startswith("line 1:1: mismatched input")


def test_a_semantic_error_is_a_failed_execution(run: Run) -> None:
    status = run("SELECT * FROM nowhere.nothing")["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith("SCHEMA_NOT_FOUND: line 1:15:")
    assert status["AthenaError"]["ErrorCategory"] == 2
    assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]


def test_results_of_a_failed_query_are_an_invalid_request(athena: Any, run: Run) -> None:
    query_id = run("SELECT 1 / 0")["QueryExecutionId"]
    code, message = code_of(athena.get_query_results, QueryExecutionId=query_id)
    assert code == "InvalidRequestException"
    assert message == "Query did not finish successfully. Final query state: FAILED"


def test_an_unknown_query_is_an_invalid_request(athena: Any) -> None:
    missing = str(uuid.uuid4())
    for call in (
        athena.get_query_execution,
        athena.get_query_results,
        athena.stop_query_execution,
        athena.get_query_runtime_statistics,
    ):
        code, message = code_of(call, QueryExecutionId=missing)
        assert (code, missing in message) == ("InvalidRequestException", True)


def test_a_client_token_means_one_query(athena: Any) -> None:
    token = str(uuid.uuid4())
    request = {"QueryString": "SELECT 1", "ClientRequestToken": token}
    first = athena.start_query_execution(**request)["QueryExecutionId"]
    assert athena.start_query_execution(**request)["QueryExecutionId"] == first
    code, message = code_of(athena.start_query_execution, **{**request, "QueryString": "SELECT 2"})
    assert code == "InvalidRequestException"
    assert "Idempotent parameters do not match" in message


def test_execution_parameters_fill_the_question_marks(athena: Any, run: Run, shop: str) -> None:
    execution = run(
        "SELECT id FROM shop.people WHERE name = ? AND id < ?", ExecutionParameters=["'Ada'", "2"]
    )
    assert execution["ExecutionParameters"] == ["'Ada'", "2"]
    assert rows_of(athena, execution) == [["id"], ["1"]]


def test_queries_are_listed_newest_first_and_read_in_batches(athena: Any, run: Run) -> None:
    first = run("SELECT 1")["QueryExecutionId"]
    second = run("SELECT 2")["QueryExecutionId"]
    page = athena.list_query_executions(MaxResults=2)
    assert page["QueryExecutionIds"] == [second, first]
    assert page["NextToken"]
    missing = str(uuid.uuid4())
    batch = athena.batch_get_query_execution(QueryExecutionIds=[first, missing, second])
    assert [q["Query"] for q in batch["QueryExecutions"]] == ["SELECT 1", "SELECT 2"]
    assert [u["QueryExecutionId"] for u in batch["UnprocessedQueryExecutionIds"]] == [missing]


def test_a_running_query_can_be_stopped(athena: Any, run: Run, shop: str) -> None:
    started = athena.start_query_execution(
        QueryString="SELECT count(*) FROM shop.numbers a, shop.numbers b, shop.numbers c"
        " WHERE sqrt(a.n * b.n * c.n) = 3"
    )
    query_id = started["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=query_id)
    state = None
    for _ in range(600):
        status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
        state = status["State"]
        if state not in ("QUEUED", "RUNNING"):
            break
    assert state == "CANCELLED"
    assert status["StateChangeReason"]


def test_runtime_statistics_tell_rows_and_times(athena: Any, run: Run, shop: str) -> None:
    query_id = run("SELECT * FROM shop.people")["QueryExecutionId"]
    told = athena.get_query_runtime_statistics(QueryExecutionId=query_id)["QueryRuntimeStatistics"]
    assert told["Rows"]["OutputRows"] == 3
    assert told["Timeline"]["TotalExecutionTimeInMillis"] > 0


def test_primary_tells_its_location_and_whether_it_enforces(athena: Any) -> None:
    configuration = athena.get_work_group(WorkGroup="primary")["WorkGroup"]["Configuration"]
    assert configuration["EnforceWorkGroupConfiguration"] is False
    assert configuration["ResultConfiguration"] == {"OutputLocation": OUTPUT}


def test_a_work_group_lives_and_its_location_wins(athena: Any, run: Run) -> None:
    own = f"{OUTPUT}own/"
    athena.create_work_group(
        Name="etl",
        Description="loads",
        Configuration={
            "ResultConfiguration": {"OutputLocation": own},
            "BytesScannedCutoffPerQuery": 10_000_000,
        },
        Tags=[{"Key": "team", "Value": "data"}],
    )
    group = athena.get_work_group(WorkGroup="etl")["WorkGroup"]
    assert group["Configuration"]["EnforceWorkGroupConfiguration"] is True
    assert group["Configuration"]["BytesScannedCutoffPerQuery"] == 10_000_000
    request = {"WorkGroup": "etl", "ResultConfiguration": {"OutputLocation": OUTPUT}}
    assert run("SELECT 1", **request)["ResultConfiguration"]["OutputLocation"].startswith(own)
    updates = {"EnforceWorkGroupConfiguration": False, "RemoveBytesScannedCutoffPerQuery": True}
    athena.update_work_group(WorkGroup="etl", ConfigurationUpdates=updates)
    configuration = athena.get_work_group(WorkGroup="etl")["WorkGroup"]["Configuration"]
    assert configuration["EnforceWorkGroupConfiguration"] is False
    assert "BytesScannedCutoffPerQuery" not in configuration
    arn = "arn:aws:athena:us-east-1:000000000000:workgroup/etl"
    athena.tag_resource(ResourceARN=arn, Tags=[{"Key": "cost", "Value": "1"}])
    athena.untag_resource(ResourceARN=arn, TagKeys=["team"])
    tags = athena.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert tags == [{"Key": "cost", "Value": "1"}]
    assert {g["Name"] for g in athena.list_work_groups()["WorkGroups"]} >= {"primary", "etl"}
    athena.delete_work_group(WorkGroup="etl", RecursiveDeleteOption=True)
    assert code_of(athena.get_work_group, WorkGroup="etl")[0] == "InvalidRequestException"
    missing = code_of(athena.list_tags_for_resource, ResourceARN=arn)
    assert missing[0] == "ResourceNotFoundException"


def test_a_query_without_a_place_for_its_result_is_refused(athena: Any) -> None:
    athena.create_work_group(Name="placeless")
    code, message = code_of(
        athena.start_query_execution, QueryString="SELECT 1", WorkGroup="placeless"
    )
    assert (code, message[:28]) == ("InvalidRequestException", "No output location provided.")
    athena.delete_work_group(WorkGroup="placeless")


def test_managed_results_have_no_location_and_can_be_paged(athena: Any, run: Run) -> None:
    managed = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    athena.create_work_group(Name="managed", Configuration=managed)
    execution = run("SELECT 1 AS one", WorkGroup="managed")
    assert "ResultConfiguration" not in execution
    assert execution["ManagedQueryResultsConfiguration"]["Enabled"] is True
    assert rows_of(athena, execution) == [["one"], ["1"]]
    athena.delete_work_group(WorkGroup="managed")


def test_named_queries_and_prepared_statements_live(athena: Any) -> None:
    request = {"Name": "q", "Database": "shop", "QueryString": "SELECT 1"}
    query_id = athena.create_named_query(**request)["NamedQueryId"]
    assert athena.get_named_query(NamedQueryId=query_id)["NamedQuery"]["QueryString"] == "SELECT 1"
    athena.update_named_query(NamedQueryId=query_id, Name="q2", QueryString="SELECT 2")
    batch = athena.batch_get_named_query(NamedQueryIds=[query_id, "none"])
    assert [query["Name"] for query in batch["NamedQueries"]] == ["q2"]
    assert len(batch["UnprocessedNamedQueryIds"]) == 1
    assert athena.list_named_queries()["NamedQueryIds"] == [query_id]
    athena.delete_named_query(NamedQueryId=query_id)
    assert code_of(athena.get_named_query, NamedQueryId=query_id)[0] == "InvalidRequestException"

    name = {"StatementName": "by_id", "WorkGroup": "primary"}
    athena.create_prepared_statement(**name, QueryStatement="SELECT ?")
    found = athena.get_prepared_statement(**name)["PreparedStatement"]
    assert found["QueryStatement"] == "SELECT ?"
    athena.update_prepared_statement(**name, QueryStatement="SELECT ?, ?")
    batch = athena.batch_get_prepared_statement(
        PreparedStatementNames=["by_id", "other"], WorkGroup="primary"
    )
    assert [s["QueryStatement"] for s in batch["PreparedStatements"]] == ["SELECT ?, ?"]
    assert [s["StatementName"] for s in batch["UnprocessedPreparedStatementNames"]] == ["other"]
    listed = athena.list_prepared_statements(WorkGroup="primary")["PreparedStatements"]
    assert [s["StatementName"] for s in listed] == ["by_id"]
    athena.delete_prepared_statement(**name)
    assert code_of(athena.get_prepared_statement, **name)[0] == "ResourceNotFoundException"


def test_the_catalog_is_read_in_athenas_form(athena: Any, shop: str) -> None:
    catalogs = athena.list_data_catalogs()["DataCatalogsSummary"]
    assert [catalog["CatalogName"] for catalog in catalogs] == ["AwsDataCatalog"]
    assert athena.get_data_catalog(Name="awsdatacatalog")["DataCatalog"]["Type"] == "GLUE"
    databases = athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert [database["Name"] for database in databases] == ["default", "shop"]
    name = {"CatalogName": "AwsDataCatalog", "DatabaseName": shop}
    assert athena.get_database(**name)["Database"]["Description"] == "what is sold"
    table = athena.get_table_metadata(**name, TableName="PEOPLE")["TableMetadata"]
    assert table["Columns"][0] == {"Name": "id", "Type": "int", "Comment": "key"}
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["location"] == "s3://lake/people"
    assert table["Parameters"]["comment"] == "who"
    assert table["Parameters"]["EXTERNAL"] == "TRUE"
    assert table["Parameters"]["serde.param.field.delim"] == ","
    listed = athena.list_table_metadata(**name, Expression="peo.*")["TableMetadataList"]
    assert [item["Name"] for item in listed] == ["people"]


def test_a_tables_storage_wins_over_parameters_of_the_same_name(
    athena: Any, glue: Any, shop: str
) -> None:
    columns = [
        {"Name": "a", "Type": "int"},
        {"Name": "gone", "Type": "int", "Parameters": {"iceberg.field.current": "false"}},
    ]
    value = {
        "Name": "told",
        "StorageDescriptor": {"Columns": columns, "Location": "s3://lake/real/"},
        "Parameters": {"location": "s3://lake/other", "comment": "own"},
    }
    glue.create_table(DatabaseName=shop, TableInput=value)
    found = athena.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName=shop, TableName="told"
    )["TableMetadata"]
    glue.delete_table(DatabaseName=shop, Name="told")
    assert (found["Parameters"]["location"], found["Parameters"]["comment"]) == (
        "s3://lake/real",
        "own",
    )
    assert [column["Name"] for column in found["Columns"]] == ["a"]


def test_what_the_catalog_lacks_is_named_as_athena_does(athena: Any, shop: str) -> None:
    name = {"CatalogName": "AwsDataCatalog", "DatabaseName": shop}
    code, message = code_of(athena.get_table_metadata, **name, TableName="none")
    assert (code, "EntityNotFoundException" in message) == ("MetadataException", True)
    code, _ = code_of(athena.list_databases, CatalogName="none")
    assert code == "InvalidRequestException"


def test_data_catalogs_are_made_and_deleted(athena: Any) -> None:
    athena.create_data_catalog(Name="other", Type="GLUE", Description="d")
    assert athena.get_data_catalog(Name="other")["DataCatalog"]["Description"] == "d"
    athena.update_data_catalog(Name="other", Type="GLUE", Description="e")
    assert athena.get_data_catalog(Name="other")["DataCatalog"]["Description"] == "e"
    athena.delete_data_catalog(Name="other")
    assert code_of(athena.get_data_catalog, Name="other")[0] == "InvalidRequestException"
    code, message = code_of(athena.create_data_catalog, Name="x", Type="LAMBDA")
    assert (code, "LAMBDA" in message) == ("InvalidRequestException", True)


def test_there_is_one_engine_version(athena: Any) -> None:
    versions = athena.list_engine_versions()["EngineVersions"]
    assert {v["EffectiveEngineVersion"] for v in versions} == {"Athena engine version 3"}


def test_spark_and_changes_of_rows_are_refused_by_name(athena: Any, run: Run) -> None:
    code, message = code_of(athena.list_sessions, WorkGroup="primary")
    assert (code, "ListSessions" in message) == ("InvalidRequestException", True)
    status = run("UPDATE shop.people SET id = 1")["Status"]
    assert (status["State"], "NOT_SUPPORTED" in status["StateChangeReason"]) == ("FAILED", True)


def test_the_caller_is_told_by_sts(aws: Aws) -> None:
    identity = aws.client("sts").get_caller_identity()
    assert identity["Account"] == "000000000000"
    assert identity["Arn"].endswith(":user/ada")


def test_a_wrong_secret_and_an_unknown_key_are_refused(aws: Aws) -> None:
    wrong = aws.client("athena", aws_secret_access_key="x" * 40)
    assert code_of(wrong.list_work_groups)[0] == "InvalidSignatureException"
    unknown = aws.client("glue", aws_access_key_id="AKQSAAAAAAAAAAAAAAAA")
    assert code_of(unknown.get_databases)[0] == "UnrecognizedClientException"
    session = aws.client("athena", aws_session_token="never issued")
    assert code_of(session.list_work_groups)[0] == "UnrecognizedClientException"
    sts = aws.client("sts", aws_secret_access_key="x")
    assert code_of(sts.get_caller_identity)[0] == "SignatureDoesNotMatch"
