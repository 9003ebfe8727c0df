"""Which rows a statement takes from a table's files, and the position delete files that say so."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final  # numpy's arrays, pyarrow's tables

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, StringType

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.scan import FILE_PATH_ID, ScanFile

POSITION_ID: Final = 2147483545
"""The reserved field id of `pos` in position delete files."""
ROWS_MAX: Final = 20_000_000
"""Rows that one statement may match: they are sorted in memory, at some 40 bytes each."""
_SCHEMA: Final = pa.schema(
    [
        pa.field("file_path", pa.string(), False, {"PARQUET:field_id": str(FILE_PATH_ID)}),
        pa.field("pos", pa.int64(), False, {"PARQUET:field_id": str(POSITION_ID)}),
    ]
)


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """How many rows a statement changes, and the positions that go, ascending, by data file."""

    count: int
    gone: Mapping[str, pa.Array]


@dataclass(frozen=True, slots=True)
class DeleteTarget:
    """Where delete files are made, the folder that they go to, and whose they are."""

    directory: Path
    folder: str
    query_id: str


@dataclass(frozen=True, slots=True)
class DeleteFile:
    """A local file of position deletes, and the entry that it will have in a manifest."""

    path: Path
    entry: DataFile


def changed_rows(spool: Path, control: int) -> ChangedRows:
    """Read what a statement's query tells: `write_plan.CHANGES`, which begin at column `control`.

    MERGE_TARGET_ROW_MULTIPLE_MATCHES when two source rows matched a row in the same case, as Trino
    tells it, or in two cases that both change it, in which Trino does both.
    """
    codes: dict[str, int] = {}
    parts: list[tuple[Any, Any, Any]] = []
    count = matched = 0
    for batch in _batches(spool):
        case, path, position = (batch.column(control + offset) for offset in (1, 2, 3))
        count += pc.sum(pc.greater_equal(case, 0), min_count=0).as_py()
        is_row = pc.is_valid(position)
        known = path.filter(is_row).dictionary_encode()
        own = np.array(
            [codes.setdefault(text, len(codes)) for text in known.dictionary.to_pylist()],
            dtype=np.int32,
        )
        matched += len(known)
        if matched > ROWS_MAX:
            raise QueryServiceError(
                ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT,
                f"The statement matches more than {ROWS_MAX} rows of the table; change fewer at a"
                " time",
            )
        parts.append(
            (
                own[known.indices.to_numpy()] if len(known) else np.empty(0, np.int32),
                position.filter(is_row).to_numpy(),
                case.filter(is_row).to_numpy(),
            )
        )
    return ChangedRows(count, dict(_by_file(codes, parts)))


def _batches(spool: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(spool), "rb") as source, pa.ipc.open_stream(source) as batches:
        yield from batches


def _by_file(
    codes: Mapping[str, int], parts: Sequence[tuple[Any, Any, Any]]
) -> Iterator[tuple[str, pa.Array]]:
    if not codes:
        return
    files, positions, cases = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((cases, positions, files))
    files, positions, cases = files[order], positions[order], cases[order]
    _refuse_repeated(files, positions, cases)
    acts = cases >= 0
    files, positions = files[acts], positions[acts]
    for path, code in codes.items():
        start, end = np.searchsorted(files, (code, code + 1))
        if start < end:
            yield path, pa.array(positions[start:end])


def _refuse_repeated(files: Any, positions: Any, cases: Any) -> None:
    is_same_row = (files[1:] == files[:-1]) & (positions[1:] == positions[:-1])
    is_refused = (cases[1:] == cases[:-1]) | (cases[:-1] >= 0)
    if bool(np.any(is_same_row & is_refused)):
        raise QueryServiceError(
            ErrorCode.MERGE_TARGET_ROW_MULTIPLE_MATCHES,
            "One MERGE target table row matched more than one source row",
        )


def emptied(changed: ChangedRows, files: Mapping[str, ScanFile]) -> frozenset[str]:
    """The data files of which no row is left: they are removed themselves."""
    return frozenset(
        path for path, gone in changed.gone.items() if files[path].file.record_count == len(gone)
    )


def write_deletes(
    changed: ChangedRows,
    files: Mapping[str, ScanFile],
    skipped: frozenset[str],
    target: DeleteTarget,
) -> Iterator[DeleteFile]:
    """Make one delete file for each partition; `skipped` data files need none."""
    groups: dict[tuple[int, Record], list[str]] = defaultdict(list)
    for path in sorted(changed.gone.keys() - skipped):
        file = files[path].file
        groups[file.spec_id, file.partition].append(path)
    for (spec_id, partition), paths in groups.items():
        name = f"{target.query_id}_{uuid.uuid4()}-deletes.parquet"
        local = target.directory / name
        count = _write(local, ((path, changed.gone[path]) for path in paths))
        lower, upper = _bounds(paths, changed)
        entry = DataFile.from_args(
            content=DataFileContent.POSITION_DELETES,
            file_path=f"{target.folder}{name}",
            file_format=FileFormat.PARQUET,
            partition=partition,
            record_count=count,
            file_size_in_bytes=local.stat().st_size,
            value_counts={FILE_PATH_ID: count, POSITION_ID: count},
            null_value_counts={FILE_PATH_ID: 0, POSITION_ID: 0},
            lower_bounds=lower,
            upper_bounds=upper,
        )
        entry.spec_id = spec_id
        yield DeleteFile(local, entry)


def _write(target: Path, rows: Iterable[tuple[str, pa.Array]]) -> int:
    count = 0
    with pq.ParquetWriter(target, _SCHEMA, compression="zstd") as writer:
        for path, positions in rows:
            count += len(positions)
            paths = pa.repeat(pa.scalar(path), len(positions))
            writer.write_table(pa.Table.from_arrays([paths, positions], schema=_SCHEMA))
    return count


def _bounds(paths: Sequence[str], changed: ChangedRows) -> list[dict[int, bytes]]:
    """The lowest and the highest path and position; paths are sorted."""
    gone = [changed.gone[path] for path in paths]
    lowest = min(one[0].as_py() for one in gone)
    highest = max(one[-1].as_py() for one in gone)
    ends = ((paths[0], lowest), (paths[-1], highest))
    return [
        {FILE_PATH_ID: to_bytes(StringType(), path), POSITION_ID: to_bytes(LongType(), position)}
        for path, position in ends
    ]
