"""One query's planned reads inside the fetcher: what comes next, where it goes, what is refused.

The worker is not trusted: it names objects by index, and every number that it sends is checked.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from struct import error as struct_error

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage import protocol
from querysvc.storage.configuration import BucketAccess, StorageConfiguration
from querysvc.storage.object_source import ObjectSource, PlannedObject, RequestCounts
from querysvc.storage.protocol import Kind, Segment
from querysvc.storage.range_cache import RangeCache
from querysvc.storage.window import Window

_SEGMENTS_MAX = 4_000_000
"""Segments that one query may have announced and not released."""
_COPIES_PER_TURN_BYTES = 2 << 20
"""Cached bytes that are copied before the worker hears of them, and other queries get the event
loop."""
_WINDOW_SEGMENTS_MIN = 4
_AHEAD_BYTES_MIN = 16 << 20
_CACHED_AHEAD_BYTES_MIN = 8 << 20
"""The same for bytes of the node's cache, which have no latency: the less of the window is in use,
the fewer pages are made and thrown away (TPC-H warm: 17 ms a query of this process, not 33)."""
_AHEAD_BYTES_PER_SECOND = 2_000_000_000
"""How far to fetch ahead: what a fast link delivers during one request's latency. Room that is used
again is already mapped and in the processor's cache; touching all of a large window first costs
more than loopback S3 itself (measured: 207 MB in 690 ms with 256 MiB ahead, 245 ms with 32)."""
_SEGMENT_BYTES_MIN = 64 << 10


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """What one query may take of the fetcher."""

    window_bytes: int = 256 << 20
    scanned_bytes_max: int | None = None


@dataclass(slots=True)
class _Fetch:
    """A segment's life: queued, then with a position and a task, then with `is_ready`."""

    segment: Segment
    is_demanded: bool
    position: int | None = None
    task: asyncio.Task[None] | None = None
    is_ready: bool = False


@dataclass(slots=True)
class FeedCounts:
    """What a query was given so far."""

    fetched_bytes: int = 0
    cached_bytes: int = 0
    misses: int = 0
    s3: RequestCounts = field(default_factory=RequestCounts)


class ProtocolError(Exception):
    """The worker sent what no worker of ours sends; its connection ends."""


class QueryFeed:
    """Serves one worker; lives on the fetcher's event loop."""

    def __init__(
        self,
        objects: Sequence[PlannedObject],
        buckets: dict[str, BucketAccess],
        limits: FeedLimits,
        *,
        configuration: StorageConfiguration,
        source: ObjectSource,
        cache: RangeCache,
    ) -> None:
        self._objects = objects
        self._buckets = buckets
        self._limits = limits
        self._configuration = configuration
        self._source = source
        self._cache = cache
        self._labels: dict[str, str] = {}
        """Endpoints by bucket, as the cache names them."""
        self._segment_bytes = max(
            _SEGMENT_BYTES_MIN,
            min(configuration.segment_bytes, limits.window_bytes // _WINDOW_SEGMENTS_MIN),
        )
        window_bytes = max(limits.window_bytes, self._segment_bytes * _WINDOW_SEGMENTS_MIN)
        self.window = Window(window_bytes)
        self.counts = FeedCounts()
        self._started_bytes = 0
        self._fetches: dict[int, _Fetch] = {}
        self._demands: deque[_Fetch] = deque()
        self._announced: deque[_Fetch] = deque()
        self._running = 0
        self._taken_bytes = 0
        self._ahead_bytes = _AHEAD_BYTES_MIN
        self._cached_ahead_bytes = _CACHED_AHEAD_BYTES_MIN
        self._latency_seconds = float("inf")
        self._is_pump_due = False
        self._is_closed = False
        self._pressed: tuple[int, int] | None = None
        """The demand that was told to be without room, and how many releases came before."""
        self._releases = 0
        self._ready: list[bytes] = []
        """Positions of what arrived, and other messages, until the event loop's turn ends."""
        self._untold: list[bytes] = []
        self._writer: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None

    def start(self, connection: socket.socket) -> None:
        """Begin to serve the worker at the other end of `connection`."""
        self._serving = asyncio.get_running_loop().create_task(self._serve(connection))

    async def close(self) -> None:
        """Drop every request in flight, end the connection, give the memory back."""
        if self._is_closed:
            return
        self._is_closed = True
        tasks = [one.task for one in self._fetches.values() if one.task is not None]
        if self._serving is not None:
            tasks.append(self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fetches.clear()
        if self._writer is not None:
            self._writer.transport.abort()
        self.window.close()

    # Messages

    async def _serve(self, connection: socket.socket) -> None:
        reader, self._writer = await asyncio.open_unix_connection(sock=connection, limit=1 << 20)
        self._writer.write(protocol.message(Kind.HELLO, self._hello()))
        try:
            while True:
                header = await reader.readexactly(protocol.HEADER.size)
                kind, length = protocol.HEADER.unpack(header)
                if length > protocol.MESSAGE_BYTES_MAX:
                    raise ProtocolError(f"a message of {length} bytes")
                self._take(kind, await reader.readexactly(length))
                # A worker that does not read what it asked for waits for itself, nobody else.
                await self._writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ProtocolError):
            pass  # the worker is gone, or does not deserve an answer
        finally:
            # Whatever ended this, a reader that waits must not wait for ever.
            for fetch in self._fetches.values():
                if fetch.task is not None:
                    fetch.task.cancel()
            self._demands.clear()
            self._announced.clear()
            self._writer.transport.abort()

    def _hello(self) -> bytes:
        return json.dumps(
            {
                "window_bytes": self.window.size,
                "segment_bytes": self._segment_bytes,
                "coalesce_gap_bytes": self._configuration.coalesce_gap_bytes,
                "sizes": [one.size for one in self._objects],
                "identities": [self._identity(one) for one in self._objects],
            }
        ).encode()

    def _identity(self, target: PlannedObject) -> str:
        return blake2b(repr(self._cache_key(target)).encode(), digest_size=16).hexdigest()

    def _take(self, kind: int, payload: bytes) -> None:
        try:
            if kind == Kind.PREFETCH:
                for segment in protocol.decode_segments(payload):
                    self._announce(segment)
            elif kind == Kind.DEMAND:
                for segment in protocol.decode_segments(payload):
                    self._demand(segment)
            elif kind == Kind.RELEASE:
                for number in protocol.decode_numbers(payload):
                    self._release(number)
            else:
                raise ProtocolError(f"a message of kind {kind}")
        except struct_error as error:
            raise ProtocolError(str(error)) from error
        self._pump()

    def _announce(self, segment: Segment) -> None:
        if segment.id not in self._fetches:
            self._announced.append(self._accept(segment, is_demanded=False))

    def _demand(self, segment: Segment) -> None:
        fetch = self._fetches.get(segment.id)
        if fetch is None:
            self.counts.misses += 1
            self._demands.append(self._accept(segment, is_demanded=True))
        elif not fetch.is_demanded and fetch.position is None:
            fetch.is_demanded = True  # the queue of announced ones passes over it
            self._demands.append(fetch)
            if self._is_pump_due:  # only its turn has not come yet
                return
            # A reader waits for what was not even begun: what lies in the window is not wanted yet.
            self._ahead_bytes = min(self._ahead_bytes * 2, self.window.size)
            self._cached_ahead_bytes = min(self._cached_ahead_bytes * 2, self.window.size)

    def _accept(self, segment: Segment, *, is_demanded: bool) -> _Fetch:
        if segment.object_index >= len(self._objects):
            raise ProtocolError(f"object {segment.object_index} is not in the plan")
        size = self._objects[segment.object_index].size
        if not 0 < segment.length <= self._segment_bytes or segment.offset + segment.length > size:
            raise ProtocolError(f"{segment.length} bytes at {segment.offset} of {size}")
        if len(self._fetches) >= _SEGMENTS_MAX:
            raise ProtocolError("too many segments")
        fetch = _Fetch(segment, is_demanded)
        self._fetches[segment.id] = fetch
        return fetch

    def _release(self, number: int) -> None:
        fetch = self._fetches.get(number)
        if fetch is None or not fetch.is_ready or fetch.position is None:
            raise ProtocolError(f"segment {number} was not given")
        del self._fetches[number]
        self._give_back(fetch)
        self._releases += 1

    # Fetching

    def _pump(self) -> None:
        """Start what may start: demands first, then what was announced, in order."""
        self._is_pump_due = False
        copied = 0
        while not self._is_closed and copied < _COPIES_PER_TURN_BYTES:
            fetch = self._next()
            if fetch is None:
                return
            if self._is_over_cutoff():
                self._discard(fetch, self._cutoff_error())
                continue
            length = fetch.segment.length
            pieces = self._cached(fetch.segment)
            ahead = self._ahead_bytes if pieces is None else self._cached_ahead_bytes
            if fetch.is_demanded or self._taken_bytes + length <= ahead:
                fetch.position = self.window.allocate(length)
            if fetch.position is None:
                self._put_back(fetch)
                return
            self._taken_bytes += length
            self._started_bytes += length
            if pieces is not None:
                self.counts.cached_bytes += length
                self._deliver(fetch, pieces)
                copied += length
                continue
            self._running += 1
            fetch.task = asyncio.get_running_loop().create_task(self._fetch(fetch))
        self._pump_soon()

    def _pump_soon(self) -> None:
        if not self._is_pump_due:
            self._is_pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _next(self) -> _Fetch | None:
        if self._demands:
            return self._demands.popleft()
        if self._running >= self._configuration.query_request_concurrency:
            return None
        while self._announced:
            fetch = self._announced.popleft()
            if not fetch.is_demanded:
                return fetch
        return None

    def _put_back(self, fetch: _Fetch) -> None:
        """There is no room: wait for a release, and ask for one if a reader waits."""
        if not fetch.is_demanded:
            self._announced.appendleft(fetch)
            return
        self._demands.appendleft(fetch)
        state = (fetch.segment.id, self._releases)
        if self._pressed != state:
            self._pressed = state
            self._tell(protocol.numbers_message(Kind.PRESSURE, [fetch.segment.id]))

    def _cached(self, segment: Segment) -> list[memoryview] | None:
        """The segment's bytes out of the node's cache, if they are all there."""
        key = self._cache_key(self._objects[segment.object_index])
        return self._cache.get(key, segment.offset, segment.offset + segment.length)

    async def _fetch(self, fetch: _Fetch) -> None:
        segment = fetch.segment
        target = self._objects[segment.object_index]
        access = self._buckets.get(target.bucket, BucketAccess())
        started = time.monotonic()
        try:
            data = await self._source.fetch(
                target, segment.offset, segment.length, access, self.counts.s3
            )
        except QueryServiceError as error:
            self._discard(fetch, error)
        except Exception as error:  # the outermost edge of this task: a reader waits for an answer
            self._discard(
                fetch,
                QueryServiceError(ErrorCode.GENERIC_INTERNAL_ERROR, f"{target.address}: {error!r}"),
            )
        else:
            self.counts.fetched_bytes += segment.length
            self._fetch_ahead(time.monotonic() - started)
            self._cache.put(self._cache_key(target), segment.offset, data)
            self._deliver(fetch, [data])
        finally:
            self._running -= 1
            fetch.task = None
        self._pump_soon()

    def _deliver(self, fetch: _Fetch, pieces: Sequence[memoryview]) -> None:
        assert fetch.position is not None
        at = fetch.position
        for piece in pieces:
            self.window.view[at : at + len(piece)] = piece
            at += len(piece)
        fetch.is_ready = True
        self._tell_soon()
        self._ready.append(protocol.POSITION.pack(fetch.segment.id, fetch.position))

    def _discard(self, fetch: _Fetch, error: QueryServiceError) -> None:
        self._fetches.pop(fetch.segment.id, None)
        if fetch.position is not None:
            self._give_back(fetch)
        told = json.dumps({"code": error.code.name, "message": error.message}).encode()
        number = protocol.NUMBER.pack(fetch.segment.id)
        self._tell(protocol.message(Kind.FAILED, number + told))

    def _give_back(self, fetch: _Fetch) -> None:
        assert fetch.position is not None
        self.window.release(fetch.position, fetch.segment.length)
        self._taken_bytes -= fetch.segment.length

    def _fetch_ahead(self, latency_seconds: float) -> None:
        """Look as far ahead as the shortest latency asks for: longer ones are our own queue."""
        self._latency_seconds = min(self._latency_seconds, latency_seconds)
        wanted = int(self._latency_seconds * _AHEAD_BYTES_PER_SECOND)
        self._ahead_bytes = max(self._ahead_bytes, min(wanted, self.window.size))

    def _tell(self, data: bytes) -> None:
        self._tell_soon()
        self._untold.append(data)

    def _tell_soon(self) -> None:
        if not self._ready and not self._untold:
            asyncio.get_running_loop().call_soon(self._tell_all)

    def _tell_all(self) -> None:
        """Tell what this turn of the event loop brought: a small object is hardly worth a send.

        What arrived goes first: a word about a segment's lack of room is then out of date.
        """
        ready, self._ready = b"".join(self._ready), []
        untold, self._untold = self._untold, []
        if ready:
            untold.insert(0, protocol.message(Kind.READY, ready))
        if self._writer is not None and not self._is_closed:
            self._writer.write(b"".join(untold))

    def _is_over_cutoff(self) -> bool:
        limit = self._limits.scanned_bytes_max
        return limit is not None and self._started_bytes >= limit

    def _cutoff_error(self) -> QueryServiceError:
        return QueryServiceError(
            ErrorCode.EXCEEDED_SCAN_LIMIT,
            f"the query reached its limit of {self._limits.scanned_bytes_max} scanned bytes; "
            "read fewer partitions or columns, or raise the work group's limit",
        )

    def _cache_key(self, target: PlannedObject) -> tuple[str, ...]:
        label = self._labels.get(target.bucket)
        if label is None:
            access = self._buckets.get(target.bucket, BucketAccess())
            label = self._configuration.endpoint(target.bucket, access.region).label
            self._labels[target.bucket] = label
        etag = target.etag.strip('"')
        return (
            label,
            target.bucket,
            target.key,
            etag,
            target.version_id or "",
            str(target.size),
        )
