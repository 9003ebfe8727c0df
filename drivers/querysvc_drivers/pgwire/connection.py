"""One client from its first packet to its last: start-up, authentication, the loop of messages."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.auth import Authenticator
from querysvc_drivers.pgwire import messages
from querysvc_drivers.pgwire import statements as st
from querysvc_drivers.pgwire.errors import (
    INVALID_AUTHORIZATION,
    PROTOCOL_VIOLATION,
    WireError,
    error_message,
)
from querysvc_drivers.pgwire.extended import ExtendedProtocol
from querysvc_drivers.pgwire.lexer import split
from querysvc_drivers.pgwire.messages import ProtocolError
from querysvc_drivers.pgwire.scram import ScramServer
from querysvc_drivers.pgwire.session import IDLE, PgSession, Portal, SessionServices
from querysvc_drivers.pgwire.transport import ClientGoneError, Transport
from querysvc_drivers.pgwire.variables import Variables

_log = structlog.get_logger(__name__)
_STARTUP_NAMES: Final = frozenset({"user", "database", "options", "replication"})
_OPTION: Final = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=((?:\\.|[^\s\\])*)")
_PASSWORD_BYTES_MAX: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class PgSettings:
    """Limits of the wire."""

    connections_max: int = 500
    authentication_seconds_max: float = 60.0
    message_bytes_max: int = 16 << 20


@dataclass(frozen=True, slots=True)
class PgServices:
    """What the wire needs of the core, and its TLS."""

    session: SessionServices
    authenticator: Authenticator
    tls: ssl.SSLContext | None = None
    tls_binding: bytes | None = None
    """What SCRAM-SHA-256-PLUS binds to."""
    settings: PgSettings = field(default_factory=PgSettings)


Cancel = Callable[[int, int], None]


class Connection:
    """Speaks with one client."""

    def __init__(
        self, services: PgServices, transport: Transport, process_id: int, cancel: Cancel
    ) -> None:
        self.process_id = process_id
        self.secret = int.from_bytes(os.urandom(4), signed=True)
        self.session: PgSession | None = None
        self._services = services
        self._transport = transport
        self._cancel = cancel

    async def run(self) -> None:
        """Until the client or the protocol ends it."""
        try:
            seconds = self._services.settings.authentication_seconds_max
            async with asyncio.timeout(seconds):
                session = await self._begin()
            if session is not None:
                self.session = session
                await self._serve(session)
        except (QueryServiceError, WireError) as error:
            self._fatal(error)
        except ProtocolError as error:
            self._fatal(WireError(PROTOCOL_VIOLATION, str(error)))
        except TimeoutError:
            _log.info("pgwire_authentication_timeout", peer=self._transport.peer)
        except ClientGoneError:
            pass
        finally:
            await self._end()

    def _fatal(self, error: QueryServiceError | WireError) -> None:
        with contextlib.suppress(ClientGoneError):
            self._transport.write(error_message(error, severity="FATAL"))

    async def _end(self) -> None:
        session, self.session = self.session, None
        self._transport.close()
        if session is not None:
            await asyncio.shield(session.close_portals(including_held=True))
            if session.running is not None:
                await asyncio.shield(session.running.close())

    async def _begin(self) -> PgSession | None:
        """The session, once the client is who it says; None when it only wanted to cancel."""
        startup = await self._startup()
        if startup is None:
            return None
        transport = self._transport
        transport.set_message_limit(_PASSWORD_BYTES_MAX)
        transport.start_messages()
        user = startup.parameters.get("user", "")
        if not user:
            raise WireError(
                INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet"
            )
        unknown = [name for name in startup.parameters if name.startswith("_pq_.")]
        if startup.minor or unknown:
            transport.write(messages.negotiate_version(unknown))
        principal = await self._authenticate(user)
        session = await self._session(startup, principal)
        transport.set_message_limit(self._services.settings.message_bytes_max)
        transport.write(messages.AUTHENTICATED)
        for name, value in session.variables.reported():
            transport.write(messages.parameter_status(name, value))
        transport.write(messages.backend_key(self.process_id, self.secret))
        transport.write(messages.ready(IDLE))
        transport.flush()
        return session

    async def _startup(self) -> messages.Startup | None:
        while True:
            packet = await self._transport.first_packet()
            if isinstance(packet, messages.Startup):
                return packet
            if isinstance(packet, messages.CancelRequest):
                self._cancel(packet.process_id, packet.secret)
                return None
            tls = self._services.tls
            if packet.is_tls and tls is not None and not self._transport.is_tls:
                await self._transport.start_tls(tls)
            else:
                self._transport.write(b"N")
                self._transport.flush()

    async def _session(self, startup: messages.Startup, principal: Principal) -> PgSession:
        parameters = startup.parameters
        if parameters.get("replication", "false").lower() not in ("false", "off", "no", "0"):
            raise WireError("0A000", "replication is not supported")
        database = (parameters.get("database") or parameters["user"]).lower()
        services = self._services.session
        metadata = services.metadata_of(principal)
        if not await asyncio.to_thread(metadata.catalog_exists, database):
            raise WireError(
                "3D000",
                f'database "{database}" does not exist',
                hint="A database is a data catalog here, such as awsdatacatalog.",
            )
        variables = Variables(_startup_variables(parameters))
        variables.fix("session_authorization", principal.name)
        return PgSession(services, principal, database, variables, self._transport, self.process_id)

    async def _authenticate(self, user: str) -> Principal:
        authenticator = self._services.authenticator
        if not authenticator.is_required:
            return await asyncio.to_thread(authenticator.authenticate, None)
        keys = await asyncio.to_thread(authenticator.scram_keys, user)
        is_private = self._transport.is_tls or _is_loopback(self._transport.peer)
        if keys and all(key.verifier is None for key in keys):
            return await self._password(user, is_private=is_private)
        if not keys and authenticator.takes_tokens and is_private:
            return await self._password(user, is_private=is_private)
        scram = ScramServer(
            user, keys, self._services.tls_binding if self._transport.is_tls else None
        )
        self._ask(messages.sasl_mechanisms(scram.mechanisms))
        mechanism, first = _sasl_initial(await self._answer())
        self._ask(messages.sasl_continue(scram.first(mechanism, first)))
        proved = scram.final(await self._answer())
        if proved is None:
            raise _wrong_password(user)
        principal, last = proved
        self._transport.write(messages.sasl_final(last))
        return principal

    async def _password(self, user: str, *, is_private: bool) -> Principal:
        """For tokens, and keys without a verifier: the password itself, where nobody listens."""
        if not is_private:
            raise WireError(
                INVALID_AUTHORIZATION,
                "a password in clear text needs TLS (a new API key would not: it can prove itself)",
            )
        self._ask(messages.PASSWORD_WANTED)
        password = (await self._answer()).rstrip(b"\0").decode(errors="replace")
        try:
            principal = await asyncio.to_thread(self._services.authenticator.authenticate, password)
        except QueryServiceError as error:
            if error.code is ErrorCode.AUTHENTICATION_FAILED:
                raise _wrong_password(user) from None
            raise
        if principal.name != user:
            raise _wrong_password(user)
        return principal

    def _ask(self, message: bytes) -> None:
        self._transport.write(message)
        self._transport.flush()

    async def _answer(self) -> bytes:
        message = await self._transport.message()
        if not isinstance(message, messages.Authentication):
            raise ProtocolError("expected SASL response")
        return message.body

    async def _serve(self, session: PgSession) -> None:
        extended = ExtendedProtocol(session)
        handlers: Mapping[type, Callable[[Any], Any]] = {
            # Any: each takes its own message, which is the key, and gives an awaitable.
            messages.Parse: extended.parse,
            messages.Bind: extended.bind,
            messages.Describe: extended.describe,
            messages.Execute: extended.execute,
            messages.Close: extended.close,
        }
        is_skipping = False
        while True:
            message = await self._transport.message()
            if isinstance(message, messages.Terminate):
                return
            if isinstance(message, messages.Sync):
                is_skipping = False
                await self._ready(session)
            elif isinstance(message, messages.Query):
                await self._query(session, message.sql)
                await self._ready(session)
            elif isinstance(message, messages.Flush):
                self._transport.flush()
            elif isinstance(message, messages.FunctionCall):
                self._tell(session, WireError("0A000", "function calls are not supported"))
                await self._ready(session)
            elif (handler := handlers.get(type(message))) is not None and not is_skipping:
                try:
                    await self._guarded(handler, message)
                except (QueryServiceError, WireError) as error:
                    self._tell(session, error, extended.statement_of(message))
                    is_skipping = True

    async def _ready(self, session: PgSession) -> None:
        if session.status == IDLE:
            await session.close_portals()
        self._transport.write(messages.ready(session.status))
        self._transport.flush()

    async def _guarded(self, handler: Callable[[Any], Any], message: object) -> None:
        """What nobody foresaw is an internal error of this statement alone."""
        try:
            await handler(message)
        except (QueryServiceError, WireError, ProtocolError, ClientGoneError):
            raise
        except Exception as error:
            _log.exception("pgwire_statement_failed")
            raise QueryServiceError(
                ErrorCode.GENERIC_INTERNAL_ERROR, "the statement failed unexpectedly"
            ) from error

    async def _query(self, session: PgSession, sql: str) -> None:
        statement: st.Statement | None = None
        try:
            found = split(sql)
            if not found:
                self._transport.write(messages.EMPTY_QUERY)
            for _, tokens in found:
                statement = None
                statement = st.read(tokens)
                await self._guarded(lambda one: self._simple(session, one), statement)
        except (QueryServiceError, WireError) as error:
            self._tell(session, error, statement)

    async def _simple(self, session: PgSession, statement: st.Statement) -> None:
        source, copy = await session.source(statement)
        formats: tuple[int, ...] = ()
        if isinstance(statement, st.Fetch):
            formats = session.portal(statement.name).formats
        portal = Portal(source, formats, copy)
        try:
            if copy is None:
                columns = await source.columns()
                if columns is not None:
                    await session.describe_rows(portal)
            await session.send_rows(portal, None)
        finally:
            await source.close()

    def _tell(
        self,
        session: PgSession,
        error: QueryServiceError | WireError,
        statement: st.Statement | None = None,
    ) -> None:
        session.failed()
        self._transport.write(error_message(error, position=_position(error, statement)))


def _position(error: QueryServiceError | WireError, statement: st.Statement | None) -> int | None:
    if isinstance(statement, st.Copy | st.DeclareCursor):
        statement = statement.query
    if not isinstance(statement, st.UserQuery) or isinstance(error, WireError):
        return None
    source = statement.translated.source_of(error)
    return None if source is None else source + 1


def _startup_variables(parameters: Mapping[str, str]) -> dict[str, str]:
    given = {
        match[1].replace("-", "_"): re.sub(r"\\(.)", r"\1", match[2])
        for match in _OPTION.finditer(parameters.get("options", ""))
    }
    own = {
        name: value
        for name, value in parameters.items()
        if name not in _STARTUP_NAMES and not name.startswith("_pq_.")
    }
    return given | own


def _sasl_initial(body: bytes) -> tuple[str, bytes]:
    name, separator, rest = body.partition(b"\0")
    size = int.from_bytes(rest[:4], signed=True)
    if not separator or len(rest) < 4 or size != len(rest) - 4:
        raise ProtocolError("malformed SASL initial response")
    return name.decode(errors="replace"), rest[4:]


def _wrong_password(user: str) -> WireError:
    return WireError("28P01", f'password authentication failed for user "{user}"')


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
