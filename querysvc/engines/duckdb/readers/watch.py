"""A watch over the bytes that DuckDB's text readers read: it tells when their way would differ.

DuckDB skips empty lines, where Hive's rows have one value and NULLs; and it knows no SerDe's
escapes. So the bytes are looked at as they pass (a few per cent of the reader's own time), and a
query that saw something suspicious runs again on the exact path.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final  # the client is whatever the storage layer gives

import numpy as np

_GZIP: Final = 31  # zlib's window bits for a gzip stream


class LineWatch:
    """Looks at the bytes that DuckDB reads of text objects for what its reader takes amiss."""

    def __init__(self) -> None:
        self.is_suspicious = False
        self._watched: dict[int, tuple[str | None, tuple[bytes, ...]]] = {}
        self._without_lines: set[int] = set()
        self._edges: dict[int, dict[int, int]] = {}
        self._streams: dict[int, _GzipStream] = {}

    def watch(
        self,
        object_index: int,
        codec_name: str | None,
        patterns: tuple[bytes, ...] = (),
        *,
        looks_for_lines: bool = True,
    ) -> None:
        """Look at this object: for empty lines and any of the patterns, and at gzip's checksum."""
        self._watched[object_index] = (codec_name, patterns)
        if not looks_for_lines:
            self._without_lines.add(object_index)

    @property
    def is_watching(self) -> bool:
        """Whether any object is looked at."""
        return bool(self._watched)

    def damaged(self, sizes: Callable[[int], int]) -> int | None:
        """An object whose gzip data is truncated or fails its checksum; None without one.

        DuckDB takes both for the end of the data. What a LIMIT left unread is not judged.
        """
        for index, stream in self._streams.items():
            if stream.is_damaged or stream.ends_early(sizes(index)):
                return index
        return None

    def see(self, object_index: int, offset: int, data: bytes) -> None:
        """Look at bytes that were read."""
        watched = self._watched.get(object_index)
        if watched is None or self.is_suspicious or not data:
            return
        codec_name, patterns = watched
        looks_for_lines = object_index not in self._without_lines
        if codec_name is None:
            if looks_for_lines:
                self._look(object_index, offset, data, patterns)
            return
        if codec_name != "gzip":
            return
        stream = self._streams.get(object_index)
        if stream is None or offset == 0:
            stream = self._streams[object_index] = _GzipStream()
        for position, plain in stream.feed(offset, data):
            if looks_for_lines:
                self._look(object_index, position, plain, patterns)
        if stream.is_lost and looks_for_lines:
            self.is_suspicious = True

    def _look(
        self, object_index: int, offset: int, data: bytes, patterns: tuple[bytes, ...]
    ) -> None:
        if _has_empty_line(data) or any(pattern in data for pattern in patterns):
            self.is_suspicious = True
            return
        edges = self._edges.setdefault(object_index, {})
        first, last = data[0], data[-1]
        if offset == 0 and first in b"\r\n":
            self.is_suspicious = True
        # The bytes on both sides of a seam, by where they are.
        edges[offset] = first
        edges[offset + len(data) - 1] = last
        for left in (offset - 1, offset + len(data) - 1):
            pair = bytes(edges[at] for at in (left, left + 1) if at in edges)
            if pair in (b"\n\n", b"\n\r", b"\r\r"):
                self.is_suspicious = True


class WatchedClient:
    """A PlanReader that shows what it reads to `see` (object index, offset, bytes)."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.see: Callable[[int, int, bytes], None] = lambda *_: None

    def read(self, object_index: int, offset: int, length: int) -> bytes:
        """Read bytes of an object, and show them."""
        data: bytes = self._client.read(object_index, offset, length)
        self.see(object_index, offset, data)
        return data

    def __len__(self) -> int:
        return len(self._client)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class _GzipStream:
    """Decompresses an object that is read from its start to its end."""

    def __init__(self) -> None:
        self._expected = 0
        self._position = 0
        self._inflate = zlib.decompressobj(_GZIP)
        self._is_between_members = False
        self.is_lost = False
        self.is_damaged = False

    def ends_early(self, size: int) -> bool:
        """Whether all of the object was seen, and its last member is not complete."""
        return not self.is_lost and self._expected >= size and not self._is_between_members

    def feed(self, offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        if offset + len(data) <= self._expected:
            return
        if offset != self._expected or self.is_lost:
            self.is_lost = True
            return
        self._expected += len(data)
        while data:
            try:
                plain = self._inflate.decompress(data)
            except zlib.error:
                self.is_damaged = not self._is_between_members  # else padding after the end
                return
            self._is_between_members = False
            if plain:
                yield self._position, plain
                self._position += len(plain)
            data = self._inflate.unused_data
            if self._inflate.eof:
                self._is_between_members = True
                self._inflate = zlib.decompressobj(_GZIP)


def _has_empty_line(data: bytes) -> bool:
    if b"\r" in data and (b"\n\r" in data or b"\r\r" in data):
        return True
    # Two LFs in a row, looked for two bytes at a time at both alignments.
    return _has_pair(data, 0) or _has_pair(data, 1)


def _has_pair(data: bytes, start: int) -> bool:
    size = (len(data) - start) // 2
    if size <= 0:
        return False
    pairs = np.frombuffer(data, dtype=np.uint16, count=size, offset=start)
    return bool((pairs == 0x0A0A).any())
