"""A worker's DuckDB instances: some made ahead, and one kept for its owner's next statement.

Opening an instance takes 8 ms of processor time, many times what a small query does. So an idle
worker makes some ahead. Each serves one query, with one exception (ADR-0023): a query that reads no
table gets an instance that is sealed before it and may open no file at all; unless it made anything
there, the same principal's next such query in the same work group works on it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from querysvc.engines.duckdb import session
from querysvc.plan import ExecutionPlan

if TYPE_CHECKING:
    import duckdb

_USES_MAX: Final = 100
"""Queries that one instance serves."""

Sharing = tuple[str, int, int, int]
"""What queries must have in common to share an instance: the owner, and the limits set in it."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What one query works on: a connection of its own."""

    connection: duckdb.DuckDBPyConnection
    is_sealed: bool = False
    """It has its limits, may open no file, and takes no further settings."""


@dataclass(slots=True)
class _Kept:
    """A sealed instance and whose it is."""

    sharing: Sharing
    root: duckdb.DuckDBPyConnection
    uses: int = 0


class InstanceStock:
    """So many prepared instances, and the one that is kept."""

    def __init__(self, scratch: str, size: int) -> None:
        self._scratch = scratch
        self._size = size
        self._prepared: list[duckdb.DuckDBPyConnection] = []
        self._kept: _Kept | None = None

    @property
    def is_full(self) -> bool:
        """Whether there is nothing to make ahead."""
        return len(self._prepared) >= self._size

    def add(self) -> None:
        """Make one more ahead."""
        self._prepared.append(session.prepare(self._scratch))

    def ensure(self) -> None:
        """Have one for the next query."""
        if self._kept is None and not self._prepared:
            self.add()

    def lend(self, plan: ExecutionPlan, *, may_share: bool) -> Instance:
        """An instance for one query, to be given back."""
        sharing = _sharing(plan) if may_share else None
        if self._kept is not None and self._kept.sharing != sharing:
            self._drop()
        if sharing is None:
            return Instance(self._take())
        if self._kept is None:
            self._kept = _Kept(sharing, self._take())
            session.limit(self._kept.root, plan.limits, rereads=False)
            session.seal(self._kept.root, ())
        self._kept.uses += 1
        return Instance(self._kept.root.cursor(), is_sealed=True)

    def give_back(self, instance: Instance, *, is_as_new: bool) -> None:
        """End the query's connection; its instance too, unless it is kept and as it was before."""
        instance.connection.close()
        kept = self._kept
        if kept is not None and not (is_as_new and kept.uses < _USES_MAX):
            self._drop()

    def _take(self) -> duckdb.DuckDBPyConnection:
        return self._prepared.pop() if self._prepared else session.prepare(self._scratch)

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.root.close()
            self._kept = None


def _sharing(plan: ExecutionPlan) -> Sharing | None:
    """None for a query that must have an instance of its own."""
    if plan.scans or not plan.owner:
        return None
    limits = plan.limits
    return plan.owner, limits.memory_bytes, limits.spill_bytes, limits.threads
