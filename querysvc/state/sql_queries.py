"""Query executions in SQL: the durable queue and the history."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from querysvc.model import QueryExecution, QueryState, StatementType
from querysvc.state.codec import Document, dumps, from_document, loads, to_document
from querysvc.state.database import Database
from querysvc.state.repository import (
    ClaimedQuery,
    Completion,
    QueueCounts,
    Recovery,
    SubmissionTerms,
)
from querysvc.state.rules import (
    Fate,
    completion_of_lost_query,
    decode_sequence_token,
    encode_sequence_token,
    fate_of_lost_query,
    idempotency_mismatch,
)
from querysvc.state.sql_writes import commit_write
from querysvc.state.tables import client_tokens, query_executions, turns, work_groups
from querysvc.state.values import HistoryFilter, HistoryPage

_Q = query_executions
_TYPE = _Q.c.statement_type
_QUEUED = QueryState.QUEUED.value
_RUNNING = QueryState.RUNNING.value
# Any number will do, as long as it is ours alone: claims take turns on it.
_CLAIM_LOCK = 0x71737663
_SUBMISSION_MEMBERS = (
    *("session", "execution_parameters", "result_configuration", "output_location"),
    "client_request_token",
    "result_reuse_age_max_minutes",
)
_OUTCOME_MEMBERS = (
    *("error", "columns", "statistics", "output_location", "manifest_location"),
    *("update_count", "reused_previous_result", "warnings"),
)


# What every query executes is built once: building a statement costs more than running it.
_ADD = insert(_Q)
_ID = bindparam("query_id", type_=_Q.c.id.type)
_IS_HELD = and_(
    _Q.c.id == _ID,
    _Q.c.state == _RUNNING,
    _Q.c.fencing_token == bindparam("held_token", type_=_Q.c.fencing_token.type),
)
_IS_QUEUED = and_(_Q.c.id == _ID, _Q.c.state == _QUEUED)
_COUNTS = (
    select(
        _Q.c.state,
        func.count().label("queries"),
        func.sum(case((_Q.c.work_group == bindparam("work_group"), 1), else_=0)).label("own"),
    )
    .where(_Q.c.state.in_([_QUEUED, _RUNNING]))
    .group_by(_Q.c.state)
)
_GET = select(_Q).where(_Q.c.id.in_(bindparam("query_ids", expanding=True)))


def _ending(which: ColumnElement[bool]) -> Update:
    """What ends the query; a statement's type that is not told stays as it is."""
    return (
        update(_Q)
        .where(which)
        .values(
            state=bindparam("to_state"),
            completed_at=bindparam("at"),
            outcome=bindparam("told"),
            lease_owner=None,
            lease_expires_at=None,
            result_key=bindparam("key"),
            statement_type=func.coalesce(bindparam("type", type_=_Q.c.statement_type.type), _TYPE),
            substatement_type=func.coalesce(
                bindparam("subtype", type_=_Q.c.substatement_type.type), _Q.c.substatement_type
            ),
        )
    )


_END_HELD, _END_QUEUED = _ending(_IS_HELD), _ending(_IS_QUEUED)


class SqlQueries:
    """The QueryRepository over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, execution: QueryExecution, terms: SubmissionTerms, *, fingerprint: str
    ) -> QueryExecution:
        """Store a QUEUED query, or return the one that its client token names."""
        token = execution.client_request_token
        try:
            with self._database.write() as connection:
                if token is not None:
                    connection.execute(
                        insert(client_tokens).values(
                            principal=execution.principal,
                            token=token,
                            fingerprint=fingerprint,
                            query_id=execution.id,
                            created_at=execution.submitted_at,
                        )
                    )
                connection.execute(_ADD, _new_row(execution, terms))
        except IntegrityError:
            found = None if token is None else self.find_token(execution.principal, token)
            if found is None:
                raise
            query_id, stored = found
            if stored != fingerprint:
                raise idempotency_mismatch() from None
            known = self.get(query_id)
            assert known is not None, "a client token is stored together with its query"
            return known
        return execution

    def find_token(self, principal: str, token: str) -> tuple[str, str] | None:
        """The (query id, fingerprint) that the principal's client token names."""
        statement = select(client_tokens.c.query_id, client_tokens.c.fingerprint).where(
            client_tokens.c.principal == principal, client_tokens.c.token == token
        )
        with self._database.read() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else (row.query_id, row.fingerprint)

    def get(self, query_id: str) -> QueryExecution | None:
        """The query as stored."""
        return self.get_many([query_id]).get(query_id)

    def get_many(self, query_ids: Sequence[str]) -> Mapping[str, QueryExecution]:
        """The queries that exist, by id."""
        if not query_ids:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(_GET, {"query_ids": query_ids}).mappings().all()
        return {row["id"]: _execution(row) for row in rows}

    def history(
        self, history_filter: HistoryFilter, *, page_token: str | None, limit: int
    ) -> HistoryPage:
        """A page of queries, newest first."""
        statement = select(_Q).where(*_conditions(history_filter))
        if page_token is not None:
            statement = statement.where(_Q.c.sequence < decode_sequence_token(page_token))
        statement = statement.order_by(_Q.c.sequence.desc()).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(statement).mappings().all()
        has_more = len(rows) > limit
        rows = rows[:limit]
        return HistoryPage(
            tuple(_execution(row) for row in rows),
            encode_sequence_token(rows[-1]["sequence"]) if has_more else None,
        )

    def claim(
        self, owner: str, *, now: datetime, lease_expires_at: datetime, running_max_default: int
    ) -> ClaimedQuery | None:
        """Make one queued query RUNNING for `owner`; no two callers get the same."""
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_CLAIM_LOCK})"))
            given = {"now": now, "owner": owner, "until": lease_expires_at}
            row = connection.execute(_claim(running_max_default), given).mappings().one_or_none()
            if row is None:
                return None
            _take_turn(connection, row["principal"])
        document = loads(row["submission"])
        return ClaimedQuery(
            _execution(row), from_document(SubmissionTerms, document), row["fencing_token"]
        )

    def renew(
        self, owner: str, query_ids: Sequence[str], *, lease_expires_at: datetime
    ) -> Mapping[str, tuple[int, bool]]:
        """Prolong leases; tells (fencing token, cancel requested) of those still the owner's."""
        if not query_ids:
            return {}
        statement = (
            update(_Q)
            .where(_Q.c.id.in_(query_ids), _Q.c.state == _RUNNING, _Q.c.lease_owner == owner)
            .values(lease_expires_at=lease_expires_at)
            .returning(_Q.c.id, _Q.c.fencing_token, _Q.c.cancel_requested)
        )
        with self._database.write() as connection:
            rows = connection.execute(statement).all()
        return {row.id: (row.fencing_token, row.cancel_requested) for row in rows}

    def finish(self, query_id: str, fencing_token: int, completion: Completion) -> bool:
        """End a running query if the token still holds its lease."""
        with self._database.write() as connection:
            held = {"query_id": query_id, "held_token": fencing_token}
            is_ours = _end(connection, _END_HELD, held, completion)
            if is_ours and completion.state is QueryState.SUCCEEDED:
                commit_write(connection, query_id, completion.completed_at)
            return is_ours

    def release(self, query_id: str, fencing_token: int) -> bool:
        """Give a claimed query back to the queue, if the token still holds its lease."""
        with self._database.write() as connection:
            return _requeue(connection, _held(query_id, fencing_token))

    def cancel(self, query_id: str, completion: Completion) -> QueryState | None:
        """End a queued query, or mark a running one to be cancelled; the state found."""
        with self._database.write() as connection:
            if _end(connection, _END_QUEUED, {"query_id": query_id}, completion):
                return QueryState.QUEUED
            connection.execute(
                update(_Q)
                .where(_Q.c.id == query_id, _Q.c.state == _RUNNING)
                .values(cancel_requested=True)
            )
            state = connection.scalar(select(_Q.c.state).where(_Q.c.id == query_id))
        return None if state is None else QueryState(state)

    def expose_results(self, query_id: str, fencing_token: int) -> bool:
        """Note that a client saw rows of the running query."""
        statement = update(_Q).where(_held(query_id, fencing_token)).values(results_exposed=True)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 1

    def recover(self, owner: str, *, now: datetime, is_start: bool) -> Recovery:
        """Settle running queries that nobody runs."""
        nobodys: ColumnElement[bool] = _Q.c.lease_expires_at < now
        if is_start:
            nobodys = or_(nobodys, _Q.c.lease_owner == owner)
        requeued: list[str] = []
        ended: list[str] = []
        with self._database.write() as connection:
            rows = connection.execute(select(_Q).where(_Q.c.state == _RUNNING, nobodys)).all()
            for row in rows:
                fate = fate_of_lost_query(
                    substatement_type=row.substatement_type,
                    claims=row.fencing_token,
                    cancel_requested=row.cancel_requested,
                    results_exposed=row.results_exposed,
                )
                if fate is Fate.REQUEUE:
                    if _requeue(connection, _held(row.id, row.fencing_token)):
                        requeued.append(row.id)
                    continue
                held = {"query_id": row.id, "held_token": row.fencing_token}
                if _end(connection, _END_HELD, held, completion_of_lost_query(fate, now)):
                    ended.append(row.id)
        return Recovery(tuple(requeued), tuple(ended))

    def queue_counts(self, work_group: str) -> QueueCounts:
        """How many queries of the work group wait and run now, and how many of all wait."""
        with self._database.read() as connection:
            rows = connection.execute(_COUNTS, {"work_group": work_group}).all()
        own = {row.state: int(row.own) for row in rows}
        queued_total = sum(row.queries for row in rows if row.state == _QUEUED)
        return QueueCounts(own.get(_QUEUED, 0), own.get(_RUNNING, 0), queued_total)

    def open_count(self, principal: str) -> int:
        """How many of the principal's queries wait or run now."""
        is_open = _Q.c.state.in_([_QUEUED, _RUNNING])
        statement = select(func.count()).where(is_open, _Q.c.principal == principal)
        with self._database.read() as connection:
            return int(connection.scalar(statement) or 0)

    def queued_total(self) -> int:
        """How many queries wait in all work groups."""
        statement = select(func.count()).where(_Q.c.state == _QUEUED)
        with self._database.read() as connection:
            return connection.scalar(statement) or 0

    def queue_position(self, query_id: str) -> int | None:
        """The 1-based place in the work group's queue when users take turns."""
        own = _Q.alias("own")
        own_group = select(own.c.work_group).where(own.c.id == query_id).scalar_subquery()
        turn = func.row_number().over(partition_by=_Q.c.principal, order_by=_Q.c.sequence)
        queue = (
            select(_Q.c.id, _Q.c.sequence, turn.label("turn"))
            .where(_Q.c.state == _QUEUED, _Q.c.work_group == own_group)
            .subquery()
        )
        place = func.row_number().over(order_by=(queue.c.turn, queue.c.sequence))
        places = select(queue.c.id, place.label("place")).subquery()
        statement = select(places.c.place).where(places.c.id == query_id)
        with self._database.read() as connection:
            return connection.scalar(statement)

    def find_result(self, key: str, *, work_group: str, completed_since: datetime) -> str | None:
        """The newest query of the work group that succeeded with this result key and is kept."""
        statement = (
            select(_Q.c.id)
            .where(
                _Q.c.result_key == key,
                _Q.c.work_group == work_group,
                _Q.c.state == QueryState.SUCCEEDED.value,
                _Q.c.completed_at >= completed_since,
                _Q.c.results_expired.is_(False),
            )
            .order_by(_Q.c.sequence.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.scalar(statement)

    def expire_results(self, *, completed_before: datetime, limit: int) -> Sequence[str]:
        """Mark results of queries that ended before the time as gone; their ids."""
        old = (
            select(_Q.c.sequence)
            .where(
                _Q.c.state.not_in([_QUEUED, _RUNNING]),
                _Q.c.completed_at < completed_before,
                _Q.c.results_expired.is_(False),
            )
            .limit(limit)
        )
        statement = (
            update(_Q).where(_Q.c.sequence.in_(old)).values(results_expired=True).returning(_Q.c.id)
        )
        with self._database.write() as connection:
            return list(connection.scalars(statement))


def _conditions(history_filter: HistoryFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if history_filter.work_group is not None:
        conditions.append(_Q.c.work_group == history_filter.work_group)
    if history_filter.states is not None:
        conditions.append(_Q.c.state.in_(sorted(state.value for state in history_filter.states)))
    if history_filter.principal is not None:
        conditions.append(_Q.c.principal == history_filter.principal)
    if history_filter.submitted_after is not None:
        conditions.append(_Q.c.submitted_at > history_filter.submitted_after)
    if history_filter.submitted_before is not None:
        conditions.append(_Q.c.submitted_at < history_filter.submitted_before)
    return conditions


@lru_cache(maxsize=8)  # a node asks with one number
def _claim(running_max_default: int) -> Update:
    return (
        update(_Q)
        .where(
            _Q.c.sequence == _next_in_turn(running_max_default).scalar_subquery(),
            _Q.c.state == _QUEUED,
        )
        .values(
            state=_RUNNING,
            started_at=bindparam("now"),
            lease_owner=bindparam("owner"),
            lease_expires_at=bindparam("until"),
            fencing_token=_Q.c.fencing_token + 1,
        )
        .returning(*_Q.c)
    )


def _next_in_turn(running_max_default: int) -> Select[tuple[int]]:
    """The queued query whose turn it is, in work groups that have room."""
    candidate = _Q.alias("candidate")
    running = _Q.alias("running")
    by_group = (
        select(running.c.work_group, func.count().label("running"))
        .where(running.c.state == _RUNNING)
        .group_by(running.c.work_group)
        .subquery("by_group")
    )
    by_principal = (
        select(running.c.principal, func.count().label("running"))
        .where(running.c.state == _RUNNING)
        .group_by(running.c.principal)
        .subquery("by_principal")
    )
    room = func.coalesce(work_groups.c.running_max, running_max_default)
    return (
        select(candidate.c.sequence)
        .outerjoin(by_group, by_group.c.work_group == candidate.c.work_group)
        .outerjoin(by_principal, by_principal.c.principal == candidate.c.principal)
        .outerjoin(work_groups, work_groups.c.name == candidate.c.work_group)
        .outerjoin(turns, turns.c.principal == candidate.c.principal)
        .where(
            candidate.c.state == _QUEUED,
            func.coalesce(by_group.c.running, 0) < room,
            or_(
                candidate.c.running_per_user_max.is_(None),
                func.coalesce(by_principal.c.running, 0) < candidate.c.running_per_user_max,
            ),
        )
        .order_by(
            func.coalesce(by_principal.c.running, 0),
            func.coalesce(turns.c.turn, 0),
            candidate.c.sequence,
        )
        .limit(1)
    )


_NEXT_TURN = select(func.coalesce(func.max(turns.c.turn), 0) + 1).scalar_subquery()
_TAKE_TURN = update(turns).where(turns.c.principal == bindparam("who")).values(turn=_NEXT_TURN)


def _take_turn(connection: Connection, principal: str) -> None:
    if connection.execute(_TAKE_TURN, {"who": principal}).rowcount == 0:
        connection.execute(insert(turns).values(principal=principal, turn=_NEXT_TURN))


def _held(query_id: str, fencing_token: int) -> ColumnElement[bool]:
    return and_(_Q.c.id == query_id, _Q.c.state == _RUNNING, _Q.c.fencing_token == fencing_token)


def _end(connection: Connection, ending: Update, which: Document, completion: Completion) -> bool:
    document = {
        name: to_document(getattr(completion, name))
        for name in _OUTCOME_MEMBERS
        if getattr(completion, name) is not None
    }
    values: Document = {
        "to_state": completion.state.value,
        "at": completion.completed_at,
        "told": dumps(document),
        "key": completion.result_key,
        "type": completion.statement_type and completion.statement_type.value,
        "subtype": completion.substatement_type,
    }
    return connection.execute(ending, {**which, **values}).rowcount == 1


def _requeue(connection: Connection, which: ColumnElement[bool]) -> bool:
    statement = (
        update(_Q)
        .where(which)
        .values(state=_QUEUED, started_at=None, lease_owner=None, lease_expires_at=None)
    )
    return connection.execute(statement).rowcount == 1


def _new_row(execution: QueryExecution, terms: SubmissionTerms) -> Document:
    document: Document = to_document(terms)
    for name in _SUBMISSION_MEMBERS:
        if (value := getattr(execution, name)) is not None:
            document[name] = to_document(value)
    return {
        "id": execution.id,
        "state": execution.state.value,
        "work_group": execution.work_group,
        "principal": execution.principal,
        "sql": execution.sql,
        "submission": dumps(document),
        "statement_type": execution.statement_type and execution.statement_type.value,
        "substatement_type": execution.substatement_type,
        "submitted_at": execution.submitted_at,
        "fencing_token": 0,
        "cancel_requested": False,
        "results_exposed": False,
        "results_expired": False,
        "running_per_user_max": terms.running_per_user_max,
    }


def _execution(row: RowMapping) -> QueryExecution:
    document: Document = loads(row["submission"])
    if row["outcome"] is not None:
        document.update(loads(row["outcome"]))
    told: dict[str, Any] = {
        field.name: row[field.name]
        for field in dataclasses.fields(QueryExecution)
        if field.name in row
    }
    told["state"] = QueryState(row["state"])
    if row["statement_type"] is not None:
        told["statement_type"] = StatementType(row["statement_type"])
    return from_document(QueryExecution, document, **told)
