"""The supervisor: keeps workers warm, lends one to each query, and ends those that misbehave.

It runs in the API process and never imports duckdb. One thread of its own starts the zygote (whose
life is tied to that thread), keeps `idle_workers` workers ready, and notes how workers ended.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

import querysvc
import querysvc_catalog
from querysvc.engines.duckdb import priority
from querysvc.engines.duckdb.messages import PeerClosedError, ReportBuffer, send_request
from querysvc.engines.duckdb.settings import SupervisorSettings
from querysvc.engines.duckdb.zygote import Fork
from querysvc.errors import ErrorCode, QueryServiceError

_log = structlog.get_logger(__name__)
_TICK_SECONDS: Final = 0.5
_EXIT_WAIT_SECONDS: Final = 1.0
_START_PAUSE_SECONDS_MAX: Final = 5.0
_EXITS_MAX: Final = 1024
_PATIENCE_SECONDS: Final = 0.03
"""So long a lent worker may be back before another is started in its place (which takes longer)."""
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_RECEIVE_BYTES: Final = 1 << 16
_STACKS_BYTES: Final = 64 << 20
_UNUSED_BYTES_MAX: Final = 256 << 20
"""A worker that keeps more address space than this could use it unseen: it is replaced."""
ZYGOTE_ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    # No threads before a fork: neither OpenBLAS's nor those of Arrow's jemalloc.
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    # DuckDB reads text by 32 MiB. glibc maps such a buffer anew each time, page by page: that cost
    # a quarter of a CSV scan. What a query leaves behind is given back at its end (`worker`).
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A worker as the supervisor sees it."""

    peer: socket.socket
    scratch: Path
    pid: int = 0
    pid_descriptor: int = -1
    statm: int = -1
    """The kernel's counts of its pages (proc(5)), kept open: they are read for every query."""
    queries: int = 0
    lent_at: float = 0.0
    owner: str = ""
    """Whose query it ran last (ExecutionPlan.owner)."""
    layers: list[list[Any]] = field(default_factory=list)
    reports: ReportBuffer = field(default_factory=ReportBuffer)
    is_ready: bool = False
    """It said so while it was still lent (one read may bring its last two reports)."""
    is_dead: bool = False
    has_yielded: bool = False
    """It is less important than others now (see priority.py)."""

    def read(self) -> list[dict[str, Any]]:
        """The reports that arrived; marks the worker dead at the end of its socket."""
        try:
            data = self.peer.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.is_dead = True
            return []
        try:
            return self.reports.feed(data)
        except ValueError:
            self.kill()  # It does not speak our language: it was taken over, or broke.
            self.is_dead = True
            return []

    def kill(self) -> None:
        """End the process at once."""
        if self.pid_descriptor >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pid_descriptor, signal.SIGKILL)

    def close(self) -> None:
        """End the process, if it still runs, and let go of it."""
        self.kill()
        self.peer.close()  # Tells a process that is still starting to end.
        for descriptor in (self.pid_descriptor, self.statm):
            if descriptor >= 0:
                os.close(descriptor)
        self.pid_descriptor = self.statm = -1
        shutil.rmtree(self.scratch, ignore_errors=True)

    def is_running(self) -> bool:
        """Whether the process has not ended."""
        poll = select.poll()
        poll.register(self.pid_descriptor, select.POLLIN)
        return not poll.poll(0)

    def memory_bytes(self) -> int:
        """What the process holds for itself alone; 0 once it is gone."""
        _, resident, shared, *_ = self._pages()
        return (resident - shared) * _PAGE_BYTES

    def yield_processor(self) -> None:
        """Let others go first from now on."""
        if not self.has_yielded and self.is_running():
            self.has_yielded = True
            priority.lower(self.pid)

    def regain_processor(self) -> bool:
        """Be like others again; False where the system does not allow that."""
        self.has_yielded = self.has_yielded and not priority.restore(self.pid)
        return not self.has_yielded

    def hold_memory(self, bytes_max: int) -> None:
        """Make the kernel refuse the process more memory of its own than this, used or not.

        What it has mapped and does not use by now is allowed beside, and the stacks of threads.
        """
        with contextlib.suppress(OSError, ValueError):
            bound = bytes_max + self.unused_bytes() + _STACKS_BYTES
            resource.prlimit(self.pid, resource.RLIMIT_DATA, (bound, resource.RLIM_INFINITY))

    def unused_bytes(self) -> int:
        """What is mapped for the process alone and not held: the kernel could not refuse it."""
        _, resident, shared, _, _, data, *_ = self._pages()
        return max(0, data - (resident - shared)) * _PAGE_BYTES

    def _pages(self) -> list[int]:
        """All of statm; zeros once the process is gone."""
        try:
            return list(map(int, os.pread(self.statm, 256, 0).split())) or [0] * 7
        except OSError:
            return [0] * 7


class Supervisor:
    """Starts, lends, watches and replaces worker processes. Thread-safe."""

    def __init__(self, settings: SupervisorSettings) -> None:
        self._settings = settings
        self._lock = threading.Condition()
        self._idle: list[WorkerProcess] = []
        self._starting: set[WorkerProcess] = set()
        self._lent: set[WorkerProcess] = set()
        self._exits: dict[int, int] = {}
        self._waiting: list[float] = []
        """Since when each of those waits who want a worker."""
        self._is_patient = False
        self._failures = 0
        self._start_after = 0.0
        self._sequence = 0
        self._closed = False
        self._layers: list[list[Any]] = []
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, None)
        self._root = Path(
            tempfile.mkdtemp(prefix="querysvc-workers-", dir=settings.scratch_directory)
        )
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._control_reports = ReportBuffer()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    @property
    def idle_workers(self) -> int:
        """How many workers wait for a query."""
        with self._lock:
            return len(self._idle)

    @property
    def zygote_id(self) -> int | None:
        """The zygote's process id while it runs."""
        zygote = self._zygote
        return zygote.pid if zygote is not None and zygote.poll() is None else None

    def layers(self) -> list[list[Any]]:
        """What a worker reported of its containment; waits for the first one."""
        with self._lock:
            self._wait(lambda: bool(self._layers))
            return self._layers

    def lend(self, owner: str = "") -> WorkerProcess:
        """Take a ready worker: the owner's last one, that idle longest, or a new one.

        The first may have kept an instance for the owner. The one that was idle longest had the
        time to make instances ahead, which those that were used last make meanwhile.
        """
        began = time.monotonic()
        with self._lock:
            self._waiting.append(began)
            try:
                worker = self._take_idle(owner)
            finally:
                self._waiting.remove(began)
            self._lent.add(worker)
            worker.lent_at = time.monotonic()
            worker.owner = owner
            worker.queries += 1
            worker.is_ready = False
        self._wake()
        return worker

    def _take_idle(self, owner: str) -> WorkerProcess:
        """Take (holding the lock) the first idle worker that is alive."""
        while True:
            if not self._idle:
                self._wake()
            self._wait(lambda: bool(self._idle))
            worker = next((one for one in self._idle if one.owner == owner), self._idle[0])
            self._idle.remove(worker)
            self._selector.unregister(worker.peer)
            if worker.is_running():
                return worker
            worker.close()

    def give_back(self, worker: WorkerProcess, *, is_healthy: bool) -> None:
        """Return a worker; it is idle again once it reports so, or is ended."""
        keep = (
            is_healthy
            and not worker.is_dead
            and worker.queries < self._settings.queries_per_worker_max
            and worker.regain_processor()
        )
        with self._lock:
            self._lent.discard(worker)
            keep = keep and not self._closed
            if keep:
                self._starting.add(worker)
                self._selector.register(worker.peer, selectors.EVENT_READ, worker)
        if not keep:
            worker.close()
        elif worker.is_ready:
            self._accept(worker)
        self._wake()

    def exit_status(self, worker: WorkerProcess) -> int | None:
        """How a dead worker ended, as waitpid tells; None when nobody knows."""
        with self._lock:
            self._lock.wait_for(lambda: worker.pid in self._exits, _EXIT_WAIT_SECONDS)
            return self._exits.get(worker.pid)

    def close(self) -> None:
        """End all workers and the zygote."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self._wake()
        self._thread.join(timeout=10)

    # The supervising thread

    def _run(self) -> None:
        try:
            while not self._closed:
                self._ensure_processes()
                pause = _PATIENCE_SECONDS if self._is_patient else _TICK_SECONDS
                for key, _events in self._selector.select(pause):
                    self._on_event(key)
        finally:
            self._shut_down()

    def _on_event(self, key: selectors.SelectorKey) -> None:
        if key.data is None:
            with contextlib.suppress(BlockingIOError):
                self._wake_reader.recv(4096)
        elif isinstance(key.data, WorkerProcess):
            self._on_worker(key.data)
        else:
            self._on_zygote()

    def _ensure_processes(self) -> None:
        try:
            self._ensure_zygote()
            self._ensure_workers()
        except OSError:  # no descriptors or no space are left: later there may be
            _log.exception("No worker can be started now.")
            self._note_failure()

    def _ensure_zygote(self) -> None:
        if self._control is not None or time.monotonic() < self._start_after:
            return
        ours, theirs = socket.socketpair()
        environment = dict(ZYGOTE_ENVIRONMENT, PYTHONPATH=os.pathsep.join(_package_roots()))
        with theirs:
            self._zygote = subprocess.Popen(  # noqa: S603 - our own module, no outside input
                [sys.executable, "-m", "querysvc.engines.duckdb.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        self._control = ours
        self._control_reports = ReportBuffer()
        self._selector.register(ours, selectors.EVENT_READ, "zygote")

    def _ensure_workers(self) -> None:
        """Fork until enough workers are idle or starting for those who wait and the reserve.

        A worker that was lent just now may be back sooner than another could start.
        """
        recently = time.monotonic() - _PATIENCE_SECONDS
        with self._lock:
            wanted = self._settings.idle_workers + sum(one <= recently for one in self._waiting)
            back_soon = sum(worker.lent_at > recently for worker in self._lent)
            missing = wanted - len(self._idle) - len(self._starting) - back_soon
            self._is_patient = bool(back_soon or self._waiting)
        for _ in range(missing):
            if self._control is not None and time.monotonic() >= self._start_after:
                self._start_worker()

    def _start_worker(self) -> None:
        assert self._control is not None
        self._sequence += 1
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        worker = WorkerProcess(ours, self._root / f"worker-{self._sequence}")
        with theirs:
            try:
                worker.scratch.mkdir(mode=0o700)
                request = Fork(self._settings.worker, str(worker.scratch))
                send_request(self._control, request, (theirs.fileno(),))
            except PeerClosedError:
                self._lose_zygote()
                worker.close()
                return
            except OSError:
                worker.close()
                raise
        with self._lock:
            self._starting.add(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _on_worker(self, worker: WorkerProcess) -> None:
        with self._lock:
            # Held to the end: else it could be lent meanwhile, and its reports be the borrower's.
            if worker not in self._starting and worker not in self._idle:
                return
            for report in worker.read():
                if "layers" in report:
                    worker.layers = report["layers"]
                if "ready" in report:
                    self._on_ready(worker, report)
            if not worker.is_dead:
                return
            self._forget(worker)
        worker.close()

    def _on_ready(self, worker: WorkerProcess, report: dict[str, Any]) -> None:
        if worker.queries == 0:
            try:
                worker.pid_descriptor = os.pidfd_open(int(report["ready"]))
                worker.statm = os.open(
                    f"/proc/{int(report['ready'])}/statm", os.O_RDONLY | os.O_CLOEXEC
                )
            except OSError:
                worker.is_dead = True  # it ends when its socket is closed
                return
            worker.pid = int(report["ready"])
        self._accept(worker)

    def _accept(self, worker: WorkerProcess) -> None:
        """Let a ready worker wait for its next query, unless it has grown too much."""
        with self._lock:
            if worker not in self._starting:
                return
            has_grown = worker.memory_bytes() > self._settings.worker_growth_bytes_max
            if not has_grown and worker.unused_bytes() <= _UNUSED_BYTES_MAX:
                self._failures, self._start_after = 0, 0.0
                self._starting.discard(worker)
                self._idle.append(worker)
                self._layers = self._layers or worker.layers
                self._lock.notify_all()
                return
            self._forget(worker)
        worker.close()

    def _on_zygote(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(_RECEIVE_BYTES)
        except OSError:
            data = b""
        if not data:
            self._lose_zygote()
            return
        for report in self._control_reports.feed(data):
            if "exited" in report:
                with self._lock:
                    self._exits[report["exited"]] = report["status"]
                    while len(self._exits) > _EXITS_MAX:
                        del self._exits[next(iter(self._exits))]
                    self._lock.notify_all()

    def _lose_zygote(self) -> None:
        """The zygote died, and its children with it: start over."""
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
            self._note_failure()

    def _note_failure(self) -> None:
        """Wait longer before each further start while starts fail."""
        self._failures += 1
        pause = min(0.05 * 2**self._failures, _START_PAUSE_SECONDS_MAX)
        self._start_after = time.monotonic() + pause

    def _forget(self, worker: WorkerProcess) -> None:
        with self._lock:
            if worker.pid == 0:
                self._note_failure()
            self._starting.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            self._selector.unregister(worker.peer)
            self._lock.notify_all()

    def _shut_down(self) -> None:
        with self._lock:
            workers = [*self._idle, *self._starting, *self._lent]
            self._lock.notify_all()
        for worker in workers:
            worker.kill()
        if self._control is not None:
            self._control.close()
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
        for worker in workers:
            if worker not in self._lent:
                worker.close()
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"\0")

    def _wait(self, is_true: Callable[[], bool]) -> None:
        """Wait (holding the lock) until it is true; raises when workers cannot start."""
        timeout = self._settings.start_timeout_seconds
        if not self._lock.wait_for(lambda: is_true() or self._closed, timeout):
            raise QueryServiceError(
                ErrorCode.NO_NODES_AVAILABLE, f"no worker started within {timeout} seconds"
            )
        if self._closed:
            raise QueryServiceError(ErrorCode.SERVER_SHUTTING_DOWN, "the engine is closed")


def _package_roots() -> list[str]:
    """Where our packages are imported from, for the zygote's empty environment."""
    packages = (querysvc, querysvc_catalog)
    return sorted({str(Path(str(package.__file__)).parents[1]) for package in packages})
