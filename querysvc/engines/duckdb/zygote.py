"""The zygote: a small process that loads the heavy libraries once and forks workers from them.

It never touches a DuckDB instance and starts no thread, so that a fork is safe and cheap. Hence it
loads the extension module `_duckdb` but not the package `duckdb`, whose import opens an instance
(its `sqltypes` asks one for types); each worker imports that after its fork, while it is idle.

Run as `python -m querysvc.engines.duckdb.zygote <control descriptor>`. Requests on the control
socket are `Fork` with the worker's socket attached; reports are {"exited": pid, "status": n}. It
ends with its parent: by PR_SET_PDEATHSIG, and when the control socket closes.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from dataclasses import dataclass
from typing import Final

from querysvc.engines.duckdb import sandbox
from querysvc.engines.duckdb.messages import PeerClosedError, receive_request, send_report
from querysvc.engines.duckdb.settings import WorkerSettings

PRELOADED: Final = (
    "numpy",
    "orjson",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.ipc",
    "pyarrow.orc",
    "pyarrow.parquet",
    "fastavro",
    "fsspec",
    "regex",
    "_duckdb",
    "querysvc.engines.duckdb.functions.install",
    "querysvc.engines.duckdb.lowering.lower",
    "querysvc.engines.duckdb.worker",
    "querysvc.engines.duckdb.functions.install",
    "querysvc.engines.duckdb.lowering.lower",
)
UNWANTED: Final = "pandas"
"""pyarrow imports it where it is installed, on the first Python values that become an array: 0.7 s
of the first query in every worker, and nothing of ours uses it."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Asks for a worker whose scratch directory exists already."""

    settings: WorkerSettings
    scratch: str


def main() -> None:
    """Serve fork requests until the control socket closes."""
    sandbox.die_with_parent()
    control = socket.socket(fileno=int(sys.argv[1]))
    control.setblocking(True)
    os.set_inheritable(control.fileno(), False)
    _preload()
    gc.collect()
    gc.freeze()
    send_report(control, {"ready": os.getpid(), "threads": len(os.listdir("/proc/self/task"))})
    child_ended, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, _note_child)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(control.fileno(), select.POLLIN)
    poll.register(child_ended, select.POLLIN)
    try:
        while True:
            ready = {fd for fd, _events in poll.poll()}
            if child_ended in ready:
                os.read(child_ended, 4096)
                _reap(control)
            if control.fileno() in ready:
                request, fds = receive_request(control)
                _fork(control, request, fds[0])
    except PeerClosedError:
        return


class _Unwanted:
    """An import finder that knows no pandas, however installed."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == UNWANTED:
            raise ModuleNotFoundError(f"{name} is not for workers", name=name)


def _preload() -> None:
    sys.meta_path.insert(0, _Unwanted)
    for name in PRELOADED:
        importlib.import_module(name)
    catalog = importlib.import_module("querysvc.engines.duckdb.functions.catalog")
    for table in (catalog.scalar_table, catalog.aggregate_table, catalog.window_table):
        table()


def _note_child(_signal: int, _frame: object) -> None:
    """Only there so that the wake-up descriptor is written."""


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        send_report(control, {"exited": pid, "status": status})


def _fork(control: socket.socket, request: Fork, peer: int) -> None:
    pid = os.fork()
    if pid:
        os.close(peer)
        return
    status = 70  # EX_SOFTWARE
    try:
        sandbox.die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.detach()
        worker = importlib.import_module("querysvc.engines.duckdb.worker")
        worker.run(peer, request.settings, request.scratch)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    # Pickled requests name this module by its full name, not `__main__`.
    importlib.import_module("querysvc.engines.duckdb.zygote").main()
