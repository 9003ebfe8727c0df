"""The gate: statements are parsed and analysed in limited processes of their own (ADR-0005).

A statement of 156 KB can cost twelve seconds of CPU. Here it costs a process that may be killed:
the event loop, the other queries and the API go on. The gate's processes hold no credentials and
no engine; they ask for the catalog over their pipe, and the answers come from this process.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Protocol

import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, Session, StatementType
from querysvc.service import gate_process
from querysvc.service.gate_process import METADATA, METADATA_METHODS, OPERATIONS, Kind
from querysvc.sql.metadata import MetadataReader

_log = structlog.get_logger(__name__)
_START_SECONDS_MAX = 30.0
_START_PAUSE_SECONDS = 1.0


class Gate(Protocol):
    """Reads statements."""

    def classify(self, sql: str) -> tuple[StatementType, str]:
        """The statement's type and subtype; SYNTAX_ERROR when it is none."""
        ...

    def analyse(
        self, sql: str, session: Session, parameters: tuple[str, ...], principal: Principal
    ) -> object:
        """The checked statement: a plan.AnalysedStatement, or a statement of `querysvc.sql.ddl`.

        It reads what the principal may read, and no more.
        """
        ...


@dataclass(frozen=True, slots=True)
class GateLimits:
    """What one analysis may take, and how many run at once."""

    processes: int = 2
    timeout_seconds: float = 10.0
    memory_bytes: int = 1 << 30
    operations: Mapping[str, str] = field(default_factory=lambda: dict(OPERATIONS))


class GatePool:
    """Processes that wait for statements; one that dies or is killed is replaced."""

    def __init__(
        self,
        metadata_of: Callable[[Principal], MetadataReader],
        limits: GateLimits | None = None,
    ) -> None:
        self._metadata_of = metadata_of
        self._limits = limits or GateLimits()
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        self._all: set[_Process] = set()
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="gate-starter")
        self._template: _Template | None = None
        for _ in range(self._limits.processes):
            self._starter.submit(self._add)

    def classify(self, sql: str) -> tuple[StatementType, str]:
        """The statement's type and subtype; SYNTAX_ERROR when it is none."""
        statement_type, substatement_type = self.call("classify", sql)
        return StatementType(statement_type), substatement_type

    def analyse(
        self, sql: str, session: Session, parameters: tuple[str, ...], principal: Principal
    ) -> object:
        """The checked statement, of what the principal may read; its error otherwise."""
        metadata = self._metadata_of(principal)
        return self.call("analyse", sql, session, METADATA, parameters, metadata=metadata)

    def call(
        self, operation: str, *arguments: object, metadata: MetadataReader | None = None
    ) -> Any:
        """Run an operation of the gate; its result is as the operation's module declares it."""
        deadline = time.monotonic() + self._limits.timeout_seconds
        process = self._take()
        is_well = False
        try:
            result = process.call(operation, arguments, metadata, deadline)
            is_well = True
        except QueryServiceError:
            is_well = True
            raise
        except TimeoutError:
            raise QueryServiceError(
                ErrorCode.EXCEEDED_TIME_LIMIT,
                f"statement analysis took longer than {self._limits.timeout_seconds:g} s",
            ) from None
        except (EOFError, OSError):
            raise QueryServiceError(
                ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT,
                "statement analysis ended without an answer: the statement needs more memory"
                f" ({self._limits.memory_bytes >> 20} MiB) or processor time than analysis may use",
            ) from None
        finally:
            self._give_back(process, is_well=is_well)
        return result

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._is_closed.set()
            processes = tuple(self._all)
            self._all.clear()
        for process in processes:
            process.kill()
        self._starter.shutdown(wait=True)
        self._end_template()

    def _take(self) -> _Process:
        # The wait for a free process is not the statement's fault: it has its own, longer limit.
        try:
            return self._idle.get(timeout=self._limits.timeout_seconds + _START_SECONDS_MAX)
        except queue.Empty:
            raise QueryServiceError(
                ErrorCode.TOO_MANY_REQUESTS, "Too many statements are being analysed; try again."
            ) from None

    def _give_back(self, process: _Process, *, is_well: bool) -> None:
        if is_well:
            self._idle.put(process)
            return
        with self._lock:
            self._all.discard(process)
        process.kill()
        self._restart()

    def _restart(self) -> None:
        with contextlib.suppress(RuntimeError):  # the pool is being closed
            self._starter.submit(self._add)

    def _add(self) -> None:
        if self._is_closed.is_set():
            return
        try:
            process = self._forked()
        except Exception:
            _log.exception("A gate process did not start; trying again.")
            self._is_closed.wait(_START_PAUSE_SECONDS)
            self._restart()
            return
        with self._lock:
            if not self._is_closed.is_set():
                self._all.add(process)
                self._idle.put(process)
                return
        process.kill()

    def _forked(self) -> _Process:
        """A new process; only the starter's thread comes here."""
        if self._template is None or not self._template.is_alive:
            self._end_template()
            self._template = _Template(self._limits)
        return _Process(self._template)

    def _end_template(self) -> None:
        if self._template is not None:
            self._template.kill()
            self._template = None


class _Template:
    """The process that loads the gate's modules once; gate processes are its forks.

    Loading takes 0.4 s of processor time, a fork takes milliseconds. It never sees a statement.
    """

    def __init__(self, limits: GateLimits) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen(  # noqa: S603 - our own module, no user input
                [
                    *(sys.executable, "-I", "-m", gate_process.__name__),
                    *(str(theirs.fileno()), str(limits.memory_bytes)),
                    str(limits.timeout_seconds),
                    *(f"{name}={target}" for name, target in limits.operations.items()),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        """Whether it can be forked."""
        return self._popen.poll() is None

    def fork(self, theirs: socket.socket) -> None:
        """Start a process that serves at the other end of the socket."""
        socket.send_fds(self._control, [b"+"], [theirs.fileno()])

    def kill(self) -> None:
        """End it; its forks go on until their pipes end."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.kill()
        self._popen.wait()
        self._control.close()


class _Process:
    """One gate process and its pipe."""

    def __init__(self, template: _Template) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            template.fork(theirs)
        self._pipe = Connection(ours.detach())
        self._pid_descriptor: int | None = None
        try:
            _, process_id = self._receive(time.monotonic() + _START_SECONDS_MAX)
            self._pid_descriptor = os.pidfd_open(process_id)
        except BaseException:
            self.kill()
            raise

    def call(
        self,
        operation: str,
        arguments: tuple[object, ...],
        metadata: MetadataReader | None,
        deadline: float,
    ) -> object:
        self._pipe.send((operation, arguments))
        while True:
            kind, *payload = self._receive(deadline)
            if kind is Kind.ASK:
                self._answer(metadata, *payload)
            elif kind is Kind.RESULT:
                return payload[0]
            elif kind is Kind.REFUSED:
                raise payload[0]
            else:
                _log.error("Statement analysis failed.", traceback=payload[0])
                raise QueryServiceError(
                    ErrorCode.GENERIC_INTERNAL_ERROR, "statement analysis failed unexpectedly"
                )

    def kill(self) -> None:
        """End the process at once; one that has not told who it is ends with its pipe."""
        self._pipe.close()
        if self._pid_descriptor is None:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pid_descriptor, signal.SIGKILL)
        ended = select.poll()
        ended.register(self._pid_descriptor, select.POLLIN)
        ended.poll()
        os.close(self._pid_descriptor)
        self._pid_descriptor = None

    def _receive(self, deadline: float) -> Any:
        if not self._pipe.poll(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        return self._pipe.recv()

    def _answer(
        self, metadata: MetadataReader | None, method: str, arguments: tuple[object, ...]
    ) -> None:
        assert metadata is not None, "only an analysis asks for metadata"
        assert method in METADATA_METHODS, "the gate asks for metadata only"
        try:
            self._pipe.send((True, getattr(metadata, method)(*arguments)))
        except QueryServiceError as error:
            self._pipe.send((False, error))
