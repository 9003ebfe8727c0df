"""The segments that a worker's reads are made of, and which parts of an object they cover."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from querysvc.errors import QueryServiceError


@dataclass(slots=True, eq=False)
class Segment:
    """A range on its way to the worker; `unread` are the wanted parts that nobody has read yet."""

    id: int
    object_index: int
    offset: int
    end: int
    unread: list[tuple[int, int]]
    is_kept: bool = False
    is_demanded: bool = False
    position: int | None = None
    """Where its bytes are in the window; None until they arrive."""
    error: QueryServiceError | None = None
    users: int = 0
    """Readers that wait for it or copy from it now."""
    arrival: threading.Event | None = None

    @property
    def has_arrived(self) -> bool:
        """Whether its bytes or its error are here."""
        return self.position is not None or self.error is not None

    def mark_read(self, start: int, end: int) -> None:
        """Take [start, end) out of what is unread."""
        left: list[tuple[int, int]] = []
        for low, high in self.unread:
            if high <= start or end <= low:
                left.append((low, high))
                continue
            if low < start:
                left.append((low, start))
            if end < high:
                left.append((end, high))
        self.unread = left


class SegmentIndex:
    """The live segments of one object, by offset; they never overlap."""

    __slots__ = ("missed_end", "read_ahead", "segments", "starts")

    def __init__(self) -> None:
        self.missed_end = -1
        """Where the last unforeseen read ended: one that goes on there reads on in sequence."""
        self.read_ahead = 0
        self.starts: list[int] = []
        self.segments: list[Segment] = []

    def add(self, segment: Segment) -> None:
        """Take a segment in."""
        at = bisect_right(self.starts, segment.offset)
        self.starts.insert(at, segment.offset)
        self.segments.insert(at, segment)

    def remove(self, segment: Segment) -> None:
        """Let a segment go."""
        at = bisect_right(self.starts, segment.offset) - 1
        if at >= 0 and self.segments[at] is segment:
            del self.starts[at], self.segments[at]

    def cover(self, start: int, end: int) -> Iterator[tuple[int, int, Segment | None]]:
        """Cut [start, end) into the parts that segments hold and the parts that none does."""
        at = max(bisect_right(self.starts, start) - 1, 0)
        while start < end:
            while at < len(self.segments) and self.segments[at].end <= start:
                at += 1
            segment = self.segments[at] if at < len(self.segments) else None
            if segment is None or segment.offset >= end:
                yield start, end, None
                return
            if segment.offset > start:
                yield start, segment.offset, None
                start = segment.offset
            stop = min(end, segment.end)
            yield start, stop, segment
            start = stop
