"""Many queries that run and wait do not slow a health check; the benchmark has 1,000."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from benchmarks.busy_service import (
    RUNNING,
    SETTINGS,
    health_checks,
    silent_store,
    submit_all,
    wait_until_running,
)
from tests.support.running_service import RunningService, running_service

QUEUED = 100


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_many_queries_do_not_slow_a_health_check(tmp_path: Path) -> None:
    with silent_store() as store, running_service(store.url, tmp_path, **SETTINGS) as service:
        service.client.run("CREATE DATABASE stalled")
        service.client.run("CREATE EXTERNAL TABLE stalled.t (a int) LOCATION 's3://stalled/t/'")
        idle = work_of_checks(service)
        ids = submit_all(service.url, RUNNING + QUEUED)
        wait_until_running(service.client, ids)
        waiting = service.client.get("/v1/queries", state="QUEUED", limit=1000)["queries"]
        busy = work_of_checks(service)
    assert len(waiting) == QUEUED
    assert busy <= 2 * idle + 0.05, "the kernel counts in hundredths of a second"


def work_of_checks(service: RunningService) -> float:
    """Processor seconds that the service takes for them: other tests run beside."""
    process = psutil.Process(service.process.pid)
    before = process.cpu_times()
    health_checks(service.url)
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system
