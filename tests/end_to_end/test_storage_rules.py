"""The storage rules of a running service, over an S3 that keeps classes, keys and regions."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.client import ServiceError
from tests.support.moto import moto_server
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server

CLASSES = {
    "archived": ("GLACIER", "STANDARD", "STANDARD"),
    "frozen": ("DEEP_ARCHIVE",) * 5,
    "mixed": ("STANDARD", "STANDARD", "STANDARD_IA"),
    "cool": ("STANDARD_IA", "STANDARD_IA"),
}
"""Folder of bucket `lake`: the storage classes of its objects p0, p1 …, three rows each."""

WITH_KMS = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-7"}
OTHERS = (
    # Bucket, its region, how its one object is encrypted.
    ("abroad", "eu-west-1", {}),
    ("abroad-kms", "eu-west-1", WITH_KMS),
    ("abroad-sse", "eu-west-1", {"ServerSideEncryption": "AES256"}),
    ("home-kms", "us-east-1", WITH_KMS),
    ("paid", "us-east-1", {}),
)

REFUSALS = [
    (
        "SELECT count(*) FROM archived",
        "OBJECT_ARCHIVED",
        ("1 of 3 objects", "GLACIER", "s3://lake/archived/part=0/p.parquet", "restore", "athena"),
    ),
    (
        "SELECT count(*) FROM frozen",
        "OBJECT_ARCHIVED",
        ("5 of 5 objects", "DEEP_ARCHIVE", "and 2 more"),
    ),
    (
        "SELECT count(*) FROM mixed",
        "MIXED_STORAGE_CLASSES",
        ("2 STANDARD, 1 STANDARD_IA", "s3://lake/mixed/part=2/p.parquet", "exclude partitions"),
    ),
    (
        "SELECT count(*) FROM cool JOIN home_kms USING (id)",
        "MIXED_STORAGE_CLASSES",
        ("2 STANDARD_IA, 1 STANDARD",),
    ),
    (
        "SELECT count(*) FROM paid",
        "REQUESTER_PAYS_BUCKET",
        ("bucket paid", "charged to", "allow requester-pays"),
    ),
    (
        "SELECT count(*) FROM abroad_kms",
        "ENCRYPTED_CROSS_REGION",
        ("1 of 1 objects", "aws:kms", "key-7", "eu-west-1", "us-east-1", "s3://abroad-kms/p"),
    ),
    (
        "SELECT count(*) FROM abroad_sse",
        "ENCRYPTED_CROSS_REGION",
        ("AES256", "counts_sse_s3_as_unencrypted"),
    ),
]

WORK_GROUPS = {
    "by_table": {"name": "strict", "storage_class_scope": "table"},
    "by_bucket": {"name": "strict", "storage_class_scope": "bucket"},
    "payer": {"name": "strict", "allows_requester_pays": True},
    "sse": {"name": "strict", "counts_sse_s3_as_unencrypted": True},
    "athena": {"name": "athena"},
    "athena_payer": {"name": "athena", "allows_requester_pays": True},
    "restored": {"name": "athena", "read_restored_glacier_objects": True},
}


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        load(server)
        yield server


@pytest.fixture(scope="module")
def lake(moto: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(moto.url, tmp_path_factory.mktemp("rules")) as running:
        register(running)
        for name, guard in WORK_GROUPS.items():
            running.client.post("/v1/work-groups", {"name": name, "guard": guard})
        yield running


def load(server: S3Server) -> None:
    client = server.client()
    client.create_bucket(Bucket="lake")
    for folder, classes in CLASSES.items():
        for number, storage_class in enumerate(classes):
            key = f"{folder}/part={number}/p.parquet"
            client.put_object(Bucket="lake", Key=key, Body=rows(), StorageClass=storage_class)
    for bucket, region, encryption in OTHERS:
        there = server.client(region)
        place = {"LocationConstraint": region}
        options = {} if region == "us-east-1" else {"CreateBucketConfiguration": place}
        there.create_bucket(Bucket=bucket, **options)
        there.put_object(Bucket=bucket, Key="p", Body=rows(), **encryption)
    client.put_bucket_request_payment(
        Bucket="paid", RequestPaymentConfiguration={"Payer": "Requester"}
    )


def rows() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([1, 2, 3], pa.int64())}), sink)
    return sink.getvalue()


def register(service: RunningService) -> None:
    for folder in CLASSES:
        service.client.run(
            f"""CREATE EXTERNAL TABLE {folder} (id bigint) PARTITIONED BY (part int)
                STORED AS PARQUET LOCATION 's3://lake/{folder}/'"""
        )
        service.client.run(f"MSCK REPAIR TABLE {folder}")
    for bucket, _, _ in OTHERS:
        service.client.run(
            f"""CREATE EXTERNAL TABLE {bucket.replace("-", "_")} (id bigint)
                STORED AS PARQUET LOCATION 's3://{bucket}/'"""
        )


def refusal(service: RunningService, sql: str, **options: object) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        service.client.run(sql, **options)
    return raised.value


def answer(service: RunningService, sql: str, **options: object) -> tuple[object, dict]:
    execution = service.client.run(sql, **options)
    ((value,),) = service.client.rows(execution["id"])
    return value, execution


@pytest.mark.parametrize(("sql", "code", "parts"), REFUSALS)
def test_rule_refuses_over_rest_and_command_line(
    lake: RunningService, sql: str, code: str, parts: tuple[str, ...]
) -> None:
    told = refusal(lake, sql)
    assert told.code == code
    for part in parts:
        assert part in told.message
    failed = lake.client.history(state="FAILED", limit=1)["queries"][0]
    assert failed["sql"] == sql
    assert failed["statistics"]["scanned_bytes"] == 0, "refused before any data byte was read"
    command = lake.cli("query", sql)
    assert (command.returncode, command.stdout) == (3, b"")
    text = " ".join(command.stderr.decode().split())
    for part in (code, *parts):
        assert part in text


def test_estimate_is_refused_by_the_same_rules(lake: RunningService) -> None:
    with pytest.raises(ServiceError) as raised:
        lake.client.post("/v1/estimate", {"sql": "SELECT count(*) FROM archived"})
    assert raised.value.code == "OBJECT_ARCHIVED"
    assert lake.cli("query", "--estimate", "SELECT count(*) FROM archived").returncode == 3


@pytest.mark.parametrize("table", ["archived", "mixed"])
def test_excluded_partitions_are_not_judged(lake: RunningService, table: str) -> None:
    part = {"archived": 1, "mixed": 2}[table]
    assert answer(lake, f"SELECT count(*) FROM {table} WHERE part = {part}")[0] == 3


@pytest.mark.parametrize("table", ["cool", "abroad", "home_kms"])
def test_what_no_rule_forbids_is_read(lake: RunningService, table: str) -> None:
    expected = 6 if table == "cool" else 3
    assert answer(lake, f"SELECT count(*) FROM {table}")[0] == expected


def test_scope_table_looks_at_the_partitions_that_are_not_read(lake: RunningService) -> None:
    told = refusal(lake, "SELECT count(*) FROM mixed WHERE part = 0", work_group="by_table")
    assert told.code == "MIXED_STORAGE_CLASSES"
    assert "under the tables' locations" in told.message
    assert answer(lake, "SELECT count(*) FROM cool", work_group="by_table")[0] == 6


def test_scope_bucket_looks_at_the_whole_bucket(lake: RunningService) -> None:
    told = refusal(lake, "SELECT count(*) FROM cool", work_group="by_bucket")
    assert told.code == "MIXED_STORAGE_CLASSES"
    assert "of the buckets" in told.message
    assert answer(lake, "SELECT count(*) FROM home_kms", work_group="by_bucket")[0] == 3


def test_work_group_may_pay_and_may_read_sse_s3_abroad(lake: RunningService) -> None:
    assert answer(lake, "SELECT count(*) FROM paid", work_group="payer")[0] == 3
    assert answer(lake, "SELECT count(*) FROM abroad_sse", work_group="sse")[0] == 3
    assert refusal(lake, "SELECT * FROM abroad_kms", work_group="sse").code.startswith("ENCRYPTED")


def test_athena_policy_skips_archived_objects_and_reports_them(lake: RunningService) -> None:
    value, execution = answer(lake, "SELECT count(*) FROM archived", work_group="athena")
    assert value == 6
    statistics = execution["statistics"]
    assert statistics["skipped_archived_objects"] == 1
    assert statistics["skipped_archived_bytes"] == len(rows())
    assert statistics["total_files"] == 2
    assert any("1 archived objects" in warning for warning in execution["warnings"])
    told = lake.cli("query", "-w", "athena", "-o", "csv", "SELECT count(*) AS n FROM archived")
    assert (told.returncode, told.stdout) == (0, b'"n"\n"6"\n')
    assert b"1 archived objects" in told.stderr


def test_athena_policy_over_only_archived_objects_gives_no_rows(lake: RunningService) -> None:
    value, execution = answer(lake, "SELECT count(*) FROM frozen", work_group="athena")
    assert value == 0
    assert execution["statistics"]["skipped_archived_objects"] == 5


def test_athena_policy_lets_classes_mix_and_still_refuses_requester_pays(
    lake: RunningService,
) -> None:
    assert answer(lake, "SELECT count(*) FROM mixed", work_group="athena")[0] == 9
    told = refusal(lake, "SELECT count(*) FROM paid", work_group="athena")
    assert told.code == "REQUESTER_PAYS_BUCKET"
    assert answer(lake, "SELECT count(*) FROM paid", work_group="athena_payer")[0] == 3


def test_restored_objects_are_read_where_the_work_group_says_so(
    lake: RunningService, moto: S3Server
) -> None:
    client = moto.client()
    key = "thawed/part=0/p.parquet"
    client.put_object(Bucket="lake", Key=key, Body=rows(), StorageClass="GLACIER")
    lake.client.run(
        """CREATE EXTERNAL TABLE thawed (id bigint) PARTITIONED BY (part int)
           STORED AS PARQUET LOCATION 's3://lake/thawed/'"""
    )
    lake.client.run("MSCK REPAIR TABLE thawed")
    sql = "SELECT count(*) FROM thawed"
    assert answer(lake, sql, work_group="restored")[0] == 0
    client.restore_object(Bucket="lake", Key=key, RestoreRequest={"Days": 1})
    assert 'ongoing-request="false"' in client.head_object(Bucket="lake", Key=key)["Restore"]
    assert answer(lake, sql, work_group="restored")[0] == 3
    assert answer(lake, sql, work_group="athena")[0] == 0
    assert refusal(lake, sql).code == "OBJECT_ARCHIVED"


def test_policy_of_a_new_primary_work_group_is_a_setting(
    moto: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = tmp_path_factory.mktemp("athena")
    with running_service(moto.url, state, guard_policy="athena") as service:
        register(service)
        value, execution = answer(service, "SELECT count(*) FROM archived")
        assert (value, execution["statistics"]["skipped_archived_objects"]) == (6, 1)


@pytest.mark.parametrize(
    ("table", "problem", "first"),
    [
        ("mixed", "mixed storage classes", "mixed/part=2/p.parquet"),
        ("archived", "archived objects", "archived/part=0/p.parquet"),
    ],
)
def test_a_checkup_tells_of_storage_classes_and_how_to_leave_the_objects_out(
    lake: RunningService, table: str, problem: str, first: str
) -> None:
    path = f"/v1/catalogs/awsdatacatalog/databases/default/tables/{table}/checkup"
    found = {one["problem"]: one for one in lake.client.get(path)["findings"]}
    assert first in found[problem]["detail"]
    part = first.partition("part=")[2][0]
    assert (
        found[problem]["statement"]
        == f"ALTER TABLE default.{table} DROP PARTITION (part = '{part}')"
    )
