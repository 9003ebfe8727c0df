"""Partitions that declare other columns than their table: what Trino 476 answered to the same.

The data is one row: a=7 (int), b='12' (string), c=5 (bigint), d=1.25 (decimal(10,2)).
"""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn
from querysvc.types.hive import from_hive
from querysvc_catalog.model import Column
from querysvc_catalog.serdes import StorageFormat
from querysvc_catalog.types import parse_type
from tests.support.engine_bench import EngineBench
from tests.support.engine_plans import descriptor

ROW = pa.table(
    {
        "a": pa.array([7], pa.int32()),
        "b": ["12"],
        "c": pa.array([5], pa.int64()),
        "d": pa.array([Decimal("1.25")], pa.decimal128(10, 2)),
    }
)
DECLARED = {"a": "int", "b": "string", "c": "bigint", "d": "decimal(10,2)"}


def _arrow(write: Any) -> bytes:
    sink = io.BytesIO()
    write(ROW, sink)
    return sink.getvalue()


DATA = {
    StorageFormat.TEXTFILE: b"7\x0112\x015\x011.25\n",
    StorageFormat.JSON: b'{"a":7,"b":"12","c":5,"d":1.25}\n',
    StorageFormat.ORC: _arrow(orc.write_table),
    StorageFormat.PARQUET: _arrow(pq.write_table),
}
BY_POSITION = (StorageFormat.TEXTFILE,)
BY_NAME = (StorageFormat.PARQUET, StorageFormat.ORC)


def read(
    bench: EngineBench, storage_format: StorageFormat, table: dict[str, str], **options: Any
) -> list[tuple[Any, ...]]:
    storage = descriptor(storage_format)
    own = tuple(Column(name, type_) for name, type_ in DECLARED.items())
    columns = [TableColumn(name, from_hive(parse_type(type_))) for name, type_ in table.items()]
    objects = [((), {"f": DATA[storage_format]})]
    return bench.select(
        replace(storage, columns=own), columns, objects, hive_types=table, **options
    )


@pytest.mark.parametrize("storage_format", DATA)
def test_values_are_coerced_to_the_tables_types(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    table = {"a": "bigint", "b": "int", "c": "string", "d": "double"}
    assert read(engine_bench, storage_format, table) == [(7, 12, "5", 1.25)]


@pytest.mark.parametrize("storage_format", DATA)
def test_what_cannot_be_coerced_is_refused_where_it_is_used(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    table = {"a": "smallint", "b": "string", "c": "bigint", "d": "decimal(10,2)"}
    with pytest.raises(QueryServiceError, match=r"column 'a' .* 'smallint', but") as caught:
        read(engine_bench, storage_format, table)
    assert caught.value.code is ErrorCode.HIVE_PARTITION_SCHEMA_MISMATCH
    assert read(engine_bench, storage_format, table, used=[1]) == [("12",)]


@pytest.mark.parametrize("storage_format", BY_POSITION)
def test_columns_are_compared_by_position(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    table = {"b": "string", "a": "int", "c": "bigint"}
    assert read(engine_bench, storage_format, table) == [("7", 12, 5)]


@pytest.mark.parametrize("storage_format", BY_NAME)
def test_columns_are_compared_by_name(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    table = {"b": "string", "x": "date", "a": "bigint", "d": "decimal(3,1)"}
    found = read(engine_bench, storage_format, table)
    assert found == [("12", None, 7, Decimal("1.3"))]


@pytest.mark.parametrize("storage_format", DATA)
def test_columns_added_to_the_table_are_null(
    engine_bench: EngineBench, storage_format: StorageFormat
) -> None:
    table = DECLARED | {"d": "decimal(3,1)", "e": "array<int>"}
    assert read(engine_bench, storage_format, table) == [(7, "12", 5, Decimal("1.3"), None)]
