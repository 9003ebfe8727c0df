"""`querysvc doctor table` and its REST form: each finding, and the statement that mends it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.client import JsonObject
from tests.end_to_end.conftest import BUCKET
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server

ROOT = f"s3://{BUCKET}/checked"


def parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


GOOD = parquet(id=[1, 2], name=["a", "b"])
OBJECTS = {
    **{f"small/day={n % 4}/f{n}.parquet": GOOD for n in range(100)},
    "hollow/a.parquet": GOOD,
    "hollow/b.parquet": b"",
    "damaged/day=1/a.parquet": GOOD,
    "damaged/day=2/a.parquet": b"PAR1" + GOOD[4:-60],
    "drifted/day=1/a.parquet": GOOD,
    "drifted/day=2/a.parquet": parquet(id=["1"], name=["c"]),
    "strayed/day=1/a.parquet": GOOD,
    "strayed/loose.parquet": GOOD,
    "disguised/a.parquet": b'{"id": 1, "name": "x"}\n{"id": 2, "name": "y"}\n',
}
PARTITIONED = ("small", "damaged", "drifted", "strayed")


@pytest.fixture(scope="module")
def checked(service: RunningService, s3: S3Server) -> Iterator[RunningService]:
    store = s3.client()
    for key, body in OBJECTS.items():
        store.put_object(Bucket=BUCKET, Key=f"checked/{key}", Body=body)
    service.client.run(f"CREATE DATABASE checked LOCATION '{ROOT}/'")
    for name in {key.partition("/")[0] for key in OBJECTS} | {"void"}:
        keys = "PARTITIONED BY (day int)" if name in PARTITIONED else ""
        service.client.run(
            f"CREATE EXTERNAL TABLE checked.{name} (id bigint, name string) {keys}"
            f" STORED AS PARQUET LOCATION '{ROOT}/{name}/'"
        )
    for name in PARTITIONED:
        service.client.run(f"MSCK REPAIR TABLE checked.{name}")
    service.client.run("CREATE VIEW checked.seen AS SELECT 1 AS one")
    yield service
    service.client.run("DROP DATABASE checked CASCADE")


def findings(service: RunningService, table: str) -> list[JsonObject]:
    path = f"/v1/catalogs/awsdatacatalog/databases/checked/tables/{table}/checkup"
    return list(service.client.get(path)["findings"])


FOUND = {
    "small": (
        "small files",
        "100 objects of",
        (
            "CREATE TABLE checked.small_compacted WITH (format = 'PARQUET',"
            " partitioned_by = ARRAY['day']) AS TABLE checked.small"
        ),
    ),
    "hollow": ("empty objects", "1 objects have no bytes", None),
    "damaged": (
        "unreadable objects",
        f"{ROOT}/damaged/day=2/a.parquet: ",
        "ALTER TABLE checked.damaged DROP PARTITION (day = '2')",
    ),
    "strayed": ("objects outside partitions", "strayed/loose.parquet", None),
    "disguised": ("another format", "look like OPENX_JSON, the table says PARQUET", None),
    "void": ("no objects", f"nothing lies under {ROOT}/void/", None),
    "seen": ("no location", "is a view", None),
}


@pytest.mark.parametrize("table", FOUND)
def test_a_finding_has_its_reason_and_its_statement(checked: RunningService, table: str) -> None:
    problem, detail, statement = FOUND[table]
    (one,) = [one for one in findings(checked, table) if one["problem"] == problem]
    assert detail in one["detail"]
    assert one["statement"] == statement


def test_the_command_line_tells_the_same(checked: RunningService) -> None:
    told = checked.cli("doctor", "table", "checked.damaged")
    assert told.returncode == 1
    for one in findings(checked, "damaged"):
        for text in (one["problem"], one["detail"], one["statement"]):
            assert text in told.stdout.decode()


def mended(service: RunningService, table: str) -> list[str]:
    """The problems that are left after every statement was run."""
    for one in findings(service, table):
        if one["statement"]:
            service.client.run(one["statement"])
    return [one["problem"] for one in findings(service, table)]


def test_objects_that_differ_by_partition_are_told_and_the_table_widened(
    checked: RunningService,
) -> None:
    (told, kind) = findings(checked, "drifted")
    assert told["problem"] == "objects disagree"
    assert "drifted/day=2/a.parquet: column id is string, elsewhere bigint" in told["detail"]
    assert kind["statement"] == "ALTER TABLE checked.drifted CHANGE COLUMN `id` `id` string"
    # The table is changed, its partitions are not: that is the next finding.
    assert mended(checked, "drifted") == ["schema drift", "schema drift", "objects disagree"]
    assert "2 partitions declare other columns" in findings(checked, "drifted")[0]["detail"]
    assert mended(checked, "drifted") == ["objects disagree"]


def test_small_files_and_damage_are_gone_when_the_statements_ran(checked: RunningService) -> None:
    assert mended(checked, "damaged") == ["unregistered partitions", "unreadable objects"]
    assert mended(checked, "small") == ["small files"]
    count = checked.client.run("SELECT count(*) FROM checked.small_compacted")
    assert list(checked.client.rows(count["id"])) == [[200]]
    assert findings(checked, "small_compacted") == []


def test_a_crawl_shows_where_objects_disagree(checked: RunningService) -> None:
    body = {"location": f"{ROOT}/drifted/", "table": "merged", "database": "checked"}
    (found,) = checked.client.post("/v1/crawl", body)["tables"]
    assert "`id` string" in found["statement"]
    (told,) = found["disagreements"]
    assert "day=2/a.parquet: column id is string, elsewhere bigint: string" in told
    printed = checked.cli("crawl", f"{ROOT}/drifted/", "--table", "merged").stdout.decode()
    assert told in printed
