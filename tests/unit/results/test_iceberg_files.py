"""An Iceberg table's data files: which rows go to which file, and which are refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.writing import iceberg
from querysvc.results.writing.files import WriteJob, WrittenFile
from querysvc.results.writing.iceberg import IcebergFileSet
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc.write_plan import (
    Compression,
    FileFormat,
    IcebergLayout,
    IcebergPartition,
    WriteLayout,
    WrittenColumn,
)
from querysvc_catalog.serdes import StorageFormat


def field(name: str, type_: Any, number: int, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, type_, nullable, {"PARQUET:field_id": str(number)})


def write(
    directory: Path,
    columns: dict[str, tuple[TrinoType, pa.Field, list[Any]]],
    partitions: tuple[IcebergPartition, ...] = (),
    marker: int | None = None,
) -> list[WrittenFile]:
    schema = pa.schema([one[1] for one in columns.values()])
    written = tuple(WrittenColumn(name, one[0], "", one[0]) for name, one in columns.items())
    layout = WriteLayout(
        FileFormat(StorageFormat.PARQUET, Compression.ZSTD),
        written[: len(written) if marker is None else marker],
        iceberg=IcebergLayout(
            pa.schema(list(schema)[: marker or len(schema)]).serialize().to_pybytes(),
            partitions,
            marker,
        ),
    )
    found: list[WrittenFile] = []
    files = IcebergFileSet(WriteJob("q", layout, directory, directory, 1 << 30, 10), found.append)
    arrays = [pa.array(values, one.type) for _, one, values in columns.values()]
    files.write(pa.RecordBatch.from_arrays(arrays, names=[str(n) for n in range(len(arrays))]))
    files.close()
    return found


def test_rows_of_many_partitions_need_not_come_together(tmp_path: Path) -> None:
    files = write(
        tmp_path,
        {
            "d": (
                algebra.DATE,
                field("d", pa.date32(), 1),
                [date(2024, 1, 5), date(2024, 2, 1), None, date(2024, 1, 31)],
            ),
            "n": (
                algebra.Decimal(5, 2),
                field("n", pa.decimal128(5, 2), 2),
                [Decimal("1.00"), Decimal("1.00"), Decimal("2.50"), Decimal("1.00")],
            ),
        },
        (IcebergPartition(0, "month"), IcebergPartition(1, "identity")),
    )
    told = {one.values[0]: one.rows for one in files}
    assert told == {'[648,"1.00"]': 2, '[649,"1.00"]': 1, '[null,"2.50"]': 1}
    schema = pq.read_schema(tmp_path / files[0].name)
    assert [one.metadata[b"PARQUET:field_id"] for one in schema] == [b"1", b"2"]


def test_of_too_many_open_files_the_longest_waiting_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iceberg, "_OPEN_MAX", 2)
    values = [1, 2, 3]
    column = (algebra.BIGINT, field("n", pa.int64(), 1), values)
    files = write(tmp_path, {"n": column}, (IcebergPartition(0, "identity"),))
    assert [one.values[0] for one in files] == ["[1]", "[2]", "[3]"]


def test_more_partitions_than_allowed_are_refused(tmp_path: Path) -> None:
    column = (algebra.BIGINT, field("n", pa.int64(), 1), list(range(11)))
    with pytest.raises(QueryServiceError) as caught:
        write(tmp_path, {"n": column}, (IcebergPartition(0, "identity"),))
    assert caught.value.code is ErrorCode.ICEBERG_TOO_MANY_OPEN_PARTITIONS


def test_only_marked_rows_are_written(tmp_path: Path) -> None:
    files = write(
        tmp_path,
        {
            "n": (algebra.BIGINT, field("n", pa.int64(), 1), [1, 2, 3]),
            "$new": (algebra.BOOLEAN, field("new", pa.bool_(), 2), [True, False, None]),
        },
        marker=1,
    )
    assert pq.read_table(tmp_path / files[0].name).to_pylist() == [{"n": 1}]


@pytest.mark.parametrize(
    ("type_", "stored", "values"),
    [
        (algebra.BIGINT, pa.int64(), [1, None]),
        (
            algebra.Row((algebra.RowField("x", algebra.BIGINT),)),
            pa.struct([field("x", pa.int64(), 2, nullable=False)]),
            [None, {"x": None}],
        ),
    ],
)
def test_a_null_in_a_required_field_is_refused(
    tmp_path: Path, type_: TrinoType, stored: Any, values: list[Any]
) -> None:
    is_nested = pa.types.is_struct(stored)
    column = (type_, field("c", stored, 1, nullable=is_nested), values)
    with pytest.raises(QueryServiceError) as caught:
        write(tmp_path, {"c": column})
    assert caught.value.code is ErrorCode.CONSTRAINT_VIOLATION
