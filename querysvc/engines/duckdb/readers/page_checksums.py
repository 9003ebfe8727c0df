"""Parquet's page checksums, checked on the bytes as DuckDB reads them (DuckDB itself does not).

`querysvc.verify_checksums` = `true` asks for it. A page that carries no checksum passes: writers
need not make any. What is not read (other columns, pruned row groups, what a LIMIT leaves) is not
judged.
"""

from __future__ import annotations

import threading
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from querysvc.engines.duckdb.readers.thrift import ThriftError, read_struct
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc_catalog.model import Table

PROPERTY: Final = "querysvc.verify_checksums"
_CHOICES: Final = {"true": True, "false": False}
_COMPRESSED_PAGE_SIZE: Final = 3
_CRC: Final = 4
"""Fields of a PageHeader (parquet.thrift)."""


def verifies_checksums(table: Table) -> bool:
    """Whether the table asks for it."""
    choice = table.parameters.get(PROPERTY, "false")
    found = _CHOICES.get(choice.strip().lower())
    if found is None:
        raise QueryServiceError(
            ErrorCode.INVALID_TABLE_PROPERTY,
            f"table {table.full_name}: {PROPERTY}={choice}; it is true or false",
        )
    return found


class PageChecksums:
    """Looks at the bytes that DuckDB reads of column chunks; raises on a page that is damaged."""

    def __init__(self) -> None:
        self.failure: QueryServiceError | None = None
        self._chunks: dict[int, dict[int, _Chunk]] = {}
        self._lock = threading.Lock()

    def expect(self, object_index: int, start: int, length: int, where: str) -> None:
        """Check this column chunk when it is read; `where` names it."""
        chunks = self._chunks.setdefault(object_index, {})
        chunks.setdefault(start, _Chunk(start, length, where))

    def see(self, object_index: int, offset: int, data: bytes) -> None:
        """Look at bytes that were read, before the engine has them."""
        chunks = self._chunks.get(object_index)
        for chunk in _overlapping(chunks, offset, len(data)) if chunks else ():
            try:
                self._look(chunk, offset, data)
            except QueryServiceError as failure:
                self.failure = self.failure or failure
                raise

    def _look(self, chunk: _Chunk, offset: int, data: bytes) -> None:
        if chunk.is_checked:
            return
        whole = _slice(data, chunk.start - offset, chunk.length)
        if whole is None:
            with self._lock:
                whole = chunk.add(offset, data)
        if whole is not None:
            chunk.is_checked = True
            _check_pages(whole, chunk)


@dataclass(slots=True, eq=False)
class _Chunk:
    """A column chunk, and the parts of it that were read so far."""

    start: int
    length: int
    where: str
    is_checked: bool = False
    pieces: dict[int, bytes] = field(default_factory=dict)

    def add(self, offset: int, data: bytes) -> memoryview | None:
        """Keep a part; the whole chunk once all of it was read."""
        first = max(offset, self.start)
        last = min(offset + len(data), self.start + self.length)
        known = self.pieces.get(first, b"")
        if last - first > len(known):
            self.pieces[first] = data[first - offset : last - offset]
        joined = bytearray()
        for position in sorted(self.pieces):
            at = position - self.start
            if at > len(joined):
                return None
            joined += self.pieces[position][len(joined) - at :]
        if len(joined) < self.length:
            return None
        self.pieces.clear()
        return memoryview(joined)


def _overlapping(chunks: dict[int, _Chunk], offset: int, length: int) -> Iterator[_Chunk]:
    starts = sorted(chunks)
    for start in starts[max(0, bisect_right(starts, offset) - 1) :]:
        if start >= offset + length:
            return
        if start + chunks[start].length > offset:
            yield chunks[start]


def _slice(data: bytes, start: int, length: int) -> memoryview | None:
    if start < 0 or start + length > len(data):
        return None
    return memoryview(data)[start : start + length]


def _check_pages(chunk: memoryview, expected: _Chunk) -> None:
    position, number, has_checksums = 0, 0, False
    while position < len(chunk):
        try:
            header, end = read_struct(chunk, position)
            size = header[_COMPRESSED_PAGE_SIZE]
        except (ThriftError, KeyError):
            raise _damaged(expected, number, "has a damaged header") from None
        page = chunk[end : end + size]
        crc = header.get(_CRC)
        if crc is not None:
            has_checksums = True
            if len(page) < size or zlib.crc32(page) != crc & 0xFFFF_FFFF:
                raise _damaged(expected, number, "does not have the checksum that it carries")
        elif len(page) < size and not has_checksums:
            return  # sizes of chunks are wrong in files of old writers, which have no checksums
        position, number = end + size, number + 1


def _damaged(chunk: _Chunk, number: int, what: str) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.HIVE_BAD_DATA, f"{chunk.where}: page {number} (from 0) {what}"
    )
