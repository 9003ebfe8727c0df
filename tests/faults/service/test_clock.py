"""The machine's clock jumps while queries run: nothing is taken for lost or late."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from querysvc.client import JsonObject
from tests.faults.service.conftest import ENDLESS, NO_S3, answers, until
from tests.support.postgresql import server
from tests.support.running_service import RunningService, running_service

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that tells how far the wall clock of processes started now is off."""
    if not LIBRARIES:
        pytest.skip("libfaketime is not installed (tests/install-tools.sh installs it)")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARIES[0]))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(offset))
    monkeypatch.setenv("FAKETIME_CACHE_DURATION", "1")
    # Jumps are of the wall clock: the kernel's steady one never does.
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    return offset


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_clock_jumps_while_queries_run(clock: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"lease_seconds": 1.5, "query_timeout_seconds": 600}
    with running_service(NO_S3, tmp_path / "state", **settings) as service:
        before = run_without_end(service)
        for hours in ("+3", "-48"):
            clock.write_text(f"{hours}h")
            await_jump(service, before, float(hours))
            # More than a lease: recovery has looked at what runs.
            service.client.query(before["id"], wait_seconds=2)
            assert answers(service)
        end_run_of(service, before)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_node_whose_clock_is_wrong_takes_nobodys_queries(clock: Path, tmp_path: Path) -> None:
    with server() as postgresql:
        settings: dict[str, Any] = {"lease_seconds": 1.5, "database_url": postgresql.url}
        with running_service(NO_S3, tmp_path / "one", **settings) as service:
            before = run_without_end(service)
            clock.write_text("+3h")
            with running_service(NO_S3, tmp_path / "other", **settings) as other:
                other.client.run("SELECT 1")
                other.client.query(before["id"], wait_seconds=2)
            end_run_of(service, before)


def run_without_end(service: RunningService) -> JsonObject:
    """A query that runs."""
    query_id = service.client.submit(ENDLESS)["id"]
    until(lambda: service.client.query(query_id)["state"] == "RUNNING")
    return service.client.query(query_id)


def end_run_of(service: RunningService, before: JsonObject) -> None:
    """It is still the same run, and can be cancelled."""
    after = service.client.query(before["id"])
    assert (after["state"], after["started_at"]) == ("RUNNING", before["started_at"])
    service.client.cancel(before["id"])
    until(lambda: service.client.query(before["id"])["state"] == "CANCELLED")


def await_jump(service: RunningService, before: JsonObject, hours: float) -> None:
    """Wait until the service's clock is so far from where it was."""

    def is_seen() -> bool:
        after = service.client.run("SELECT 1")["submitted_at"]
        passed = datetime.fromisoformat(after) - datetime.fromisoformat(before["submitted_at"])
        return abs(passed.total_seconds() / 3600 - hours) < 0.1

    until(is_seen)
