"""What a worker says is data, never code; who speaks otherwise is ended."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from querysvc.engines.duckdb import messages
from querysvc.engines.duckdb.messages import ReportBuffer
from querysvc.engines.duckdb.supervisor import WorkerProcess


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def framed(data: bytes) -> bytes:
    return messages._HEADER.pack(len(data)) + data


@pytest.mark.parametrize("data", [b"no json", b"\xff\xfe", b"[1, 2]", b"7", b"null", b""])
def test_what_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - orjson's words differ from ours
        ReportBuffer().feed(framed(data))


def test_a_report_that_claims_to_be_huge_is_refused_before_it_comes() -> None:
    with pytest.raises(ValueError, match="claims"):
        ReportBuffer().feed(messages._HEADER.pack(messages.REPORT_BYTES_MAX + 1))


def test_a_worker_that_speaks_otherwise_is_killed_and_not_believed(tmp_path: Path) -> None:
    victim = tmp_path / "touched"
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ours, theirs = socket.socketpair()
    worker = WorkerProcess(ours, tmp_path / "scratch", process.pid, os.pidfd_open(process.pid))
    try:
        theirs.sendall(framed(pickle.dumps(Trap(victim))))
        assert worker.read() == []
        assert worker.is_dead
        assert process.wait(timeout=10) == -9
        assert not victim.exists()
    finally:
        theirs.close()
        worker.close()
