"""Pages of bounded size, cut from a result's Arrow batches."""

from __future__ import annotations

from collections import deque
from typing import Final

import pyarrow as pa

PAGE_BYTES_DEFAULT: Final = 1 << 20
SEGMENT_BYTES_DEFAULT: Final = 4 << 20
"""Rows for a spooled segment: fewer and larger than pages, as each is fetched on its own."""
PAGE_BYTES_MAX: Final = 16 << 20
PAGE_BYTES_MIN: Final = 4 << 10
_OVERHEAD: Final = 8
"""Bytes of JSON that a value takes beside its own: quotes, comma, digits of small numbers."""


class RowBuffer:
    """Rows read from the result and not yet sent: at most what one read of the result gave."""

    def __init__(self) -> None:
        self._batches: deque[pa.RecordBatch] = deque()

    def __bool__(self) -> bool:
        return bool(self._batches)

    def add(self, batches: tuple[pa.RecordBatch, ...]) -> None:
        """Put batches behind those that are there."""
        self._batches.extend(batch for batch in batches if batch.num_rows)

    def clear(self) -> None:
        """Forget all rows."""
        self._batches.clear()

    def take(self, page_bytes: int) -> list[pa.RecordBatch]:
        """The next rows: about `page_bytes` as JSON, and at least one row."""
        taken: list[pa.RecordBatch] = []
        rest = page_bytes
        while self._batches and (not taken or rest >= _json_bytes(self._batches[0])):
            taken.append(self._take_one(rest))
            rest -= _json_bytes(taken[-1])
        return taken

    def _take_one(self, page_bytes: int) -> pa.RecordBatch:
        batch = self._batches.popleft()
        rows = min(batch.num_rows, max(1, batch.num_rows * page_bytes // _json_bytes(batch)))
        # Rows may be larger here than on average.
        while rows > 1 and _json_bytes(batch.slice(0, rows)) > 2 * page_bytes:
            rows //= 2
        if rows < batch.num_rows:
            self._batches.appendleft(batch.slice(rows))
        return batch.slice(0, rows)


def page_bytes(wanted: int | None, default: int = PAGE_BYTES_DEFAULT) -> int:
    """A client's page size, within our limits."""
    if wanted is None:
        return default
    return min(max(wanted, PAGE_BYTES_MIN), PAGE_BYTES_MAX)


def _json_bytes(batch: pa.RecordBatch) -> int:
    """About how large the rows are as JSON."""
    values: int = batch.num_rows * max(1, batch.num_columns)
    return int(batch.nbytes) + _OVERHEAD * values
