"""Time as the service is given it, so that tests need not wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


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
