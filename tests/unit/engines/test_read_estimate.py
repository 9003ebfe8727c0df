"""An estimate counts exactly the bytes that the run then fetches."""

from __future__ import annotations

import bz2
import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import RecordingControl, descriptor, plan, scan

COLUMNS = [TableColumn("a", t.BIGINT), TableColumn("b", t.VARCHAR), TableColumn("c", t.DOUBLE)]
PARQUET = descriptor(StorageFormat.PARQUET)
TEXT = descriptor(StorageFormat.TEXTFILE, {"field.delim": ","})
JSON = descriptor(StorageFormat.OPENX_JSON)


def parquet(rows: int, row_groups: int, columns: int = 0) -> bytes:
    table = pa.table(
        {
            "a": range(rows),
            "b": [f"text {i * 7919 % rows}" for i in range(rows)],
            "c": [i / 2 for i in range(rows)],
            **{f"more{i}": [i] * rows for i in range(columns)},
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=max(rows // row_groups, 1))
    return sink.getvalue()


def lines(rows: int) -> bytes:
    return b"".join(b"%d,text %d,%r\n" % (i, i, i / 2) for i in range(rows))


def objects(rows: int) -> bytes:
    return b"".join(b'{"a": %d, "b": "t", "c": 0.5}\n' % i for i in range(rows))


SHAPES = {
    "a file smaller than its tail request": (PARQUET, {"f": parquet(1000, 10)}, [0]),
    "neighbours with a gap below the limit": (PARQUET, {"f": parquet(20_000, 8)}, [0, 2]),
    "one column of many row groups": (PARQUET, {"f": parquet(100_000, 4)}, [0]),
    "all columns": (PARQUET, {"f": parquet(100_000, 4)}, [0, 1, 2]),
    "no column": (PARQUET, {"f": parquet(100_000, 4)}, []),
    "a footer larger than its tail request": (PARQUET, {"f": parquet(4000, 40, 60)}, [0]),
    "many files": (PARQUET, {f"f{i}": parquet(5000 * i, 3) for i in range(1, 6)}, [1]),
    "text": (TEXT, {"f.csv": lines(50_000), "g.csv": lines(3)}, [1]),
    "gzip": (TEXT, {"f.csv.gz": gzip.compress(lines(50_000))}, [1]),
    "text of the exact path": (TEXT, {"f.csv.bz2": bz2.compress(lines(900))}, [1]),
    "JSON": (JSON, {"f.json": objects(10_000)}, [0]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_run_fetches_what_the_estimate_told(engine_bench: EngineBench, shape: str) -> None:
    storage, files, used = SHAPES[shape]
    named = {f"{shape} {key}": data for key, data in files.items()}
    engine_bench.gateway.objects = {**engine_bench.gateway.objects, **named}
    table = scan(COLUMNS, [((), named)], storage, used=used)
    told = engine_bench.engine.estimate(plan([table], [("n", t.BIGINT)]), RecordingControl())
    # DISTINCT: a plain count of a column without NULLs can end before its values have arrived.
    counts = " + ".join(["count(*)", *(f'count(DISTINCT "c{index}")' for index in used)])
    for _turn in range(2):  # the second time the worker knows the footers
        result = [("n", t.BIGINT)]
        engine_bench.select(
            storage, COLUMNS, [((), named)], f"SELECT {counts} FROM t0", result, used=used
        )
        fetched = engine_bench.outcome.statistics.scanned_bytes
        assert engine_bench.control.estimates[0].scanned_bytes == told.scanned_bytes
        assert fetched == pytest.approx(told.scanned_bytes, rel=0.01)


def test_a_table_of_the_exact_path_is_fetched_once(
    engine_bench: EngineBench,
) -> None:
    data = bz2.compress(lines(30_000))
    named = {"once.csv.bz2": data}
    engine_bench.gateway.objects = {**engine_bench.gateway.objects, **named}
    table = scan(COLUMNS, [((), named)], TEXT, used=[0])
    told = engine_bench.engine.estimate(plan([table], [("n", t.BIGINT)]), RecordingControl())
    assert told.scanned_bytes == len(data)
    rows = engine_bench.select(TEXT, COLUMNS, [((), named)], used=[0])
    assert len(rows) == 30_000
    assert engine_bench.outcome.statistics.scanned_bytes == len(data)
