"""The engine over the real storage gateway and a real S3 server."""

from __future__ import annotations

import gzip
import io
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.settings import SupervisorSettings, WorkerSettings
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import ExecutionPlan, PartitionScan, StoredObject, TableColumn, TableScan
from querysvc.storage.fetcher import Fetcher
from querysvc.types import algebra as t
from querysvc_catalog.model import StorageDescriptor
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_plans import RecordingControl, descriptor, plan, scan, spooled
from tests.support.s3 import S3Server, bucket, s3_server

__all__ = ["bucket", "s3_server"]

ROWS = 300_000
COLUMNS = [TableColumn("a", t.BIGINT), TableColumn("b", t.VARCHAR), TableColumn("c", t.DOUBLE)]
SUMS = [("n", t.BIGINT), ("s", t.BIGINT), ("d", t.DOUBLE), ("l", t.BIGINT)]
QUERY = "SELECT count(*), CAST(sum(c0) AS BIGINT), sum(c2), CAST(sum(length(c1)) AS BIGINT) FROM t0"
EXPECTED = [
    (
        ROWS,
        sum(range(ROWS)),
        sum(i / 2 for i in range(ROWS)),
        sum(len(f"text {i}") for i in range(ROWS)),
    )
]


@pytest.fixture(scope="module")
def fetcher(s3_server: S3Server) -> Iterator[Fetcher]:
    fetcher = Fetcher(s3_server.configuration(segment_bytes=1 << 20))
    yield fetcher
    fetcher.close()


@pytest.fixture(scope="module")
def engine(fetcher: Fetcher) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(fetcher, SupervisorSettings(worker=WorkerSettings(allows_raw_sql=True)))
    yield engine
    engine.close()


def over(objects: list[StoredObject], storage: StorageDescriptor) -> TableScan:
    table = scan(COLUMNS, [], storage)
    return replace(table, partitions=(PartitionScan((), storage, tuple(objects)),))


def parquet() -> bytes:
    table = pa.table(
        {
            "a": range(ROWS),
            "b": [f"text {i}" for i in range(ROWS)],
            "c": [i / 2 for i in range(ROWS)],
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=20_000)
    return sink.getvalue()


def csv() -> bytes:
    return b"".join(b"%d,text %d,%r\n" % (i, i, i / 2) for i in range(ROWS))


TABLES = {
    "parquet": (parquet, descriptor(StorageFormat.PARQUET), "f.parquet"),
    "csv": (csv, descriptor(StorageFormat.TEXTFILE, {"field.delim": ","}), "f.csv"),
    "gzip": (
        lambda: gzip.compress(csv(), 1),
        descriptor(StorageFormat.TEXTFILE, {"field.delim": ","}),
        "f.csv.gz",
    ),
    "odd key": (parquet, descriptor(StorageFormat.PARQUET), "a b/[12]*?'\"ü.parquet"),
}


def made(table: TableScan, **limits: Any) -> ExecutionPlan:
    return plan([table], SUMS, query_id=uuid.uuid4().hex, **limits)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_on_s3_is_read_exactly(
    engine: DuckDBEngine, s3_server: S3Server, bucket: str, tmp_path: Path, kind: str
) -> None:
    build, storage, key = TABLES[kind]
    stored = s3_server.put(bucket, key, build())
    control = RecordingControl()
    outcome = engine.execute_raw(made(over([stored], storage)), QUERY, tmp_path / "s", control)
    assert spooled(tmp_path / "s") == EXPECTED
    assert outcome.statistics.scanned_bytes >= stored.size * 0.95
    assert outcome.statistics.fetched_bytes <= stored.size * 1.1
    assert control.estimates[0].files == 1


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_small_window_reads_the_same(
    engine: DuckDBEngine, s3_server: S3Server, bucket: str, tmp_path: Path, kind: str
) -> None:
    build, storage, key = TABLES[kind]
    stored = s3_server.put(bucket, key, build())
    small = made(over([stored], storage), fetch_window_bytes=8 << 20, threads=8)
    engine.execute_raw(small, QUERY, tmp_path / "s", RecordingControl())
    assert spooled(tmp_path / "s") == EXPECTED


def test_an_object_that_changed_fails_the_query(
    engine: DuckDBEngine, s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    stored = s3_server.put(bucket, "f.parquet", parquet())
    s3_server.put(bucket, "f.parquet", parquet() + b"PAR1")
    table = over([stored], descriptor(StorageFormat.PARQUET))
    with pytest.raises(QueryServiceError, match=r"f\.parquet") as caught:
        engine.execute_raw(made(table), QUERY, tmp_path / "s", RecordingControl())
    assert caught.value.code is ErrorCode.OBJECT_CHANGED


def test_a_missing_object_fails_the_query_by_name(
    engine: DuckDBEngine, s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    stored = s3_server.put(bucket, "gone.csv", csv())
    s3_server.client().delete_object(Bucket=bucket, Key="gone.csv")
    table = over([stored], TABLES["csv"][1])
    with pytest.raises(QueryServiceError, match=r"gone\.csv"):
        engine.execute_raw(made(table), QUERY, tmp_path / "s", RecordingControl())


def test_the_estimate_reads_footers_only(
    engine: DuckDBEngine, s3_server: S3Server, bucket: str
) -> None:
    stored = s3_server.put(bucket, "f.parquet", parquet())
    table = over([stored], descriptor(StorageFormat.PARQUET))
    estimate = engine.estimate(made(table), RecordingControl())
    assert stored.size * 0.9 < estimate.scanned_bytes <= stored.size * 1.1
    assert (estimate.row_groups, estimate.total_row_groups) == (15, 15)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_many_queries_of_sixteen_threads_never_read_a_wrong_byte(
    engine: DuckDBEngine, s3_server: S3Server, bucket: str, tmp_path: Path, kind: str
) -> None:
    """Some queries in every run of the tests; benchmarks/same_file.py runs a thousand of each."""
    build, storage, key = TABLES[kind]
    table = over([s3_server.put(bucket, key, build())], storage)

    def run(number: int) -> list[tuple[Any, ...]]:
        spool = tmp_path / f"s{number}"
        engine.execute_raw(made(table, threads=16), QUERY, spool, RecordingControl())
        rows = spooled(spool)
        spool.unlink()
        return rows

    with ThreadPoolExecutor(2) as pool:
        wrong = [rows for rows in pool.map(run, range(100)) if rows != EXPECTED]
    assert wrong == []
