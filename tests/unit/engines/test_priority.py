"""Who yields the processor, and that it is given back."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from querysvc.engines.duckdb import priority
from querysvc.engines.duckdb.priority import CpuUse
from tests.support.resource_abuse import Victim


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_who_has_used_much_lately_is_heavy_and_forgiven() -> None:
    clock = Time()
    use = CpuUse(clock)
    use.add("ada", 0.9)
    assert not use.is_heavy("ada")
    use.add("ada", 0.3)
    assert use.is_heavy("ada")
    assert not use.is_heavy("bob")
    clock.seconds = 10.0
    assert not use.is_heavy("ada")


def test_who_is_alone_has_nobody_to_yield_to() -> None:
    clock = Time()
    use = CpuUse(clock)
    for owner in ("", "ada", "ada"):
        use.begin(owner)
    assert not use.has_others("ada")
    use.begin("bob")
    assert use.has_others("ada")
    use.begin("ada")
    assert use.has_others("ada")
    assert not use.has_others("")
    clock.seconds = 11.0
    assert not use.has_others("bob")


def test_owners_who_are_forgiven_are_forgotten() -> None:
    clock = Time()
    use = CpuUse(clock)
    for number in range(5000):
        use.add(f"user {number}", 0.02)
        clock.seconds += 0.1
    assert len(use._used) < 4500


def test_all_threads_of_a_process_yield() -> None:
    code = "import threading, sys; threading.Thread(target=sys.stdin.read).start(); print(flush=1)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert priority.cpu_seconds(process.pid) > 0.0
        priority.lower(process.pid)
        threads = [thread.id for thread in psutil.Process(process.pid).threads()]
        assert len(threads) == 2
        assert {os.getpriority(os.PRIO_PROCESS, one) for one in threads} == {15}
        if priority.restore(process.pid):
            assert {os.getpriority(os.PRIO_PROCESS, one) for one in threads} == {0}
        process.communicate()
    assert priority.cpu_seconds(process.pid) == 0.0
    priority.lower(process.pid)


@pytest.mark.timeout(60)
def test_a_long_query_yields_and_later_ones_are_as_others(tmp_path: Path) -> None:
    victim = Victim()
    seen: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            seen.update(niceness(victim))

    watcher = threading.Thread(target=watch)
    try:
        victim.run("SELECT 1", tmp_path / "spool")
        victim._engine._cpu_use.begin("a neighbour")
        watcher.start()
        sql = "SELECT count(*) FROM TABLE(sequence(1, 200000)) a, TABLE(sequence(1, 200000)) b"
        assert victim.run(sql, tmp_path / "spool").how == "EXCEEDED_TIME_LIMIT"
        stop.set()
        watcher.join()
        assert seen == {0, 15}
        assert victim.run("SELECT 1", tmp_path / "spool").how == "SUCCEEDED"
        deadline = time.monotonic() + 10
        while niceness(victim) != {0}:  # the one that was ended is still being buried
            assert time.monotonic() < deadline
    finally:
        stop.set()
        victim.close()


def niceness(victim: Victim) -> set[int]:
    """Of the workers there are."""
    workers = psutil.Process(victim._engine._supervisor.zygote_id).children()
    found = set()
    for worker in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add(worker.nice())
    return found
