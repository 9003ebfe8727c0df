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


class FileSet:
    """The files of one write; one is open at a time, for a partition's rows come together."""

    def __init__(self, job: WriteJob, finished: Callable[[WrittenFile], None]) -> None:
        self._job = job
        self._finished = finished
        self._writer: FileWriter | None = None
        self._name = ""
        self._values: tuple[str, ...] = ()
        self._rows = 0
        self._partitions: set[tuple[str, ...]] = set()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a spooled batch."""
        layout = self._job.layout
        data, keys = layout.data_columns, layout.key_columns
        arrays = [fitted(column, array) for column, array in zip(data, batch.columns, strict=False)]
        if not keys:
            self._add((), arrays)
            return
        for values, start, rows in runs(keys, batch.columns[len(data) :]):
            self._add(values, [array.slice(start, rows) for array in arrays])

    def close(self) -> None:
        """Finish the file that is open."""
        if self._writer is None:
            return
        self._writer.close()
        path = self._job.directory / self._name
        size = path.stat().st_size
        self._writer = None
        self._finished(WrittenFile(self._name, self._values, self._rows, size))

    def _add(self, values: tuple[str, ...], arrays: Sequence[pa.Array]) -> None:
        if self._writer is not None and values != self._values:
            self.close()
        if self._writer is None:
            self._open(values)
        assert self._writer is not None, "a file is open now"
        self._writer.write(arrays)
        self._rows += len(arrays[0])
        if self._writer.size >= self._job.file_bytes:
            self.close()

    def _open(self, values: tuple[str, ...]) -> None:
        self._partitions.add(values)
        if len(self._partitions) > self._job.partitions_max:
            raise QueryServiceError(
                ErrorCode.HIVE_TOO_MANY_OPEN_PARTITIONS,
                f"Exceeded limit of {self._job.partitions_max} partitions for one write; the"
                " setting write_partitions_max raises it",
            )
        layout = self._job.layout
        self._name = f"{self._job.query_id}_{uuid.uuid4()}{_suffix(layout)}"
        self._values, self._rows = values, 0
        self._writer = _WRITERS[layout.format.storage_format](
            layout, self._job.directory / self._name
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
