"""Time as the service is given it, so that tests need not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from querysvc.errors import QueryServiceError

_READ_AGAIN_SECONDS = 5.0


class Clock(Protocol):
    """The wall clock for stamps, and a steady one for durations."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def steady_seconds(self) -> float:
        """Seconds since some moment; never goes back."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady_seconds(self) -> float:
        return time.monotonic()


class SharedClock:
    """The wall clock of the database, by which all nodes measure leases; steady in between.

    A node whose own clock is wrong, or jumps, would take others' leases for ended, or write its
    own into the past.
    """

    def __init__(self, read: Callable[[], datetime], own: Clock) -> None:
        self._read = read
        self._own = own
        self._lock = threading.Lock()
        self._read_at = own.steady_seconds()
        self._told = read()

    def now(self) -> datetime:
        """The database's time; by the steady clock alone while the database cannot be read."""
        with self._lock:
            elapsed = self._own.steady_seconds() - self._read_at
            reckoned = self._told + timedelta(seconds=elapsed)
        if elapsed <= _READ_AGAIN_SECONDS:
            return reckoned
        try:
            told = self._read()
        except QueryServiceError:
            return reckoned
        with self._lock:
            self._told, self._read_at = told, self._own.steady_seconds()
        return told

    def steady_seconds(self) -> float:
        """This node's steady clock."""
        return self._own.steady_seconds()
