"""Spooled segments: encoded rows that clients fetch by addresses of their own, and acknowledge.

Clients fetch a segment without credentials: its id, which nobody can guess, is the permission. It
is told to the statement's client alone, and ends with the acknowledgement or the lifetime.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """How much is kept, and for how long."""

    bytes_max: int = 1 << 30
    """Bytes on disk; beyond it rows are sent inside the pages."""
    lifetime_seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class _Kept:
    size: int
    ends_at: float


class SegmentStore:
    """Keeps segments as files of a directory of its own; what lies there at the start goes."""

    def __init__(
        self,
        directory: Path,
        limits: SegmentLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._limits = limits or SegmentLimits()
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in directory.iterdir():
            left.unlink()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def lifetime_seconds(self) -> float:
        """How long a segment can be fetched."""
        return self._limits.lifetime_seconds

    def put(self, body: bytes) -> str | None:
        """Keep a segment; its id, or None when there is no room for it."""
        self.expire()
        size = len(body)
        with self._lock:
            if self._bytes + size > self._limits.bytes_max:
                return None
            self._bytes += size
        segment = secrets.token_urlsafe(_ID_BYTES)
        try:
            (self._directory / segment).write_bytes(body)
        except OSError:  # a full disk: the rows go inside the page
            self._forget(segment, size)
            return None
        with self._lock:
            self._kept[segment] = _Kept(size, self._clock() + self._limits.lifetime_seconds)
        return segment

    def get(self, segment: str) -> bytes | None:
        """The segment; None when there is none of that id, or it was too long ago."""
        kept = self._kept.get(segment)
        if kept is None or kept.ends_at <= self._clock():
            return None
        try:
            return (self._directory / segment).read_bytes()
        except FileNotFoundError:  # acknowledged in this moment
            return None

    def acknowledge(self, segment: str) -> bool:
        """Delete a segment that its client has; whether there was one."""
        with self._lock:
            kept = self._kept.pop(segment, None)
        if kept is None:
            return False
        self._forget(segment, kept.size)
        return True

    def expire(self) -> None:
        """Delete what has outlived its time: the oldest come first."""
        now = self._clock()
        while True:
            with self._lock:
                oldest = next(iter(self._kept.items()), None)
            if oldest is None or oldest[1].ends_at > now:
                return
            self.acknowledge(oldest[0])

    def _forget(self, segment: str, size: int) -> None:
        (self._directory / segment).unlink(missing_ok=True)
        with self._lock:
            self._bytes -= size
