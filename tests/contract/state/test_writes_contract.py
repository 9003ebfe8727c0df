"""Writes in the state: a write is visible when its query has succeeded, and not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from querysvc.model import QueryState
from querysvc.state.repository import ClaimedQuery, Completion, State, WriteIntent
from tests.contract.state.test_queries_contract import add, must_claim, query

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOCATION = ("s3://b/t/",)


def running(state: State) -> ClaimedQuery:
    add(state, query())
    return must_claim(state)


def intend(state: State, claimed: ClaimedQuery, **changes: object) -> WriteIntent:
    intent = WriteIntent(claimed.execution.id, **{"locations": LOCATION, **changes})  # type: ignore[arg-type]
    assert state.intend_write(intent, claimed.fencing_token)
    return intent


def end(state: State, claimed: ClaimedQuery, to: QueryState) -> None:
    completion = Completion(state=to, completed_at=NOW)
    assert state.finish(claimed.execution.id, claimed.fencing_token, completion)


def test_a_write_is_hidden_until_its_query_succeeds(state: State) -> None:
    claimed = running(state)
    intend(state, claimed)
    before = state.committed_writes()
    assert state.hidden_writes(before) == {claimed.execution.id}
    end(state, claimed, QueryState.SUCCEEDED)
    assert state.hidden_writes(state.committed_writes()) == frozenset()
    assert state.open_writes() == []


def test_who_looked_before_the_commit_goes_on_not_to_see_it(state: State) -> None:
    claimed = running(state)
    before = state.committed_writes()
    intend(state, claimed)
    end(state, claimed, QueryState.SUCCEEDED)
    assert state.hidden_writes(before) == {claimed.execution.id}


def test_a_write_that_failed_stays_hidden_and_is_told_as_lost(state: State) -> None:
    claimed = running(state)
    intent = intend(state, claimed, creates_table=True, table=("c", "d", "t"))
    assert (state.lost_writes(10), state.open_writes()) == ([], [intent])
    end(state, claimed, QueryState.FAILED)
    assert [lost.intent for lost in state.lost_writes(10)] == [intent]
    assert state.lost_writes(10)[0].ended_at == NOW
    assert state.hidden_writes(state.committed_writes()) == {claimed.execution.id}
    state.forget_write(claimed.execution.id)
    assert state.lost_writes(10) == []


def test_an_intent_is_taken_from_the_leases_holder_only(state: State) -> None:
    claimed = running(state)
    intent = WriteIntent(claimed.execution.id, LOCATION)
    assert not state.intend_write(intent, claimed.fencing_token + 1)
    assert not state.intend_write(WriteIntent("none", LOCATION), 1)
    end(state, claimed, QueryState.FAILED)
    assert not state.intend_write(intent, claimed.fencing_token)
    assert state.hidden_writes(0) == frozenset()


def test_an_intent_can_be_told_again(state: State) -> None:
    claimed = running(state)
    intend(state, claimed)
    intent = intend(state, claimed, partitions=(("2024",),))
    end(state, claimed, QueryState.FAILED)
    assert state.lost_writes(10)[0].intent == intent


@pytest.mark.parametrize("to", [QueryState.SUCCEEDED, QueryState.FAILED])
def test_result_objects_alone_hide_nothing(state: State, to: QueryState) -> None:
    claimed = running(state)
    intend(state, claimed, locations=(), result_objects=("s3://b/r.csv",))
    assert state.hidden_writes(0) == frozenset()
    end(state, claimed, to)
    assert len(state.lost_writes(10)) == (0 if to is QueryState.SUCCEEDED else 1)
    assert state.committed_writes() == 0


def test_commits_are_counted_on_after_they_are_forgotten(state: State) -> None:
    first = running(state)
    intend(state, first)
    end(state, first, QueryState.SUCCEEDED)
    state.expire_writes(committed_before=NOW + timedelta(seconds=1))
    assert state.hidden_writes(0) == frozenset()
    second = running(state)
    before = state.committed_writes()
    intend(state, second)
    end(state, second, QueryState.SUCCEEDED)
    assert before == 1
    assert state.hidden_writes(before) == {second.execution.id}
    state.forget_write(second.execution.id)
    assert state.hidden_writes(before) == {second.execution.id}
