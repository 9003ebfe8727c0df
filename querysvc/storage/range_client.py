"""The worker's end of planned reads: announces ranges, waits for them, copies them out.

Neither obstore nor asyncio nor a credential is near: this runs inside the contained worker and
knows a socket and a read-only window of shared memory (ADR-0002).
"""

from __future__ import annotations

import contextlib
import io
import json
import mmap
import socket
import threading
from bisect import bisect_right
from collections.abc import Iterable

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage import protocol
from querysvc.storage.protocol import Kind
from querysvc.storage.segments import Segment, SegmentIndex

_SMALL_READ_BYTES = 256 << 10
_PATIENCE_SECONDS = 0.005
"""Before a footer that was announced is demanded: thousands are read in the order in which they
arrive, and a message for each would only say again what was said."""

Range = tuple[int, int, int]
"""Object index, offset, length."""


class RangeClient:
    """Reads ranges of the plan's objects; safe for any number of threads.

    Objects are named by their index in the plan. What `prefetch` announces arrives in that order
    as far as the window has room, and leaves the window when it was read once. A range that was
    not announced is fetched when it is read, and counted in `misses`.
    """

    def __init__(self, connection: socket.socket, window_descriptor: int) -> None:
        self._socket = connection
        self._socket.setblocking(True)
        self._stream = connection.makefile("rb", buffering=1 << 16)
        kind, payload = self._receive()
        if kind != Kind.HELLO:
            raise _gateway_lost("the storage gateway did not greet")
        hello = json.loads(payload)
        self._sizes: list[int] = hello["sizes"]
        self._identities: list[str] = hello["identities"]
        self._segment_bytes: int = hello["segment_bytes"]
        self._gap_bytes: int = hello["coalesce_gap_bytes"]
        window_segments = hello["window_bytes"] // self._segment_bytes
        # A long read must not demand what then pushes its own first pieces out of a small window.
        self._claim_bytes = self._segment_bytes * max(1, min(8, window_segments // 16))
        self._map = mmap.mmap(
            window_descriptor, hello["window_bytes"], flags=mmap.MAP_SHARED, prot=mmap.PROT_READ
        )
        self._window = memoryview(self._map)
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._segments: dict[int, Segment] = {}
        self._indexes: dict[int, SegmentIndex] = {}
        self._reserved: list[Segment] = []
        """Laid out, and not yet announced."""
        self._next_id = 0
        self._released: list[int] = []
        self._released_bytes = 0
        self._resident: dict[int, Segment] = {}
        """The segments whose bytes are in the window."""
        self._pressing: int | None = None
        """A demanded segment that finds no room in the window, and how much it still lacks."""
        self._pressing_bytes = 0
        self._closed: QueryServiceError | None = None
        self.failure: QueryServiceError | None = None
        """The first error that a read raised: engines wrap it in text of their own."""
        self.misses = 0
        self.planned_bytes = 0
        """Of all segments that were laid out by `reserve` or `prefetch`."""
        self.read_bytes = 0
        self.evictions = 0
        self._receiver = threading.Thread(
            target=self._receive_all, name="range-client", daemon=True
        )
        self._receiver.start()

    def __len__(self) -> int:
        """How many objects the plan has."""
        return len(self._sizes)

    def size(self, object_index: int) -> int:
        """The object's size in bytes, as it was listed."""
        return self._sizes[object_index]

    def identity(self, object_index: int) -> str:
        """A digest of the object's address and ETag: equal digests mean equal bytes."""
        return self._identities[object_index]

    def prefetch(self, ranges: Iterable[Range], *, is_kept: bool = False) -> None:
        """Announce ranges in the order in which they will be read.

        `is_kept` leaves them in the window after they were read (footers), while there is room.
        """
        self.reserve(ranges, is_kept=is_kept)
        with self._lock:
            fresh, self._reserved = self._reserved, []
            # What was read before its turn is on its way, or was here already.
            fresh = [one for one in fresh if one.id in self._segments and not one.is_demanded]
        for at in range(0, len(fresh), protocol.SEGMENTS_PER_MESSAGE):
            batch = fresh[at : at + protocol.SEGMENTS_PER_MESSAGE]
            self._send(protocol.segments_message(Kind.PREFETCH, [_wire(one) for one in batch]))

    def reserve(self, ranges: Iterable[Range], *, is_kept: bool = False) -> None:
        """Lay ranges out as segments and count them in `planned_bytes`; `prefetch` starts them.

        So an estimate counts what a run would fetch: joined neighbours with the gaps between them,
        and nothing twice.
        """
        fresh: list[Segment] = []
        with self._lock:
            for object_index, offset, length in ranges:
                end = min(offset + length, self._sizes[object_index])
                index = self._indexes.setdefault(object_index, SegmentIndex())
                for start, stop, segment in list(index.cover(offset, end)):
                    if segment is not None:
                        segment.mark_read(start, stop)
                        segment.unread.append((start, stop))
                        segment.is_kept |= is_kept
                        continue
                    self._announce(fresh, object_index, start, stop, is_kept=is_kept)
            self._reserved += fresh
            self.planned_bytes += sum(one.end - one.offset for one in fresh)

    def read(self, object_index: int, offset: int, length: int) -> bytes:
        """Read up to `length` bytes at `offset`; fewer only at the object's end."""
        if not 0 <= object_index < len(self._sizes) or offset < 0:
            raise _gateway_lost(f"the plan has no object {object_index} at offset {offset}")
        end = min(offset + length, self._sizes[object_index])
        if end <= offset:
            return b""
        try:
            whole = self._read_single(object_index, offset, end)
            return whole if whole is not None else self._read_pieces(object_index, offset, end)
        except QueryServiceError as error:
            if self.failure is None:
                self.failure = error
            raise

    def close(self) -> None:
        """End the connection; readers that wait fail."""
        self._fail_all(_gateway_lost("the reader was closed"))
        with contextlib.suppress(OSError):  # the other end was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._receiver.join(timeout=5)
        self._stream.close()
        self._socket.close()

    # Announcing

    def _announce(
        self, fresh: list[Segment], object_index: int, start: int, stop: int, *, is_kept: bool
    ) -> None:
        """Add [start, stop) to the new segments, joined to the last one if they are neighbours."""
        last = fresh[-1] if fresh else None
        if (
            last is not None
            and last.object_index == object_index
            and last.is_kept == is_kept
            and 0 <= start - last.end <= self._gap_bytes
            and stop - last.offset <= self._segment_bytes
            and self._is_free(object_index, last.end, start)
        ):
            last.end = stop
            last.unread.append((start, stop))
            return
        while start < stop:
            end = min(stop, start + self._segment_bytes)
            fresh.append(self._add(object_index, start, end, is_kept=is_kept))
            start = end

    def _is_free(self, object_index: int, start: int, end: int) -> bool:
        parts = self._indexes[object_index].cover(start, end)
        return all(segment is None for _, _, segment in parts)

    def _add(self, object_index: int, start: int, end: int, *, is_kept: bool = False) -> Segment:
        segment = Segment(self._next_id, object_index, start, end, [(start, end)], is_kept)
        self._next_id += 1
        if self._closed is not None:
            segment.error = self._closed
        self._segments[segment.id] = segment
        self._indexes.setdefault(object_index, SegmentIndex()).add(segment)
        return segment

    # Reading

    def _read_single(self, object_index: int, start: int, end: int) -> bytes | None:
        """Read what lies in one arrived segment; None when it is not so simple."""
        with self._lock:
            index = self._indexes.get(object_index)
            if index is None:
                return None
            at = bisect_right(index.starts, start) - 1
            segment = index.segments[at] if at >= 0 else None
            if segment is None or segment.end < end or segment.position is None:
                return None
            segment.users += 1
            position = segment.position + start - segment.offset
        data = bytes(self._window[position : position + end - start])
        self._finish(segment, start, end)
        return data

    def _read_pieces(self, object_index: int, start: int, end: int) -> bytes:
        """Read across segments, one after the other, so that no reader holds what others need."""
        # CPython's BytesIO hands its buffer out without a copy, and calloc leaves pages untouched.
        target = io.BytesIO(bytes(end - start))
        first = start
        while start < end:
            segment = self._claim(object_index, start, end)
            stop = min(end, segment.end)
            try:
                position = self._await(segment) + start - segment.offset
                if stop - first == end - first and start == first:
                    return bytes(self._window[position : position + stop - start])
                target.write(self._window[position : position + stop - start])
            finally:
                self._finish(segment, start, stop)
            start = stop
        return target.getvalue()

    def _claim(self, object_index: int, start: int, end: int) -> Segment:
        """Find the segment at `start`, and demand it and some of what follows up to `end`."""
        demanded: list[Segment] = []
        claimed: Segment | None = None
        with self._lock:
            index = self._indexes.setdefault(object_index, SegmentIndex())
            for low, high, found in list(index.cover(start, min(end, start + self._claim_bytes))):
                segments = [found] if found else self._miss(object_index, low, high)
                for segment in segments:
                    if not (segment.has_arrived or segment.is_demanded or segment.is_kept):
                        segment.is_demanded = True
                        demanded.append(segment)
                claimed = claimed or segments[0]
            assert claimed is not None
            claimed.users += 1
        if demanded:
            self._send(protocol.segments_message(Kind.DEMAND, [_wire(one) for one in demanded]))
        return claimed

    def _demand(self, segment: Segment) -> None:
        """Ask for one segment now, unless that was done."""
        with self._lock:
            is_due = not (segment.has_arrived or segment.is_demanded)
            segment.is_demanded |= is_due
        if is_due:
            self._send(protocol.segments_message(Kind.DEMAND, [_wire(segment)]))

    def _miss(self, object_index: int, start: int, end: int) -> list[Segment]:
        """Make segments for what nobody announced; small reads in sequence read on ahead.

        (A gzip stream is read 32 KiB at a time: a round trip each would take minutes.)
        """
        index = self._indexes[object_index]
        if start == index.missed_end and end - start <= _SMALL_READ_BYTES:
            index.read_ahead = min(max(2 * index.read_ahead, end - start), self._segment_bytes)
            limit = min(start + index.read_ahead, self._sizes[object_index])
            _, free, held = next(iter(index.cover(start, limit)))
            end = max(end, free) if held is None else end
        else:
            index.read_ahead = 0
        index.missed_end = end
        step = self._segment_bytes
        segments = [
            self._add(object_index, low, min(low + step, end)) for low in range(start, end, step)
        ]
        self.misses += len(segments)
        return segments

    def _await(self, segment: Segment) -> int:
        """Wait until the segment has arrived and return its position."""
        with self._lock:
            if not segment.has_arrived and segment.arrival is None:
                segment.arrival = threading.Event()
            arrival = segment.arrival
        if arrival is not None and not arrival.is_set():
            self._flush_released()
            if not arrival.wait(0 if segment.is_demanded else _PATIENCE_SECONDS):
                self._demand(segment)
                arrival.wait()
        if segment.error is not None:
            # A fresh exception each time: threads would share (and garble) one traceback.
            raise QueryServiceError(segment.error.code, segment.error.message)
        assert segment.position is not None
        return segment.position

    def _finish(self, segment: Segment, start: int, end: int) -> None:
        """The caller has copied [start, end) out: let go what nobody wants any more."""
        with self._lock:
            segment.users -= 1
            self.read_bytes += end - start
            segment.mark_read(start, end)
            if segment.error is not None:
                return
            if not segment.unread and not segment.is_kept and segment.users == 0:
                self._drop(segment)
            self._relieve()
            is_full = self._released_bytes >= self._segment_bytes // 2 or self._pressing is not None
        if is_full:
            self._flush_released()

    # Room in the window

    def _drop(self, segment: Segment) -> None:
        if self._segments.pop(segment.id, None) is None:
            return
        self._resident.pop(segment.id, None)
        self._indexes[segment.object_index].remove(segment)
        self._released.append(segment.id)
        self._released_bytes += segment.end - segment.offset
        self._pressing_bytes -= segment.end - segment.offset

    def _relieve(self) -> None:
        """Drop arrived but unread segments until what presses may fit.

        First those announced before what presses (the engine went past them), oldest first; then
        those that are farthest ahead; kept ones last. A segment in use is never dropped: its
        reader lets it go soon, and comes back here.
        """
        if self._pressing is None:
            return
        bound = self._pressing
        idle = [one for one in self._resident.values() if not one.users]
        idle.sort(key=lambda one: (one.is_kept, one.id > bound, _distance(one.id, bound)))
        for segment in idle:
            if self._pressing_bytes <= 0:
                break
            self.evictions += 1
            self._drop(segment)
        if self._pressing_bytes <= 0:
            # If the room is still too scattered the gateway will press again.
            self._pressing = None

    def _flush_released(self) -> None:
        with self._lock:
            released, self._released, self._released_bytes = self._released, [], 0
        if released:
            self._send(protocol.numbers_message(Kind.RELEASE, released))

    # The socket

    def _send(self, data: bytes) -> None:
        try:
            with self._send_lock:
                self._socket.sendall(data)
        except OSError as error:
            self._fail_all(_gateway_lost(f"the storage gateway is gone ({error})"))

    def _receive(self) -> tuple[int, bytes]:
        header = self._stream.read(protocol.HEADER.size)
        if header is None or len(header) < protocol.HEADER.size:
            raise _gateway_lost("the storage gateway ended the connection")
        kind, length = protocol.HEADER.unpack(header)
        payload = self._stream.read(length)
        if payload is None or len(payload) < length:
            raise _gateway_lost("the storage gateway ended the connection")
        return kind, payload

    def _receive_all(self) -> None:
        """Take messages until the connection ends (the receiver thread)."""
        try:
            while True:
                kind, payload = self._receive()
                if kind == Kind.READY:
                    self._on_ready(payload)
                elif kind == Kind.FAILED:
                    self._on_failed(payload)
                elif kind == Kind.PRESSURE:
                    self._on_pressure(payload)
        except QueryServiceError as error:
            self._fail_all(error)
        except (OSError, ValueError) as error:
            self._fail_all(_gateway_lost(str(error)))

    def _on_ready(self, payload: bytes) -> None:
        must_flush = False
        with self._lock:
            for number, position in protocol.POSITION.iter_unpack(payload):
                self._settle(number)
                segment = self._segments.get(number)
                if segment is None:
                    self._released.append(number)
                    must_flush = True
                    continue
                segment.position = position
                self._resident[number] = segment
                if segment.arrival is not None:
                    segment.arrival.set()
            if self._pressing is not None:
                self._relieve()
                must_flush = True
        if must_flush:
            self._flush_released()

    def _on_failed(self, payload: bytes) -> None:
        number = protocol.NUMBER.unpack_from(payload)[0]
        told = json.loads(payload[protocol.NUMBER.size :])
        with self._lock:
            self._settle(number)
            segment = self._segments.get(number)
            if segment is not None:
                segment.error = QueryServiceError(ErrorCode[told["code"]], told["message"])
                if segment.arrival is not None:
                    segment.arrival.set()

    def _on_pressure(self, payload: bytes) -> None:
        with self._lock:
            number = protocol.NUMBER.unpack(payload)[0]
            segment = self._segments.get(number)
            if segment is not None and not segment.has_arrived:
                self._pressing = number
                self._pressing_bytes = segment.end - segment.offset - self._released_bytes
                self._relieve()
        self._flush_released()

    def _settle(self, number: int) -> None:
        if self._pressing == number:
            self._pressing = None

    def _fail_all(self, error: QueryServiceError) -> None:
        with self._lock:
            if self._closed is None:
                self._closed = error
            for segment in self._segments.values():
                if not segment.has_arrived:
                    segment.error = self._closed
                if segment.arrival is not None:
                    segment.arrival.set()


def _wire(segment: Segment) -> protocol.Segment:
    length = segment.end - segment.offset
    return protocol.Segment(segment.id, segment.object_index, segment.offset, length)


def _distance(number: int, bound: int) -> int:
    return number if number < bound else -number


def _gateway_lost(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.STORAGE_UNAVAILABLE, message)
