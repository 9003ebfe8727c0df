"""Limits of work groups and keys: bytes by period, open queries, rates; what blocks and when."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, QueryState
from querysvc.plan import ResourceLimits
from querysvc.service.admission import RefusedForNowError
from querysvc.service.execution import limits_of
from querysvc.state.memory import MemoryState
from querysvc.state.repository import SubmissionTerms
from querysvc.state.values import (
    ApiKey,
    KeyLimits,
    WorkGroup,
    WorkGroupLimits,
    WorkGroupUpdate,
)
from tests.unit.service.conftest import ADMIN, BOB, Harness, build, stop

ADA = Principal("ada", frozenset({"key:k1"}))


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = build(MemoryState(), tmp_path)
    harness.dispatcher.start()
    yield harness
    stop(harness)


def limit_group(harness: Harness, **limits: object) -> None:
    update = WorkGroupUpdate(limits=WorkGroupLimits(**limits))  # type: ignore[arg-type]
    harness.groups.update("primary", update, ADMIN)


def limit_key(harness: Harness, **limits: object) -> None:
    key = ApiKey("k1", "hash", "ada", limits=KeyLimits(**limits))  # type: ignore[arg-type]
    harness.state.add_api_key(key)


def refusal(harness: Harness, by: Principal = ADA) -> QueryServiceError:
    with pytest.raises(QueryServiceError) as caught:
        harness.submit(by=by)
    return caught.value


@pytest.mark.parametrize("period", ["hour", "day", "month"])
def test_a_work_groups_bytes_end_before_the_scan(harness: Harness, period: str) -> None:
    limit_group(harness, **{f"scanned_bytes_per_{period}_max": 250})
    states = [harness.run(by=who).state for who in (ADA, BOB)]
    assert states == [QueryState.SUCCEEDED] * 2
    refused = harness.run(by=ADA)
    assert refused.error is not None
    assert refused.error.code == "EXCEEDED_SCAN_LIMIT"
    assert refused.error.message == (
        "The query would scan 100 bytes; work group primary has used 200 of the 250 bytes of this"
        f" {period}."
    )
    assert refused.statistics.scanned_bytes == 0


def test_bytes_up_to_the_cap_are_allowed(harness: Harness) -> None:
    limit_group(harness, scanned_bytes_per_day_max=100)
    assert harness.run().state is QueryState.SUCCEEDED
    harness.engine.scanned_bytes = 1
    assert harness.run().state is QueryState.FAILED


def test_a_keys_bytes_are_its_principals(harness: Harness) -> None:
    limit_key(harness, scanned_bytes_per_day_max=150)
    assert harness.run(by=ADA).state is QueryState.SUCCEEDED
    refused = harness.run(by=ADA)
    assert refused.error is not None
    assert "user ada has used 100 of the 150 bytes of this day" in refused.error.message
    assert harness.run(by=BOB).state is QueryState.SUCCEEDED


def test_what_one_cap_refuses_is_not_counted_by_another(harness: Harness) -> None:
    limit_group(harness, scanned_bytes_per_day_max=1000)
    limit_key(harness, scanned_bytes_per_day_max=50)
    assert harness.run(by=ADA).state is QueryState.FAILED
    limit_group(harness, scanned_bytes_per_day_max=100)
    assert harness.run(by=BOB).state is QueryState.SUCCEEDED


def test_a_failed_run_counts_what_it_read(harness: Harness) -> None:
    limit_group(harness, scanned_bytes_per_day_max=1000)
    harness.engine.failure = QueryServiceError(ErrorCode.WORKER_CRASHED, "gone")
    failed = harness.run()
    assert failed.state is QueryState.FAILED
    counted = harness.state.usage_since("work_group:primary", datetime(2000, 1, 1, tzinfo=UTC))
    assert counted == failed.statistics.scanned_bytes


def test_a_keys_limit_on_one_query_lowers_the_work_groups(harness: Harness) -> None:
    limit_group(harness, scanned_bytes_max=1000)
    limit_key(harness, scanned_bytes_max=99)
    refused = harness.run(by=ADA)
    assert refused.error is not None
    assert refused.error.code == "EXCEEDED_SCAN_LIMIT"
    limit_key(harness, scanned_bytes_max=5000)
    assert harness.run(by=ADA).state is QueryState.SUCCEEDED


@pytest.mark.parametrize(
    "name", ["timeout_seconds", "memory_bytes", "spill_bytes", "result_bytes_max"]
)
def test_a_keys_limits_lower_its_work_groups_and_never_raise_them(name: str) -> None:
    service, terms = ResourceLimits(), SubmissionTerms()
    group = WorkGroup("g", limits=WorkGroupLimits(**{name: 1 << 30}))

    def limit(key: KeyLimits | None) -> object:
        return getattr(limits_of(service, group, terms, key), name)

    assert limit(None) == limit(KeyLimits()) == 1 << 30
    assert limit(KeyLimits(**{name: 7})) == 7
    assert limit(KeyLimits(**{name: 1 << 40})) == 1 << 30


@pytest.mark.parametrize("of_key", [True, False])
def test_open_queries_of_one_user_are_bounded(harness: Harness, *, of_key: bool) -> None:
    if of_key:
        limit_key(harness, open_max=2)
    else:
        limit_group(harness, open_per_user_max=2)
    harness.engine.is_held = True
    held = [harness.submit(by=ADA) for _ in range(2)]
    error = refusal(harness)
    assert isinstance(error, RefusedForNowError)
    assert error.code is ErrorCode.QUERY_QUEUE_FULL
    assert error.message == 'Too many open queries of "ada" (2 of at most 2)'
    assert error.retry_after_seconds > 0
    harness.submit(by=BOB)
    harness.engine.is_held = False
    harness.engine.release(100)
    harness.service.wait(held[0].id, ADA, timeout_seconds=30)
    harness.service.wait(held[1].id, ADA, timeout_seconds=30)
    assert harness.run(by=ADA).state is QueryState.SUCCEEDED


@pytest.mark.parametrize("of_key", [True, False])
def test_running_queries_of_one_user_are_bounded_and_the_rest_wait(
    harness: Harness, *, of_key: bool
) -> None:
    if of_key:
        limit_key(harness, running_max=1)
    else:
        limit_group(harness, running_per_user_max=1)
    harness.engine.is_held = True
    first, second = (harness.submit(by=ADA) for _ in range(2))
    harness.submit(by=BOB)
    for _ in range(2):
        assert harness.engine.started.acquire(timeout=30)
    assert harness.state.queue_counts("primary").queued == 1
    assert harness.service.get(second.id, ADA).queue_position == 1
    harness.engine.is_held = False
    harness.engine.release(100)
    ended = harness.service.wait(second.id, ADA, timeout_seconds=30)
    assert ended.state is QueryState.SUCCEEDED
    assert ended.started_at is not None
    assert ended.started_at >= (harness.service.get(first.id, ADA).completed_at or ended.started_at)


def test_a_keys_rate_is_its_own(harness: Harness) -> None:
    limit_key(harness, submissions_per_second=0.001)
    for _ in range(10):
        harness.submit(by=ADA)
    error = refusal(harness)
    assert error.code is ErrorCode.TOO_MANY_REQUESTS
    assert error.message == "Rate exceeded: user ada takes no more submissions now."
    harness.submit(by=BOB)


def test_a_client_token_is_answered_whatever_the_load(harness: Harness) -> None:
    limit_key(harness, open_max=1)
    harness.engine.is_held = True
    first = harness.submit(by=ADA, client_request_token="again")
    assert refusal(harness).code is ErrorCode.QUERY_QUEUE_FULL
    assert harness.submit(by=ADA, client_request_token="again").id == first.id
    harness.engine.is_held = False
    harness.engine.release(100)


def test_keys_without_limits_take_what_their_work_group_gives(harness: Harness) -> None:
    harness.state.add_api_key(ApiKey("k1", "hash", "ada"))
    assert harness.run(by=ADA).state is QueryState.SUCCEEDED
    unlimited = dataclasses.replace(ADA, roles=frozenset({"key:gone"}))
    assert harness.run(by=unlimited).state is QueryState.SUCCEEDED
