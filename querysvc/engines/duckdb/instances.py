"""A worker's stock of prepared DuckDB instances, so that a query need not wait for one to be made.

Opening an instance takes 8 ms of processor time, more than a small query. So an idle worker makes
some ahead. Each serves one query; none has seen anything of another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from querysvc.engines.duckdb import session

if TYPE_CHECKING:
    import duckdb


class InstanceStock:
    """So many prepared instances."""

    def __init__(self, scratch: str, size: int) -> None:
        self._scratch = scratch
        self._size = size
        self._prepared: list[duckdb.DuckDBPyConnection] = []

    @property
    def is_full(self) -> bool:
        """Whether there is nothing to make ahead."""
        return len(self._prepared) >= self._size

    def add(self) -> None:
        """Make one more ahead."""
        self._prepared.append(session.prepare(self._scratch))

    def take(self) -> duckdb.DuckDBPyConnection:
        """An instance for one query; made now if none was made ahead."""
        return self._prepared.pop() if self._prepared else session.prepare(self._scratch)
