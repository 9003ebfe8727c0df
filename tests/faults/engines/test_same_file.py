"""Many queries of many engine threads over one file: a wrong byte is an error nobody sees."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.settings import SupervisorSettings, WorkerSettings
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_plans import RecordingControl, descriptor, plan, scan, spooled
from tests.support.local_gateway import LocalGateway

ROWS = 200_000
QUERIES = 20  # of each format; benchmarks/same_file.py runs 1,000
AT_ONCE = 2
THREADS = 16
COLUMNS = [TableColumn("n", t.BIGINT), TableColumn("square", t.BIGINT)]
COUNT_AND_SUMS = 'SELECT count(*), CAST(sum("c0") AS BIGINT), CAST(sum("c1") AS BIGINT) FROM t0'
RESULT = [("count", t.BIGINT), ("n", t.BIGINT), ("square", t.BIGINT)]
SQUARES = [one * one % 1_000_003 for one in range(ROWS)]


def parquet() -> bytes:
    sink = io.BytesIO()
    table = pa.table({"n": pa.array(range(ROWS), pa.int64()), "square": SQUARES})
    pq.write_table(table, sink, row_group_size=4_000)
    return sink.getvalue()


def text() -> bytes:
    return "".join(f"{one},{square}\n" for one, square in enumerate(SQUARES)).encode()


FILES = {
    StorageFormat.PARQUET: ("data.parquet", parquet, {}),
    StorageFormat.TEXTFILE: ("data.csv", text, {"field.delim": ","}),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[tuple[DuckDBEngine, LocalGateway]]:
    gateway = LocalGateway({key: make() for key, make, _parameters in FILES.values()})
    settings = SupervisorSettings(idle_workers=AT_ONCE, worker=WorkerSettings(allows_raw_sql=True))
    engine = DuckDBEngine(gateway, settings)
    yield engine, gateway
    engine.close()


@pytest.mark.parametrize("storage_format", FILES)
def test_threads_of_concurrent_queries_never_get_each_others_bytes(
    engine: tuple[DuckDBEngine, LocalGateway], tmp_path: Path, storage_format: StorageFormat
) -> None:
    duckdb, gateway = engine
    key, _make, parameters = FILES[storage_format]
    storage = descriptor(storage_format, parameters)
    table = scan(COLUMNS, [((), {key: gateway.objects[key]})], storage)

    def ask(number: int) -> list[tuple[int | Decimal, ...]]:
        own = plan([table], RESULT, query_id=f"q{number}", threads=THREADS)
        spool = tmp_path / f"spool-{number}"
        duckdb.execute_raw(own, COUNT_AND_SUMS, spool, RecordingControl())
        return spooled(spool)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(ask, range(QUERIES)))
    assert answers == [[(ROWS, sum(range(ROWS)), sum(SQUARES))]] * QUERIES
