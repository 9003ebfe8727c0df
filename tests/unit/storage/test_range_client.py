"""What the worker's end of planned reads says to the gateway, and when."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from querysvc.storage import protocol, range_client
from querysvc.storage.protocol import Kind, Segment
from querysvc.storage.range_client import RangeClient

OBJECTS = 3
SIZE = 1000


class Gateway:
    """The other end of the socket, moved by hand."""

    def __init__(self, connection: socket.socket, window: int) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._window = window

    def next_segments(self) -> tuple[Kind, list[Segment]]:
        kind, length = protocol.HEADER.unpack(self._stream.read(protocol.HEADER.size))
        return Kind(kind), list(protocol.decode_segments(self._stream.read(length)))

    def deliver(self, segments: list[Segment]) -> None:
        """Each object's bytes are its number; all arrive with one message."""
        positions = b""
        for segment in segments:
            at = segment.object_index * SIZE + segment.offset
            os.pwrite(self._window, bytes([segment.object_index]) * segment.length, at)
            positions += protocol.POSITION.pack(segment.id, at)
        self._connection.sendall(protocol.message(Kind.READY, positions))

    def unheard(self) -> list[Kind]:
        """The kinds of what a client that was closed had said and nobody took."""
        kinds = []
        while header := self._stream.read(protocol.HEADER.size):
            kind, length = protocol.HEADER.unpack(header)
            self._stream.read(length)
            kinds.append(Kind(kind))
        return kinds

    def close(self) -> None:
        self._stream.close()
        self._connection.close()


@pytest.fixture
def pair() -> Iterator[tuple[RangeClient, Gateway]]:
    ours, theirs = socket.socketpair()
    window = os.memfd_create("window")
    os.ftruncate(window, OBJECTS * SIZE)
    hello = {
        "window_bytes": OBJECTS * SIZE,
        "segment_bytes": SIZE,
        "coalesce_gap_bytes": 0,
        "sizes": [SIZE] * OBJECTS,
        "identities": [str(n) for n in range(OBJECTS)],
    }
    ours.sendall(protocol.message(Kind.HELLO, json.dumps(hello).encode()))
    client = RangeClient(theirs, window)
    gateway = Gateway(ours, window)
    yield client, gateway
    client.close()
    gateway.close()
    os.close(window)


def test_announced_footers_that_arrive_are_not_demanded_as_well(
    pair: tuple[RangeClient, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_client, "_PATIENCE_SECONDS", 30)
    client, gateway = pair
    client.prefetch([(n, 0, SIZE) for n in range(OBJECTS)], is_kept=True)
    kind, segments = gateway.next_segments()
    assert (kind, len(segments)) == (Kind.PREFETCH, OBJECTS)
    with ThreadPoolExecutor(OBJECTS) as pool:
        reads = [pool.submit(client.read, n, 0, SIZE) for n in range(OBJECTS)]
        while not all(segment.arrival for segment in client._segments.values()):
            time.sleep(0.001)  # until all readers wait
        gateway.deliver(segments)
        assert [read.result(10) for read in reads] == [bytes([n]) * SIZE for n in range(OBJECTS)]
    client.close()
    assert gateway.unheard() == []


def test_announced_footer_that_does_not_come_is_demanded_in_the_end(
    pair: tuple[RangeClient, Gateway],
) -> None:
    client, gateway = pair
    client.prefetch([(2, 0, SIZE)], is_kept=True)
    assert gateway.next_segments()[0] == Kind.PREFETCH
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(client.read, 2, 0, SIZE)
        kind, segments = gateway.next_segments()
        assert (kind, [one.object_index for one in segments]) == (Kind.DEMAND, [2])
        gateway.deliver(segments)
        assert read.result(10) == bytes([2]) * SIZE


def test_announced_data_that_is_read_before_its_turn_is_demanded_at_once(
    pair: tuple[RangeClient, Gateway],
) -> None:
    client, gateway = pair
    client.prefetch([(n, 0, SIZE) for n in range(OBJECTS)])
    assert gateway.next_segments()[0] == Kind.PREFETCH
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(client.read, 2, 0, SIZE)
        kind, segments = gateway.next_segments()
        assert (kind, [one.object_index for one in segments]) == (Kind.DEMAND, [2])
        gateway.deliver(segments)
        assert read.result(10) == bytes([2]) * SIZE
