"""Telling of changes: who waits for a query is called when it changes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from querysvc.model import QueryExecution

Callback = Callable[[QueryExecution], None]

_log = structlog.get_logger(__name__)


class Watchers:
    """Callbacks by query id. A callback is called from the thread that made the change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[str, list[Callback]] = {}

    def subscribe(self, query_id: str, callback: Callback) -> Callable[[], None]:
        """Call back on every change from now on; returns «unsubscribe» (which may come twice)."""
        with self._lock:
            self._callbacks.setdefault(query_id, []).append(callback)

        def unsubscribe() -> None:
            with self._lock:
                callbacks = self._callbacks.get(query_id, [])
                if callback in callbacks:
                    callbacks.remove(callback)
                if not callbacks:
                    self._callbacks.pop(query_id, None)

        return unsubscribe

    def publish(self, execution: QueryExecution) -> None:
        """Tell everyone who watches the query."""
        with self._lock:
            callbacks = tuple(self._callbacks.get(execution.id, ()))
        for callback in callbacks:
            try:
                callback(execution)
            except Exception:
                # A watcher's fault (an event loop that has closed) must not end the query.
                _log.warning("A watcher failed.", query_id=execution.id, exc_info=True)

    def watched(self) -> frozenset[str]:
        """The queries that someone watches."""
        with self._lock:
            return frozenset(self._callbacks)
