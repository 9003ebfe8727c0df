"""Rows as the messages of the wire: DataRow, and CopyData in its three formats.

A batch becomes one buffer: Arrow joins the columns' payloads and the lengths before them, so that
no Python object is made for a value of the common types.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from querysvc_drivers.pgwire.binary_format import binary_payloads
from querysvc_drivers.pgwire.text_format import text_payloads
from querysvc_drivers.pgwire.types import Column

_BINARY: Final = pa.large_binary()
_LENGTH_BYTES: Final = 4
COPY_BINARY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_BINARY_END: Final = struct.pack(">h", -1)


@dataclass(frozen=True, slots=True)
class RowFormat:
    """How a portal's rows are written: its columns, each one's format code, the session's zone."""

    columns: tuple[Column, ...]
    formats: tuple[int, ...]
    zone: str = "UTC"

    def payloads(self, batch: pa.RecordBatch) -> list[pa.LargeBinaryArray]:
        """The values of each column as bytes."""
        return [
            (binary_payloads if code else text_payloads)(column, array, self.zone)
            for column, code, array in zip(self.columns, self.formats, batch.columns, strict=True)
        ]


def data_rows(batch: pa.RecordBatch, form: RowFormat) -> memoryview:
    """A DataRow message for each row."""
    return _counted_rows(b"D", batch.num_rows, form.payloads(batch))


def copy_binary_rows(batch: pa.RecordBatch, form: RowFormat) -> memoryview:
    """A CopyData message for each row, in COPY's binary format."""
    return _counted_rows(b"d", batch.num_rows, form.payloads(batch))


def copy_lines(kind: bytes, lines: pa.LargeBinaryArray) -> memoryview:
    """A message around each line."""
    sizes = _sizes(lines)
    heads = np.zeros(len(lines), dtype=[("kind", "S1"), ("size", ">i4")])
    heads["kind"], heads["size"] = kind, sizes + _LENGTH_BYTES
    return _bytes(_join([_fixed(heads), lines]))


def _counted_rows(kind: bytes, rows: int, payloads: Sequence[pa.LargeBinaryArray]) -> memoryview:
    """Messages of rows whose values have their lengths before them."""
    heads = np.zeros(rows, dtype=[("kind", "S1"), ("size", ">i4"), ("columns", ">i2")])
    total = np.full(rows, _LENGTH_BYTES + 2, dtype=np.int64)
    parts: list[Any] = [None]
    for payload in payloads:
        sizes = _sizes(payload)
        lengths = sizes.astype(">i4")
        if payload.null_count:
            lengths[np.asarray(payload.is_null())] = -1
        total += sizes + _LENGTH_BYTES
        parts += (_fixed(lengths), payload)
    heads["kind"], heads["size"], heads["columns"] = kind, total, len(payloads)
    parts[0] = _fixed(heads)
    return _bytes(_join(parts))


def _join(parts: list[Any]) -> pa.LargeBinaryArray:
    empty = pa.scalar(b"", _BINARY)
    return pc.binary_join_element_wise(*parts, empty, null_handling="replace", null_replacement="")


def _sizes(payload: pa.LargeBinaryArray) -> Any:  # a numpy array of int64
    sizes = pc.binary_length(payload)
    return pc.fill_null(sizes, 0).to_numpy(zero_copy_only=False)


def _fixed(values: Any) -> pa.LargeBinaryArray:
    """A numpy array's elements as bytes."""
    offsets = np.arange(len(values) + 1, dtype=np.int64) * values.dtype.itemsize
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(values.view(np.uint8))]
    return pa.Array.from_buffers(_BINARY, len(values), buffers)


def _bytes(joined: pa.LargeBinaryArray) -> memoryview:
    """The elements' bytes, one after the other."""
    if not len(joined):
        return memoryview(b"")
    ends = np.frombuffer(joined.buffers()[1], np.int64)
    first, last = int(ends[joined.offset]), int(ends[joined.offset + len(joined)])
    return memoryview(joined.buffers()[2])[first:last]
