"""Whole results as bytes, batch by batch: memory stays at a batch or a row group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from querysvc.model import ResultColumn
from querysvc.results.arrow_values import public_batch, public_schema
from querysvc.results.json_values import json_rows
from querysvc.results.pages import ResultFormat

Batches = Iterable[pa.RecordBatch]
Encoder = Callable[[tuple[ResultColumn, ...], Batches], Iterator[bytes]]

_CHUNK_ROWS = 4096
_ROW_GROUP_ROWS = 128 * 1024
_ROW_GROUP_BYTES = 32 << 20
_FILE_CHUNK_BYTES = 1 << 20


def encode_json(columns: tuple[ResultColumn, ...], batches: Batches) -> Iterator[bytes]:
    """One object: {"columns": [{"name", "type"}], "rows": [[…], …]}."""
    heads = [{"name": column.name, "type": column.type.wire_name} for column in columns]
    yield b'{"columns":' + orjson.dumps(heads) + b',"rows":['
    separator = b""
    for batch in _small(batches):
        # A list's text without its brackets continues the list that is open.
        yield separator + orjson.dumps(list(json_rows(columns, batch)))[1:-1]
        separator = b","
    yield b"]}"


def encode_ndjson(columns: tuple[ResultColumn, ...], batches: Batches) -> Iterator[bytes]:
    """One object a row; a name that comes twice gets a number from the second on."""
    names = unique_names(column.name for column in columns)
    for batch in _small(batches):
        yield b"".join(
            orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
            for row in json_rows(columns, batch)
        )


def encode_arrow(columns: tuple[ResultColumn, ...], batches: Batches) -> Iterator[bytes]:
    """An Arrow IPC stream."""
    schema = public_schema(columns)
    sink = _Chunks()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), schema) as writer:
        for batch in batches:
            writer.write_batch(public_batch(columns, schema, batch))
            yield sink.take()
    yield sink.take()


def encode_parquet(columns: tuple[ResultColumn, ...], batches: Batches) -> Iterator[bytes]:
    """A Parquet file, a row group at a time."""
    schema = public_schema(columns)
    sink = _Chunks()
    with pq.ParquetWriter(pa.PythonFile(sink, "w"), schema, compression="zstd") as writer:
        for group in _groups(public_batch(columns, schema, batch) for batch in batches):
            writer.write_table(pa.Table.from_batches(group, schema), row_group_size=2**31)
            yield sink.take()
    yield sink.take()


ENCODERS: dict[ResultFormat, Encoder] = {
    ResultFormat.JSON: encode_json,
    ResultFormat.NDJSON: encode_ndjson,
    ResultFormat.ARROW: encode_arrow,
    ResultFormat.PARQUET: encode_parquet,
}
"""CSV is not among them: the engine writes it, and its file is streamed (`file_chunks`)."""


def file_chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes in chunks."""
    with path.open("rb") as source:
        while chunk := source.read(_FILE_CHUNK_BYTES):
            yield chunk


def unique_names(names: Iterable[str]) -> list[str]:
    """The names, with _2, _3 … added where one comes again."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        unique.append(candidate)
    return unique


class _Chunks:
    """A file to write to that gives what was written since it was last asked."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """What was written stays to be taken."""


def _small(batches: Batches) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, _CHUNK_ROWS):
            yield batch.slice(start, _CHUNK_ROWS)


def _groups(batches: Batches) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        group.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _ROW_GROUP_ROWS or size >= _ROW_GROUP_BYTES:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group
