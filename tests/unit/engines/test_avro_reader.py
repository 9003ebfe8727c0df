"""Avro through the whole contained engine: blocks, counting, damage."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

AVRO = descriptor(StorageFormat.AVRO)
COLUMNS = [TableColumn("i", t.BIGINT), TableColumn("s", t.VARCHAR)]
SCHEMA = {
    "type": "record",
    "name": "R",
    "fields": [{"name": "i", "type": "long"}, {"name": "s", "type": ["null", "string"]}],
}


def write(rows: int, **options: Any) -> bytes:
    sink = io.BytesIO()
    records = ({"i": n, "s": f"text {n}" if n % 7 else None} for n in range(rows))
    fastavro.writer(sink, SCHEMA, records, **options)
    return sink.getvalue()


def test_many_blocks_become_one_table(engine_bench: EngineBench) -> None:
    data = write(50_000, sync_interval=10_000)
    found = engine_bench.select(
        AVRO, COLUMNS, [((), {"f": data})], 'SELECT sum("c0"), count("c1"), count(*) FROM t0',
        [("s", t.Decimal(38, 0)), ("c", t.BIGINT), ("n", t.BIGINT)],
    )  # fmt: skip
    assert found == [(Decimal(50_000 * 49_999 // 2), 50_000 - 7143, 50_000)]
    assert engine_bench.outcome.statistics.scanned_bytes == len(data)
    assert engine_bench.control.estimates[0].scanned_bytes == len(data)


def test_counting_rows_decodes_none(engine_bench: EngineBench) -> None:
    found = engine_bench.select(
        AVRO, COLUMNS, [((), {"f": write(1000)})], "SELECT count(*) FROM t0", [("n", t.BIGINT)],
        used=[],
    )  # fmt: skip
    assert found == [(1000,)]


def test_a_file_without_records_has_no_rows(engine_bench: EngineBench) -> None:
    assert engine_bench.select(AVRO, COLUMNS, [((), {"f": write(0)})]) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-5], "ends in the middle of a block"),
        (lambda data: data[:-5] + b"\x00" * 5, "does not end with its sync marker"),
        (lambda data: b"Obj\x02" + data[4:], "is not a valid Avro file"),
        (lambda data: data.replace(b"avro.codec", b"avro.codex"), "decoded|damaged|cannot"),
    ],
)
def test_damage_is_bad_data_with_the_files_name(
    engine_bench: EngineBench, damage: Any, message: str
) -> None:
    with pytest.raises(QueryServiceError, match=rf"s3://bucket/f .*{message}") as caught:
        engine_bench.select(AVRO, COLUMNS, [((), {"f": damage(write(100, codec="deflate"))})])
    assert caught.value.code is ErrorCode.HIVE_BAD_DATA


def test_a_value_that_does_not_fit_is_named(engine_bench: EngineBench) -> None:
    columns = [TableColumn("i", t.TINYINT)]
    told = r"s3://bucket/f, row 129: column i: value '128'.*tinyint"
    with pytest.raises(QueryServiceError, match=told):
        engine_bench.select(AVRO, columns, [((), {"f": write(200)})])
