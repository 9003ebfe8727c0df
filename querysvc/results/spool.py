"""The spool: a result as one Arrow IPC stream on local disk, readable while it is written.

    <root>/<query id>.arrow   the stream that the engine writes
    <root>/<query id>.index   where each batch ends: (end offset, rows so far), 64 bits each
    <root>/<query id>.csv     Athena's text, made when first asked for (.txt for DDL and utility)

A page is read from its row number alone: the index tells the batch, the batch is mapped, the rows
are sliced. Nothing of a result is kept in memory.
"""

from __future__ import annotations

import os
import struct
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import structlog

from querysvc.errors import ErrorCode, QueryServiceError

T = TypeVar("T")
_log = structlog.get_logger(__name__)
_ENTRY = struct.Struct("<QQ")
EXPLAINED = ".explained"
"""Rows of a query that was run only to be explained; nobody reads them."""
_SUFFIXES = (".arrow", ".index", ".csv", ".txt", EXPLAINED)


@dataclass(frozen=True, slots=True)
class BatchEnd:
    """Where a batch ends in the spool, and how many rows the result has up to there."""

    offset: int
    rows: int


class SpoolDirectory:
    """The local files of all results."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def stream_path(self, query_id: str) -> Path:
        """The Arrow stream of a query's result."""
        return self.root / f"{query_id}.arrow"

    def index_path(self, query_id: str) -> Path:
        """The index of a query's result."""
        return self.root / f"{query_id}.index"

    def text_path(self, query_id: str, suffix: str) -> Path:
        """The result as text; suffix `.csv` or `.txt`."""
        return self.root / f"{query_id}{suffix}"

    def delete(self, query_id: str) -> None:
        """Remove a result's files, as far as they exist."""
        for suffix in _SUFFIXES:
            (self.root / f"{query_id}{suffix}").unlink(missing_ok=True)

    def query_ids(self) -> frozenset[str]:
        """The queries that have files here."""
        names = (path.name.partition(".")[0] for path in self.root.iterdir())
        return frozenset(names)

    def commit(self, query_id: str, ends: tuple[BatchEnd, ...]) -> None:
        """Make a finished result durable, before its query is told to have succeeded."""
        _sync(self.stream_path(query_id))
        with self.index_path(query_id).open("wb") as sink:
            sink.write(b"".join(_ENTRY.pack(end.offset, end.rows) for end in ends))
            sink.flush()
            os.fsync(sink.fileno())

    def open(self, query_id: str) -> SpoolReader:
        """A finished result; RESULT_EXPIRED when its files are gone."""
        try:
            data = self.index_path(query_id).read_bytes()
        except FileNotFoundError:
            raise expired(query_id) from None
        ends = tuple(BatchEnd(*pair) for pair in _ENTRY.iter_unpack(data))
        return SpoolReader(self.stream_path(query_id), ends)


def expired(query_id: str) -> QueryServiceError:
    """The result was kept for its time and is gone."""
    return QueryServiceError(
        ErrorCode.RESULT_EXPIRED,
        f"The result of query {query_id} is no longer kept here; run the query again.",
    )


class SpoolReader:
    """Reads a finished (part of a) result, by row number."""

    def __init__(self, path: Path, ends: tuple[BatchEnd, ...]) -> None:
        self._path = path
        self.ends = ends

    @property
    def rows(self) -> int:
        """How many rows can be read."""
        return self.ends[-1].rows if self.ends else 0

    def slice(self, first_row: int, rows_max: int) -> tuple[pa.RecordBatch, ...]:
        """Rows first_row … first_row + rows_max - 1, as far as they exist."""
        batches = []
        wanted = min(rows_max, self.rows - first_row)
        for batch in self.batches(first_row) if wanted > 0 else ():
            taken = batch.slice(0, wanted)
            batches.append(taken)
            wanted -= taken.num_rows
            if wanted == 0:
                break
        return tuple(batches)

    def batches(self, first_row: int = 0) -> Iterator[pa.RecordBatch]:
        """The batches from `first_row` on; the first one is sliced."""
        number = bisect_right(self.ends, first_row, key=lambda end: end.rows)
        if number >= len(self.ends):
            return
        with _open(self._path) as source:
            schema, schema_end = self._read(lambda: _read_schema(source))
            skipped = first_row - (self.ends[number - 1].rows if number else 0)
            source.seek(self.ends[number - 1].offset if number else schema_end)
            for end in self.ends[number:]:
                batch = self._read(lambda: _read_batch(source, schema))
                if source.tell() != end.offset:
                    raise self._damaged("a batch ends elsewhere than told")
                yield batch.slice(skipped) if skipped else batch
                skipped = 0

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (pa.ArrowException, OSError, EOFError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> QueryServiceError:
        _log.error("spool_damaged", path=str(self._path), reason=reason)
        return QueryServiceError(
            ErrorCode.GENERIC_INTERNAL_ERROR,
            f"The stored result of query {self._path.stem} is damaged; run the query again.",
        )


class LiveSpool:
    """A result that is being written: the engine's thread adds batches, readers follow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends: list[BatchEnd] = []
        self._changed = threading.Condition()
        self._is_closed = False

    def add_batch(self, end_offset: int, rows: int) -> None:
        """A batch of `rows` rows is complete up to `end_offset`."""
        with self._changed:
            self._ends.append(BatchEnd(end_offset, self.rows + rows))
            self._changed.notify_all()

    def close(self) -> None:
        """No more batches will come, be it that all are there or that the query failed."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def rows(self) -> int:
        """How many rows are complete."""
        return self._ends[-1].rows if self._ends else 0

    @property
    def ends(self) -> tuple[BatchEnd, ...]:
        """The complete batches."""
        with self._changed:
            return tuple(self._ends)

    def reader(self) -> SpoolReader:
        """What is complete now."""
        return SpoolReader(self._path, self.ends)

    def wait(self, row: int, timeout_seconds: float | None = None) -> bool:
        """Wait until `row` can be read (True), or it never will, or the time is up (False)."""
        with self._changed:
            self._changed.wait_for(lambda: self.rows > row or self._is_closed, timeout_seconds)
            return self.rows > row

    def follow(self, first_row: int = 0) -> Iterator[pa.RecordBatch]:
        """The batches from `first_row` on, waiting for those to come."""
        row = first_row
        while self.wait(row):
            for batch in self.reader().batches(row):
                row += batch.num_rows
                yield batch


def write_rows(path: Path, table: pa.Table) -> tuple[BatchEnd, ...]:
    """Spool a small table that is at hand (DDL and utility results)."""
    with path.open("wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        batches = table.combine_chunks().to_batches()
        for batch in batches:
            writer.write_batch(batch)
        end = sink.tell()
    assert len(batches) <= 1, "one chunk makes one batch"
    return (BatchEnd(end, table.num_rows),) if batches and table.num_rows else ()


def _open(path: Path) -> pa.NativeFile:
    try:
        # Read, not mapped: pages of a mapped file count as this process's memory.
        return pa.OSFile(str(path), "rb")
    except FileNotFoundError:
        raise expired(path.stem) from None


def _read_schema(source: pa.NativeFile) -> tuple[pa.Schema, int]:
    message = pa.ipc.read_message(source)
    return pa.ipc.read_schema(message), source.tell()


def _read_batch(source: pa.NativeFile, schema: pa.Schema) -> pa.RecordBatch:
    """A batch whose buffers hold what its offsets point at: a worker, who may lie, wrote it."""
    batch = pa.ipc.read_record_batch(pa.ipc.read_message(source), schema)
    batch.validate(full=True)
    return batch


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
