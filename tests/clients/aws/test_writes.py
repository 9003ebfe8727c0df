"""CREATE TABLE AS, INSERT and UNLOAD over Athena's wire, by boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients.aws.conftest import BUCKET, OUTPUT
from tests.clients.aws.test_athena import rows_of
from tests.support.s3 import S3Server

Run = Callable[..., dict[str, Any]]
TABLE = "SELECT * FROM (VALUES (1, 'a', DATE '2024-01-01'), (2, NULL, NULL)) t(id, name, day)"


@pytest.fixture(scope="module", autouse=True)
def database(run: Run) -> Iterator[None]:
    ok(run("CREATE DATABASE made"))
    yield
    ok(run("DROP DATABASE made CASCADE"))


def keys(s3: S3Server, prefix: str) -> list[str]:
    listed = s3.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [entry["Key"] for entry in listed]


def open_uploads(s3: S3Server) -> list[str]:
    answer = s3.client().list_multipart_uploads(Bucket=BUCKET)
    return [upload["Key"] for upload in answer.get("Uploads", [])]


def ok(execution: dict[str, Any]) -> dict[str, Any]:
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    return execution


def failure(execution: dict[str, Any]) -> str:
    assert execution["Status"]["State"] == "FAILED", execution["Status"]
    reason: str = execution["Status"]["StateChangeReason"]
    return reason


def manifest(s3: S3Server, execution: dict[str, Any]) -> list[str]:
    location = execution["Statistics"]["DataManifestLocation"]
    query_id = execution["QueryExecutionId"]
    assert location == f"{OUTPUT}{query_id}-manifest.csv"
    key = location.removeprefix(f"s3://{BUCKET}/")
    body = s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return [line.removeprefix(f"s3://{BUCKET}/") for line in body.decode().splitlines()]


def test_ctas_is_told_as_athena_tells_it(athena: Any, run: Run, s3: S3Server) -> None:
    execution = ok(run(f"CREATE TABLE made.told AS {TABLE}"))
    query_id = execution["QueryExecutionId"]
    assert execution["StatementType"] == "DDL"
    assert execution["SubstatementType"] == "CREATE_TABLE_AS_SELECT"
    written = keys(s3, f"results/tables/{query_id}/")
    assert written == manifest(s3, execution)
    assert written[0].rpartition("/")[2].startswith(f"{query_id}_")
    answer = athena.get_query_results(QueryExecutionId=query_id)
    assert answer["UpdateCount"] == 2
    columns = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(c["Name"], c["Type"], c["Precision"]) for c in columns] == [("rows", "bigint", 19)]
    assert answer["ResultSet"]["Rows"] == []
    found = ok(run("SELECT * FROM made.told ORDER BY id"))
    assert rows_of(athena, found)[1:] == [["1", "a", "2024-01-01"], ["2", None, None]]


def test_a_new_table_is_in_the_catalog_in_hives_types(athena: Any, run: Run) -> None:
    ok(
        run(
            "CREATE TABLE made.typed COMMENT 'c' WITH (format = 'ORC', write_compression = 'ZSTD')"
            " AS SELECT 1 AS i, BIGINT '2' AS l, 'abc' AS v, CAST('x' AS varchar) AS s,"
            " DECIMAL '1.50' AS d, ARRAY[1] AS a, MAP(ARRAY['k'], ARRAY[true]) AS m,"
            " CAST(ROW(1) AS ROW(x integer)) AS r, CAST('c' AS char(2)) AS c,"
            " TIMESTAMP '2024-01-01 00:00:00.000' AS t, REAL '1' AS f, X'41' AS b"
        )
    )
    table = athena.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName="made", TableName="typed"
    )["TableMetadata"]
    types = {column["Name"]: column["Type"] for column in table["Columns"]}
    assert types == {
        "i": "int",
        "l": "bigint",
        "v": "varchar(3)",
        "s": "string",
        "d": "decimal(3,2)",
        "a": "array<int>",
        "m": "map<varchar(1),boolean>",
        "r": "struct<x:int>",
        "c": "char(2)",
        "t": "timestamp",
        "f": "float",
        "b": "binary",
    }
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["orc.compress"] == "ZSTD"
    assert table["Parameters"]["comment"] == "c"


def test_partitions_are_registered_and_appended_to(athena: Any, run: Run, s3: S3Server) -> None:
    ctas = ok(
        run(
            "CREATE TABLE made.parts WITH (partitioned_by = ARRAY['day', 'n'],"
            f" external_location = 's3://{BUCKET}/made/parts/') AS"
            " SELECT * FROM (VALUES ('a', DATE '2024-01-01', 1), ('b', DATE '2024-01-02', 2),"
            " ('c', DATE '2024-01-01', 1), ('d', NULL, 1)) t(name, day, n)"
        )
    )
    assert len(manifest(s3, ctas)) == 3
    ok(
        run(
            "INSERT INTO made.parts VALUES ('e', DATE '2024-01-01', 1), ('f', DATE '2025-01-01', 9)"
        )
    )
    shown = ok(run("SHOW PARTITIONS made.parts"))
    assert [row[0] for row in rows_of(athena, shown)] == [
        "day=2024-01-01/n=1",
        "day=2024-01-02/n=2",
        "day=2025-01-01/n=9",
        "day=__HIVE_DEFAULT_PARTITION__/n=1",
    ]
    found = ok(run("SELECT name, n FROM made.parts WHERE day = DATE '2024-01-01' ORDER BY 1"))
    assert rows_of(athena, found)[1:] == [["a", "1"], ["c", "1"], ["e", "1"]]
    assert len(keys(s3, "made/parts/day=2024-01-01/n=1/")) == 2


def test_an_insert_appends_and_counts(athena: Any, run: Run, s3: S3Server) -> None:
    ok(run(f"CREATE TABLE made.grows AS {TABLE} WITH NO DATA"))
    execution = ok(run(f"INSERT INTO made.grows {TABLE}"))
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "INSERT")
    assert len(manifest(s3, execution)) == 1
    ok(run("INSERT INTO made.grows (name, id) VALUES (?, ?)", ExecutionParameters=["'z'", "7"]))
    found = ok(run("SELECT id, name FROM made.grows ORDER BY id"))
    assert rows_of(athena, found)[1:] == [["1", "a"], ["2", None], ["7", "z"]]


def test_a_write_of_no_rows_leaves_no_object(run: Run, s3: S3Server) -> None:
    execution = ok(run(f"CREATE TABLE made.empty AS {TABLE} WHERE id < 0"))
    assert manifest(s3, execution) == []
    assert keys(s3, f"results/tables/{execution['QueryExecutionId']}/") == []


def test_unload_writes_files_and_no_table(athena: Any, run: Run, s3: S3Server) -> None:
    target = f"s3://{BUCKET}/unloaded/json"
    execution = ok(
        run(f"UNLOAD ({TABLE}) TO '{target}' WITH (format = 'JSON', compression = 'NONE')")
    )
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "UNLOAD")
    written = keys(s3, "unloaded/json/")
    assert written == manifest(s3, execution)
    body = s3.client().get_object(Bucket=BUCKET, Key=written[0])["Body"].read()
    assert [json.loads(line) for line in body.splitlines()] == [
        {"id": 1, "name": "a", "day": "2024-01-01"},
        {"id": 2, "name": None, "day": None},
    ]
    answer = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert answer["UpdateCount"] == 2


def test_a_target_that_is_not_empty_is_refused(run: Run, s3: S3Server) -> None:
    s3.client().put_object(Bucket=BUCKET, Key="taken/x", Body=b"x")
    place = f"s3://{BUCKET}/taken/"
    for sql in (
        f"UNLOAD ({TABLE}) TO '{place}' WITH (format = 'PARQUET')",
        f"CREATE TABLE made.taken WITH (external_location = '{place}') AS {TABLE}",
    ):
        assert failure(run(sql)).startswith("HIVE_PATH_ALREADY_EXISTS: Target directory for table")
    assert keys(s3, "taken/") == ["taken/x"]
    assert "TABLE_NOT_FOUND" in failure(run("SELECT * FROM made.taken"))


def test_a_central_output_location_forbids_an_external_one(athena: Any, run: Run) -> None:
    athena.create_work_group(
        Name="central", Configuration={"ResultConfiguration": {"OutputLocation": OUTPUT}}
    )
    sql = f"CREATE TABLE made.c WITH (external_location = 's3://{BUCKET}/c/') AS SELECT 1 AS x"
    reason = failure(run(sql, WorkGroup="central"))
    assert "enforces a centralized output location" in reason
    ok(run("CREATE TABLE made.c AS SELECT 1 AS x", WorkGroup="central"))
    athena.delete_work_group(WorkGroup="central", RecursiveDeleteOption=True)


def test_what_fails_midway_leaves_nothing(run: Run, s3: S3Server, shop: str) -> None:
    before = [key for key in keys(s3, "") if not key.startswith("results/")]
    broken = "SELECT 10 / n AS q, n FROM (SELECT n FROM shop.numbers ORDER BY n DESC) t"
    execution = run(
        f"CREATE TABLE made.broken WITH (external_location = 's3://{BUCKET}/broken/') AS {broken}"
    )
    assert failure(execution).startswith("DIVISION_BY_ZERO")
    long = "INSERT INTO made.short SELECT CAST(n AS varchar) FROM shop.numbers"
    ok(run("CREATE TABLE made.short AS SELECT CAST('a' AS varchar(3)) AS v"))
    assert "Cannot truncate non-space characters" in failure(run(long))
    after = [key for key in keys(s3, "") if not key.startswith("results/")]
    assert (after, open_uploads(s3)) == (before, [])
    assert "TABLE_NOT_FOUND" in failure(run("SELECT * FROM made.broken"))


def test_an_existing_table_is_kept(athena: Any, run: Run, s3: S3Server) -> None:
    ok(run("CREATE TABLE made.kept AS SELECT 1 AS x"))
    reason = failure(run("CREATE TABLE made.kept AS SELECT 2 AS x"))
    named = "Destination table 'awsdatacatalog.made.kept' already exists"
    assert reason == f"TABLE_ALREADY_EXISTS: line 1:1: {named}"
    execution = ok(run("CREATE TABLE IF NOT EXISTS made.kept AS SELECT 2 AS x"))
    assert manifest(s3, execution) == []
    assert rows_of(athena, ok(run("SELECT x FROM made.kept")))[1:] == [["1"]]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("INSERT INTO made.kept VALUES ('x')", "TYPE_MISMATCH: line 1:1: Insert query has"),
        ("DELETE FROM made.kept", "NOT_SUPPORTED: line 1:1: Modifying Hive table rows"),
        ("UPDATE made.kept SET x = 1", "NOT_SUPPORTED: line 1:1: Modifying Hive table rows"),
        ("CREATE TABLE made.x AS SELECT now() AS t", "NOT_SUPPORTED: Unsupported Hive type"),
    ],
)
def test_what_cannot_be_written_is_named(run: Run, sql: str, reason: str) -> None:
    ok(run("CREATE TABLE IF NOT EXISTS made.kept AS SELECT 1 AS x"))
    assert failure(run(sql)).startswith(reason)


def test_projected_partitions_are_written_where_queries_look(
    athena: Any, run: Run, s3: S3Server
) -> None:
    ok(
        run(
            f"""CREATE EXTERNAL TABLE made.projected (v int) PARTITIONED BY (day string)
            STORED AS PARQUET LOCATION 's3://{BUCKET}/projected/'
            TBLPROPERTIES ('projection.enabled'='true', 'projection.day.type'='date',
            'projection.day.format'='yyyy-MM-dd', 'projection.day.range'='2024-01-01,2024-12-31',
            'storage.location.template'='s3://{BUCKET}/projected/on-${{day}}/')"""
        )
    )
    ok(run("INSERT INTO made.projected VALUES (1, '2024-02-03')"))
    assert keys(s3, "projected/")[0].startswith("projected/on-2024-02-03/")
    found = ok(run("SELECT v FROM made.projected WHERE day = '2024-02-03'"))
    assert rows_of(athena, found)[1:] == [["1"]]
    outside = failure(run("INSERT INTO made.projected VALUES (2, '2025-02-03')"))
    assert outside.startswith("HIVE_INVALID_PARTITION_VALUE")
    assert len(keys(s3, "projected/")) == 1
