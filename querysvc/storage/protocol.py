"""The words between a worker and the fetcher, over one stream socket and one shared window.

    worker  -> fetcher   PREFETCH segments in order · DEMAND segments now · RELEASE ids
    fetcher -> worker    HELLO sizes, limits · READY id, position · FAILED id, error · PRESSURE id

A segment is a range of one object of the plan, named by the worker with a number of its own, and
fetched by one request. The fetcher copies its bytes to a position of the window and tells READY;
the bytes stay until the worker tells RELEASE. DEMAND of a segment that was announced moves it to
the front (the two messages may come in either order). PRESSURE asks the worker to release
something, because a demanded segment finds no room. All integers are little-endian (ADR-0002).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct("<BI")
SEGMENT = struct.Struct("<QIQI")
POSITION = struct.Struct("<QQ")
NUMBER = struct.Struct("<Q")
MESSAGE_BYTES_MAX = 64 << 20
"""No message is longer; a longer one ends the connection."""
SEGMENTS_PER_MESSAGE = 100_000


class Kind(IntEnum):
    """What a message is."""

    HELLO = 1
    READY = 2
    FAILED = 3
    PRESSURE = 4
    PREFETCH = 16
    DEMAND = 17
    RELEASE = 18


class Segment(NamedTuple):
    """A range that one request fetches: the worker's number, object index, offset, length."""

    id: int
    object_index: int
    offset: int
    length: int


def message(kind: Kind, payload: bytes) -> bytes:
    """Frame one message."""
    return HEADER.pack(kind, len(payload)) + payload


def segments_message(kind: Kind, segments: Sequence[Segment]) -> bytes:
    """Frame PREFETCH or DEMAND."""
    return message(kind, b"".join(SEGMENT.pack(*segment) for segment in segments))


def numbers_message(kind: Kind, numbers: Sequence[int]) -> bytes:
    """Frame RELEASE or PRESSURE."""
    return message(kind, struct.pack(f"<{len(numbers)}Q", *numbers))


def decode_segments(payload: bytes) -> Iterable[Segment]:
    """Read the segments of PREFETCH or DEMAND."""
    return map(Segment._make, SEGMENT.iter_unpack(payload))


def decode_numbers(payload: bytes) -> tuple[int, ...]:
    """Read the numbers of RELEASE or PRESSURE."""
    return struct.unpack(f"<{len(payload) // NUMBER.size}Q", payload)
