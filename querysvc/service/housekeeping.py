"""What must happen again and again: leases, deadlines, recovery, retention, the audit's writing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do every so many seconds."""

    name: str
    interval_seconds: float
    run: Callable[[], None]


class Housekeeping:
    """One thread that does the tasks; a task that fails is logged and comes again."""

    def __init__(self, tasks: tuple[Task, ...]) -> None:
        self._tasks = tasks
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread; every task comes first after its interval."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the task that it is at."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _loop(self) -> None:
        due = {task.name: time.monotonic() + task.interval_seconds for task in self._tasks}
        while not self._stopped.wait(max(0.0, min(due.values()) - time.monotonic())):
            for task in self._tasks:
                if due[task.name] <= time.monotonic():
                    self._attempt(task)
                    due[task.name] = time.monotonic() + task.interval_seconds

    def _attempt(self, task: Task) -> None:
        try:
            task.run()
        except Exception:
            _log.exception("Housekeeping failed; it will be tried again.", task=task.name)
