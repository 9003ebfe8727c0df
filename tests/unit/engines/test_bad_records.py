"""`querysvc.on_bad_record`: the table's choice for values that do not fit, in every format."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import Domain, TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

COLUMNS = [TableColumn("v", t.TINYINT)]
TABLE = pa.table({"v": [1, 300]})
RULES = {"null": [(1,), (None,)], "fail": ErrorCode.HIVE_BAD_DATA}


def _arrow(write: Any) -> bytes:
    sink = io.BytesIO()
    write(TABLE, sink)
    return sink.getvalue()


def _avro() -> bytes:
    sink = io.BytesIO()
    schema = {"type": "record", "name": "R", "fields": [{"name": "v", "type": "long"}]}
    fastavro.writer(sink, schema, [{"v": 1}, {"v": 300}])
    return sink.getvalue()


JSON = b'{"v":1}\n{"v":300}\n'
FORMATS = {
    StorageFormat.PARQUET: (_arrow(pq.write_table), {}, "fail"),
    StorageFormat.ORC: (_arrow(orc.write_table), {}, "fail"),
    StorageFormat.AVRO: (_avro(), {}, "fail"),
    StorageFormat.TEXTFILE: (b"1\n300\n", {}, "null"),
    StorageFormat.CSV: (b"1\n300\n", {}, "fail"),
    StorageFormat.OPENX_JSON: (JSON, {}, "null"),
    StorageFormat.JSON: (JSON, {}, "fail"),
    StorageFormat.REGEX: (b"1\n300\n", {"input.regex": "(.*)"}, "null"),
    StorageFormat.GROK: (b"1\n300\n", {"input.format": "%{INT:v}"}, "fail"),
    StorageFormat.CLOUDTRAIL: (b'{"Records":[{"v":1},{"v":300}]}', {}, "null"),
}


def read(bench: EngineBench, storage_format: StorageFormat, **options: Any) -> Any:
    data, serde, _usual = FORMATS[storage_format]
    storage = descriptor(storage_format, serde)
    try:
        return bench.select(storage, COLUMNS, [((), {"f": data})], **options)
    except QueryServiceError as error:
        told = "300" in error.message and "s3://bucket/f" in error.message
        return error.code if told else error.message


@pytest.mark.parametrize("storage_format", FORMATS)
def test_the_serdes_rule_holds_unless_the_table_chooses(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    assert read(engine_bench, storage_format) == RULES[FORMATS[storage_format][2]]
    for choice, expected in RULES.items():
        chosen = {"querysvc.on_bad_record": choice}
        assert read(engine_bench, storage_format, table_parameters=chosen) == expected


@pytest.mark.parametrize("storage_format", FORMATS)
def test_another_choice_is_refused_by_name(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    data, serde, _usual = FORMATS[storage_format]
    with pytest.raises(QueryServiceError, match=r"querysvc\.on_bad_record=quarantine") as caught:
        engine_bench.select(
            descriptor(storage_format, serde), COLUMNS, [((), {"f": data})],
            table_parameters={"querysvc.on_bad_record": "quarantine"},
        )  # fmt: skip
    assert caught.value.code is ErrorCode.NOT_SUPPORTED


@pytest.mark.parametrize("storage_format", [StorageFormat.PARQUET, StorageFormat.ORC])
def test_a_value_read_as_null_is_found_by_is_null(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    found = read(
        engine_bench,
        storage_format,
        table_parameters={"querysvc.on_bad_record": "null"},
        domains={0: Domain(t.TINYINT, (), allows_null=True)},
        sql='SELECT "c0" FROM t0 WHERE "c0" IS NULL',
    )
    assert found == [(None,)]
