"""DuckDBEngine: plans run in contained workers, fed by the storage gateway."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from querysvc.engines.duckdb import priority, scratch
from querysvc.engines.duckdb.messages import PeerClosedError, send_request
from querysvc.engines.duckdb.priority import CpuUse
from querysvc.engines.duckdb.requests import Cancel, EncodeText, Proceed, RunPlan, plan_objects
from querysvc.engines.duckdb.sandbox import Layer, memory_layer
from querysvc.engines.duckdb.settings import SupervisorSettings
from querysvc.engines.duckdb.supervisor import Supervisor, WorkerProcess
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Progress, ResultColumn, Statistics
from querysvc.plan import (
    ExecutionControl,
    ExecutionOutcome,
    ExecutionPlan,
    NoControl,
    ReadEstimate,
    ResourceLimits,
    StoredObject,
)

_MEMORY_TOLERANCE: Final = 1.02
"""Of the limit: where a worker is killed, when it is seen."""
_MEMORY_MAPPED_MAX: Final = 1.15
"""Of the limit: where the kernel refuses more. DuckDB's allocator maps more than it uses."""


_SCRATCH_LOOK_SECONDS: Final = 0.1


class Attachment(Protocol):
    """A query's way to its bytes, to be handed to the worker."""

    @property
    def connection(self) -> Any:
        """The socket to the gateway."""
        ...

    @property
    def window_descriptor(self) -> int:
        """The shared memory in which bytes arrive."""
        ...

    def close(self) -> None:
        """Close this process's copies."""
        ...


class Accounting(Protocol):
    """What a query was given."""

    @property
    def fetched_bytes(self) -> int:
        """Bytes on the wire."""
        ...

    @property
    def cached_bytes(self) -> int:
        """Bytes of the node's cache."""
        ...


@dataclass(frozen=True, slots=True)
class _NothingRead:
    """The account of a query without objects."""

    fetched_bytes: int = 0
    cached_bytes: int = 0


class Gateway(Protocol):
    """The storage gateway, as `querysvc.storage.fetcher.Fetcher` implements it."""

    def attach(
        self, query_id: str, objects: Sequence[StoredObject], limits: ResourceLimits
    ) -> Attachment:
        """Open a query's plan."""
        ...

    def cancel(self, query_id: str) -> object:
        """Drop the query's requests in flight."""
        ...

    def detach(self, query_id: str) -> Accounting:
        """Close a query's plan and tell what it was given."""
        ...


class DuckDBEngine:
    """The engine port over contained DuckDB workers."""

    def __init__(self, gateway: Gateway, settings: SupervisorSettings) -> None:
        self._gateway = gateway
        self._settings = settings
        self._supervisor = Supervisor(settings)
        self._cpu_use = CpuUse()

    def execute(
        self, plan: ExecutionPlan, spool: Path, control: ExecutionControl
    ) -> ExecutionOutcome:
        """Run the plan and write its rows to `spool` as an Arrow IPC stream."""
        return self._execute(RunPlan(plan), spool, control)

    def execute_raw(
        self, plan: ExecutionPlan, sql: str, spool: Path, control: ExecutionControl
    ) -> ExecutionOutcome:
        """Test hook: run SQL as it is over the plan's relations (t0, t1, …)."""
        assert self._settings.worker.allows_raw_sql
        return self._execute(RunPlan(plan, raw_sql=sql), spool, control)

    def estimate(self, plan: ExecutionPlan, control: ExecutionControl) -> ReadEstimate:
        """Tell what the plan would read, reading footers only."""
        with self._attached(plan) as (descriptors, _account):
            run = self._run(RunPlan(plan, is_estimate=True), descriptors, control)
        assert run.estimate is not None
        return run.estimate

    def encode_text(self, spool: Path, columns: tuple[ResultColumn, ...], target: Path) -> None:
        """Write the spooled rows as Athena's result CSV."""
        source = os.open(spool, os.O_RDONLY | os.O_CLOEXEC)
        try:
            descriptor = _create(target)
            try:
                limits = ResourceLimits(timeout_seconds=3600)
                run = _Run(self._supervisor, self._settings, limits, NoControl(), self._cpu_use)
                run.run(EncodeText(columns), (source, descriptor))
            finally:
                os.close(descriptor)
        finally:
            os.close(source)

    def containment_report(self) -> tuple[Layer, ...]:
        """Which layers of containment the workers have."""
        return (*(Layer(*layer) for layer in self._supervisor.layers()), memory_layer())

    def close(self) -> None:
        """End all worker processes."""
        self._supervisor.close()

    def _execute(
        self, request: RunPlan, spool: Path, control: ExecutionControl
    ) -> ExecutionOutcome:
        started = time.monotonic()
        with self._attached(request.plan) as (descriptors, account):
            descriptor = _create(spool)
            try:
                run = self._run(request, (*descriptors, descriptor), control)
            finally:
                os.close(descriptor)
        return ExecutionOutcome(run.rows, _statistics(request.plan, run, account(), started))

    @contextlib.contextmanager
    def _attached(
        self, plan: ExecutionPlan
    ) -> Iterator[tuple[tuple[int, ...], Callable[[], Accounting]]]:
        """The descriptors of a plan's bytes (none without objects), and the account of them."""
        objects = plan_objects(plan)
        if not objects:
            yield (), _NothingRead
            return
        attachment = self._gateway.attach(plan.query_id, objects, plan.limits)
        accounts: list[Accounting] = []

        def account() -> Accounting:
            if not accounts:
                accounts.append(self._gateway.detach(plan.query_id))
            return accounts[0]

        try:
            yield (attachment.connection.fileno(), attachment.window_descriptor), account
        finally:
            attachment.close()
            account()

    def _run(
        self, request: RunPlan, descriptors: tuple[int, ...], control: ExecutionControl
    ) -> _Run:
        run = _Run(self._supervisor, self._settings, request.plan.limits, control, self._cpu_use)
        run.run(request, descriptors)
        return run


class _Run:
    """One request on a lent worker: its messages, its limits, its end."""

    def __init__(
        self,
        supervisor: Supervisor,
        settings: SupervisorSettings,
        limits: ResourceLimits,
        control: ExecutionControl,
        cpu_use: CpuUse,
    ) -> None:
        self._supervisor = supervisor
        self._cpu_use = cpu_use
        self._cpu_began = self._cpu_seconds = 0.0
        self._is_long = False
        self._settings = settings
        self._limits = limits
        self._control = control
        self._deadline = time.monotonic() + limits.timeout_seconds
        self._kill_at: float | None = None
        self._next_look = time.monotonic() + _SCRATCH_LOOK_SECONDS
        self._failure: QueryServiceError | Exception | None = None
        self._is_over = False
        self._only_estimates = False
        self.estimate: ReadEstimate | None = None
        self.rows = 0
        self.rejected_rows = 0
        self.result_bytes = 0
        self.peak_memory_bytes = 0

    def run(self, request: RunPlan | EncodeText, descriptors: tuple[int, ...]) -> None:
        """Send the request and follow it to its end; raises its failure."""
        self._only_estimates = isinstance(request, RunPlan) and request.is_estimate
        is_healthy = False
        cancelled = _WakeUp()
        owner = _owner(request)
        try:
            worker = self._supervisor.lend(owner)
        except BaseException:
            cancelled.close()
            raise
        try:
            self._control.on_cancel(cancelled.set)
            worker.hold_memory(int(self._limits.memory_bytes * _MEMORY_MAPPED_MAX))
            self._cpu_began = priority.cpu_seconds(worker.pid)
            self._cpu_use.begin(owner)
            self._is_long = self._cpu_use.is_heavy(owner)
            self._watch_processor(worker)
            worker.peer.setblocking(True)
            send_request(worker.peer, request, descriptors)
            worker.peer.setblocking(False)
            self._follow(worker, cancelled)
            is_healthy = self._kill_at is None and not worker.is_dead
        except PeerClosedError:
            worker.is_dead = True
            self._failure = self._failure or self._crash(worker)
        finally:
            cancelled.close()
            self._watch_processor(worker)
            self._cpu_use.add(owner, self._cpu_seconds)
            self._supervisor.give_back(worker, is_healthy=is_healthy)
        if self._failure is not None:
            raise self._failure

    def _follow(self, worker: WorkerProcess, cancelled: _WakeUp) -> None:
        poll = select.poll()
        poll.register(worker.peer.fileno(), select.POLLIN)
        poll.register(cancelled.descriptor, select.POLLIN)
        interval = self._settings.memory_sample_seconds
        next_sample = time.monotonic()
        while not self._is_over:
            ready = {fd for fd, _events in poll.poll(interval * 1000)}
            if cancelled.descriptor in ready:
                poll.unregister(cancelled.descriptor)
                self._interrupt(worker, _cancelled_error())
            if worker.peer.fileno() in ready:
                for report in worker.read():
                    self._on_report(worker, report)
                if worker.is_dead and not self._is_over:
                    self._failure = self._failure or self._crash(worker)
                    return
            now = time.monotonic()
            if now >= next_sample:
                next_sample = now + interval
                self._watch(worker, now)

    def _watch(self, worker: WorkerProcess, now: float) -> None:
        memory = worker.memory_bytes()
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
        if memory > self._limits.memory_bytes * _MEMORY_TOLERANCE and self._failure is None:
            self._failure = QueryServiceError(
                ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT,
                f"Query exceeded its memory limit of {self._limits.memory_bytes} bytes",
            )
            self._kill_at = now
        self._watch_processor(worker)
        if now >= self._next_look:
            self._next_look = now + _SCRATCH_LOOK_SECONDS
            self._watch_scratch(worker, now)
        if now >= self._deadline and self._failure is None:
            self._interrupt(
                worker,
                QueryServiceError(
                    ErrorCode.EXCEEDED_TIME_LIMIT,
                    "Query exceeded the maximum run time limit of"
                    f" {self._limits.timeout_seconds:g} seconds",
                ),
            )
        if self._kill_at is not None and now >= self._kill_at:
            worker.kill()

    def _watch_scratch(self, worker: WorkerProcess, now: float) -> None:
        limit = self._limits.spill_bytes
        if (
            self._failure is None
            and scratch.used_bytes(worker.scratch) > limit + scratch.SLACK_BYTES
        ):
            self._failure = QueryServiceError(
                ErrorCode.EXCEEDED_SPILL_LIMIT, f"Query exceeded its spill limit of {limit} bytes"
            )
            self._kill_at = now

    def _watch_processor(self, worker: WorkerProcess) -> None:
        used = priority.cpu_seconds(worker.pid) - self._cpu_began
        self._cpu_seconds = max(self._cpu_seconds, used)
        self._is_long = self._is_long or self._cpu_seconds > priority.SHORT_CPU_SECONDS
        if self._is_long and not worker.has_yielded and self._cpu_use.has_others(worker.owner):
            worker.yield_processor()

    def _interrupt(self, worker: WorkerProcess, failure: Exception) -> None:
        """Ask the worker to stop, and set the time at which it is ended."""
        if self._failure is not None:
            return
        self._failure = failure
        self._kill_at = time.monotonic() + self._settings.cancel_grace_seconds
        with contextlib.suppress(PeerClosedError, BlockingIOError):
            send_request(worker.peer, Cancel())

    def _on_report(self, worker: WorkerProcess, report: dict[str, Any]) -> None:
        for name, handle in _HANDLERS.items():
            if name in report:
                handle(self, worker, report[name])

    def _on_estimate(self, worker: WorkerProcess, told: dict[str, Any]) -> None:
        self.estimate = ReadEstimate(**told)
        if self._only_estimates:  # a Proceed would be taken for the next query's
            return
        try:
            self._control.on_estimate(self.estimate)
        except Exception as refusal:  # the service's own refusal, passed on
            self._interrupt(worker, refusal)
            return
        send_request(worker.peer, Proceed())

    def _on_batch(self, _worker: WorkerProcess, told: dict[str, Any]) -> None:
        self.rows += int(told["rows"])
        self.result_bytes = int(told["end"])
        self._control.on_batch(self.result_bytes, int(told["rows"]))

    def _on_progress(self, _worker: WorkerProcess, told: dict[str, Any]) -> None:
        self._control.on_progress(Progress(stage="RUNNING", **told))

    def _on_ready(self, worker: WorkerProcess, _told: object) -> None:
        worker.is_ready = True

    def _on_done(self, _worker: WorkerProcess, told: dict[str, Any]) -> None:
        self.rejected_rows = int(told.get("rejected_rows", 0))
        self._is_over = True

    def _on_cancelled(self, _worker: WorkerProcess, _told: object) -> None:
        self._is_over = True

    def _on_error(self, _worker: WorkerProcess, told: dict[str, Any]) -> None:
        self._is_over = True
        if self._failure is None:
            self._failure = QueryServiceError(
                ErrorCode[told["code"]],
                str(told["message"]),
                line=told.get("line"),
                column=told.get("column"),
            )

    def _crash(self, worker: WorkerProcess) -> QueryServiceError:
        status = self._supervisor.exit_status(worker)
        how = "ended"
        if status is not None and os.WIFSIGNALED(status):
            how = f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        elif status is not None:
            how = f"ended with status {os.waitstatus_to_exitcode(status)}"
        was_refused = status is not None and status & 0x7F == signal.SIGABRT
        if was_refused or self.peak_memory_bytes > self._limits.memory_bytes:
            # Libraries that cannot go on without memory abort, and nothing else of ours does.
            return QueryServiceError(
                ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT,
                f"Query exceeded its memory limit of {self._limits.memory_bytes} bytes"
                f" (its worker {how})",
            )
        return QueryServiceError(
            ErrorCode.WORKER_CRASHED,
            f"the worker process of this query {how}; run the query again",
        )


_HANDLERS: Final[dict[str, Callable[[_Run, WorkerProcess, Any], None]]] = {
    "estimate": _Run._on_estimate,
    "batch": _Run._on_batch,
    "progress": _Run._on_progress,
    "done": _Run._on_done,
    "error": _Run._on_error,
    "cancelled": _Run._on_cancelled,
    "ready": _Run._on_ready,
}


class _WakeUp:
    """A cancel action that outlives its run without harm: after `close` it does nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def set(self) -> None:
        """Wake the run; from any thread."""
        with self._lock:
            if not self._is_closed:
                os.eventfd_write(self.descriptor, 1)

    def close(self) -> None:
        """Close the descriptor."""
        with self._lock:
            self._is_closed = True
            os.close(self.descriptor)


def _cancelled_error() -> QueryServiceError:
    return QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled")


def _owner(request: RunPlan | EncodeText) -> str:
    return request.plan.owner if isinstance(request, RunPlan) else ""


def _create(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def _statistics(plan: ExecutionPlan, run: _Run, account: Accounting, started: float) -> Statistics:
    estimate = run.estimate or ReadEstimate(0, 0)
    return Statistics(
        scanned_bytes=account.fetched_bytes + account.cached_bytes,
        fetched_bytes=account.fetched_bytes,
        cached_bytes=account.cached_bytes,
        scanned_files=estimate.files,
        total_files=len(plan_objects(plan)),
        scanned_partitions=sum(len(scan.partitions) for scan in plan.scans),
        total_partitions=sum(scan.total_partitions for scan in plan.scans),
        scanned_row_groups=estimate.row_groups,
        total_row_groups=estimate.total_row_groups,
        rejected_rows=run.rejected_rows,
        result_rows=run.rows,
        result_bytes=run.result_bytes,
        execution_milliseconds=int((time.monotonic() - started) * 1000),
        peak_memory_bytes=run.peak_memory_bytes,
    )
