"""The statements that clients have open on this node, and the end of those they abandon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc_drivers.trino.client_request import ClientRequest
from querysvc_drivers.trino.statement import Answered, LiveStatement, Page, Slugs

_log = structlog.get_logger(__name__)
_CHECKS_PER_TIMEOUT: Final = 6
_CHECK_SECONDS_MAX: Final = 5.0

Cancel = Callable[[LiveStatement], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds without a fetch after which a statement that runs, or has ended, is forgotten."""

    running: float
    ended: float


class OpenStatement:
    """A statement with its addresses and the page that was answered last."""

    def __init__(self, source: LiveStatement | LocalStatement) -> None:
        self.source = source
        self.id = source.id
        self.slugs = Slugs()
        self.lock = asyncio.Lock()
        self.answered = Answered(-1)
        self.is_over = False
        self._fetches = 0
        self._touched_at = time.monotonic()

    def __enter__(self) -> OpenStatement:
        self._fetches += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._fetches -= 1
        self._touched_at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """How long no client has asked."""
        return 0.0 if self._fetches else time.monotonic() - self._touched_at

    @property
    def runs(self) -> bool:
        """Whether its query waits for the engine, or keeps it busy."""
        return not self.is_over and self.source.runs


class LocalStatement:
    """A statement that the wire has answered already."""

    runs = False

    def __init__(
        self, statement_id: str, page: Page, request: ClientRequest, principal: Principal
    ) -> None:
        self.id = statement_id
        self.page = page
        self.request = request
        self.principal = principal

    async def next_page(self, _: float, __: int | None) -> Page:
        """The only page."""
        return self.page

    def release(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


class StatementRegistry:
    """Keeps open statements until they end and are forgotten, or are abandoned and cancelled."""

    def __init__(self, cancel: Cancel, timeouts: Timeouts, statements_max: int) -> None:
        self._cancel = cancel
        self._timeouts = timeouts
        self._max = statements_max
        self._open: dict[str, OpenStatement] = {}
        self._reaper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, statement: OpenStatement) -> None:
        """Open a statement; the reaper runs from the first to the last one."""
        self._open[statement.id] = statement
        if self._reaper is None or self._reaper.done():
            self._reaper = asyncio.create_task(self._reap())

    def require_room(self) -> None:
        """Refuse a new statement when too many run; forget the oldest ended ones instead.

        Those go first whose last page was sent: they are only kept to be fetched again.
        """
        ended = [one for one in self._open.values() if not one.runs]
        running = len(self._open) - len(ended)
        if running >= self._max:
            raise QueryServiceError(
                ErrorCode.TOO_MANY_REQUESTS,
                f"{running} statements are open on this node; try again later.",
            )
        ended.sort(key=lambda one: not one.is_over)
        for one in ended[: max(0, len(self._open) + 1 - self._max)]:
            one.source.close()
            del self._open[one.id]

    def get(self, statement_id: str) -> OpenStatement | None:
        """The open statement of that id."""
        return self._open.get(statement_id)

    async def _reap(self) -> None:
        pause = min(self._timeouts.running / _CHECKS_PER_TIMEOUT, _CHECK_SECONDS_MAX)
        while self._open:
            await asyncio.sleep(pause)
            for statement in tuple(self._open.values()):
                idle, timeouts = statement.idle_seconds, self._timeouts
                if idle >= (timeouts.running if statement.runs else timeouts.ended):
                    await self._drop(statement)
                elif idle >= timeouts.running:
                    statement.source.release()

    async def _drop(self, statement: OpenStatement) -> None:
        source = statement.source
        if statement.runs and isinstance(source, LiveStatement):
            _log.info("statement_abandoned", query_id=statement.id)
            try:
                await self._cancel(source)
            except QueryServiceError as error:
                _log.warning("cancel_failed", query_id=statement.id, error=str(error))
        source.close()
        self._open.pop(statement.id, None)
