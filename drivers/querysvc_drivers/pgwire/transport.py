"""The socket's side: bytes from and to asyncio, TLS, and the end of a client that is gone."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from querysvc_drivers.pgwire.messages import Decoder, FirstPacket, Message, ProtocolError

_QUEUED_BYTES_MAX: Final = 4 << 20
"""Bytes of messages that may wait; the client is not read from above it."""
_WRITE_BUFFER_BYTES: Final = 1 << 20
_JOINED_BYTES_MAX: Final = 64 << 10
"""Small messages are joined up to this before they are written."""


class ClientGoneError(Exception):
    """The client has left."""


class Transport(asyncio.Protocol):
    """One connection: `serve` runs as a task and is cancelled when the client leaves."""

    def __init__(
        self,
        serve: Callable[[Transport], Coroutine[Any, Any, None]],
        decoder: Decoder,
    ) -> None:
        self._serve = serve
        self._decoder = decoder
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._messages: deque[tuple[Message, int]] = deque()
        self._queued_bytes = 0
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_started = False
        self._is_gone = False
        self._is_paused = False
        self._broken: ProtocolError | None = None
        self._pending = bytearray()
        self.is_tls = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The listener has accepted a client."""
        # uvloop's transports have asyncio's methods and not its class.
        tcp = cast("asyncio.Transport", transport)
        tcp.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._transport = tcp
        self._task = asyncio.get_running_loop().create_task(self._serve(self))

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._decoder.feed(data)
        if self._is_started:
            self._decode()
        self._arrived.set()

    def eof_received(self) -> None:
        """The client sends no more: it is gone."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._is_gone = True
        self._arrived.set()
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client reads slower than rows are made."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()

    @property
    def peer(self) -> str:
        """The client's address."""
        assert self._transport is not None, "there is a connection"
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if name else ""

    async def first_packet(self) -> FirstPacket:
        """The next untagged packet."""
        while True:
            packet = self._decoder.first_packet()
            if packet is not None:
                return packet
            await self._more()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Answer that TLS is spoken here, and speak it from now on."""
        transport = self._transport
        assert transport is not None, "there is a connection"
        self._pause()
        if self._decoder.size:
            # Somebody between may have put it there: it must not count as sent under TLS.
            raise ProtocolError("received unencrypted data after SSL request")
        transport.write(b"S")
        loop = asyncio.get_running_loop()
        try:
            encrypted = await loop.start_tls(transport, self, context, server_side=True)
        except (OSError, ssl.SSLError):
            raise ClientGoneError from None
        if encrypted is None:
            raise ClientGoneError
        encrypted.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._transport = encrypted
        self._is_paused = False
        self.is_tls = True

    def start_messages(self) -> None:
        """What comes from now on are messages with a type."""
        self._is_started = True
        self._decode()

    def set_message_limit(self, bytes_max: int) -> None:
        """How large a message may be from now on."""
        self._decoder.message_bytes_max = bytes_max

    async def message(self) -> Message:
        """The next message; ProtocolError when there is none to be read any more."""
        while not self._messages:
            if self._broken is not None:
                raise self._broken
            await self._more()
        message, size = self._messages.popleft()
        self._queued_bytes -= size
        if self._is_paused and self._queued_bytes <= _QUEUED_BYTES_MAX:
            self._is_paused = False
            assert self._transport is not None, "there is a connection"
            self._transport.resume_reading()
        return message

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes, with those of later calls up to `flush` or `drain`."""
        if self._is_gone:
            raise ClientGoneError
        if len(data) < _JOINED_BYTES_MAX:
            self._pending += data
            if len(self._pending) >= _JOINED_BYTES_MAX:
                self.flush()
        else:
            self.flush()
            assert self._transport is not None, "there is a connection"
            self._transport.write(data)

    def flush(self) -> None:
        """Send what was written."""
        if self._pending and self._transport is not None:
            self._transport.write(bytes(self._pending))
            self._pending.clear()

    async def drain(self) -> None:
        """Wait until a slow client has read most of what it was sent."""
        if not self._writable.is_set():
            await self._writable.wait()
        if self._is_gone:
            raise ClientGoneError

    def close(self) -> None:
        """Send what is left and end the connection."""
        if not self._is_gone:
            self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    async def ended(self) -> None:
        """Wait for the end of what serves the connection."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _more(self) -> None:
        self._arrived.clear()
        if self._is_gone:
            raise ClientGoneError
        await self._arrived.wait()

    def _decode(self) -> None:
        try:
            while self._broken is None:
                before = self._decoder.size
                message = self._decoder.message()
                if message is None:
                    break
                size = before - self._decoder.size
                self._messages.append((message, size))
                self._queued_bytes += size
        except ProtocolError as error:
            self._broken = error
        if self._queued_bytes > _QUEUED_BYTES_MAX:
            self._pause()

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
