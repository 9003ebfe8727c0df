"""Records of writes in SQL: intents, and the order of commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from querysvc.model import QueryState
from querysvc.state.codec import dumps, from_document, loads, to_document
from querysvc.state.database import Database
from querysvc.state.repository import LostWrite, WriteIntent
from querysvc.state.tables import query_executions, write_clock, writes

_Q, _W = query_executions, writes
_ENDED_OTHERWISE = (QueryState.FAILED.value, QueryState.CANCELLED.value)


class SqlWrites:
    """The WriteRepository in SQL."""

    _database: Database

    def intend_write(self, intent: WriteIntent, fencing_token: int) -> bool:
        """Store or replace the intent, if the token still holds the query's lease."""
        values = {"has_data": intent.has_data, "document": dumps(to_document(intent))}
        held = exists().where(
            _Q.c.id == intent.query_id,
            _Q.c.state == QueryState.RUNNING.value,
            _Q.c.fencing_token == fencing_token,
        )
        with self._database.write() as connection:
            if not connection.scalar(select(held)):
                return False
            own = _W.c.query_id == intent.query_id
            if connection.execute(update(_W).where(own).values(values)).rowcount == 0:
                connection.execute(insert(_W).values(query_id=intent.query_id, **values))
        return True

    def forget_write(self, query_id: str) -> None:
        """Drop an intent that left nothing."""
        uncommitted = and_(_W.c.query_id == query_id, _W.c.commit_sequence.is_(None))
        with self._database.write() as connection:
            connection.execute(delete(_W).where(uncommitted))

    def committed_writes(self) -> int:
        """How many writes were committed so far."""
        with self._database.read() as connection:
            return connection.scalar(select(write_clock.c.commits)) or 0

    def hidden_writes(self, committed: int) -> frozenset[str]:
        """The queries whose data a reader that began at that count must not see."""
        unseen = or_(_W.c.commit_sequence.is_(None), _W.c.commit_sequence > committed)
        statement = select(_W.c.query_id).where(_W.c.has_data.is_(True), unseen)
        with self._database.read() as connection:
            return frozenset(connection.scalars(statement))

    def open_writes(self) -> Sequence[WriteIntent]:
        """All intents that are neither committed nor forgotten."""
        statement = select(_W.c.document).where(_W.c.commit_sequence.is_(None))
        with self._database.read() as connection:
            documents = connection.scalars(statement).all()
        return [from_document(WriteIntent, loads(document)) for document in documents]

    def lost_writes(self, limit: int) -> Sequence[LostWrite]:
        """Intents of queries that failed, were cancelled, or are unknown."""
        lost = and_(
            _W.c.commit_sequence.is_(None),
            or_(_Q.c.id.is_(None), _Q.c.state.in_(_ENDED_OTHERWISE)),
        )
        statement = (
            select(_W.c.document, _Q.c.completed_at)
            .select_from(_W.outerjoin(_Q, _Q.c.id == _W.c.query_id))
            .where(lost)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        return [
            LostWrite(from_document(WriteIntent, loads(row.document)), row.completed_at)
            for row in rows
        ]

    def expire_writes(self, *, committed_before: datetime) -> None:
        """Forget commits that no reader that still lists can have missed."""
        with self._database.write() as connection:
            connection.execute(delete(_W).where(_W.c.committed_at < committed_before))


_HAS_DATA = select(_W.c.has_data).where(_W.c.query_id == bindparam("query_id"))


def commit_write(connection: Connection, query_id: str, committed_at: datetime) -> None:
    """Make the query's write visible as of this transaction, in the order of commits."""
    has_data = connection.scalar(_HAS_DATA, {"query_id": query_id})
    if has_data is None:
        return
    own = _W.c.query_id == query_id
    if not has_data:
        connection.execute(delete(_W).where(own))
        return
    # The row's lock is kept to the transaction's end: counts are visible in their order.
    connection.execute(update(write_clock).values(commits=write_clock.c.commits + 1))
    count = select(func.max(write_clock.c.commits)).scalar_subquery()
    values = {"commit_sequence": count, "committed_at": committed_at}
    connection.execute(update(_W).where(own).values(values))
