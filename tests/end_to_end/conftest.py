"""One real service over one real S3 server, with tables of every format, for all tests here."""

from __future__ import annotations

import gzip
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server, require_versitygw, versitygw

BUCKET = "data"
ROWS = 1000
DDL = (
    "CREATE DATABASE IF NOT EXISTS shop",
    """CREATE EXTERNAL TABLE shop.orders (id bigint, amount decimal(10,2), note string)
       PARTITIONED BY (day date) STORED AS PARQUET LOCATION 's3://data/orders/'""",
    "MSCK REPAIR TABLE shop.orders",
    """CREATE EXTERNAL TABLE shop.people (id int, name string, born date)
       ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://data/people/'
       TBLPROPERTIES ('skip.header.line.count' = '1')""",
    """CREATE EXTERNAL TABLE shop.events (kind string, at timestamp, tags array<string>)
       ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://data/events/'""",
    """CREATE EXTERNAL TABLE shop.bad_csv (id int, name string)
       ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://data/bad_csv/'
       TBLPROPERTIES ('querysvc.on_bad_record'='fail')""",
    """CREATE EXTERNAL TABLE shop.truncated (id bigint)
       STORED AS PARQUET LOCATION 's3://data/truncated/'""",
    """CREATE EXTERNAL TABLE shop.nowhere (id bigint)
       STORED AS PARQUET LOCATION 's3://no-such-bucket/x/'""",
)
ENDLESS = (
    "SELECT count(*) FROM shop.orders a, shop.orders b, shop.orders c WHERE a.id + b.id + c.id = -1"
)
"""Answers nothing, for hours: what runs until it is ended."""


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    require_versitygw()
    with versitygw(tmp_path_factory.mktemp("s3")) as server:
        load(server)
        yield server


@pytest.fixture(scope="session")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(s3.url, tmp_path_factory.mktemp("state")) as running:
        for statement in DDL:
            running.client.run(statement)
        yield running


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.02)


def load(server: S3Server) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)

    def put(key: str, body: bytes) -> None:
        client.put_object(Bucket=BUCKET, Key=key, Body=body)

    for day in ("2024-01-01", "2024-01-02"):
        put(f"orders/day={day}/part.parquet", orders())
    put("people/people.csv.gz", gzip.compress(b"id,name,born\n1,Ada,1815-12-10\n2,,\n"))
    put(
        "events/events.json",
        b'{"kind":"click","at":"2024-01-01 10:00:00.5","tags":["a","b"]}\n'
        b'{"kind":null,"Tags":[]}\n',
    )
    put("bad_csv/good.csv", b"1,a\n2,b\n")
    put("bad_csv/rows.csv", b"3,c\n4,d\nfive,e\n6,f\n")
    put("truncated/part.parquet", orders()[:-200])


def orders(rows: int = ROWS) -> bytes:
    table = pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "amount": pa.array([i * 100 for i in range(rows)], pa.int64())
            .cast(pa.decimal128(19, 0))
            .cast(pa.decimal128(21, 2))
            .cast(pa.decimal128(10, 2)),
            "note": pa.array([None if i % 10 == 0 else f"note {i}" for i in range(rows)]),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=100)
    return sink.getvalue()


@pytest.fixture
def empty_dir(tmp_path: Path) -> Path:
    return tmp_path
