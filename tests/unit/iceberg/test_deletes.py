"""What a statement's rows say of a table's files, and the delete files that are made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.typedef import Record

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.deletes import (
    ChangedRows,
    DeleteTarget,
    changed_rows,
    emptied,
    write_deletes,
)
from querysvc.iceberg.scan import ScanFile, referenced_path
from querysvc.iceberg.writing import new_data_file

Told = tuple[bool, int, str | None, int | None]
"""Is new, case, path, position."""


def changed(directory: Path, *batches: list[Told]) -> ChangedRows:
    spool = directory / "rows.arrow"
    types = (pa.bool_(), pa.int32(), pa.string(), pa.int64())
    schema = pa.schema([(str(n), type_) for n, type_ in enumerate(types)])
    with pa.OSFile(str(spool), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        for batch in batches:
            columns = zip(*batch, strict=True) if batch else [[]] * len(types)
            arrays = [pa.array(list(c), t) for c, t in zip(columns, types, strict=True)]
            stream.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return changed_rows(spool, 0)


def data_file(path: str, rows: int, partition: int) -> ScanFile:
    members: dict[str, Any] = {"content": 0, "record_count": rows, "file_size_in_bytes": 1}
    file = new_data_file(spec_id=3, file_path=path, partition=Record(partition), **members)
    return ScanFile(file, 1)


def test_positions_are_told_by_file_and_in_order(tmp_path: Path) -> None:
    found = changed(
        tmp_path,
        [(False, 0, "b", 7), (True, 1, None, None), (True, 0, "a", 1)],
        [],
        [(False, 0, "b", 2), (False, -1, "a", 9)],
    )
    assert found.count == 4
    assert {path: gone.to_pylist() for path, gone in found.gone.items()} == {"a": [1], "b": [2, 7]}


@pytest.mark.parametrize(
    ("cases", "is_refused"),
    [((0, 0), True), ((0, 1), True), ((-1, -1), True), ((-1, 0), False), ((-1, 1), False)],
)
def test_a_row_goes_by_one_case_alone(
    tmp_path: Path, cases: tuple[int, int], is_refused: bool
) -> None:
    rows: list[list[Told]] = [
        [(False, case, "a", 5), (False, 0, "a", 6 + n)] for n, case in enumerate(cases)
    ]
    if not is_refused:
        assert changed(tmp_path, *rows).gone["a"].to_pylist() == [5, 6, 7]
        return
    with pytest.raises(QueryServiceError) as caught:
        changed(tmp_path, *rows)
    assert caught.value.code is ErrorCode.MERGE_TARGET_ROW_MULTIPLE_MATCHES


def test_a_delete_file_is_of_one_partition_and_sorted(tmp_path: Path) -> None:
    files = {
        path: data_file(path, 3, partition)
        for path, partition in (("s3://b/z", 1), ("s3://b/a", 1), ("s3://b/m", 2), ("s3://b/e", 2))
    }
    found = changed(
        tmp_path,
        [(False, 0, "s3://b/z", 0), (False, 0, "s3://b/a", 2), (False, 0, "s3://b/m", 1)],
        [(False, 0, "s3://b/e", n) for n in range(3)],
    )
    removed = emptied(found, files)
    assert removed == {"s3://b/e"}
    target = DeleteTarget(tmp_path, "s3://b/data/", "q")
    made = {one.entry.partition[0]: one for one in write_deletes(found, files, removed, target)}
    table = pq.read_table(made[1].path)
    assert table.to_pylist() == [
        {"file_path": "s3://b/a", "pos": 2},
        {"file_path": "s3://b/z", "pos": 0},
    ]
    ids = [field.metadata[b"PARQUET:field_id"] for field in table.schema]
    assert ids == [b"2147483546", b"2147483545"]
    assert made[1].entry.record_count == 2
    assert made[1].entry.spec_id == 3
    assert referenced_path(made[1].entry) is None
    assert referenced_path(made[2].entry) == "s3://b/m"
    assert made[2].entry.file_path.startswith("s3://b/data/q_")
