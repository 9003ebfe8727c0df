"""The wire between the API process and its workers: length-prefixed messages over a socket pair.

Requests (API process → zygote and workers) are pickled values with file descriptors attached.
Reports (workers → API process) are JSON: a worker runs hostile statements, so nothing that it says
is ever unpickled.
"""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any, Final

import orjson

REPORT_BYTES_MAX: Final = 16 << 20
_HEADER: Final = struct.Struct("!I")
_FDS_MAX: Final = 8


class PeerClosedError(Exception):
    """The other end of the socket is gone."""


def send_request(peer: socket.socket, request: object, fds: tuple[int, ...] = ()) -> None:
    """Send one pickled value; the descriptors travel with its first byte."""
    body = pickle.dumps(request, protocol=pickle.HIGHEST_PROTOCOL)
    try:
        if fds:
            socket.send_fds(peer, [_HEADER.pack(len(body))], fds)
            peer.sendall(body)
        else:
            peer.sendall(_HEADER.pack(len(body)) + body)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise PeerClosedError from error


def receive_request(peer: socket.socket) -> tuple[Any, tuple[int, ...]]:
    """Receive one value and its descriptors. Only workers call this: the sender is trusted."""
    try:
        header, fds, _flags, _address = socket.recv_fds(peer, _HEADER.size, _FDS_MAX)
    except ConnectionResetError as error:
        raise PeerClosedError from error
    if not header:
        raise PeerClosedError
    header += _receive_exactly(peer, _HEADER.size - len(header))
    body = _receive_exactly(peer, _HEADER.unpack(header)[0])
    return pickle.loads(body), tuple(fds)  # noqa: S301 - from the API process alone


def send_report(peer: socket.socket, report: dict[str, object]) -> None:
    """Send one report as JSON."""
    body = orjson.dumps(report)
    try:
        peer.sendall(_HEADER.pack(len(body)) + body)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise PeerClosedError from error


class ReportBuffer:
    """Turns the bytes of a worker's socket into reports, bounded and without trust."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:  # Any: JSON, checked by its reader
        """Take bytes and return the reports that they complete."""
        self._pending += data
        reports = []
        while len(self._pending) >= _HEADER.size:
            (size,) = _HEADER.unpack_from(self._pending)
            if size > REPORT_BYTES_MAX:
                raise ValueError(f"a worker's report claims {size} bytes")
            end = _HEADER.size + size
            if len(self._pending) < end:
                break
            report = orjson.loads(bytes(self._pending[_HEADER.size : end]))
            if not isinstance(report, dict):
                raise ValueError("a worker's report is not an object")
            reports.append(report)
            del self._pending[:end]
        return reports


def _receive_exactly(peer: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        try:
            part = peer.recv(min(size - len(parts), 1 << 20))
        except ConnectionResetError as error:
            raise PeerClosedError from error
        if not part:
            raise PeerClosedError
        parts += part
    return bytes(parts)
