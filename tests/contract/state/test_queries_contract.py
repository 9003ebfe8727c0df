"""What every store of query executions does."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import (
    ErrorInfo,
    QueryExecution,
    QueryState,
    ResultColumn,
    ResultConfiguration,
    Session,
    StatementType,
    Statistics,
)
from querysvc.state.repository import ClaimedQuery, Completion, State, SubmissionTerms
from querysvc.state.values import HistoryFilter, WorkGroup, WorkGroupLimits
from querysvc.types.algebra import BIGINT, VARCHAR, Array, Decimal, Row, RowField

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SOON = NOW + timedelta(seconds=30)
LATER = NOW + timedelta(minutes=5)


def query(principal: str = "ada", **changes: object) -> QueryExecution:
    execution = QueryExecution(
        id=str(uuid.uuid4()),
        sql="SELECT 1",
        session=Session(database="sales", client_tags=("a", "b"), properties={"k": "v"}),
        work_group="primary",
        principal=principal,
        state=QueryState.QUEUED,
        submitted_at=NOW,
        statement_type=StatementType.DML,
        substatement_type="SELECT",
    )
    return dataclasses.replace(execution, **changes)  # type: ignore[arg-type]


def add(state: State, *queries: QueryExecution) -> None:
    for execution in queries:
        state.add(execution, SubmissionTerms(), fingerprint="f")


def claim(state: State, owner: str = "node", running_max: int = 100) -> ClaimedQuery | None:
    return state.claim(owner, now=NOW, lease_expires_at=SOON, running_max_default=running_max)


def must_claim(state: State, owner: str = "node") -> ClaimedQuery:
    claimed = claim(state, owner)
    assert claimed is not None
    return claimed


SUCCEEDED = Completion(state=QueryState.SUCCEEDED, completed_at=SOON)
CANCELLED = Completion(
    state=QueryState.CANCELLED, completed_at=SOON, error=ErrorInfo("USER_CANCELED", "m")
)


def test_a_query_comes_back_as_it_was_stored(state: State) -> None:
    stored = query(
        execution_parameters=("1", "'x'"),
        result_configuration=ResultConfiguration(output_location="s3://b/p/"),
        client_request_token="t" * 32,
    )
    add(state, stored)
    assert state.get(stored.id) == stored


def test_an_unknown_id_gives_none(state: State) -> None:
    assert state.get(str(uuid.uuid4())) is None
    assert state.get_many([]) == {}


def test_a_completion_comes_back_with_the_query(state: State) -> None:
    add(state, query())
    claimed = must_claim(state)
    row = Row((RowField("Mixed Case", VARCHAR), RowField(None, Decimal(12, 2))))
    completion = Completion(
        state=QueryState.SUCCEEDED,
        completed_at=SOON,
        statement_type=StatementType.DDL,
        substatement_type="CREATE_TABLE_AS_SELECT",
        columns=(ResultColumn("a", Array(row)), ResultColumn("b", BIGINT)),
        statistics=Statistics(scanned_bytes=7, result_rows=3),
        output_location="s3://b/x.csv",
        update_count=3,
        warnings=("w",),
    )
    assert state.finish(claimed.execution.id, claimed.fencing_token, completion)
    found = state.get(claimed.execution.id)
    assert found is not None
    assert found.state is QueryState.SUCCEEDED
    assert found.started_at == NOW
    for name in (field.name for field in dataclasses.fields(completion)):
        assert getattr(found, name) == getattr(completion, name), name


def test_an_error_comes_back_with_line_and_column(state: State) -> None:
    add(state, query())
    claimed = must_claim(state)
    error = ErrorInfo("COLUMN_NOT_FOUND", "Column 'x' cannot be resolved", 1, 8)
    state.finish(
        claimed.execution.id,
        claimed.fencing_token,
        Completion(state=QueryState.FAILED, completed_at=SOON, error=error),
    )
    found = state.get(claimed.execution.id)
    assert found is not None
    assert found.error == error


def test_terms_reach_the_claimer(state: State) -> None:
    terms = SubmissionTerms(frozenset({"admin", "x"}), 12.5)
    state.add(query(), terms, fingerprint="f")
    assert must_claim(state).terms == terms


def succeed(state: State, key: str | None, *, at: datetime = SOON) -> str:
    add(state, query())
    claimed = must_claim(state)
    done = Completion(state=QueryState.SUCCEEDED, completed_at=at, result_key=key)
    assert state.finish(claimed.execution.id, claimed.fencing_token, done)
    return claimed.execution.id


def test_the_newest_equal_result_is_found_by_its_key(state: State) -> None:
    succeed(state, "k")
    newest = succeed(state, "k")
    succeed(state, "other")
    succeed(state, None)
    assert state.find_result("k", work_group="primary", completed_since=NOW) == newest
    assert state.find_result("unknown", work_group="primary", completed_since=NOW) is None
    assert state.find_result("k", work_group="elsewhere", completed_since=NOW) is None


def test_an_old_or_expired_result_is_not_found(state: State) -> None:
    succeed(state, "k", at=NOW)
    assert state.find_result("k", work_group="primary", completed_since=SOON) is None
    assert state.find_result("k", work_group="primary", completed_since=NOW) is not None
    state.expire_results(completed_before=SOON, limit=10)
    assert state.find_result("k", work_group="primary", completed_since=NOW) is None


def test_same_token_and_submission_gives_the_first_query(state: State) -> None:
    first = query(client_request_token="t")
    second = query(client_request_token="t")
    assert state.add(first, SubmissionTerms(), fingerprint="f").id == first.id
    assert state.add(second, SubmissionTerms(), fingerprint="f").id == first.id
    assert state.get(second.id) is None
    assert state.find_token("ada", "t") == (first.id, "f")


def test_same_token_with_another_submission_is_refused(state: State) -> None:
    add(state, query(client_request_token="t"))
    with pytest.raises(QueryServiceError) as caught:
        state.add(query(client_request_token="t"), SubmissionTerms(), fingerprint="g")
    assert caught.value.code is ErrorCode.IDEMPOTENCY_MISMATCH


def test_tokens_of_two_principals_are_apart(state: State) -> None:
    first = query("ada", client_request_token="t")
    second = query("bob", client_request_token="t")
    add(state, first, second)
    assert state.get(second.id) == second


def test_many_submitters_of_one_token_make_one_query(state: State) -> None:
    barrier = threading.Barrier(8)

    def submit(_: int) -> str:
        barrier.wait()
        return state.add(query(client_request_token="t"), SubmissionTerms(), fingerprint="f").id

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(submit, range(8)))
    assert len(ids) == 1
    assert len(state.history(HistoryFilter(), page_token=None, limit=50).queries) == 1


def test_many_claimers_get_each_query_once(state: State) -> None:
    queries = [query() for _ in range(40)]
    add(state, *queries)
    barrier = threading.Barrier(8)

    def drain(number: int) -> list[str]:
        barrier.wait()
        mine = []
        while (claimed := claim(state, f"node-{number}")) is not None:
            mine.append(claimed.execution.id)
        return mine

    with ThreadPoolExecutor(8) as pool:
        claimed = [query_id for mine in pool.map(drain, range(8)) for query_id in mine]
    assert sorted(claimed) == sorted(execution.id for execution in queries)


def test_many_claimers_respect_a_work_groups_limit(state: State) -> None:
    state.add_work_group(WorkGroup("small", limits=WorkGroupLimits(running_max=3)))
    add(state, *(query(work_group="small") for _ in range(20)))
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda _: claim(state), range(16)))
    assert sum(item is not None for item in claimed) == 3
    assert state.queue_counts("small").running == 3
    assert state.queue_counts("small").queued == 17


def test_the_default_limit_holds_where_the_work_group_has_none(state: State) -> None:
    state.add_work_group(WorkGroup("primary"))
    add(state, query(), query())
    assert claim(state, running_max=1) is not None
    assert claim(state, running_max=1) is None
    assert claim(state, running_max=2) is not None


def test_many_claimers_respect_a_users_limit(state: State) -> None:
    terms = SubmissionTerms(running_per_user_max=2)
    for number in range(10):
        state.add(query("greedy"), terms, fingerprint=f"print {number}")
    others = [query("modest") for _ in range(3)]
    add(state, *others)
    with ThreadPoolExecutor(8) as pool:
        claimed = [item for item in pool.map(lambda _: claim(state), range(16)) if item is not None]
    assert sorted(item.execution.principal for item in claimed) == ["greedy"] * 2 + ["modest"] * 3
    ended = next(item for item in claimed if item.execution.principal == "greedy")
    assert state.finish(ended.execution.id, ended.fencing_token, SUCCEEDED)
    assert must_claim(state).execution.principal == "greedy"
    assert claim(state) is None


def test_a_full_work_group_does_not_hold_up_another(state: State) -> None:
    state.add_work_group(WorkGroup("full", limits=WorkGroupLimits(running_max=0)))
    other = query(work_group="other")
    add(state, query(work_group="full"), other)
    assert must_claim(state).execution.id == other.id


def test_users_take_turns_when_one_query_runs_at_a_time(state: State) -> None:
    greedy = [query("greedy") for _ in range(3)]
    modest = [query("modest") for _ in range(2)]
    add(state, *greedy, *modest)
    order = []
    for _ in range(5):
        claimed = must_claim(state)
        order.append(claimed.execution.principal)
        state.finish(claimed.execution.id, claimed.fencing_token, SUCCEEDED)
    assert order == ["greedy", "modest", "greedy", "modest", "greedy"]


def test_who_runs_least_is_next(state: State) -> None:
    add(state, *(query("greedy") for _ in range(3)))
    must_claim(state)
    must_claim(state)
    late = query("late")
    add(state, late)
    assert must_claim(state).execution.id == late.id


def test_queue_position_counts_by_turns(state: State) -> None:
    greedy = [query("greedy") for _ in range(3)]
    late = query("late")
    elsewhere = query("x", work_group="elsewhere")
    add(state, elsewhere, *greedy, late)
    positions = [state.queue_position(item.id) for item in (*greedy, late, elsewhere)]
    assert positions == [1, 3, 4, 2, 1]
    claimed = must_claim(state)
    assert state.queue_position(claimed.execution.id) is None


def test_finish_needs_the_fencing_token(state: State) -> None:
    add(state, query())
    claimed = must_claim(state)
    query_id, token = claimed.execution.id, claimed.fencing_token
    assert not state.finish(query_id, token + 1, SUCCEEDED)
    assert state.finish(query_id, token, SUCCEEDED)
    assert not state.finish(query_id, token, SUCCEEDED)


def test_a_runner_that_lost_its_lease_cannot_finish(state: State) -> None:
    add(state, query())
    first = must_claim(state, "slow")
    assert state.recover("other", now=LATER, is_start=False).requeued == (first.execution.id,)
    second = must_claim(state, "fast")
    assert second.fencing_token > first.fencing_token
    assert not state.finish(first.execution.id, first.fencing_token, SUCCEEDED)
    assert state.renew("slow", [first.execution.id], lease_expires_at=LATER) == {}
    assert state.finish(second.execution.id, second.fencing_token, SUCCEEDED)


def test_a_renewed_lease_is_not_recovered(state: State) -> None:
    add(state, query())
    claimed = must_claim(state)
    query_id = claimed.execution.id
    renewed = state.renew("node", [query_id], lease_expires_at=LATER + timedelta(seconds=1))
    assert renewed == {query_id: (claimed.fencing_token, False)}
    recovery = state.recover("other", now=LATER, is_start=False)
    assert (recovery.requeued, recovery.ended) == ((), ())


def test_a_restarted_owner_recovers_its_queries_before_their_leases_end(state: State) -> None:
    add(state, query())
    claimed = must_claim(state, "me")
    assert state.recover("other", now=NOW, is_start=True).requeued == ()
    assert state.recover("me", now=NOW, is_start=False).requeued == ()
    assert state.recover("me", now=NOW, is_start=True).requeued == (claimed.execution.id,)


def test_a_select_is_run_again_once(state: State) -> None:
    add(state, query())
    query_id = must_claim(state).execution.id
    assert state.recover("node", now=NOW, is_start=True).requeued == (query_id,)
    found = state.get(query_id)
    assert found is not None
    assert (found.state, found.started_at) == (QueryState.QUEUED, None)
    must_claim(state)
    assert state.recover("node", now=NOW, is_start=True).ended == (query_id,)
    found = state.get(query_id)
    assert found is not None
    assert found.state is QueryState.FAILED
    assert found.error is not None
    assert found.error.code == "SERVER_SHUTTING_DOWN"


@pytest.mark.parametrize("substatement", ["INSERT", "CREATE_TABLE_AS_SELECT", None])
def test_a_write_is_never_run_again(state: State, substatement: str | None) -> None:
    add(state, query(substatement_type=substatement))
    query_id = must_claim(state).execution.id
    assert state.recover("node", now=NOW, is_start=True).ended == (query_id,)


def test_a_select_whose_rows_were_seen_is_not_run_again(state: State) -> None:
    add(state, query())
    claimed = must_claim(state)
    assert not state.expose_results(claimed.execution.id, claimed.fencing_token + 1)
    assert state.expose_results(claimed.execution.id, claimed.fencing_token)
    assert state.recover("node", now=NOW, is_start=True).ended == (claimed.execution.id,)


def test_a_lost_query_that_was_to_be_cancelled_is_cancelled(state: State) -> None:
    add(state, query())
    query_id = must_claim(state).execution.id
    assert state.cancel(query_id, CANCELLED) is QueryState.RUNNING
    assert state.recover("node", now=NOW, is_start=True).ended == (query_id,)
    found = state.get(query_id)
    assert found is not None
    assert found.state is QueryState.CANCELLED


def test_a_queued_query_is_cancelled_at_once(state: State) -> None:
    execution = query()
    add(state, execution)
    assert state.cancel(execution.id, CANCELLED) is QueryState.QUEUED
    assert claim(state) is None
    found = state.get(execution.id)
    assert found is not None
    assert (found.state, found.completed_at) == (QueryState.CANCELLED, SOON)
    assert state.cancel(execution.id, CANCELLED) is QueryState.CANCELLED
    assert state.cancel("nobody", CANCELLED) is None


def test_a_running_query_is_told_to_cancel_with_its_lease(state: State) -> None:
    add(state, query())
    claimed = must_claim(state)
    query_id = claimed.execution.id
    assert state.cancel(query_id, CANCELLED) is QueryState.RUNNING
    renewed = state.renew("node", [query_id], lease_expires_at=LATER)
    assert renewed == {query_id: (claimed.fencing_token, True)}


def test_a_released_query_is_queued_again(state: State) -> None:
    add(state, query())
    claimed = must_claim(state)
    assert not state.release(claimed.execution.id, claimed.fencing_token + 1)
    assert state.release(claimed.execution.id, claimed.fencing_token)
    assert must_claim(state).execution.id == claimed.execution.id


def test_history_pages_are_newest_first_and_complete(state: State) -> None:
    queries = [query() for _ in range(7)]
    add(state, *queries)
    seen: list[str] = []
    token = None
    while True:
        page = state.history(HistoryFilter(), page_token=token, limit=3)
        seen += [item.id for item in page.queries]
        add(state, query())  # what comes in meanwhile does not shift the pages
        token = page.next_token
        if token is None:
            break
    assert seen == [item.id for item in reversed(queries)]


def test_history_filters(state: State) -> None:
    wanted = query("ada", work_group="w", submitted_at=NOW)
    add(
        state,
        wanted,
        query("bob", work_group="w"),
        query("ada"),
        query("ada", work_group="w", submitted_at=LATER),
    )
    history_filter = HistoryFilter(
        work_group="w",
        states=frozenset({QueryState.QUEUED}),
        principal="ada",
        submitted_after=NOW - timedelta(microseconds=1),
        submitted_before=LATER,
    )
    page = state.history(history_filter, page_token=None, limit=50)
    assert [item.id for item in page.queries] == [wanted.id]
    nothing = dataclasses.replace(history_filter, states=frozenset({QueryState.FAILED}))
    assert state.history(nothing, page_token=None, limit=50).queries == ()


@pytest.mark.parametrize("token", ["", "!!!", "czA=x", "cjE", "c" * 100])
def test_a_foreign_page_token_is_refused(state: State, token: str) -> None:
    with pytest.raises(QueryServiceError) as caught:
        state.history(HistoryFilter(), page_token=token, limit=5)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_results_expire_once_and_only_of_ended_queries(state: State) -> None:
    add(state, query(), query())
    claimed = must_claim(state)
    state.finish(claimed.execution.id, claimed.fencing_token, SUCCEEDED)
    must_claim(state)
    assert state.expire_results(completed_before=SOON, limit=10) == []
    assert state.expire_results(completed_before=LATER, limit=10) == [claimed.execution.id]
    assert state.expire_results(completed_before=LATER, limit=10) == []


def test_queued_total_counts_all_work_groups(state: State) -> None:
    add(state, query(), query(work_group="w"), query())
    must_claim(state)
    assert state.queued_total() == 2
