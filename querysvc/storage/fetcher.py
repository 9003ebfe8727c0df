"""The storage gateway: one trusted process per node that holds the S3 credentials (ADR-0002).

`Fetcher` is the service's handle of it. Per running query it hands out a socket and a window of
shared memory, to be passed to that query's worker, which reads through `RangeClient`.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # control messages are JSON of our own making

import orjson

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import ResourceLimits, StoredObject
from querysvc.storage.configuration import BucketAccess, StorageConfiguration

_REPLY_TIMEOUT_SECONDS = 60.0
_LENGTH_BYTES = 4
_DESCRIPTORS = 2
"""Of an attachment: the connection and the window."""
_ALLOCATOR = {
    # glibc gives buffers of some megabytes back at once and faults them in anew, page by page: that
    # cost more than the copying (207 MB from loopback S3: 200 ms without these, 130 ms with).
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


@dataclass(frozen=True, slots=True)
class FetchAccounting:
    """What one query was given: bytes on the wire, bytes of the node's cache, requests."""

    fetched_bytes: int = 0
    cached_bytes: int = 0
    requests: int = 0
    retries: int = 0
    misses: int = 0
    """Ranges that no prefetch had announced."""

    @property
    def scanned_bytes(self) -> int:
        """All bytes of data objects that the query read."""
        return self.fetched_bytes + self.cached_bytes


@dataclass(frozen=True, slots=True)
class Attachment:
    """A query's way to its bytes; pass both to the worker, then `close` this side's copies."""

    query_id: str
    connection: socket.socket
    window_descriptor: int

    def close(self) -> None:
        """Close this process's copies of both descriptors."""
        self.connection.close()
        os.close(self.window_descriptor)


class Fetcher:
    """Starts, watches and speaks to the storage gateway. Thread-safe.

    A gateway that died is started anew by the next `attach`; the queries that it served fail with
    STORAGE_UNAVAILABLE, as their connections ended.
    """

    def __init__(self, configuration: StorageConfiguration) -> None:
        self._configuration = configuration
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def process_id(self) -> int | None:
        """The gateway's process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the gateway, unless it runs."""
        with self._lock:
            self._ensure()

    def attach(
        self,
        query_id: str,
        objects: Sequence[StoredObject],
        limits: ResourceLimits,
        *,
        buckets: Mapping[str, BucketAccess] | None = None,
    ) -> Attachment:
        """Open a query's plan: its worker may read these objects, by their index, and no others."""
        request = {
            "operation": "attach",
            "query_id": query_id,
            "objects": [(o.bucket, o.key, o.size, o.etag, o.version_id) for o in objects],
            "window_bytes": limits.fetch_window_bytes,
            "scanned_bytes_max": limits.scanned_bytes_max,
            "buckets": {name: dataclasses.asdict(one) for name, one in (buckets or {}).items()},
        }
        with self._lock:
            self._ensure()
            _, descriptors = self._ask(request)
        if len(descriptors) != _DESCRIPTORS:
            # The kernel drops what a process without room for more descriptors is sent.
            for descriptor in descriptors:
                os.close(descriptor)
            self.detach(query_id)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        connection, window = descriptors
        return Attachment(query_id, socket.socket(fileno=connection), window)

    def accounting(self, query_id: str) -> FetchAccounting:
        """Tell what a running query was given so far."""
        return self._account("accounting", query_id)

    def cancel(self, query_id: str) -> None:
        """Drop the query's requests in flight at once; its worker's reads fail."""
        self._account("cancel", query_id)

    def detach(self, query_id: str) -> FetchAccounting:
        """Close the query's plan and tell what it was given; a second call tells zeros."""
        return self._account("detach", query_id)

    def close(self) -> None:
        """End the gateway and with it every query's reads."""
        with self._lock:
            control, self._control = self._control, None
            process, self._process = self._process, None
            if control is not None:
                control.close()  # the gateway ends when its control connection does
        if process is not None:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _account(self, operation: str, query_id: str) -> FetchAccounting:
        with self._lock:
            if self.process_id is None or self._control is None:
                return FetchAccounting()
            reply, _ = self._ask({"operation": operation, "query_id": query_id})
        counts = reply.get("counts")
        return FetchAccounting(**counts) if counts else FetchAccounting()

    def _ensure(self) -> None:
        if self.process_id is not None:
            return
        if self._control is not None:
            self._control.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own module, no outside input
                [sys.executable, "-m", "querysvc.storage.fetcher_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **_ALLOCATOR},
                stdin=subprocess.DEVNULL,
                # A terminal's Ctrl-C is for the service, which ends the gateway in its own order.
                start_new_session=True,
            )
        ours.settimeout(_REPLY_TIMEOUT_SECONDS)
        self._control = ours
        # The secrets travel here: never in the environment or the arguments, which /proc shows.
        self._ask({"operation": "start", "configuration": dataclasses.asdict(self._configuration)})

    def _abandon(self) -> None:
        """Give up a gateway that does not answer; the next `attach` starts another."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _ask(self, request: object) -> tuple[dict[str, Any], list[int]]:
        control = self._control
        assert control is not None
        try:
            send_message(control, orjson.dumps(request))
            reply, descriptors = receive_message(control, descriptors_max=_DESCRIPTORS)
        except (OSError, EOFError) as error:
            # After a late answer nothing on this connection would be an answer to its question.
            self._abandon()
            raise QueryServiceError(
                ErrorCode.STORAGE_UNAVAILABLE, f"the storage gateway is gone ({error})"
            ) from error
        told: dict[str, Any] = orjson.loads(reply)
        if "error" in told:
            raise QueryServiceError(ErrorCode.GENERIC_INTERNAL_ERROR, told["error"])
        return told, descriptors


def send_message(connection: socket.socket, body: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send one framed control message; the descriptors ride on its length."""
    length = len(body).to_bytes(_LENGTH_BYTES, "little")
    if descriptors:
        socket.send_fds(connection, [length], list(descriptors))
    else:
        connection.sendall(length)
    connection.sendall(body)


def receive_message(
    connection: socket.socket, *, descriptors_max: int = 0
) -> tuple[bytes, list[int]]:
    """Receive one framed control message with its descriptors; EOFError when the peer is gone."""
    data, descriptors, _, _ = socket.recv_fds(connection, _LENGTH_BYTES, descriptors_max)
    length = data + _receive_exactly(connection, _LENGTH_BYTES - len(data))
    body = _receive_exactly(connection, int.from_bytes(length, "little"))
    return body, list(descriptors)


def _receive_exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(min(length - len(data), 1 << 20))
        if not piece:
            raise EOFError("end of the control connection")
        data += piece
    return bytes(data)
