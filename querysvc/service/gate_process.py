"""A gate process: reads requests from its pipe, analyses, answers (started by gate.py).

What gate.py starts is a template that loads the modules and forks a process for each pipe it gets.

API  ──► gate   (operation, arguments)
gate ──► API    (ASK, method, arguments)        ──►  (True, value) or (False, error)
gate ──► API    (RESULT, value) │ (REFUSED, QueryServiceError) │ (BROKEN, traceback)
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from enum import Enum
from multiprocessing.connection import Connection
from typing import Any

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableVersion
from querysvc.sql.metadata import TableInfo, ViewInfo

OPERATIONS = {
    "analyse": "querysvc.service.statement_reading:analyse",
    "classify": "querysvc.service.statement_reading:classify",
    "describe_parameters": "querysvc.sql.description:describe_parameters",
}
"""What the gate can be asked for, and where it is."""

METADATA = "\0metadata"
"""Stands in a request's arguments for the reader of metadata."""

METADATA_METHODS = frozenset(
    {"catalog_exists", "schema_exists", "relation", "at_version", "relation_names"}
)

_FILES_MAX = 64
_RECURSION_MAX = 4000


class Kind(Enum):
    """What a message of the gate is."""

    READY = "ready"
    ASK = "ask"
    RESULT = "result"
    REFUSED = "refused"
    BROKEN = "broken"


class RemoteMetadata:
    """A MetadataReader that asks over the pipe, once for each name in an analysis."""

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self._pipe = pipe
        self._known: dict[tuple[object, ...], Any] = {}

    def catalog_exists(self, catalog: str) -> bool:
        return bool(self._ask("catalog_exists", catalog))

    def schema_exists(self, catalog: str, database: str) -> bool:
        return bool(self._ask("schema_exists", catalog, database))

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        found = self._ask("relation", catalog, database, name)
        assert found is None or isinstance(found, TableInfo | ViewInfo)
        return found

    def at_version(
        self, catalog: str, database: str, name: str, version: TableVersion
    ) -> TableInfo:
        found = self._ask("at_version", catalog, database, name, version)
        assert isinstance(found, TableInfo)
        return found

    def relation_names(self, catalog: str, database: str) -> tuple[str, ...]:
        return tuple(self._ask("relation_names", catalog, database))

    def _ask(self, *question: object) -> Any:
        if question not in self._known:
            self._pipe.send((Kind.ASK, question[0], question[1:]))
            is_answer, value = self._pipe.recv()
            if not is_answer:
                raise value
            self._known[question] = value
        return self._known[question]


def main(arguments: list[str]) -> None:
    """Fork a process for each pipe that comes, until the control socket ends."""
    descriptor, memory_bytes, timeout_seconds, *operations = arguments
    functions = dict(map(_load, operations))
    sys.setrecursionlimit(_RECURSION_MAX)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that end
    gc.freeze()  # what is loaded stays shared
    with socket.socket(fileno=int(descriptor)) as control:
        while True:
            _, pipes, _, _ = socket.recv_fds(control, 1, 1)
            if not pipes:
                return
            if os.fork() == 0:
                break
            os.close(pipes[0])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _limit(int(memory_bytes))
    _serve(Connection(pipes[0]), functions, float(timeout_seconds))


def _serve(
    pipe: Connection[Any, Any], functions: Mapping[str, Callable[..., object]], seconds: float
) -> None:
    """Answer until the pipe ends."""
    pipe.send((Kind.READY, os.getpid()))
    while True:
        try:
            operation, given = pipe.recv()
        except EOFError:
            return
        _limit_processor(seconds)
        remote = RemoteMetadata(pipe)
        given = tuple(remote if item == METADATA else item for item in given)
        _answer(pipe, functions[operation], given)


def _answer(
    pipe: Connection[Any, Any], function: Callable[..., object], given: tuple[object, ...]
) -> None:
    try:
        pipe.send((Kind.RESULT, function(*given)))
    except QueryServiceError as error:
        pipe.send((Kind.REFUSED, error))
    except RecursionError:
        pipe.send((Kind.REFUSED, _refusal(ErrorCode.STACK_OVERFLOW, "is nested too deeply")))
    except MemoryError:
        code = ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT
        pipe.send((Kind.REFUSED, _refusal(code, "needs too much memory")))
    except Exception:
        pipe.send((Kind.BROKEN, traceback.format_exc()))


def _refusal(code: ErrorCode, what: str) -> QueryServiceError:
    return QueryServiceError(code, f"the statement {what} to be analysed")


def _load(operation: str) -> tuple[str, Callable[..., object]]:
    name, _, target = operation.partition("=")
    module, _, function = target.partition(":")
    return name, getattr(importlib.import_module(module), function)


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES_MAX, _FILES_MAX))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_processor(seconds: float) -> None:
    """The kernel's own limit, should the API's time-out not come: a soft one, moved each time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


if __name__ == "__main__":
    # By its own name, or what it pickles would be of a module that the API does not know.
    from querysvc.service import gate_process

    gate_process.main(sys.argv[1:])
