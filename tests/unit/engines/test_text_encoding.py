"""Athena's result CSV, written by a worker from a spool."""

from __future__ import annotations

import csv
import io
import os
import random
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from querysvc.engines.duckdb.spool import spool_schema
from querysvc.engines.duckdb.text import encode_text
from querysvc.model import ResultColumn
from querysvc.results.text_values import text_converter
from querysvc.types import algebra as t
from tests.support.engine_bench import EngineBench


def spool(path: Path, columns: tuple[ResultColumn, ...], *batches: list[list[Any]]) -> None:
    schema = spool_schema(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for values in batches:
            arrays = [pa.array(v, f.type) for v, f in zip(values, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def encoded(
    bench: EngineBench, tmp_path: Path, columns: dict[str, t.TrinoType], *batches: Any
) -> str:
    listed = tuple(ResultColumn(name, type_) for name, type_ in columns.items())
    spool(tmp_path / "spool", listed, *batches)
    bench.engine.encode_text(tmp_path / "spool", listed, tmp_path / "out.csv")
    return (tmp_path / "out.csv").read_bytes().decode()


def test_values_are_quoted_and_null_is_bare(engine_bench: EngineBench, tmp_path: Path) -> None:
    columns = {"n": t.BIGINT, 'a "b"': t.VARCHAR}
    text = encoded(engine_bench, tmp_path, columns, [[1, None], ["", None]], [[3], ['x,"y"\nz é']])
    assert text == '"n","a ""b"""\n"1",""\n,\n"3","x,""y""\nz é"\n'


def test_every_type_has_athena_s_text(engine_bench: EngineBench, tmp_path: Path) -> None:
    row = t.Row((t.RowField("a", t.BIGINT), t.RowField(None, t.VARCHAR)))
    values: list[tuple[t.TrinoType, Any, str]] = [
        (t.BOOLEAN, True, "true"),
        (t.TINYINT, -1, "-1"),
        (t.REAL, 0.1, "0.1"),
        (t.DOUBLE, 1e10, "1.0E10"),
        (t.DOUBLE, 3.0, "3.0"),
        (t.DOUBLE, float("-inf"), "-Infinity"),
        (t.Decimal(20, 10), Decimal("0.0000000001"), "0.0000000001"),
        (t.DATE, date(2020, 2, 29), "2020-02-29"),
        (t.Timestamp(3), datetime(2017, 1, 1), "2017-01-01 00:00:00.000"),
        (
            t.TimestampTz(3),
            {"t": datetime(2017, 1, 1), "z": "UTC"},
            "2017-01-01 00:00:00.000 UTC",
        ),
        (t.VARBINARY, b"123", "31 32 33"),
        (t.Array(t.BIGINT), [1, None], "[1, null]"),
        (t.Map(t.BIGINT, t.BIGINT), [(1, 2)], "{1=2}"),
        (row, {"f0": 1, "f1": "x"}, "{a=1, field1=x}"),
    ]
    columns = {str(i): type_ for i, (type_, _v, _x) in enumerate(values)}
    text = encoded(engine_bench, tmp_path, columns, [[value] for _t, value, _x in values])
    assert next(csv.reader(io.StringIO(text.split("\n", 1)[1]))) == [x for _t, _v, x in values]


def test_the_fast_spelling_of_doubles_is_the_slow_one(tmp_path: Path) -> None:
    rng = random.Random(7)
    numbers = [struct.unpack("d", rng.randbytes(8))[0] for _ in range(20_000)]
    numbers += [rng.uniform(-1e8, 1e8) for _ in range(20_000)]
    numbers += [float(rng.randrange(-(10**9), 10**9)) for _ in range(20_000)]
    numbers += [0.0, -0.0, 1e-3, 9.999999999e-4, 1e7, 9999999.999999998, 0.001, 123456.0]
    columns = (ResultColumn("x", t.DOUBLE),)
    spool(tmp_path / "spool", columns, [numbers])
    with open(tmp_path / "spool", "rb") as source, open(tmp_path / "out", "wb") as target:
        encode_text(os.dup(source.fileno()), os.dup(target.fileno()), columns, text_converter)
    got = (tmp_path / "out").read_text().splitlines()[1:]
    assert got == [f'"{x}"' for x in text_converter(t.DOUBLE)(pa.array(numbers))]


def test_no_rows_leave_the_header(engine_bench: EngineBench, tmp_path: Path) -> None:
    assert encoded(engine_bench, tmp_path, {"a": t.BIGINT}) == '"a"\n'


@pytest.mark.slow
def test_ten_million_rows_take_bounded_memory(engine_bench: EngineBench, tmp_path: Path) -> None:
    columns = (
        ResultColumn("i", t.BIGINT),
        ResultColumn("d", t.DOUBLE),
        ResultColumn("s", t.VARCHAR),
    )
    batch = [list(range(100_000)), [i / 8 for i in range(100_000)], ["text"] * 100_000]
    spool(tmp_path / "spool", columns, *[batch] * 100)
    started = datetime.now(UTC)
    engine_bench.engine.encode_text(tmp_path / "spool", columns, tmp_path / "out.csv")
    assert (datetime.now(UTC) - started).total_seconds() < 60
    with open(tmp_path / "out.csv", "rb") as out:
        assert (
            sum(chunk.count(b"\n") for chunk in iter(lambda: out.read(1 << 22), b"")) == 10_000_001
        )
