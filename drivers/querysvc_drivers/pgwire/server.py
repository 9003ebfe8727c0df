"""Listens for PostgreSQL clients, and knows their connections."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from pathlib import Path
from typing import Final

import structlog

from querysvc_drivers.pgwire.connection import Connection, PgServices
from querysvc_drivers.pgwire.errors import TOO_MANY_CONNECTIONS, WireError, error_message
from querysvc_drivers.pgwire.messages import Decoder
from querysvc_drivers.pgwire.scram import end_point_binding
from querysvc_drivers.pgwire.transport import ClientGoneError, Transport

_log = structlog.get_logger(__name__)
_PROCESS_IDS: Final = 1 << 31
_STOP_SECONDS: Final = 5.0
_SOCKET_OPTIONS: Final = (
    # What the listener has, its connections inherit. A host that vanished is noticed within 50 s:
    # after 20 s of silence, by three probes.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 50_000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class PgServer:
    """A listener in the running event loop."""

    def __init__(self, services: PgServices) -> None:
        self._services = services
        self._connections: dict[int, Connection] = {}
        self._transports: set[Transport] = set()
        self._cancelling: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve the clients of a bound socket."""
        for level, option, value in _SOCKET_OPTIONS:
            listener.setsockopt(level, option, value)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._transport, sock=listener, backlog=1024)
        host, port = listener.getsockname()[:2]
        _log.info("pgwire_listening", host=host, port=port, tls=self._services.tls is not None)

    async def stop(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        transports = tuple(self._transports)
        for transport in transports:
            transport.abort()
        if transports:
            await asyncio.wait(
                [asyncio.ensure_future(transport.ended()) for transport in transports],
                timeout=_STOP_SECONDS,
            )

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._transports)

    def _transport(self) -> Transport:
        return Transport(self._serve, Decoder(self._services.settings.message_bytes_max))

    async def _serve(self, transport: Transport) -> None:
        process_id = secrets.randbelow(_PROCESS_IDS - 1) + 1
        connection = Connection(self._services, transport, process_id, self.cancel)
        self._transports.add(transport)
        self._connections[process_id] = connection
        try:
            if len(self._transports) > self._services.settings.connections_max:
                refusal = WireError(TOO_MANY_CONNECTIONS, "sorry, too many clients already")
                transport.write(error_message(refusal, severity="FATAL"))
                transport.close()
            else:
                await connection.run()
        except ClientGoneError:
            pass
        except Exception:
            # The outermost edge: one client's trouble is not the others'.
            _log.exception("pgwire_connection_failed", peer=transport.peer)
            transport.abort()
        finally:
            self._transports.discard(transport)
            self._connections.pop(process_id, None)

    def cancel(self, process_id: int, secret: int) -> None:
        """End what a connection runs, if the secret is its own."""
        connection = self._connections.get(process_id)
        if connection is None or connection.secret != secret or connection.session is None:
            return
        running = connection.session.running
        if running is not None:
            task = asyncio.get_running_loop().create_task(running.cancel())
            self._cancelling.add(task)
            task.add_done_callback(self._cancelling.discard)


def server_tls(certificate: Path, key: Path | None) -> tuple[ssl.SSLContext, bytes]:
    """The TLS context of a certificate, and what SCRAM binds to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context, end_point_binding(certificate.read_bytes())
