"""Where a portal's rows come from: the core's query, rows at hand, another portal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import pyarrow as pa

from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_drivers.pgwire.live import LiveQuery
from querysvc_drivers.pgwire.types import Column, column, pg_type


class RowSource(Protocol):
    """Gives rows, a batch at a time."""

    async def columns(self) -> tuple[Column, ...] | None:
        """The rows' columns; None when there are none, such as of DDL."""
        ...

    async def take(self, rows_max: int | None) -> pa.RecordBatch | None:
        """The next rows, at most so many; None behind the last."""
        ...

    async def tag(self, rows: int) -> str:
        """The command tag when `rows` were sent; waits for the statement's end."""
        ...

    async def warnings(self) -> tuple[str, ...]:
        """What the client is to be warned of."""
        ...

    async def close(self) -> None:
        """No more rows are wanted."""
        ...


_TAGS: Final = {
    "ALTER_DATABASE": "ALTER SCHEMA",
    "ALTER_TABLE_ADD_PARTITION": "ALTER TABLE",
    "ALTER_TABLE_DROP_PARTITION": "ALTER TABLE",
    "CREATE_DATABASE": "CREATE SCHEMA",
    "DROP_DATABASE": "DROP SCHEMA",
}
_COUNTED_TAGS: Final = {
    "CREATE_TABLE_AS_SELECT": "SELECT {}",
    "INSERT": "INSERT 0 {}",
    "UPDATE": "UPDATE {}",
    "DELETE": "DELETE {}",
    "MERGE": "MERGE {}",
    "UNLOAD": "COPY {}",
}


class LiveSource:
    """The rows of a query of the core."""

    def __init__(self, live: LiveQuery) -> None:
        self._live = live
        self._rest: pa.RecordBatch | None = None

    async def columns(self) -> tuple[Column, ...] | None:
        if self._live.is_update:
            return None
        return tuple(map(column, await self._live.columns()))

    async def take(self, rows_max: int | None) -> pa.RecordBatch | None:
        if self._live.is_update:
            return None
        batch = self._rest
        if batch is None:
            batch = await self._live.next_batch()
        self._rest = None
        if batch is None or rows_max is None or batch.num_rows <= rows_max:
            return batch
        self._rest = batch.slice(rows_max)
        return batch.slice(0, rows_max)

    async def tag(self, rows: int) -> str:
        execution = await self._live.ended()
        kind = execution.substatement_type or "SELECT"
        counted = _COUNTED_TAGS.get(kind)
        if counted is not None:
            return counted.format(execution.update_count or 0)
        if self._live.is_update:
            return _TAGS.get(kind, kind.replace("_", " "))
        return f"SELECT {rows}"

    async def warnings(self) -> tuple[str, ...]:
        return (await self._live.ended()).warnings

    async def close(self) -> None:
        self._rest = None
        await self._live.close()


class LocalSource:
    """Rows that are at hand, or none."""

    def __init__(
        self,
        tag: str,
        columns: tuple[Column, ...] | None = None,
        batch: pa.RecordBatch | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self._tag = tag
        self._columns = columns
        self._batch = batch
        self._warnings = warnings

    async def columns(self) -> tuple[Column, ...] | None:
        return self._columns

    async def take(self, rows_max: int | None) -> pa.RecordBatch | None:
        batch, self._batch = self._batch, None
        if batch is None or not batch.num_rows:
            return None
        if rows_max is not None and batch.num_rows > rows_max:
            self._batch = batch.slice(rows_max)
            batch = batch.slice(0, rows_max)
        return batch

    async def tag(self, rows: int) -> str:
        return self._tag.format(rows)

    async def warnings(self) -> tuple[str, ...]:
        return self._warnings

    async def close(self) -> None:
        self._batch = None


class FetchSource:
    """Rows that FETCH takes from a cursor; MOVE drops them."""

    def __init__(self, cursor: RowSource, count: int | None, *, is_move: bool) -> None:
        self._cursor = cursor
        self._left = count
        self._is_move = is_move
        self._moved = 0

    async def columns(self) -> tuple[Column, ...] | None:
        return None if self._is_move else await self._cursor.columns()

    async def take(self, rows_max: int | None) -> pa.RecordBatch | None:
        while self._left is None or self._left > 0:
            limits = [limit for limit in (self._left, rows_max) if limit is not None]
            batch = await self._cursor.take(min(limits, default=None))
            if batch is None:
                self._left = 0
                return None
            if self._left is not None:
                self._left -= batch.num_rows
            if not self._is_move:
                return batch
            self._moved += batch.num_rows
        return None

    async def tag(self, rows: int) -> str:
        if self._is_move:
            return f"MOVE {self._moved}"
        return f"FETCH {rows}"

    async def warnings(self) -> tuple[str, ...]:
        return ()

    async def close(self) -> None:
        """The cursor stays open."""


def text_rows(tag: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> LocalSource:
    """Rows of texts, such as SHOW's."""
    arrays = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(names))]
    return local_rows(tag, [(name, algebra.VARCHAR) for name in names], arrays)


def local_rows(
    tag: str, columns: Sequence[tuple[str, TrinoType]], arrays: Sequence[Any]
) -> LocalSource:
    """Rows of Arrow arrays in the columns' storage forms."""
    batch = pa.RecordBatch.from_arrays(list(arrays), names=[str(i) for i in range(len(arrays))])
    described = tuple(Column(name, pg_type(type_), type_) for name, type_ in columns)
    return LocalSource(tag, described, batch)
