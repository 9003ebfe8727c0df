"""A watch over the bytes that DuckDB's text readers read: it tells when their way would differ.

DuckDB skips empty lines, where Hive's rows have one value and NULLs; and it knows no SerDe's
escapes. So the bytes are looked at as they pass (a few per cent of the reader's own time), and a
query that saw something suspicious runs again on the exact path.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final  # the client is whatever the storage layer gives

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_GZIP: Final = 31  # zlib's window bits for a gzip stream
_SEAM_BYTES: Final = 1024
"""Of each side of a seam between two reads, more than any key or pattern is long."""


class LineWatch:
    """Looks at the bytes that DuckDB reads of text objects for what its reader takes amiss.

    DuckDB's threads read at the same time, so `see` is called by several at once.
    """

    def __init__(self) -> None:
        self.is_suspicious = False
        self.has_odd_keys = False
        """Some expression was found: not all keys, or not all values, are as they were expected."""
        self._watched: dict[int, tuple[str | None, _Signs]] = {}
        self._without_lines: set[int] = set()
        self._seams: dict[int, dict[int, tuple[bytes, bytes]]] = {}
        """The bytes (before, after) of places where one side was read, by object and place."""
        self._lock = threading.Lock()
        self._streams: dict[int, _GzipStream] = {}

    def watch(
        self,
        object_index: int,
        codec_name: str | None,
        patterns: tuple[bytes, ...] = (),
        *,
        expressions: tuple[str, ...] = (),
        looks_for_lines: bool = True,
    ) -> None:
        """Look at this object: for empty lines and any of the patterns, and at gzip's checksum."""
        self._watched[object_index] = (codec_name, _Signs(patterns, expressions))
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
        codec_name, signs = watched
        looks_for_lines = object_index not in self._without_lines
        if codec_name is None:
            if looks_for_lines:
                self._look(object_index, offset, data, signs)
            return
        if codec_name != "gzip":
            return
        stream = self._streams.get(object_index)
        if stream is None or offset == 0:
            stream = self._streams[object_index] = _GzipStream()
        for position, plain in stream.feed(offset, data):
            if looks_for_lines:
                self._look(object_index, position, plain, signs)
        if stream.is_lost and looks_for_lines:
            self.is_suspicious = True

    def _look(self, object_index: int, offset: int, data: bytes, signs: _Signs) -> None:
        if offset == 0 and data[0] in b"\r\n":
            self.is_suspicious = True
        self._judge(data, signs)
        for seam in self._closed_seams(object_index, offset, data):
            self._judge(seam, signs)

    def _closed_seams(self, object_index: int, offset: int, data: bytes) -> list[bytes]:
        """The bytes around those ends of the data whose other side was read before."""
        closed = []
        with self._lock:
            seams = self._seams.setdefault(object_index, {})
            for at, before, after in (
                (offset, b"", data[:_SEAM_BYTES]),
                (offset + len(data), data[-_SEAM_BYTES:], b""),
            ):
                known_before, known_after = seams.pop(at, (b"", b""))
                before, after = before or known_before, after or known_after
                if before and after:
                    closed.append(before + after)
                else:
                    seams[at] = before, after
        return closed

    def _judge(self, data: bytes, signs: _Signs) -> None:
        # Only ever set: another thread may have found something while this one looked.
        if signs.are_in(data):
            self.is_suspicious = True
        if not self.has_odd_keys and signs.match(data):
            self.has_odd_keys = True


@dataclass(frozen=True, slots=True)
class _Signs:
    """What tells in the bytes that the fast path will not do."""

    patterns: tuple[bytes, ...]
    expressions: tuple[str, ...]
    """Of RE2, over bytes."""

    def are_in(self, data: bytes) -> bool:
        """Whether there is an empty line or one of the patterns."""
        return _has_empty_line(data) or any(pattern in data for pattern in self.patterns)

    def match(self, data: bytes) -> bool:
        """Whether one of the expressions matches."""
        return matches(data, self.expressions)


def matches(data: bytes, expressions: Sequence[str]) -> bool:
    """Whether one of the expressions of RE2 is found in the bytes."""
    if not expressions:
        return False
    offsets = pa.py_buffer(np.array([0, len(data)], np.int64))
    array = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(data)])
    return any(pc.match_substring_regex(array, one)[0].as_py() for one in expressions)


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
