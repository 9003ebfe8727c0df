"""Twenty queries over every format: what /v1/estimate tells is what the run then reads."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from querysvc.client import JsonObject, ServiceError
from tests.end_to_end.conftest import BUCKET
from tests.support.running_service import RunningService
from tests.support.s3 import S3Server

ROWS = 50_000
LINES = [(i, f"name {i * 7919 % ROWS}", i / 2) for i in range(ROWS)]
TABLE = pa.Table.from_pylist(
    [dict(zip(("id", "name", "amount"), line, strict=True)) for line in LINES]
)
CSV = b"".join(b"%d,%b,%r\n" % (i, name.encode(), amount) for i, name, amount in LINES)
JSON = b"".join(
    json.dumps({"id": i, "name": name, "amount": amount}).encode() + b"\n"
    for i, name, amount in LINES
)
COLUMNS = "id bigint, name string, amount double"
COMMAS = "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"
OPENX = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
REGEX = (
    "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'"
    " WITH SERDEPROPERTIES ('input.regex' = '([0-9]+),([^,]+),(.*)')"
)
PROJECTED = (
    "TBLPROPERTIES ('projection.enabled' = 'true', 'projection.day.type' = 'date',"
    " 'projection.day.range' = '2024-01-01,2024-01-09', 'projection.day.format' = 'yyyy-MM-dd')"
)


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE, sink, row_group_size=5_000)
    return sink.getvalue()


def _orc() -> bytes:
    sink = io.BytesIO()
    orc.write_table(TABLE, sink, stripe_size=64 << 10)
    return sink.getvalue()


def _avro() -> bytes:
    sink = io.BytesIO()
    kinds = {"id": "long", "name": "string", "amount": "double"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    rows = [dict(zip(kinds, line, strict=True)) for line in LINES]
    schema = {"type": "record", "name": "R", "fields": fields}
    fastavro.writer(sink, schema, rows, codec="deflate")
    return sink.getvalue()


@dataclass(frozen=True, slots=True)
class Declared:
    """A table: what stands after its columns, and its objects by key below its location."""

    clause: str
    objects: dict[str, bytes]
    after: str = ""


def _by_day(name: str, body: bytes) -> dict[str, bytes]:
    return {f"day=2024-01-0{day}/{name}": body for day in (1, 2, 3)}


TABLES = {
    "parquet": Declared("STORED AS PARQUET", {"f.parquet": _parquet()}),
    "by_day": Declared(
        "PARTITIONED BY (day date) STORED AS PARQUET", _by_day("f.parquet", _parquet())
    ),
    "projected": Declared(
        "PARTITIONED BY (day date) STORED AS PARQUET", _by_day("f.parquet", _parquet()), PROJECTED
    ),
    "orc": Declared("STORED AS ORC", {"f.orc": _orc()}),
    "avro": Declared("STORED AS AVRO", {"f.avro": _avro()}),
    "plain_csv": Declared(COMMAS, {"f.csv": CSV, "g.csv": CSV[:1000]}),
    "gzip_csv": Declared(COMMAS, {"f.csv.gz": gzip.compress(CSV, 1)}),
    "json": Declared(OPENX, {"f.json": JSON}),
    "gzip_json": Declared(OPENX, {"f.json.gz": gzip.compress(JSON, 1)}),
    "regex": Declared(REGEX, {"f.txt": CSV}),
    "spelt": Declared(OPENX, {"f.json": JSON + b'{"ID": 7, "Name": "z"}\n'}),
    "empty": Declared("STORED AS PARQUET", {}),
    "hollow": Declared(COMMAS, {"f.csv": b""}),
}

QUERIES = {
    "all columns of Parquet": "SELECT * FROM parquet",
    "one column of Parquet": "SELECT sum(amount) FROM parquet",
    "no column of Parquet": "SELECT count(*) FROM parquet",
    "row groups pruned": "SELECT name FROM parquet WHERE id BETWEEN 10100 AND 14900",
    "every row group pruned": "SELECT name FROM parquet WHERE id < 0",
    "a filter that prunes nothing": "SELECT id FROM parquet WHERE name LIKE '%77%'",
    "Parquet twice": "SELECT count(*) FROM parquet a JOIN parquet b ON a.id = b.id",
    "one partition": "SELECT max(id) FROM by_day WHERE day = DATE '2024-01-02'",
    "all partitions": "SELECT day, max(name) FROM by_day GROUP BY day",
    "partitions and row groups pruned": "SELECT sum(id) FROM by_day WHERE day > DATE '2024-01-01'"
    " AND name = 'name 77' AND id < 100",
    "projection": "SELECT sum(amount) FROM projected WHERE day BETWEEN DATE '2024-01-03'"
    " AND DATE '2024-01-07'",
    "all columns of ORC": "SELECT * FROM orc",
    "one column of ORC": "SELECT sum(id) FROM orc",
    "stripes pruned": "SELECT max(name) FROM orc WHERE id = 49999",
    "Avro": "SELECT sum(id) FROM avro",
    "CSV": "SELECT sum(amount) FROM plain_csv",
    "CSV in gzip": "SELECT count(DISTINCT name) FROM gzip_csv",
    "JSON": "SELECT sum(id) FROM json",
    "JSON in gzip": "SELECT max(name) FROM gzip_json",
    "Regex": "SELECT sum(id) FROM regex",
    "no objects": "SELECT * FROM empty",
    "an empty object": "SELECT * FROM hollow",
    "a write's query": "CREATE TABLE written AS SELECT id FROM parquet",
    "LIMIT": "SELECT * FROM by_day LIMIT 5",
    "LIMIT of text": "SELECT * FROM plain_csv LIMIT 5",
    "LIMIT over an aggregate": "SELECT sum(id) FROM parquet LIMIT 5",
    "ORDER BY with LIMIT": "SELECT id FROM parquet ORDER BY id DESC LIMIT 3",
    "a join of two": "SELECT count(*) FROM orc JOIN parquet ON orc.id = parquet.id"
    " WHERE orc.id < 10",
    "a join with nothing": "SELECT count(*) FROM plain_csv JOIN empty ON plain_csv.id = empty.id",
    "nothing": "SELECT name FROM parquet WHERE 1 = 0",
    "CSV twice": "SELECT count(*) FROM plain_csv a JOIN plain_csv b ON a.id = b.id",
    "a key spelt otherwise": "SELECT max(name) FROM spelt",
    "EXISTS": "SELECT EXISTS (SELECT 1 FROM json WHERE id = 3)",
}
REASONS = {
    "Parquet twice": "a join",
    "CSV twice": "a join",
    "a join of two": "a join",
    "a join with nothing": "a join",
    "EXISTS": "subquery",
    "one partition": "min and max",
    "LIMIT": "LIMIT",
    "LIMIT of text": "LIMIT",
    "ORDER BY with LIMIT": "LIMIT",
    "nothing": "a condition without columns",
}
"""What those tell that may read less; all others are exact, which makes more than twenty."""


@pytest.fixture(scope="module")
def measured(service: RunningService, s3: S3Server) -> Iterator[RunningService]:
    service.client.run(f"CREATE DATABASE measured LOCATION 's3://{BUCKET}/measured/'")
    store = s3.client()
    for name, declared in TABLES.items():
        for key, body in declared.objects.items():
            store.put_object(Bucket=BUCKET, Key=f"measured/{name}/{key}", Body=body)
        service.client.run(
            f"CREATE EXTERNAL TABLE measured.{name} ({COLUMNS}) {declared.clause}"
            f" LOCATION 's3://{BUCKET}/measured/{name}/' {declared.after}"
        )
    service.client.run("MSCK REPAIR TABLE measured.by_day")
    yield service
    service.client.run("DROP DATABASE measured CASCADE")


def estimate(service: RunningService, sql: str) -> JsonObject:
    return service.client.post("/v1/estimate", {"sql": sql, "database": "measured"})


@pytest.mark.parametrize("name", QUERIES)
def test_a_run_reads_what_was_estimated_or_the_estimate_tells_why_not(
    measured: RunningService, name: str
) -> None:
    told = estimate(measured, QUERIES[name])
    read = measured.client.run(QUERIES[name], database="measured")["statistics"]["scanned_bytes"]
    if told["is_exact"]:
        assert told["scanned_bytes"] == pytest.approx(read, rel=0.01)
    else:
        assert REASONS[name] in told["reason"]
        assert read <= told["scanned_bytes"] * 1.01


def test_the_work_groups_limit_is_told_before_the_run_and_refuses_it(
    measured: RunningService,
) -> None:
    limits = {"scanned_bytes_max": 100_000}
    measured.client.post("/v1/work-groups", {"name": "frugal", "limits": limits})
    for sql, is_allowed in (
        ("SELECT sum(amount) FROM parquet", False),
        ("SELECT count(*) FROM parquet", True),
        ("SELECT * FROM parquet LIMIT 5", True),
    ):
        body = {"sql": sql, "database": "measured", "work_group": "frugal"}
        told = measured.client.post("/v1/estimate", body)
        assert told["bytes_limit"] == 100_000
        assert told["is_allowed"] is is_allowed
        if not is_allowed:
            with pytest.raises(ServiceError) as refused:
                measured.client.run(sql, database="measured", work_group="frugal")
            assert str(refused.value) == told["refusal"]
    # What may end early is let in, and stopped by its counter when it does not.
    with pytest.raises(ServiceError, match="EXCEEDED_SCAN_LIMIT"):
        measured.client.run(
            "SELECT * FROM by_day LIMIT 1000000", database="measured", work_group="frugal"
        )
