"""Fetched ranges that later queries of this node may share, within a byte budget."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable

_BUDGET_SHARE_MAX = 8
"""A range larger than this part of the budget is not kept: it would push all others out."""


class RangeCache:
    """Least-recently-used ranges of immutable objects.

    The key must name immutable bytes (endpoint, bucket, key, ETag or version), so nothing in here
    can be stale. Ranges of one object may overlap; what is asked for is found where one or more
    ranges cover it without a hole. Not thread-safe: the fetcher's event loop owns it.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._used_bytes = 0
        self._entries: OrderedDict[tuple[Hashable, int], memoryview] = OrderedDict()
        self._starts: dict[Hashable, list[int]] = {}

    @property
    def used_bytes(self) -> int:
        """What the kept ranges take."""
        return self._used_bytes

    def get(self, key: Hashable, start: int, end: int) -> list[memoryview] | None:
        """Return the pieces that make up [start, end), or None if a byte is missing."""
        starts = self._starts.get(key)
        if starts is None:
            return None
        pieces: list[memoryview] = []
        used: list[int] = []
        at = bisect_right(starts, start) - 1
        while start < end:
            # The next range may overlap this one: take the last that begins at or before `start`.
            while at + 1 < len(starts) and starts[at + 1] <= start:
                at += 1
            if at < 0:
                return None
            data = self._entries[key, starts[at]]
            low = start - starts[at]
            if low >= len(data):
                return None
            piece = data[low : low + end - start]
            pieces.append(piece)
            used.append(starts[at])
            start += len(piece)
        for one in used:
            self._entries.move_to_end((key, one))
        return pieces

    def put(self, key: Hashable, start: int, data: memoryview) -> None:
        """Keep a range; of two that begin alike the longer stays."""
        if not len(data) or len(data) * _BUDGET_SHARE_MAX > self._budget_bytes:
            return
        old = self._entries.get((key, start))
        if old is not None and len(old) >= len(data):
            self._entries.move_to_end((key, start))
            return
        if old is not None:
            self._forget(key, start)
        self._entries[key, start] = data
        starts = self._starts.setdefault(key, [])
        starts.insert(bisect_right(starts, start), start)
        self._used_bytes += len(data)
        while self._used_bytes > self._budget_bytes:
            self._forget(*next(iter(self._entries)))

    def _forget(self, key: Hashable, start: int) -> None:
        self._used_bytes -= len(self._entries.pop((key, start)))
        starts = self._starts[key]
        del starts[bisect_right(starts, start) - 1]
        if not starts:
            del self._starts[key]
