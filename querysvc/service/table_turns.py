"""Statements that rest on what they read of an Iceberg table: their turns, and their attempts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from querysvc.service.running import RunningQuery
from querysvc.service.statements import StatementOutcome
from querysvc_catalog.model import TableName

_log = structlog.get_logger(__name__)
_ATTEMPTS_MAX: Final = 20
_TURN_SECONDS: Final = 0.1


def attempts(run: Callable[[], StatementOutcome], undo: Callable[[], None]) -> StatementOutcome:
    """Run until no other commit came first; `undo` clears after a refused attempt."""
    from querysvc.iceberg.commit import CommitConflictError

    for _ in range(_ATTEMPTS_MAX - 1):
        try:
            return run()
        except CommitConflictError as error:
            _log.info("A statement runs again on what a table is now.", reason=error.message)
            undo()
    return run()


class TableTurns:
    """Whose turn it is to change a table's rows: others would only be refused and run again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[TableName] = set()
        self._changed = threading.Condition(self._lock)

    @contextmanager
    def of(self, name: TableName, running: RunningQuery) -> Iterator[None]:
        """Wait for the turn; a query that is told to stop waits no longer."""
        with self._changed:
            while name in self._held:
                self._changed.wait(_TURN_SECONDS)
                running.raise_if_stopped()
            self._held.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._held.discard(name)
                self._changed.notify_all()
