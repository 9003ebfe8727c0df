"""Queries in any order of events: submitted, claimed, run, cancelled, lost, restarted, expired.

The service is real over SQLite, its engine a fake; a model of a few lines tells what must hold.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, QueryState
from querysvc.sql.token_stream import deep_recursion
from querysvc.state.database import open_database, sqlite_url
from querysvc.state.migrate import upgrade
from querysvc.state.repository import ClaimedQuery, Completion
from querysvc.state.rules import CLAIMS_MAX
from querysvc.state.sql import SqlState
from querysvc.state.values import HistoryFilter
from tests.unit.service.conftest import ADA, ADMIN, BOB, Harness, build

NODE, OTHER = "node", "other"
LEASE = timedelta(seconds=30)
ROWS = 10


@dataclass
class Known:
    """What is known of a query."""

    owner: Principal
    state: QueryState = QueryState.QUEUED
    claims: int = 0
    is_cancelled: bool = False
    has_results: bool = False


class LifecycleMachine(RuleBasedStateMachine):
    """A service beside its model."""

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(mkdtemp(prefix="querysvc-lifecycle-"))
        self.known: dict[str, Known] = {}
        self.tokens: dict[tuple[str, str], tuple[str, str]] = {}
        self.harness = self.open()

    def open(self) -> Harness:
        self.database = open_database(sqlite_url(self.root / "state.db"))
        upgrade(self.database)
        return build(SqlState(self.database), self.root)

    @rule(
        owner=st.sampled_from([ADA, BOB]),
        sql=st.sampled_from(["SELECT 1", "SELECT 2"]),
        token=st.sampled_from([None, None, "t", "u"]),
    )
    def submit(self, owner: Principal, sql: str, token: str | None) -> None:
        query_id, stored = self.tokens.get((owner.name, token or ""), (None, sql))
        if stored != sql:
            with pytest.raises(QueryServiceError, match="Idempotent"):
                self.harness.submit(sql, owner, client_request_token=token)
            return
        found = self.harness.submit(sql, owner, client_request_token=token).id
        assert query_id in (None, found)
        if query_id is None:
            assert found not in self.known
            self.known[found] = Known(owner)
            if token is not None:
                self.tokens[owner.name, token] = (found, sql)

    @rule(target=claims, node=st.sampled_from([NODE, OTHER]))
    def claim(self, node: str) -> ClaimedQuery | None:
        now = datetime.now(UTC)
        claimed = self.harness.state.claim(
            node, now=now, lease_expires_at=now + LEASE, running_max_default=100
        )
        waiting = [one for one in self.known.values() if one.state is QueryState.QUEUED]
        assert (claimed is None) == (not waiting)
        if claimed is not None:
            known = self.known[claimed.execution.id]
            assert known.state is QueryState.QUEUED
            known.claims += 1
            known.state = QueryState.RUNNING
            assert claimed.fencing_token == known.claims
        return claimed

    def holds(self, claimed: ClaimedQuery) -> bool:
        known = self.known[claimed.execution.id]
        return known.state is QueryState.RUNNING and known.claims == claimed.fencing_token

    @rule(claimed=consumes(claims), fails=st.booleans())
    def run_it(self, claimed: ClaimedQuery | None, *, fails: bool) -> None:
        """The claimed query runs to its end, or finds that its lease is another's."""
        if claimed is None:
            return
        state, query_id = self.harness.state, claimed.execution.id
        if not self.holds(claimed):
            completion = Completion(QueryState.SUCCEEDED, datetime.now(UTC))
            assert not state.finish(query_id, claimed.fencing_token, completion)
            assert not state.release(query_id, claimed.fencing_token)
            assert not state.expose_results(query_id, claimed.fencing_token)
            return
        crash = QueryServiceError(ErrorCode.WORKER_CRASHED, "gone")
        self.harness.engine.failure = crash if fails else None
        self.harness.runner.run(claimed)
        known = self.known[query_id]
        known.state = QueryState.FAILED if fails else QueryState.SUCCEEDED
        known.has_results = not fails

    @rule(claimed=consumes(claims))
    def give_back(self, claimed: ClaimedQuery | None) -> None:
        if claimed is None:
            return
        is_ours = self.holds(claimed)
        found = self.harness.state.release(claimed.execution.id, claimed.fencing_token)
        assert found is is_ours
        if is_ours:
            self.known[claimed.execution.id].state = QueryState.QUEUED

    @rule(data=st.data(), by=st.sampled_from([ADA, BOB, ADMIN]))
    def cancel(self, data: st.DataObject, by: Principal) -> None:
        if not self.known:
            return
        query_id = data.draw(st.sampled_from(sorted(self.known)))
        known = self.known[query_id]
        if by not in (known.owner, ADMIN):
            with pytest.raises(QueryServiceError, match="not found"):
                self.harness.service.cancel(query_id, by)
            return
        self.harness.service.cancel(query_id, by)
        if known.state is QueryState.QUEUED:
            known.state = QueryState.CANCELLED
        elif known.state is QueryState.RUNNING:
            known.is_cancelled = True

    @rule(is_start=st.booleans())
    def leases_end(self, *, is_start: bool) -> None:
        """All leases expire, or the node starts again; what ran is settled by what is known."""
        if is_start:
            self.database.close()
            self.harness = self.open()
        later = datetime.now(UTC) + 2 * LEASE
        self.harness.state.recover(NODE, now=later, is_start=is_start)
        for known in self.known.values():
            if known.state is QueryState.RUNNING:
                known.state = fate(known)

    @rule()
    def results_expire(self) -> None:
        later = datetime.now(UTC) + LEASE
        expired = self.harness.state.expire_results(completed_before=later, limit=100)
        for query_id in expired:
            self.harness.spools.delete(query_id)
            self.known[query_id].has_results = False
        assert not any(known.has_results for known in self.known.values())

    @invariant()
    def states_are_as_known(self) -> None:
        listed = self.harness.service.history(HistoryFilter(), ADMIN, page_token=None, limit=1000)
        assert {one.id: one.state for one in listed.queries} == {
            query_id: known.state for query_id, known in self.known.items()
        }
        counts = self.harness.state.queue_counts("primary")
        states = [known.state for known in self.known.values()]
        assert counts.queued == states.count(QueryState.QUEUED)
        assert counts.running == states.count(QueryState.RUNNING)

    @invariant()
    def results_are_read_by_their_owner_alone(self) -> None:
        for query_id, known in self.known.items():
            other = BOB if known.owner == ADA else ADA
            assert self.rows(query_id, other) is None
            assert self.rows(query_id, known.owner) == (ROWS if known.has_results else None)

    def rows(self, query_id: str, by: Principal) -> int | None:
        try:
            page = self.harness.service.results(query_id, by, page_token=None, rows_max=100)
        except QueryServiceError:
            return None
        return page.row_count

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.root)


def fate(known: Known) -> QueryState:
    if known.is_cancelled:
        return QueryState.CANCELLED
    return QueryState.QUEUED if known.claims < CLAIMS_MAX else QueryState.FAILED


def test_queries_live_as_the_model_says() -> None:
    with deep_recursion():
        pass  # raises the interpreter's limit for good, which Hypothesis would object to
    run_state_machine_as_test(
        LifecycleMachine,
        settings=settings(
            max_examples=10, stateful_step_count=20, derandomize=True, deadline=None, database=None
        ),
    )
