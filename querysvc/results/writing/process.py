"""A process that turns one write's spooled batches into files (started by encoder.py).

service ──► process   the job, pickled; then one byte for each file that it has taken away
process ──► service   JSON: {"file": …} for each finished file, at last {"rows": n} or {"error": …}

It holds no credentials. It waits when files lie untaken, so that few are on disk at a time.
"""

from __future__ import annotations

import dataclasses
import socket
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any, Final  # the pipe's messages

import orjson
import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.results.writing.files import FileSet, WriteJob, WrittenFile
from querysvc.results.writing.iceberg import IcebergFileSet

_UNTAKEN_MAX: Final = 8


class _Report:
    """Tells of finished files, and waits while too many lie untaken."""

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self._pipe = pipe
        self._untaken = 0

    def finished(self, file: WrittenFile) -> None:
        self._pipe.send_bytes(orjson.dumps({"file": dataclasses.asdict(file)}))
        self._untaken += 1
        while self._untaken >= _UNTAKEN_MAX or self._pipe.poll():
            self._pipe.recv_bytes()
            self._untaken -= 1


def main(arguments: list[str]) -> None:
    """Do the one job that the pipe brings."""
    pipe: Connection[Any, Any] = Connection(socket.socket(fileno=int(arguments[0])).detach())
    try:
        job = pipe.recv()
    except EOFError:
        return
    pipe.send_bytes(orjson.dumps(_done(job, pipe)))


def _done(job: WriteJob, pipe: Connection[Any, Any]) -> dict[str, Any]:
    try:
        return {"rows": _write(job, _Report(pipe))}
    except QueryServiceError as error:
        return {"error": [error.code.name, error.message]}
    except OSError as error:
        return {"error": [ErrorCode.HIVE_WRITER_DATA_ERROR.name, f"a file cannot be made: {error}"]}
    except Exception:
        return {"traceback": traceback.format_exc()}


def _write(job: WriteJob, report: _Report) -> int:
    kind = FileSet if job.layout.iceberg is None else IcebergFileSet
    files = kind(job, report.finished)
    rows = 0
    with pa.OSFile(str(job.spool), "rb") as source, pa.ipc.open_stream(source) as batches:
        for batch in batches:
            rows += files.write(batch)
    files.close()
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
