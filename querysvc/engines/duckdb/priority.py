"""Who yields the processor: queries that run on, and users who have just used much of it.

A worker is made less important (nice) once its query has used more than a short one needs, and
from the start where its owner has been using the processor for a while: short queries of others
then take as long as on an idle machine, nearly. Where nobody else asks, nobody yields.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Final

SHORT_CPU_SECONDS: Final = 0.2
"""A query that has used more is not short."""
_NICE: Final = 15
"""A thirtieth of the usual share, for the queries that yield: they share among themselves by it."""
_IDLE: Final = os.sched_param(0)
"""SCHED_IDLE: who wakes for a short query goes first at once, instead of after a time slice."""
_HEAVY_CPU_SECONDS: Final = 1.0
_HALF_LIFE_SECONDS: Final = 10.0
_OWNERS_MAX: Final = 4096
_CPU_CLOCK: Final = 2
"""CPUCLOCK_SCHED of clock_gettime(2): all time of a process, by nanoseconds."""


class CpuUse:
    """What each owner has used lately: it counts half as much every ten seconds. Thread-safe."""

    def __init__(self, steady_seconds: Callable[[], float] = time.monotonic) -> None:
        self._steady_seconds = steady_seconds
        self._lock = threading.Lock()
        self._used: dict[str, tuple[float, float]] = {}
        """Seconds, and when they were counted."""
        self._began: dict[str, float] = {}
        """When each began a query last, in this order."""

    def begin(self, owner: str) -> None:
        """The owner begins a query."""
        if not owner:
            return  # the service's own work is nobody's neighbour
        with self._lock:
            self._began.pop(owner, None)
            self._began[owner] = self._steady_seconds()
            if len(self._began) > _OWNERS_MAX:
                del self._began[next(iter(self._began))]

    def has_others(self, owner: str) -> bool:
        """Whether somebody else has begun a query lately; the service itself has none."""
        if not owner:
            return False
        since = self._steady_seconds() - _HALF_LIFE_SECONDS
        with self._lock:
            latest = itertools.islice(reversed(self._began.items()), 2)
            return any(one != owner and began > since for one, began in latest)

    def add(self, owner: str, seconds: float) -> None:
        """The owner has used so much more."""
        now = self._steady_seconds()
        with self._lock:
            self._used[owner] = self._lately(owner, now) + max(0.0, seconds), now
            if len(self._used) > _OWNERS_MAX:
                self._used = {
                    one: used for one, used in self._used.items() if self._lately(one, now) > 0.01
                }

    def is_heavy(self, owner: str) -> bool:
        """Whether the owner's queries are to yield from their start."""
        with self._lock:
            return self._lately(owner, self._steady_seconds()) > _HEAVY_CPU_SECONDS

    def _lately(self, owner: str, now: float) -> float:
        seconds, counted_at = self._used.get(owner, (0.0, now))
        return seconds * float(0.5 ** ((now - counted_at) / _HALF_LIFE_SECONDS))


def cpu_seconds(process_id: int) -> float:
    """The processor time of a process so far; 0.0 once it is gone."""
    try:
        return time.clock_gettime((~process_id << 3) | _CPU_CLOCK)
    except OSError:
        return 0.0


def lower(process_id: int) -> None:
    """Make all threads of a process yield."""
    for thread in _threads(process_id):
        # It may have ended meanwhile.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, _NICE)
            os.sched_setscheduler(thread, os.SCHED_IDLE, _IDLE)


def restore(process_id: int) -> bool:
    """Make them as important as others again; False where that is not allowed (CAP_SYS_NICE)."""
    try:
        for thread in _threads(process_id):
            os.sched_setscheduler(thread, os.SCHED_OTHER, _IDLE)
            os.setpriority(os.PRIO_PROCESS, thread, 0)
    except OSError:
        return False
    return True


def _threads(process_id: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{process_id}/task")]
    except OSError:
        return []
