"""Starts writing processes and follows them (their work would hold up the API's own threads)."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import orjson
import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.writing.files import WriteJob, WrittenFile

_log = structlog.get_logger(__name__)
_MODULE = "querysvc.results.writing.process"


class FileEncoder:
    """Runs jobs, each in a process of its own; one process waits warm for the next job."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: _Process | None = None
        self._is_closed = False

    def run(
        self,
        job: WriteJob,
        take: Callable[[WrittenFile, Callable[[], None]], None],
        on_cancel: Callable[[Callable[[], None]], None],
    ) -> int:
        """Do the job and tell its rows.

        `take(file, taken)` is called for each finished file; `taken()`, from any thread, says that
        the file is gone from disk. `on_cancel` is given what ends the job early.
        """
        process = self._take()
        try:
            on_cancel(process.kill)
            return process.run(job, take)
        finally:
            process.close()

    def warm(self) -> None:
        """Start the process that waits."""
        with self._lock:
            if self._idle is None and not self._is_closed:
                self._idle = _Process()

    def close(self) -> None:
        """End the process that waits."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, None
        if idle is not None:
            idle.close()

    def _take(self) -> _Process:
        with self._lock:
            process, self._idle = self._idle, None
        threading.Thread(target=self.warm, name="file-encoder", daemon=True).start()
        return process or _Process()


class _Process:
    """One process and its pipe."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen(  # noqa: S603 - our own module, no user input
                [sys.executable, "-I", "-m", _MODULE, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
        self._pipe: Connection[Any, Any] = Connection(ours.detach())
        self._lock = threading.Lock()
        self._is_killed = False

    def run(self, job: WriteJob, take: Callable[[WrittenFile, Callable[[], None]], None]) -> int:
        """Send the job, hand out its files, tell its rows."""
        try:
            self._pipe.send(job)
            while True:
                told = orjson.loads(self._pipe.recv_bytes())
                if "file" in told:
                    file = told["file"]
                    take(WrittenFile(**{**file, "values": tuple(file["values"])}), self._taken)
                elif "rows" in told:
                    return int(told["rows"])
                else:
                    raise _failure(told)
        except (EOFError, OSError):
            raise QueryServiceError(
                ErrorCode.WORKER_CRASHED,
                "the process that writes this query's files ended; run the query again",
            ) from None

    def kill(self) -> None:
        """End the process; from any thread, also when it has ended."""
        with self._lock:
            if self._is_killed:
                return
            self._is_killed = True
            with contextlib.suppress(ProcessLookupError):
                self._popen.kill()
        self._popen.wait()

    def close(self) -> None:
        """End the process and let go of its pipe; by who runs it alone."""
        self.kill()
        with self._lock:
            self._pipe.close()

    def _taken(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._pipe.send_bytes(b"t")


def _failure(told: dict[str, Any]) -> QueryServiceError:
    if "error" in told:
        code, message = told["error"]
        return QueryServiceError(ErrorCode[code], message)
    _log.error("Writing files failed.", traceback=told.get("traceback"))
    return QueryServiceError(
        ErrorCode.GENERIC_INTERNAL_ERROR, "writing the query's files failed unexpectedly"
    )
