"""A storage gateway over local bytes: speaks the workers' protocol, and can stall or fail.

The window is as large as all objects together (a sparse memfd), so each segment has its place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from querysvc.plan import ResourceLimits, StoredObject
from querysvc.storage import protocol
from querysvc.storage.fetcher import Attachment, FetchAccounting
from querysvc.storage.protocol import Kind


@dataclass
class LocalGateway:
    """Serves objects by their key; `stalled` holds all answers back while it is set."""

    objects: Mapping[str, bytes] = field(default_factory=dict)
    stalled: threading.Event = field(default_factory=threading.Event)
    _queries: dict[str, _Query] = field(default_factory=dict)

    def attach(
        self, query_id: str, objects: Sequence[StoredObject], limits: ResourceLimits
    ) -> Attachment:
        ours, theirs = socket.socketpair()
        window = os.memfd_create("window", os.MFD_CLOEXEC)
        query = _Query(self, ours, window, [(o, self.objects[o.key]) for o in objects])
        self._queries[query_id] = query
        query.thread.start()
        return Attachment(query_id, theirs, os.dup(window))

    def cancel(self, query_id: str) -> None:
        query = self._queries.get(query_id)
        if query is not None:
            query.stop()

    def detach(self, query_id: str) -> FetchAccounting:
        query = self._queries.pop(query_id, None)
        if query is None:
            return FetchAccounting()
        query.stop()
        query.thread.join(timeout=5)
        return FetchAccounting(fetched_bytes=query.served_bytes)


class _Query:
    def __init__(
        self,
        gateway: LocalGateway,
        connection: socket.socket,
        window: int,
        objects: list[tuple[StoredObject, bytes]],
    ) -> None:
        self._gateway = gateway
        self._connection = connection
        self._window = window
        self._objects = objects
        self._bases: list[int] = []
        self._stopped = threading.Event()
        self._sent: set[int] = set()
        self.served_bytes = 0
        total = 0
        for stored, _data in objects:
            self._bases.append(total)
            total += stored.size
        self._total = max(total, 1)
        os.ftruncate(window, self._total)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def stop(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        try:
            self._greet()
            with self._connection.makefile("rb") as stream:
                while header := stream.read(protocol.HEADER.size):
                    kind, length = protocol.HEADER.unpack(header)
                    payload = stream.read(length)
                    if kind in (Kind.PREFETCH, Kind.DEMAND):
                        for segment in protocol.decode_segments(payload):
                            self._answer(segment)
        except OSError:
            pass
        finally:
            self._connection.close()
            os.close(self._window)

    def _greet(self) -> None:
        hello = {
            "sizes": [stored.size for stored, _data in self._objects],
            "identities": [
                hashlib.md5(f"{o.address}{o.etag}".encode()).hexdigest()
                for o, _data in self._objects
            ],
            "segment_bytes": 4 << 20,
            "coalesce_gap_bytes": 64 << 10,
            "window_bytes": self._total,
        }
        self._connection.sendall(protocol.message(Kind.HELLO, json.dumps(hello).encode()))

    def _answer(self, segment: protocol.Segment) -> None:
        while self._gateway.stalled.is_set() and not self._stopped.wait(0.01):
            pass
        if segment.id in self._sent:
            return
        self._sent.add(segment.id)
        position = self._bases[segment.object_index] + segment.offset
        data = self._objects[segment.object_index][1]
        piece = data[segment.offset : segment.offset + segment.length]
        os.pwrite(self._window, piece, position)
        self.served_bytes += len(piece)
        self._connection.sendall(
            protocol.message(Kind.READY, protocol.POSITION.pack(segment.id, position))
        )
