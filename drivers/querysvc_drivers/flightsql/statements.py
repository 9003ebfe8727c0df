"""Statements that clients have named: prepared ones, and those whose rows they come to fetch.

A handle is a random name for a statement of one principal. It says nothing, and is forgotten after
an hour without use, or when too many are kept.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, ResultColumn

_HANDLES_MAX: Final = 10_000
_IDLE_SECONDS_MAX: Final = 3600.0


@dataclass(slots=True)
class Statement:
    """A statement and what is known of it; `query_id` is its one run, once there is one."""

    sql: str
    principal: Principal
    columns: tuple[ResultColumn, ...] | None = None
    parameters: tuple[str, ...] = ()
    query_id: str | None = None
    used_at: float = field(default_factory=time.monotonic)


class Statements:
    """The statements by handle. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_handle: OrderedDict[bytes, Statement] = OrderedDict()

    def add(self, statement: Statement) -> bytes:
        """Keep a statement; its handle."""
        handle = secrets.token_urlsafe(24).encode()
        with self._lock:
            self._by_handle[handle] = statement
            self._forget_idle()
        return handle

    def get(self, handle: bytes, principal: Principal) -> Statement:
        """The principal's statement; NOT_FOUND for another's as for one that is unknown."""
        with self._lock:
            found = self._by_handle.get(handle)
            if found is None or found.principal.name != principal.name:
                raise QueryServiceError(
                    ErrorCode.NOT_FOUND, "The statement is unknown or was not used for an hour."
                )
            found.used_at = time.monotonic()
            self._by_handle.move_to_end(handle)
            return found

    def remove(self, handle: bytes, principal: Principal) -> None:
        """Forget the principal's statement."""
        self.get(handle, principal)
        with self._lock:
            self._by_handle.pop(handle, None)

    def _forget_idle(self) -> None:
        oldest = time.monotonic() - _IDLE_SECONDS_MAX
        while self._by_handle:
            handle, statement = next(iter(self._by_handle.items()))
            if len(self._by_handle) <= _HANDLES_MAX and statement.used_at >= oldest:
                return
            del self._by_handle[handle]
