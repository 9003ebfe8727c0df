"""A contained worker process: one query at a time.

The main thread works; a listening thread takes what the API process says meanwhile. Reports:

    {"ready": pid}                                     idle, with an instance for the next query
    {"layers": [[name, available, applied, detail]]}   once, before the first ready
    {"estimate": {…}}                                  waits for Proceed; of plans with tables
    {"batch": {"end": offset, "rows": n}} · {"progress": {…}}
    {"done": {…}} | {"error": {"code", "message", "line", "column"}} | {"cancelled": true}
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import queue
import socket
import threading
from dataclasses import asdict
from typing import Any, Final

from querysvc.engines.duckdb import sandbox
from querysvc.engines.duckdb.execution import CancelledError, Control, Execution
from querysvc.engines.duckdb.failures import explain
from querysvc.engines.duckdb.footers import FooterReader
from querysvc.engines.duckdb.instances import Instance, InstanceStock
from querysvc.engines.duckdb.messages import PeerClosedError, receive_request, send_report
from querysvc.engines.duckdb.readers.base import NoObjects, PlanReader
from querysvc.engines.duckdb.readers.watch import WatchedClient
from querysvc.engines.duckdb.requests import (
    Cancel,
    EncodeText,
    Proceed,
    RunPlan,
    plan_objects,
)
from querysvc.engines.duckdb.settings import WorkerSettings
from querysvc.engines.duckdb.text import encode_text

_PAUSE_SECONDS: Final = 0.1
"""Without a request for so long there is time to make an instance ahead; not within a burst."""


def run(peer: int, settings: WorkerSettings, scratch: str) -> None:
    """Be a worker until the API process closes the socket."""
    names = (settings.range_client, settings.file_system, settings.text_converter)
    injected = tuple(_load(name) for name in names)
    layers = sandbox.enter(sandbox.SandboxSettings(scratch, peer, settings.sandbox_layers))
    connection = socket.socket(fileno=peer)
    worker = Worker(connection, settings, injected)
    worker.report(
        {"layers": [[one.name, one.is_available, one.is_applied, one.detail] for one in layers]}
    )
    worker.serve()


class Worker:
    """The loop of a worker process."""

    def __init__(
        self, peer: socket.socket, settings: WorkerSettings, injected: tuple[Any, ...]
    ) -> None:
        self._peer = peer
        self._settings = settings
        self._range_client, self._file_system, self._text_converter = injected
        self._footers = FooterReader(settings.footer_cache_bytes)
        self._instances = InstanceStock(os.getcwd(), settings.prepared_instances)
        self._requests: queue.SimpleQueue[tuple[Any, tuple[int, ...]]] = queue.SimpleQueue()
        self._control = Control.create()
        self._send_lock = threading.Lock()

    def serve(self) -> None:
        """Answer requests, one at a time, for ever: the listening thread ends the process."""
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        self._instances.ensure()
        gc.collect()
        # What is alive between queries stays: the collection after each need not walk it again.
        gc.freeze()
        while True:
            self._instances.ensure()
            self.report({"ready": os.getpid()})
            self._handle(*self._next_request())
            self._control = Control.create()
            gc.collect()
            gc.freeze()
            _return_memory()

    def _next_request(self) -> tuple[Any, tuple[int, ...]]:
        """Wait for a request; while none comes, make instances ahead."""
        while not self._instances.is_full:
            with contextlib.suppress(queue.Empty):
                return self._requests.get(timeout=_PAUSE_SECONDS)
            self._instances.add()
        return self._requests.get()

    def report(self, report: dict[str, object]) -> None:
        """Send one report; safe from any thread."""
        with self._send_lock:
            send_report(self._peer, report)

    def _listen(self) -> None:
        try:
            while True:
                request, descriptors = receive_request(self._peer)
                if isinstance(request, Cancel):
                    self._control.cancel()
                elif isinstance(request, Proceed):
                    self._control.proceed.set()
                else:
                    self._requests.put((request, descriptors))
        except (PeerClosedError, OSError):
            pass
        os._exit(0)

    def _handle(self, request: RunPlan | EncodeText, descriptors: tuple[int, ...]) -> None:
        control = self._control
        try:
            if isinstance(request, RunPlan) and request.raw_sql is not None:
                assert self._settings.allows_raw_sql
            if isinstance(request, EncodeText):
                source, target = descriptors
                encode_text(source, target, request.columns, self._text_converter)
                self.report({"done": {}})
            else:
                self._run(request, descriptors, control)
        except CancelledError:
            self.report({"cancelled": True})
        except Exception as error:  # the outermost edge: all becomes a report
            self._fail(error, control)

    def _run(self, request: RunPlan, descriptors: tuple[int, ...], control: Control) -> None:
        may_share = self._settings.engine_layers and request.raw_sql is None
        instance = self._instances.lend(request.plan, may_share=may_share)
        is_as_new = False
        try:
            is_as_new = self._run_on(instance, request, descriptors, control)
        finally:
            self._instances.give_back(instance, is_as_new=is_as_new)

    def _run_on(
        self, instance: Instance, request: RunPlan, descriptors: tuple[int, ...], control: Control
    ) -> bool:
        """Whether the instance is as it was before."""
        gateway = socket.socket(fileno=descriptors[0]) if plan_objects(request.plan) else None

        def interrupt() -> None:
            instance.connection.interrupt()
            # Reads that wait for a stalled store end with their connection.
            if gateway is not None:
                gateway.shutdown(socket.SHUT_RDWR)

        control.interrupt = interrupt
        control.check()
        client = self._reader(gateway, descriptors)
        watched = WatchedClient(client)
        execution = Execution(
            request,
            instance,
            client,
            self._file_system(watched),
            watched=watched,
            footers=self._footers,
            settings=self._settings,
        )
        try:
            self._work(execution, descriptors, control)
            return execution.has_made_nothing
        except Exception as error:
            control.check()
            raise explain(error, execution) from error
        finally:
            control.interrupt = None
            client.close()

    def _reader(self, gateway: socket.socket | None, descriptors: tuple[int, ...]) -> PlanReader:
        if gateway is None:
            return NoObjects()
        client: PlanReader = self._range_client(gateway, descriptors[1])
        os.close(descriptors[1])
        return client

    def _work(self, execution: Execution, descriptors: tuple[int, ...], control: Control) -> None:
        relations = execution.prepare()
        if execution.request.is_estimate:
            self.report({"estimate": asdict(execution.estimate), "done": {}})
            return
        if not execution.instance.is_sealed:  # else it reads nothing that could be too much
            self.report({"estimate": asdict(execution.estimate)})
            control.proceed.wait()
        control.check()
        execution.run(relations, descriptors[-1], self.report)
        control.check()
        self.report(
            {
                "done": {
                    "rows": execution.rows,
                    "rejected_rows": execution.context.rejected,
                    "result_bytes": execution.spooled_bytes,
                    "read_bytes": execution.client.read_bytes,
                    "misses": execution.client.misses,
                }
            }
        )

    def _fail(self, error: Exception, control: Control) -> None:
        if control.cancelled.is_set():
            self.report({"cancelled": True})
            return
        failure = explain(error, None)
        self.report(
            {
                "error": {
                    "code": failure.code.name,
                    "message": failure.message.encode(errors="replace").decode(),
                    "line": failure.line,
                    "column": failure.column,
                }
            }
        )


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _return_memory() -> None:
    """Give freed memory back to the system (glibc keeps it otherwise)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
