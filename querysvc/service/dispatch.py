"""The dispatcher: threads that claim queued queries and run them, each one at a time.

How many threads there are is how many queries run at once on this node; how many of a work group
run, and whose turn it is, the claim decides in the store, for all nodes together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from querysvc.service.clock import Clock
from querysvc.state.repository import ClaimedQuery, QueryRepository

_log = structlog.get_logger(__name__)
_FAILURE_PAUSE_SECONDS = 1.0


class Dispatcher:
    """Claims and runs queries until it is stopped."""

    def __init__(
        self,
        queries: QueryRepository,
        run: Callable[[ClaimedQuery], None],
        clock: Clock,
        *,
        node: str,
        running_max: int,
        work_group_running_max: int,
        lease_seconds: float,
    ) -> None:
        self._queries = queries
        self._run = run
        self._clock = clock
        self._node = node
        self._work_group_running_max = work_group_running_max
        self._lease = timedelta(seconds=lease_seconds)
        self._work = threading.Condition()
        self._signals = 0
        self._is_stopping = False
        self._threads = [
            threading.Thread(target=self._loop, name=f"dispatch-{number}", daemon=True)
            for number in range(running_max)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self, count: int = 1) -> None:
        """There may be work for so many threads."""
        with self._work:
            self._signals = min(self._signals + count, len(self._threads))
            self._work.notify(count)

    def stop(self) -> None:
        """Claim no more; queries that run go on."""
        with self._work:
            self._is_stopping = True
            self._work.notify_all()

    def join(self, timeout_seconds: float) -> bool:
        """Whether all threads have ended before the time is up."""
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _loop(self) -> None:
        while self._wait_for_work():
            try:
                self._drain()
            except Exception:
                # The store failed: the lease of what was claimed ends, and recovery settles it.
                _log.exception("The dispatcher could not claim or finish a query.")
                time.sleep(_FAILURE_PAUSE_SECONDS)
                self.wake()

    def _wait_for_work(self) -> bool:
        with self._work:
            self._work.wait_for(lambda: self._signals > 0 or self._is_stopping)
            self._signals -= 0 if self._is_stopping else 1
            return not self._is_stopping

    def _drain(self) -> None:
        """Run queries until none is left for us; every end may make room for another's."""
        while not self._is_stopping:
            now = self._clock.now()
            claimed = self._queries.claim(
                self._node,
                now=now,
                lease_expires_at=now + self._lease,
                running_max_default=self._work_group_running_max,
            )
            if claimed is None:
                return
            self._run(claimed)
