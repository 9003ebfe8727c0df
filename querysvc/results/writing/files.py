"""Which file a row goes to, and when the next file begins."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.writing.arrays import fitted
from querysvc.results.writing.avro import AvroFile
from querysvc.results.writing.base import FileWriter
from querysvc.results.writing.buckets import in_buckets
from querysvc.results.writing.columnar import OrcFile, ParquetFile
from querysvc.results.writing.delimited import DelimitedLines, QuotedLines
from querysvc.results.writing.json_lines import JsonLines
from querysvc.results.writing.lines import SUFFIXES, LineEncoder, LineFile
from querysvc.results.writing.partitions import runs
from querysvc.write_plan import WriteLayout
from querysvc_catalog.serde_options import (
    parse_csv_options,
    parse_json_options,
    parse_text_options,
)
from querysvc_catalog.serdes import StorageFormat


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A finished local file: the object's name, its partition's values, its rows."""

    name: str
    values: tuple[str, ...]
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class WriteJob:
    """What one write makes files of, and where."""

    query_id: str
    layout: WriteLayout
    spool: Path
    directory: Path
    file_bytes: int
    """A file that has grown to this size is the last of its kind: the next begins."""
    partitions_max: int


@dataclass(slots=True)
class _OpenFile:
    """A file that rows are added to."""

    name: str
    writer: FileWriter
    rows: int = 0


class FileSet:
    """The files of one write: one partition's are open at a time, for its rows come together."""

    def __init__(self, job: WriteJob, finished: Callable[[WrittenFile], None]) -> None:
        self._job = job
        self._finished = finished
        self._values: tuple[str, ...] = ()
        self._files: dict[int | None, _OpenFile] = {}
        """Of the partition, by bucket; None where there are no buckets."""
        self._partitions: set[tuple[str, ...]] = set()

    def write(self, batch: pa.RecordBatch) -> int:
        """Add a spooled batch; how many of its rows are written: all."""
        layout = self._job.layout
        data, keys = layout.data_columns, layout.key_columns
        arrays = [fitted(column, array) for column, array in zip(data, batch.columns, strict=False)]
        if not keys:
            self._add((), arrays)
        else:
            for values, start, rows in runs(keys, batch.columns[len(data) :]):
                self._add(values, [array.slice(start, rows) for array in arrays])
        count: int = batch.num_rows
        return count

    def close(self) -> None:
        """Finish the files that are open."""
        for bucket in list(self._files):
            self._finish(bucket)

    def _finish(self, bucket: int | None) -> None:
        file = self._files.pop(bucket)
        file.writer.close()
        size = (self._job.directory / file.name).stat().st_size
        self._finished(WrittenFile(file.name, self._values, file.rows, size))

    def _add(self, values: tuple[str, ...], arrays: Sequence[pa.Array]) -> None:
        if values != self._values:
            self.close()
            self._values = values
        self._count_partition(values)
        layout = self._job.layout
        if layout.buckets is None:
            file = self._append(None, arrays)
            if file.writer.size >= self._job.file_bytes:
                self._finish(None)
            return
        for bucket, rows in in_buckets(layout, layout.buckets, arrays):
            self._append(bucket, rows)

    def _append(self, bucket: int | None, arrays: Sequence[pa.Array]) -> _OpenFile:
        file = self._files.get(bucket)
        if file is None:
            layout = self._job.layout
            # Hive and Trino read a bucket's number off the name.
            number = "" if bucket is None else f"{bucket:06}_0_"
            name = f"{number}{self._job.query_id}_{uuid.uuid4()}{_suffix(layout)}"
            writer = _WRITERS[layout.format.storage_format](layout, self._job.directory / name)
            file = self._files[bucket] = _OpenFile(name, writer)
        file.writer.write(arrays)
        file.rows += len(arrays[0])
        return file

    def _count_partition(self, values: tuple[str, ...]) -> None:
        self._partitions.add(values)
        if len(self._partitions) > self._job.partitions_max:
            raise QueryServiceError(
                ErrorCode.HIVE_TOO_MANY_OPEN_PARTITIONS,
                f"Exceeded limit of {self._job.partitions_max} partitions for one write; the"
                " setting write_partitions_max raises it",
            )


def _suffix(layout: WriteLayout) -> str:
    is_text = layout.format.storage_format in _LINES
    return SUFFIXES[layout.format.compression] if is_text else ""


def _line_file(layout: WriteLayout, path: Path) -> FileWriter:
    encoder = _LINES[layout.format.storage_format](layout)
    return LineFile(encoder, layout.format.compression, path)


def _json(layout: WriteLayout) -> LineEncoder:
    options = parse_json_options(layout.format.serde_parameters)
    return JsonLines(layout.data_columns, options.mapping)


def _delimited(layout: WriteLayout) -> LineEncoder:
    options = parse_text_options(layout.format.serde_parameters)
    return DelimitedLines(layout.data_columns, options)


def _quoted(layout: WriteLayout) -> LineEncoder:
    return QuotedLines(layout.data_columns, parse_csv_options(layout.format.serde_parameters))


_LINES: Final[Mapping[StorageFormat, Callable[[WriteLayout], LineEncoder]]] = {
    StorageFormat.JSON: _json,
    StorageFormat.OPENX_JSON: _json,
    StorageFormat.TEXTFILE: _delimited,
    StorageFormat.CSV: _quoted,
}
_WRITERS: Final[Mapping[StorageFormat, Callable[[WriteLayout, Path], FileWriter]]] = {
    StorageFormat.PARQUET: ParquetFile,
    StorageFormat.ORC: OrcFile,
    StorageFormat.AVRO: AvroFile,
    **dict.fromkeys(_LINES, _line_file),
}
"""A new format is a line here."""
