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
        types = {"v": "tinyint"}
        return bench.select(storage, COLUMNS, [((), {"f": data})], hive_types=types, **options)
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


def test_another_choice_is_refused_by_name(engine_bench: EngineBench) -> None:
    with pytest.raises(QueryServiceError, match=r"querysvc\.on_bad_record=ignore") as caught:
        engine_bench.select(
            descriptor(StorageFormat.CSV, {}), COLUMNS, [((), {"f": b"1\n"})],
            table_parameters={"querysvc.on_bad_record": "ignore"},
        )  # fmt: skip
    assert caught.value.code is ErrorCode.NOT_SUPPORTED


QUARANTINE = {"querysvc.on_bad_record": "quarantine"}


@pytest.mark.parametrize("storage_format", FORMATS)
def test_a_row_that_is_set_aside_is_counted_and_shown_with_its_place(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    assert read(engine_bench, storage_format, table_parameters=QUARANTINE) == [(1,)]
    assert engine_bench.outcome.statistics.rejected_rows == 1
    [shown] = read(engine_bench, storage_format, table_parameters=QUARANTINE, tells_rejects=True)
    path, line, offset, column, value, wanted, reason, record = shown
    assert (path, line, column, value, wanted) == ("s3://bucket/f", 2, "v", "300", "tinyint")
    assert reason
    records = {
        StorageFormat.CLOUDTRAIL: (None, '{"v":300}'),
        **dict.fromkeys((StorageFormat.OPENX_JSON, StorageFormat.JSON), (8, '{"v":300}')),
        **dict.fromkeys((StorageFormat.REGEX, StorageFormat.GROK), (2, "300")),
        **dict.fromkeys((StorageFormat.TEXTFILE, StorageFormat.CSV), (2, "300")),
    }
    assert (offset, record) == records.get(storage_format, (None, None))


TWO = [TableColumn("a", t.INTEGER), TableColumn("b", t.VARCHAR)]


@pytest.mark.parametrize(
    ("storage_format", "data", "serde"),
    [
        (StorageFormat.CSV, b"1,x\nz,y\n3,w\n", {}),
        (StorageFormat.OPENX_JSON, b'{"a":1,"b":"x"}\n{"a":"z","b":"y"}\n{"a":3,"b":"w"}\n', {}),
        (StorageFormat.REGEX, b"1,x\nno match\n3,w\n", {"input.regex": "([^,]*),([^,]*)"}),
    ],
)
def test_a_row_is_set_aside_whatever_columns_are_asked_for(
    engine_bench: EngineBench, storage_format: StorageFormat, data: bytes, serde: dict[str, str]
) -> None:
    def ask(sql: str, result: Any) -> Any:
        storage, objects = descriptor(storage_format, serde), [((), {"f": data})]
        return engine_bench.select(
            storage, TWO, objects, sql, result, used=[1], table_parameters=QUARANTINE
        )

    assert ask('SELECT "c1" FROM t0', [("b", t.VARCHAR)]) == [("x",), ("w",)]
    assert engine_bench.outcome.statistics.rejected_rows == 1
    assert ask("SELECT count(*) FROM t0", [("n", t.BIGINT)]) == [(2,)]
    assert engine_bench.outcome.statistics.rejected_rows == 1
    assert ask('SELECT "c1" FROM t0 WHERE "c1" = \'w\'', [("b", t.VARCHAR)]) == [("w",)]
    assert engine_bench.outcome.statistics.rejected_rows == 1


def test_lines_that_cannot_be_read_at_all_are_set_aside(engine_bench: EngineBench) -> None:
    data = b'{"v":1}\n{"v":\n[7]\n{"v":"\xff"}\n{"v":2}\n'
    storage = descriptor(StorageFormat.JSON, {})
    objects = [((), {"f": data})]
    found = engine_bench.select(storage, COLUMNS, objects, table_parameters=QUARANTINE)
    assert found == [(1,), (2,)]
    types = {"v": "tinyint"}
    shown = engine_bench.select(
        storage,
        COLUMNS,
        objects,
        table_parameters=QUARANTINE,
        tells_rejects=True,
        hive_types=types,
    )
    assert [(row[1], row[2], row[3]) for row in shown] == [
        (2, 8, None),
        (3, 14, "(row)"),
        (4, 18, None),
    ]
    assert [row[7] for row in shown] == ['{"v":', "[7]", '{"v":"\ufffd"}']


def test_rejects_tell_their_partition_and_the_line_after_a_header(
    engine_bench: EngineBench,
) -> None:
    storage = descriptor(StorageFormat.CSV, {"skip.header.line.count": "1"})
    columns = [*TWO, TableColumn("day", t.VARCHAR, is_partition_key=True)]
    partitions = [
        (("mon",), {"m": b"a,b\r\n1,x\r\nz,y\r\n"}),
        (("tue",), {"t": b'a,b\n\n4,x\nq,"r"\n'}),
    ]
    types = {"a": "int", "b": "string"}
    shown = engine_bench.select(
        storage,
        columns,
        partitions,
        table_parameters=QUARANTINE,
        tells_rejects=True,
        hive_types=types,
    )
    told = sorted((row[0], *row[1:5], row[7], row[8]) for row in shown)
    assert told == [
        ("s3://bucket/m", 3, 10, "a", "z", "z,y", "mon"),
        ("s3://bucket/t", 2, 4, "a", "", "", "tue"),
        ("s3://bucket/t", 4, 9, "a", "q", 'q,"r"', "tue"),
    ]


def test_bad_parts_of_nested_values_set_their_row_aside(engine_bench: EngineBench) -> None:
    columns = [TableColumn("n", t.Array(t.TINYINT)), TableColumn("i", t.INTEGER)]
    storage = descriptor(StorageFormat.PARQUET, {})
    sink = io.BytesIO()
    pq.write_table(pa.table({"n": [[1], [1, 300], None], "i": [1, 2, 3]}), sink)
    objects = [((), {"f": sink.getvalue()})]
    found = engine_bench.select(storage, columns, objects, table_parameters=QUARANTINE)
    assert found == [([1], 1), (None, 3)]
    [row] = engine_bench.select(
        storage,
        columns,
        objects,
        table_parameters=QUARANTINE,
        hive_types={"n": "array<tinyint>", "i": "int"},
        tells_rejects=True,
    )
    assert row[1:6] == (2, None, "n", "[1, 300]", "array(tinyint)")


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
