"""Iceberg tables in our own SQL: what others write is read, what we write others read."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from querysvc.types.algebra import BIGINT, INTEGER, VARCHAR
from tests.clients.aws.conftest import BUCKET, REGION, Aws
from tests.support.iceberg_lake import DATABASE, Lake
from tests.support.s3 import S3Server

pytest.importorskip("pyiceberg.catalog.glue")

DATA = Path(__file__).parents[2] / "data"
Query = Callable[[str], list[tuple[str | None, ...]]]


@pytest.fixture(scope="module")
def query(athena: Any, run: Callable[..., dict[str, Any]]) -> Query:
    """Run a statement that must succeed; its rows as texts."""

    def go(sql: str) -> list[tuple[str | None, ...]]:
        done = run(sql, QueryExecutionContext={"Database": DATABASE})
        assert done["Status"]["State"] == "SUCCEEDED", done["Status"]
        found = athena.get_query_results(QueryExecutionId=done["QueryExecutionId"])
        rows = [
            tuple(cell.get("VarCharValue") for cell in row["Data"])
            for row in found["ResultSet"]["Rows"]
        ]
        return rows[1:] if sql.startswith("SELECT") else rows

    return go


@pytest.fixture(scope="module", autouse=True)
def database(glue: Any) -> Iterator[None]:
    glue.create_database(DatabaseInput={"Name": DATABASE})
    yield
    for table in glue.get_tables(DatabaseName=DATABASE)["TableList"]:
        glue.delete_table(DatabaseName=DATABASE, Name=table["Name"])
    glue.delete_database(Name=DATABASE)


@pytest.fixture(scope="module")
def catalog(s3: S3Server, aws: Aws) -> Any:
    """pyiceberg's own catalog over our Glue."""
    from pyiceberg.catalog.glue import GlueCatalog

    return GlueCatalog(
        "glue",
        **{
            "glue.endpoint": aws.service.url,
            "glue.region": REGION,
            "glue.access-key-id": aws.access_key,
            "glue.secret-access-key": aws.secret_key,
            "s3.endpoint": s3.url,
            "s3.region": s3.region,
            "s3.access-key-id": s3.access_key,
            "s3.secret-access-key": s3.secret_key,
        },
    )


def test_deleted_rows_and_evolved_columns_are_read_as_the_metadata_say(
    s3: S3Server, glue: Any, query: Query, tmp_path: Path
) -> None:
    lake = Lake(f"s3://{BUCKET}/{tmp_path.name}", tmp_path)
    lake.create("evolved", {"id": INTEGER, "name": VARCHAR})
    old = lake.data_file("evolved", [{"id": n, "name": str(n)} for n in range(6)])
    lake.append("evolved", old)
    lake.commit(
        "evolved",
        "delete",
        added_deletes=(
            lake.positions("evolved", old, [0, 5]),
            lake.equal("evolved", ["id", "name"], [{"id": 2, "name": "2"}], like=old),
            lake.equal("evolved", ["name"], [{"name": "3"}, {"name": None}], like=old),
        ),
    )
    _evolve(lake)
    new = lake.data_file("evolved", [{"label": "3", "more": 7, "number": 1 << 40}])
    lake.append("evolved", new)
    lake.publish("evolved", s3.client(), glue)
    assert query("SELECT number, label, more FROM evolved ORDER BY number") == [
        ("1", "1", None),
        ("4", "4", None),
        (str(1 << 40), "3", "7"),
    ]
    # The equality deletes' columns are read even where the query does not ask for them.
    assert query("SELECT count(*), count(more) FROM evolved") == [("3", "1")]
    assert query('SELECT "$pos", "$path" FROM evolved ORDER BY number') == [
        ("1", old.file_path),
        ("4", old.file_path),
        ("0", new.file_path),
    ]
    assert query("SELECT label FROM evolved WHERE number > 1000000") == [("3",)]


def _evolve(lake: Lake) -> None:
    """Rename and widen `id`, rename and move `name`, add `more`."""
    from pyiceberg.schema import Schema
    from pyiceberg.table.update import AddSchemaUpdate, SetCurrentSchemaUpdate
    from pyiceberg.types import IntegerType, LongType, NestedField, StringType

    schema = Schema(
        NestedField(2, "label", StringType(), required=False),
        NestedField(3, "more", IntegerType(), required=False),
        NestedField(1, "number", LongType(), required=False),
        schema_id=1,
    )
    lake.committer.change_metadata(
        lake.table("evolved").name,
        lambda _: (
            AddSchemaUpdate.model_validate({"schema": schema}),
            SetCurrentSchemaUpdate.model_validate({"schema-id": -1}),
        ),
    )


def test_what_pyiceberg_writes_is_read_with_its_types(
    catalog: Any, query: Query, tmp_path: Path
) -> None:
    import datetime as dt
    from decimal import Decimal
    from uuid import UUID

    import pyarrow as pa
    from pyiceberg import types as iceberg
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.transforms import DayTransform

    inner = iceberg.StructType(iceberg.NestedField(20, "x", iceberg.IntegerType()))
    columns = [
        iceberg.IntegerType(),
        iceberg.TimestampType(),
        iceberg.TimestamptzType(),
        iceberg.DecimalType(9, 2),
        iceberg.UUIDType(),
        iceberg.FixedType(2),
        iceberg.TimeType(),
        iceberg.ListType(21, inner, element_required=False),
        iceberg.MapType(22, iceberg.StringType(), 23, inner, value_required=False),
    ]
    schema = Schema(*(iceberg.NestedField(n, f"c{n}", type_) for n, type_ in enumerate(columns, 1)))
    spec = PartitionSpec(PartitionField(2, 1000, DayTransform(), "day"))
    table = catalog.create_table(
        f"{DATABASE}.typed",
        schema=schema,
        location=f"s3://{BUCKET}/{tmp_path.name}/typed",
        partition_spec=spec,
    )
    row = {
        "c1": 1,
        "c2": dt.datetime(2024, 1, 2, 3, 4, 5, 6),
        "c3": dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
        "c4": Decimal("1.25"),
        "c5": UUID(int=5).bytes,
        "c6": b"\x01\x02",
        "c7": dt.time(1, 2, 3, 4),
        "c8": [{"x": 1}, None],
        "c9": [("k", {"x": 2})],
    }
    later = {**dict.fromkeys(row), "c1": 2, "c2": dt.datetime(2024, 1, 3)}
    table.append(pa.Table.from_pylist([row, later], schema=table.schema().as_arrow()))
    assert query("SELECT * FROM typed WHERE c2 < timestamp '2024-01-03 00:00:00'") == [
        (
            *("1", "2024-01-02 03:04:05.000006", "2024-01-02 00:00:00.000000 UTC", "1.25"),
            *("00000000-0000-0000-0000-000000000005", "01 02", "01:02:03.000004"),
            *("[{x=1}, null]", "{k={x=2}}"),
        )
    ]
    # Of two partitions' files one is read.
    plan = query(
        "EXPLAIN (TYPE IO) SELECT c1 FROM typed WHERE c2 >= timestamp '2024-01-03 00:00:00'"
    )
    assert '"files": 1,' in "\n".join(row[0] or "" for row in plan)
    with table.update_schema() as update:
        update.rename_column(("c8", "element", "x"), "y")
        update.add_column(("c8", "element", "z"), iceberg.StringType())
        update.delete_column("c9")
    assert query("SELECT c8 FROM typed WHERE c1 = 1") == [("[{y=1, z=null}, null]",)]
    table.delete("c1 = 1")
    assert query("SELECT c1 FROM typed") == [("2",)]


def test_what_is_created_and_inserted_is_read_by_pyiceberg(
    catalog: Any, query: Query, tmp_path: Path
) -> None:
    location = f"s3://{BUCKET}/{tmp_path.name}/made"
    query(
        "CREATE TABLE made (id bigint, ts timestamp, s struct<a:int,b:array<string>>)"
        f" PARTITIONED BY (bucket(4, id), day(ts)) LOCATION '{location}'"
        " TBLPROPERTIES ('table_type' = 'ICEBERG', 'write_compression' = 'snappy')"
    )
    assert query("SELECT * FROM made") == []
    query(
        "INSERT INTO made SELECT x, timestamp '2024-01-01 00:00:00' + x * interval '12' hour,"
        " cast(row(x, array['é']) as row(a integer, b array(varchar)))"
        " FROM unnest(sequence(1, 9)) t(x)"
    )
    query("INSERT INTO made (id) VALUES 100")
    table = catalog.load_table(f"{DATABASE}.made")
    rows = sorted(table.scan().to_arrow().to_pylist(), key=lambda row: int(row["id"]))
    assert [row["id"] for row in rows] == [*range(1, 10), 100]
    assert rows[0]["s"] == {"a": 1, "b": ["é"]}
    assert rows[9]["ts"] is None
    # pyiceberg prunes by the bounds and partitions that we wrote.
    assert len(list(table.scan(row_filter="id = 3").plan_files())) == 1
    assert query("SELECT count(*) FROM made WHERE id = 3 AND ts IS NOT NULL") == [("1",)]
    summary = table.metadata.current_snapshot().summary
    assert summary["total-records"] == "10"


def test_a_new_table_appears_with_its_rows_and_goes_with_its_objects(
    catalog: Any, query: Query, s3: S3Server, tmp_path: Path
) -> None:
    query(
        "CREATE TABLE made_as WITH (table_type = 'ICEBERG', is_external = false,"
        f" location = 's3://{BUCKET}/{tmp_path.name}/as/', format = 'PARQUET',"
        " partitioning = ARRAY['month(d)', 'truncate(2, name)']) AS"
        " SELECT date '2024-01-31' + x * interval '1' day d, 'n' || cast(x as varchar) name,"
        " cast(x as smallint) x FROM unnest(sequence(0, 3)) t(x)"
    )
    table = catalog.load_table(f"{DATABASE}.made_as")
    assert sorted(row["x"] for row in table.scan().to_arrow().to_pylist()) == [0, 1, 2, 3]
    assert [str(field.transform) for field in table.spec().fields] == ["month", "truncate[2]"]
    paths = query('SELECT DISTINCT "$partition" FROM made_as ORDER BY 1')
    assert paths[0] == ("d_month=2024-01/name_trunc=n0",)
    query("DROP TABLE made_as")
    left = s3.client().list_objects_v2(Bucket=BUCKET, Prefix=f"{tmp_path.name}/as/")
    assert left.get("Contents", []) == []


def test_of_inserts_at_once_none_is_lost(query: Query, catalog: Any, tmp_path: Path) -> None:
    query(
        f"CREATE TABLE raced (id bigint) LOCATION 's3://{BUCKET}/{tmp_path.name}/raced'"
        " TBLPROPERTIES ('table_type' = 'ICEBERG')"
    )
    failures: list[str] = []

    def insert(number: int) -> None:
        try:
            query(f"INSERT INTO raced VALUES {number}")
        except AssertionError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert query("SELECT id FROM raced ORDER BY id") == [(str(n),) for n in range(6)]
    table = catalog.load_table(f"{DATABASE}.raced")
    assert len(table.metadata.snapshots) == 6
    listed = {f.file.file_path for f in table.scan().plan_files()}
    assert len(listed) == 6


def test_what_an_iceberg_table_cannot_have_is_named(
    run: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    place = f"s3://{BUCKET}/{tmp_path.name}/x/"
    refused = {
        f"CREATE TABLE x WITH (table_type = 'ICEBERG', is_external = true, location = '{place}')"
        " AS SELECT 1 a": "is_external must be false",
        f"CREATE TABLE x WITH (table_type = 'ICEBERG', external_location = '{place}')"
        " AS SELECT 1 a": "external_location is for Hive tables",
        f"CREATE TABLE x WITH (table_type = 'ICEBERG', location = '{place}', format = 'ORC')"
        " AS SELECT 1 a": "format ORC are not supported",
        f"CREATE TABLE x WITH (table_type = 'ICEBERG', location = '{place}',"
        " partitioning = ARRAY['day(a)']) AS SELECT 1 a": "Invalid partition field",
        f"CREATE EXTERNAL TABLE x (a int) LOCATION '{place}'"
        " TBLPROPERTIES ('table_type' = 'ICEBERG')": "CREATE EXTERNAL TABLE of an Iceberg table",
    }
    for sql, message in refused.items():
        done = run(sql, QueryExecutionContext={"Database": DATABASE})
        assert message in done["Status"]["StateChangeReason"], done["Status"]


def test_metadata_that_name_objects_elsewhere_are_refused(
    s3: S3Server, glue: Any, run: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    lake = Lake(f"s3://{BUCKET}/{tmp_path.name}", tmp_path)
    lake.create("theirs", {"id": BIGINT})
    secret = lake.data_file("theirs", [{"id": 42}])
    lake.create("forged", {"id": BIGINT})
    lake.append("forged", secret)
    lake.publish("forged", s3.client(), glue)
    done = run("SELECT * FROM forged", QueryExecutionContext={"Database": DATABASE})
    assert "PERMISSION_DENIED" in done["Status"]["StateChangeReason"]


def test_a_table_that_trino_476_wrote_updated_merged_and_evolved_is_read_equal(
    s3: S3Server, glue: Any, query: Query
) -> None:
    """The table's paths begin with s3://lake; its rows and their answers are Trino's own.

    20 rows in bucket(id, 3) and month(dt); DELETE and UPDATE; columns and nested fields renamed,
    added, dropped and widened; truncate(label, 1) as another spec; INSERT and MERGE.
    """
    client, metadata = s3.client(), ""
    with zipfile.ZipFile(DATA / "iceberg-trino-476.zip") as archive:
        for name in archive.namelist():
            client.put_object(Bucket=BUCKET, Key=name, Body=archive.read(name))
            if name.endswith(".metadata.json"):
                metadata = f"s3://{BUCKET}/{name}"
    location = metadata.rpartition("/metadata/")[0]
    parameters = {"table_type": "ICEBERG", "metadata_location": metadata}
    descriptor = {"Location": location, "Columns": []}
    entry = {"Name": "trino", "Parameters": parameters, "StorageDescriptor": descriptor}
    glue.create_table(DatabaseName=DATABASE, TableInput=entry)
    totals = (
        "SELECT count(*), sum(id), min(label), max(dt), sum(d), sum(f), count(extra) FROM trino"
    )
    assert query(totals) == [
        ("19", "1000000000288", "m", "2024-04-10", "236.25", "94.5", "1"),
    ]
    assert query("SELECT id, label, r, l, m FROM trino WHERE id IN (1, 3, 4, 99) ORDER BY 1") == [
        ("1", "m", "{bb=b1, c=null}", "[{x=1, z=null}, null]", "{k={y=1}}"),
        ("4", "n4", "{bb=b4, c=null}", "[{x=4, z=null}, null]", "{k={y=4}}"),
        ("99", "new", None, None, None),
    ]
    pruned = "SELECT count(*) FROM trino WHERE dt >= date '2024-03-01' AND label <> 'upd'"
    assert query(pruned) == [("6",)]
    assert query("SELECT id FROM trino WHERE label = 'zz'") == [("1000000000000",)]
    assert query('SELECT count(DISTINCT partition) FROM "trino$partitions"') == [("12",)]


def test_a_commit_of_anybody_ends_the_reuse_of_a_result(
    athena: Any, run: Callable[..., dict[str, Any]], query: Query, catalog: Any, tmp_path: Path
) -> None:
    import pyarrow as pa

    query(
        f"CREATE TABLE reused (id bigint) LOCATION 's3://{BUCKET}/{tmp_path.name}/reused'"
        " TBLPROPERTIES ('table_type' = 'ICEBERG')"
    )
    query("INSERT INTO reused VALUES 1")

    def ask() -> tuple[bool, str]:
        done = run(
            "SELECT count(*) FROM reused",
            QueryExecutionContext={"Database": DATABASE},
            ResultReuseConfiguration={
                "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}
            },
        )
        found = athena.get_query_results(QueryExecutionId=done["QueryExecutionId"])
        reused = done["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
        return reused, found["ResultSet"]["Rows"][1]["Data"][0]["VarCharValue"]

    assert ask() == (False, "1")
    assert ask() == (True, "1")
    catalog.load_table(f"{DATABASE}.reused").append(pa.table({"id": pa.array([2], pa.int64())}))
    assert ask() == (False, "2")
