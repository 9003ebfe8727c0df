"""Work groups, saved statements, rates, the state directory, logs."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import QueryState, ResultConfiguration
from querysvc.service.admission import TokenBucket
from querysvc.service.clock import SharedClock
from querysvc.service.lifecycle import ALLOWED, is_allowed
from querysvc.service.saved import SavedStatements
from querysvc.state.directory import StateDirectory
from querysvc.state.values import (
    GuardPolicy,
    GuardPolicyName,
    NamedQuery,
    PreparedStatement,
    WorkGroup,
    WorkGroupState,
    WorkGroupUpdate,
)
from querysvc.telemetry import configure_logging
from tests.support.fakes import ManualClock
from tests.unit.service.conftest import ADA, ADMIN, Harness


def refused(code: ErrorCode) -> object:
    return pytest.raises(QueryServiceError, check=lambda error: error.code is code)


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = ManualClock()
    bucket = TokenBucket(2.0, 3, clock)
    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take() == pytest.approx(0.5)
    clock.advance(0.5)
    assert bucket.take() == 0.0
    clock.advance(100)
    assert [bucket.take() for _ in range(4)][:3] == [0.0, 0.0, 0.0]
    assert bucket.take() > 0


def test_ended_queries_do_not_change() -> None:
    for state in QueryState:
        assert (ALLOWED[state] == frozenset()) == state.is_terminal
    assert is_allowed(QueryState.RUNNING, QueryState.QUEUED)
    assert not is_allowed(QueryState.QUEUED, QueryState.SUCCEEDED)


def test_work_groups_are_changed_by_admins_only(harness: Harness) -> None:
    group = WorkGroup("etl", description="d")
    for change in (
        lambda: harness.groups.create(group, ADA),
        lambda: harness.groups.update("primary", WorkGroupUpdate(), ADA),
        lambda: harness.groups.delete("primary", ADA),
    ):
        with refused(ErrorCode.PERMISSION_DENIED):
            change()
    created = harness.groups.create(group, ADMIN)
    assert created.created_at is not None
    policy = GuardPolicy(GuardPolicyName.ATHENA)
    changed = harness.groups.update("etl", WorkGroupUpdate(guard=policy), ADMIN)
    assert (changed.guard, changed.description) == (policy, "d")
    assert harness.groups.get("etl") == changed
    assert [item.name for item in harness.groups.list()] == ["etl", "primary"]


def test_wrong_work_groups_are_refused(harness: Harness) -> None:
    harness.groups.create(WorkGroup("etl"), ADMIN)
    bad_location = ResultConfiguration(output_location="x")
    for group in (
        WorkGroup("etl"),
        WorkGroup("bad name"),
        WorkGroup("x" * 129),
        WorkGroup("other", result_configuration=bad_location),
    ):
        with refused(ErrorCode.INVALID_REQUEST):
            harness.groups.create(group, ADMIN)
    with refused(ErrorCode.INVALID_REQUEST):
        harness.groups.delete("primary", ADMIN)
    with refused(ErrorCode.WORK_GROUP_NOT_FOUND):
        harness.groups.delete("none", ADMIN)


def test_a_disabled_work_group_takes_no_queries(harness: Harness) -> None:
    update = WorkGroupUpdate(state=WorkGroupState.DISABLED)
    harness.groups.update("primary", update, ADMIN)
    with refused(ErrorCode.INVALID_REQUEST):
        harness.submit()


def test_a_work_group_that_holds_statements_is_deleted_with_them_only_when_told(
    harness: Harness,
) -> None:
    saved = SavedStatements(harness.state, harness.groups, ManualClock())
    harness.groups.create(WorkGroup("etl"), ADMIN)
    named = saved.create_named_query(NamedQuery("", "n", "SELECT 1", "d", "etl"), ADA)
    saved.create_prepared_statement(PreparedStatement("p", "etl", "SELECT ?"), ADA)
    with refused(ErrorCode.INVALID_REQUEST):
        harness.groups.delete("etl", ADMIN)
    assert saved.get_named_query(named.id, ADA) == named
    harness.groups.delete("etl", ADMIN, recursive=True)
    with refused(ErrorCode.NOT_FOUND):
        saved.get_named_query(named.id, ADA)


def test_saved_statements_are_changed_and_forgotten(harness: Harness) -> None:
    saved = SavedStatements(harness.state, harness.groups, ManualClock())
    named = saved.create_named_query(NamedQuery("", "n", "SELECT 1", "d"), ADA)
    assert saved.list_named_queries("primary", ADA) == (named,)
    saved.delete_named_query(named.id, ADA)
    assert saved.list_named_queries("primary", ADA) == ()
    statement = PreparedStatement("p", "primary", "SELECT ?")
    saved.create_prepared_statement(statement, ADA)
    with refused(ErrorCode.INVALID_REQUEST):
        saved.create_prepared_statement(statement, ADA)
    with refused(ErrorCode.INVALID_REQUEST):
        saved.create_prepared_statement(PreparedStatement("1 p", "primary", "x"), ADA)
    changed = PreparedStatement("p", "primary", "SELECT 2")
    saved.update_prepared_statement(changed, ADA)
    assert saved.get_prepared_statement("primary", "p", ADA).sql == "SELECT 2"
    saved.delete_prepared_statement("primary", "p", ADA)
    with refused(ErrorCode.NOT_FOUND):
        saved.get_prepared_statement("primary", "p", ADA)


def test_two_processes_cannot_share_a_state_directory(tmp_path: Path) -> None:
    first = StateDirectory(tmp_path / "state")
    with pytest.raises(QueryServiceError, match="in use by another process") as caught:
        StateDirectory(tmp_path / "state")
    assert caught.value.code is ErrorCode.CONFIGURATION_INVALID
    name = first.node_name()
    first.close()
    second = StateDirectory(tmp_path / "state")
    assert second.node_name() == name, "leases are known by it after a restart"
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    second.close()


def test_a_state_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused(ErrorCode.CONFIGURATION_INVALID):
        StateDirectory(tmp_path / "file" / "state")


def test_secrets_are_masked_in_logs() -> None:
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    try:
        structlog.get_logger().info("made", secret_access_key="hush", query_id="q")
        structlog.get_logger().debug("not told")
    finally:
        structlog.reset_defaults()
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert event["query_id"] == "q"
    assert "hush" not in line


def test_a_shared_clock_follows_the_database_whatever_the_machines_clock_does() -> None:
    own, told = ManualClock(), [datetime(2030, 1, 1, tzinfo=UTC)]

    def read() -> datetime:
        if not told:
            raise QueryServiceError(ErrorCode.STATE_UNAVAILABLE, "gone")
        return told[0]

    clock = SharedClock(read, own)
    own.advance(4)
    assert clock.now() == datetime(2030, 1, 1, 0, 0, 4, tzinfo=UTC)
    told[0] = datetime(2030, 1, 1, 0, 1, tzinfo=UTC)
    own.advance(4)
    assert clock.now() == told[0]
    told.clear()
    own.advance(10)
    assert clock.now() == datetime(2030, 1, 1, 0, 1, 10, tzinfo=UTC)
