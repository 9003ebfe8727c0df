"""Workers that are killed, starve, stall or overstay: one query fails, clearly, and soon."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.scratch import SLACK_BYTES
from querysvc.engines.duckdb.settings import SupervisorSettings, WorkerSettings
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import ExecutionOutcome, TableColumn
from querysvc.types import algebra as t
from querysvc_catalog.serdes import StorageFormat
from tests.support.engine_plans import RecordingControl, descriptor, plan, scan, spooled
from tests.support.local_gateway import LocalGateway
from tests.support.resource_abuse import Victim

ENDLESS = "SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE a.range + b.range = -1"
NUMBER = [("n", t.BIGINT)]


def settings(**worker: object) -> SupervisorSettings:
    return SupervisorSettings(
        idle_workers=1,
        worker=WorkerSettings(allows_raw_sql=True, **worker),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def gateway() -> LocalGateway:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": range(500_000)}), sink, row_group_size=50_000)
    return LocalGateway({"f": sink.getvalue()})


@pytest.fixture(scope="module")
def engine(gateway: LocalGateway) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(gateway, settings())
    yield engine
    engine.close()


class Runner:
    """Runs raw SQL over the gateway's one table, in this thread or in another."""

    def __init__(self, engine: DuckDBEngine, gateway: LocalGateway, directory: Path) -> None:
        self.engine = engine
        self.table = scan(
            [TableColumn("a", t.BIGINT)],
            [((), {"f": gateway.objects["f"]})],
            descriptor(StorageFormat.PARQUET),
        )
        self.directory = directory
        self.pool = ThreadPoolExecutor(4)
        self.controls: list[RecordingControl] = []
        self._sequence = 0

    def run(
        self, sql: str, control: RecordingControl | None = None, **limits: object
    ) -> ExecutionOutcome:
        self._sequence += 1
        control = control or RecordingControl()
        self.controls.append(control)
        made = plan([self.table], NUMBER, query_id=f"q{self._sequence}-{id(self)}", **limits)
        self.spool = self.directory / f"spool-{self._sequence}"
        return self.engine.execute_raw(made, sql, self.spool, control)

    def total(self) -> int:
        self.run("SELECT CAST(sum(c0) AS BIGINT) FROM t0")
        return int(spooled(self.spool)[0][0])


@pytest.fixture
def runner(engine: DuckDBEngine, gateway: LocalGateway, tmp_path: Path) -> Iterator[Runner]:
    runner = Runner(engine, gateway, tmp_path)
    yield runner
    gateway.stalled.clear()
    for control in runner.controls:
        control.cancel()
    runner.pool.shutdown(wait=True)


def busy_worker(engine: DuckDBEngine) -> psutil.Process:
    """The worker that a query is computing in; waits until it does."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for lent in list(engine._supervisor._lent):
            process = psutil.Process(lent.pid)
            if process.cpu_percent(interval=0.1) > 20:
                return process
    raise AssertionError("no worker is busy")


def test_a_killed_worker_fails_its_query_only_and_is_replaced(
    runner: Runner, engine: DuckDBEngine
) -> None:
    failing = runner.pool.submit(runner.run, ENDLESS)
    busy_worker(engine).send_signal(signal.SIGKILL)
    with pytest.raises(QueryServiceError, match="SIGKILL") as caught:
        failing.result(timeout=5)
    assert caught.value.code is ErrorCode.WORKER_CRASHED
    assert runner.total() == sum(range(500_000))


def test_cancel_ends_a_computing_query_within_a_second(
    runner: Runner, engine: DuckDBEngine
) -> None:
    control = RecordingControl()
    running = runner.pool.submit(runner.run, ENDLESS, control)
    busy_worker(engine)
    started = time.monotonic()
    control.cancel()
    with pytest.raises(QueryServiceError) as caught:
        running.result(timeout=5)
    assert time.monotonic() - started < 1.0
    assert caught.value.code is ErrorCode.USER_CANCELED


def test_cancel_ends_a_query_that_ignores_interrupts_within_a_second(
    runner: Runner, engine: DuckDBEngine
) -> None:
    control = RecordingControl()
    # One call of a scalar function: DuckDB looks at the interrupt only between vectors.
    sql = "SELECT length(repeat('a', 300000000) || CAST(random() AS VARCHAR)) + " + " + ".join(
        f"levenshtein(repeat('ab', {20_000 + i}), repeat('ba', {20_000 + i}))" for i in range(20)
    )
    running = runner.pool.submit(runner.run, sql, control)
    busy_worker(engine)
    started = time.monotonic()
    control.cancel()
    with pytest.raises(QueryServiceError) as caught:
        running.result(timeout=5)
    assert time.monotonic() - started < 1.0
    assert caught.value.code is ErrorCode.USER_CANCELED
    assert runner.total() == sum(range(500_000))


@pytest.mark.parametrize("phase", ["footers", "data"])
def test_cancel_ends_a_query_whose_storage_stalls_within_a_second(
    runner: Runner, gateway: LocalGateway, phase: str
) -> None:
    control = RecordingControl()
    if phase == "footers":
        gateway.stalled.set()
        control.started.set()
    else:
        control.stall_after_estimate = gateway.stalled
    running = runner.pool.submit(runner.run, "SELECT CAST(sum(c0) AS BIGINT) FROM t0", control)
    assert control.started.wait(10)
    time.sleep(0.3)  # lets the worker reach the read that stalls
    assert not running.done()
    started = time.monotonic()
    control.cancel()
    with pytest.raises(QueryServiceError) as caught:
        running.result(timeout=5)
    assert time.monotonic() - started < 1.0
    assert caught.value.code is ErrorCode.USER_CANCELED


def test_a_query_over_its_time_limit_is_ended(runner: Runner) -> None:
    started = time.monotonic()
    with pytest.raises(QueryServiceError, match=r"0\.5 seconds") as caught:
        runner.run(ENDLESS, timeout_seconds=0.5)
    assert caught.value.code is ErrorCode.EXCEEDED_TIME_LIMIT
    assert time.monotonic() - started < 2.5


HUNGRY = {
    "buffers": "SELECT max(len(l)) FROM (SELECT list(range) AS l FROM range(200000000))",
    "one value": "SELECT length(string_agg(repeat('x', 1000), '')) FROM range(2000000)",
    "strings": "SELECT max(length(repeat(CAST(range AS VARCHAR), 20000000))) FROM range(1000)",
}


@pytest.mark.parametrize("kind", HUNGRY)
def test_a_query_over_its_memory_is_ended_with_its_limit(
    runner: Runner, engine: DuckDBEngine, kind: str
) -> None:
    limit = 300 << 20
    peaks: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        zygote = psutil.Process(engine._supervisor.zygote_id)
        while not stop.wait(0.01):
            for child in zygote.children():
                try:
                    memory = child.memory_info()
                    peaks.append(memory.rss - memory.shared)
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(QueryServiceError, match=str(limit)) as caught:
            runner.run(HUNGRY[kind], memory_bytes=limit, spill_bytes=64 << 20)
    finally:
        stop.set()
        watcher.join()
    assert caught.value.code in (
        ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT,
        ErrorCode.EXCEEDED_SPILL_LIMIT,
    )
    assert max(peaks) <= 1.1 * limit
    assert runner.total() == sum(range(500_000))


def test_memory_that_the_batches_of_a_result_take_is_the_querys(runner: Runner) -> None:
    wide = "SELECT " + ", ".join(f"{number} AS c{number}" for number in range(10_000))
    with pytest.raises(QueryServiceError) as caught:
        runner.run(wide, memory_bytes=300 << 20)
    assert caught.value.code is ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT


def test_a_worker_that_fills_its_scratch_space_past_the_limit_is_ended(
    runner: Runner, engine: DuckDBEngine
) -> None:
    limit = 1 << 20
    running = runner.pool.submit(runner.run, ENDLESS, spill_bytes=limit)
    busy_worker(engine)
    (worker,) = engine._supervisor._lent
    (worker.scratch / "mine").write_bytes(bytes(limit + SLACK_BYTES + 4096))
    with pytest.raises(QueryServiceError) as caught:
        running.result(timeout=5)
    assert caught.value.code is ErrorCode.EXCEEDED_SPILL_LIMIT
    assert not worker.scratch.exists()


def test_a_refused_estimate_ends_the_run_with_the_refusal(runner: Runner) -> None:
    refusal = QueryServiceError(ErrorCode.EXCEEDED_SCAN_LIMIT, "too much")
    with pytest.raises(QueryServiceError) as caught:
        runner.run("SELECT 1", RecordingControl(refusal=refusal))
    assert caught.value is refusal


def test_a_result_over_its_limit_is_refused(runner: Runner) -> None:
    with pytest.raises(QueryServiceError, match="1000000 bytes") as caught:
        runner.run("SELECT range FROM range(10000000)", result_bytes_max=1_000_000)
    assert caught.value.code is ErrorCode.RESULT_TOO_LARGE


def test_idle_workers_that_died_are_not_lent(runner: Runner, engine: DuckDBEngine) -> None:
    zygote = psutil.Process(engine._supervisor.zygote_id)
    workers = zygote.children()
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers, timeout=5)
    assert runner.total() == sum(range(500_000))


def test_a_killed_zygote_is_replaced_and_takes_its_workers_along(
    runner: Runner, engine: DuckDBEngine
) -> None:
    zygote = psutil.Process(engine._supervisor.zygote_id)
    workers = zygote.children()
    assert workers
    zygote.kill()
    _gone, alive = psutil.wait_procs(workers, timeout=5)
    assert not alive
    assert runner.total() == sum(range(500_000))


def test_no_process_outlives_the_engine(gateway: LocalGateway, tmp_path: Path) -> None:
    engine = DuckDBEngine(gateway, settings())
    Runner(engine, gateway, tmp_path).total()
    zygote = psutil.Process(engine._supervisor.zygote_id)
    processes = [zygote, *zygote.children()]
    scratch = engine._supervisor._root
    engine.close()
    _gone, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive
    assert not scratch.exists()


def test_a_worker_is_replaced_after_its_share_of_queries(
    gateway: LocalGateway, tmp_path: Path
) -> None:
    chosen = SupervisorSettings(
        idle_workers=1, queries_per_worker_max=2, worker=WorkerSettings(allows_raw_sql=True)
    )
    engine = DuckDBEngine(gateway, chosen)
    try:
        runner = Runner(engine, gateway, tmp_path)
        seen = set()
        for _ in range(6):
            runner.total()
            seen |= {p.pid for p in psutil.Process(engine._supervisor.zygote_id).children()}
        assert len(seen) >= 3
    finally:
        engine.close()


def test_descriptors_do_not_leak(runner: Runner) -> None:
    runner.total()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        runner.total()
        with pytest.raises(QueryServiceError):
            runner.run("SELECT no_such_function()")
    assert len(os.listdir("/proc/self/fd")) <= before + 5


@pytest.mark.timeout(120)
def test_idle_workers_that_are_killed_while_they_are_lent_cost_one_query_each(
    tmp_path: Path,
) -> None:
    victim = Victim()
    ends = Counter[str]()
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(0.05):
            for worker in list(victim._engine._supervisor._idle):
                worker.kill()

    killer = threading.Thread(target=kill)
    try:
        victim.run("SELECT 1", tmp_path / "spool")
        killer.start()
        for _ in range(25):
            ends[victim.run("SELECT 1", tmp_path / "spool").how] += 1
        stop.set()
        killer.join()
        ends[victim.run("SELECT 1", tmp_path / "spool").how] += 1  # may get the last one killed
        assert set(ends) <= {"SUCCEEDED", "WORKER_CRASHED"}
        assert victim.run("SELECT 1", tmp_path / "spool").how == "SUCCEEDED"
    finally:
        stop.set()
        victim.close()
