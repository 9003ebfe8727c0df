"""Writers of SQLite, one at a time, who share a commit when they come together.

A commit waits for the disk, for longer than what it commits took. So who has done its part while
another waits for its turn leaves the commit to that one: the last in line commits for all. Each
returns when its part is durable; alone, that is its own commit, at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Final

from sqlalchemy import Connection

from querysvc.state.failures import state_unavailable

_PARTS_MAX: Final = 64
"""The first must not wait for a line that never ends."""


class GroupCommit:
    """Gives writers their turns."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._turn = threading.Lock()
        self._line = threading.Lock()
        self._waiting = 0
        self._batch: _Batch | None = None
        self._connection: Connection | None = None

    @property
    def waiting(self) -> int:
        """How many writers wait for their turn."""
        return self._waiting

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, or undone when it raises."""
        with self._line:
            self._waiting += 1
        with ExitStack() as afterwards, self._turn:
            with self._line:
                self._waiting -= 1
            if self._batch is None:
                self._batch = _Batch(self._connected())
            batch = self._batch
            # Also when the block raises: that may be for what is not durable before.
            afterwards.callback(batch.wait)
            try:
                with batch.part() as connection:
                    yield connection
            finally:
                if not self._waiting or batch.is_over:
                    self._batch = None
                    batch.end()

    def close(self) -> None:
        """Close the connection; the next writer opens another."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection


class _Batch:
    """Parts that are committed together; a part that fails is undone alone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        try:
            self._transaction = connection.begin()
        except BaseException:
            connection.close()
            raise
        self._parts = 0
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """It takes no more parts: there are enough, or its transaction has ended already."""
        return self._parts >= _PARTS_MAX or not self._is_open()

    @contextmanager
    def part(self) -> Iterator[Connection]:
        """What one writer does."""
        with self._connection.begin_nested() if self._parts else nullcontext():
            try:
                yield self._connection
            except BaseException:
                if not self._parts:
                    self._transaction.rollback()
                raise
        self._parts += 1

    def end(self) -> None:
        """Commit, and tell everyone how that went."""
        try:
            if self._parts:
                if not self._is_open():
                    # SQLite undoes all by itself on some failures; a commit would say nothing.
                    raise state_unavailable(RuntimeError("the transaction was undone"))
                self._transaction.commit()
        except BaseException as error:  # whoever waits is to raise it
            self._failure = error
            self._connection.invalidate()  # its transaction may still be open
            self._connection.close()
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Return when the parts are durable; raises when they are not."""
        self._ended.wait()
        if self._failure is not None:
            raise self._failure

    def _is_open(self) -> bool:
        driver = self._connection.connection.driver_connection
        return driver is not None and bool(driver.in_transaction)
