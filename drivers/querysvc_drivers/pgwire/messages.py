"""PostgreSQL's protocol 3.0 without I/O: bytes into messages, messages into bytes.

A connection begins with untagged packets (start-up, TLS, cancel); after the start-up each message
is a type byte, a length and a body. Whatever does not fit is a ProtocolError, which ends the
connection: there is no place to go on from.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

STARTUP_BYTES_MAX: Final = 10_000
"""As in PostgreSQL."""
PROTOCOL_MAJOR: Final = 3
MESSAGE_HEAD_BYTES: Final = 5
"""Type and length."""
_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104
_INT = struct.Struct(">i")
_SHORT = struct.Struct(">h")


class ProtocolError(Exception):
    """The client does not speak the protocol."""


@dataclass(frozen=True, slots=True)
class Startup:
    """The first packet of a session."""

    minor: int
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EncryptionRequest:
    """Asks whether the server speaks TLS (or GSSAPI, which this one never does)."""

    is_tls: bool


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Asks to cancel what another connection runs."""

    process_id: int
    secret: int


@dataclass(frozen=True, slots=True)
class Query:
    """Statements to run at once."""

    sql: str


@dataclass(frozen=True, slots=True)
class Parse:
    """A statement to prepare; a type 0 is to be inferred."""

    name: str
    sql: str
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """Values for a prepared statement: makes a portal."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...] = field(repr=False)
    result_formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Describe:
    """Asks for the columns of a portal, or also the parameters of a statement."""

    is_portal: bool
    name: str


@dataclass(frozen=True, slots=True)
class Execute:
    """Asks for rows of a portal; 0 is all."""

    portal: str
    rows_max: int


@dataclass(frozen=True, slots=True)
class Close:
    """Forgets a portal or a statement."""

    is_portal: bool
    name: str


@dataclass(frozen=True, slots=True)
class Authentication:
    """A password, or a step of SASL, whichever was asked for."""

    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Flush:
    """Asks for all answers so far."""


@dataclass(frozen=True, slots=True)
class Sync:
    """Ends a series of extended messages."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ends the session."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that may come late: parts of a COPY that has failed."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The fast path, which this server does not have."""


Message: TypeAlias = (
    Query
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Authentication
    | Flush
    | Sync
    | Terminate
    | Ignored
    | FunctionCall
)
FirstPacket: TypeAlias = Startup | EncryptionRequest | CancelRequest


class _Reader:
    """Takes fields off a message's body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def raw(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._body):
            raise ProtocolError("insufficient data left in message")
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def integer(self) -> int:
        value: int = _INT.unpack(self.raw(4))[0]
        return value

    def short(self) -> int:
        value: int = _SHORT.unpack(self.raw(2))[0]
        return value

    def text(self) -> str:
        end = self._body.find(b"\0", self._at)
        if end < 0:
            raise ProtocolError("invalid string in message")
        taken = self._body[self._at : end]
        self._at = end + 1
        try:
            return taken.decode()
        except UnicodeDecodeError:
            raise ProtocolError("invalid byte sequence for encoding UTF8") from None

    def shorts(self) -> tuple[int, ...]:
        return tuple(self.short() for _ in range(self._count()))

    def ints(self) -> tuple[int, ...]:
        return tuple(self.integer() & 0xFFFFFFFF for _ in range(self._count()))

    def values(self) -> tuple[bytes | None, ...]:
        return tuple(self._value() for _ in range(self._count()))

    def is_portal(self) -> bool:
        kind = self.raw(1)
        if kind not in (b"P", b"S"):
            raise ProtocolError("invalid message subtype")
        return kind == b"P"

    def end(self) -> None:
        if self._at != len(self._body):
            raise ProtocolError("invalid message format")

    def rest(self) -> bytes:
        return self.raw(len(self._body) - self._at)

    @property
    def is_over(self) -> bool:
        return self._at == len(self._body)

    def _count(self) -> int:
        return self.short() & 0xFFFF

    def _value(self) -> bytes | None:
        size = self.integer()
        return None if size == -1 else self.raw(size)


class Decoder:
    """Cuts what a client sends into messages; one for each connection."""

    def __init__(self, message_bytes_max: int) -> None:
        self.message_bytes_max = message_bytes_max
        self._buffer = bytearray()

    @property
    def size(self) -> int:
        """Bytes that are no message yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """More bytes have come."""
        self._buffer += data

    def first_packet(self) -> FirstPacket | None:
        """The untagged packet that begins a connection, once it is whole."""
        if len(self._buffer) < 4:
            return None
        size = _INT.unpack_from(self._buffer)[0]
        if not 8 <= size <= STARTUP_BYTES_MAX:
            raise ProtocolError("invalid length of startup packet")
        body = self._take(size, 4)
        return None if body is None else _first_packet(body)

    def message(self) -> Message | None:
        """The next message, once it is whole."""
        if len(self._buffer) < 5:
            return None
        read = _MESSAGES.get(bytes(self._buffer[:1]))
        if read is None:
            raise ProtocolError(f"invalid frontend message type {self._buffer[0]}")
        size = _INT.unpack_from(self._buffer, 1)[0]
        if not 4 <= size <= self.message_bytes_max:
            raise ProtocolError("invalid message length")
        body = self._take(size + 1, 5)
        return None if body is None else read(_Reader(body))

    def _take(self, size: int, header: int) -> bytes | None:
        if len(self._buffer) < size:
            return None
        body = bytes(self._buffer[header:size])
        del self._buffer[:size]
        return body


def _first_packet(body: bytes) -> FirstPacket:
    reader = _Reader(body)
    code = reader.integer()
    if code in (_TLS, _GSS):
        reader.end()
        return EncryptionRequest(is_tls=code == _TLS)
    if code == _CANCEL:
        process_id, secret = reader.integer(), reader.integer()
        reader.end()
        return CancelRequest(process_id, secret)
    if code >> 16 != PROTOCOL_MAJOR:
        raise ProtocolError(
            f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: server supports 3.0"
        )
    parameters: dict[str, str] = {}
    while name := reader.text():
        parameters[name] = reader.text()
    reader.end()
    return Startup(code & 0xFFFF, parameters)


def _query(reader: _Reader) -> Query:
    message = Query(reader.text())
    reader.end()
    return message


def _parse(reader: _Reader) -> Parse:
    message = Parse(reader.text(), reader.text(), reader.ints())
    reader.end()
    return message


def _bind(reader: _Reader) -> Bind:
    message = Bind(reader.text(), reader.text(), reader.shorts(), reader.values(), reader.shorts())
    reader.end()
    if any(code not in (0, 1) for code in message.formats + message.result_formats):
        raise ProtocolError("unsupported format code")
    return message


def _describe(reader: _Reader) -> Describe:
    message = Describe(reader.is_portal(), reader.text())
    reader.end()
    return message


def _execute(reader: _Reader) -> Execute:
    message = Execute(reader.text(), reader.integer())
    reader.end()
    return message


def _close(reader: _Reader) -> Close:
    message = Close(reader.is_portal(), reader.text())
    reader.end()
    return message


def _empty(message: Message) -> Callable[[_Reader], Message]:
    def read(reader: _Reader) -> Message:
        reader.end()
        return message

    return read


_MESSAGES: Final[dict[bytes, Callable[[_Reader], Message]]] = {
    b"Q": _query,
    b"P": _parse,
    b"B": _bind,
    b"D": _describe,
    b"E": _execute,
    b"C": _close,
    b"p": lambda reader: Authentication(reader.rest()),
    b"H": _empty(Flush()),
    b"S": _empty(Sync()),
    b"X": _empty(Terminate()),
    b"F": lambda _: FunctionCall(),
    b"d": lambda _: Ignored(),
    b"c": lambda _: Ignored(),
    b"f": lambda _: Ignored(),
}


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message of the server."""
    return kind + _INT.pack(len(body) + 4) + body


def text(value: str) -> bytes:
    """A string inside of a message; NUL cannot stand in one."""
    return value.replace("\0", "").encode(errors="replace") + b"\0"


def authentication(code: int, body: bytes = b"") -> bytes:
    """A step of authentication."""
    return message(b"R", _INT.pack(code) + body)


AUTHENTICATED: Final = authentication(0)
PASSWORD_WANTED: Final = authentication(3)


def sasl_mechanisms(names: Iterable[str]) -> bytes:
    """Asks for SASL with one of these mechanisms."""
    return authentication(10, b"".join(map(text, names)) + b"\0")


def sasl_continue(body: str) -> bytes:
    """SASL's next step."""
    return authentication(11, body.encode())


def sasl_final(body: str) -> bytes:
    """SASL's last step."""
    return authentication(12, body.encode())


def parameter_status(name: str, value: str) -> bytes:
    """A setting that clients follow."""
    return message(b"S", text(name) + text(value))


def backend_key(process_id: int, secret: int) -> bytes:
    """What a CancelRequest must tell."""
    return message(b"K", _INT.pack(process_id) + _INT.pack(secret))


def negotiate_version(unknown_options: Iterable[str]) -> bytes:
    """Tells a newer client what is spoken here."""
    options = tuple(unknown_options)
    names = b"".join(map(text, options))
    return message(b"v", _INT.pack(0) + _INT.pack(len(options)) + names)


def ready(status: str) -> bytes:
    """ReadyForQuery: I idle, T in a transaction, E in a failed one."""
    return message(b"Z", status.encode())


def command_complete(tag: str) -> bytes:
    """A statement is done."""
    return message(b"C", text(tag))


def fields(kind: bytes, values: Mapping[str, str]) -> bytes:
    """An ErrorResponse (E) or a NoticeResponse (N)."""
    body = b"".join(name.encode() + text(value) for name, value in values.items())
    return message(kind, body + b"\0")


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """A column as RowDescription tells it."""

    name: str
    type_oid: int
    type_size: int
    type_modifier: int
    format: int


def row_description(described: Iterable[FieldDescription]) -> bytes:
    """The columns of the rows that follow."""
    parts = [
        text(field.name)
        + struct.pack(
            ">ihihih", 0, 0, field.type_oid, field.type_size, field.type_modifier, field.format
        )
        for field in described
    ]
    return message(b"T", _SHORT.pack(len(parts)) + b"".join(parts))


def parameter_description(oids: Iterable[int]) -> bytes:
    """The types of a statement's parameters."""
    packed = [_INT.pack(oid) for oid in oids]
    return message(b"t", _SHORT.pack(len(packed)) + b"".join(packed))


def copy_out(*, is_binary: bool, columns: int) -> bytes:
    """A COPY TO STDOUT begins."""
    code = int(is_binary)
    body = struct.pack(">bh", code, columns) + _SHORT.pack(code) * columns
    return message(b"H", body)


PARSE_COMPLETE: Final = message(b"1")
BIND_COMPLETE: Final = message(b"2")
CLOSE_COMPLETE: Final = message(b"3")
NO_DATA: Final = message(b"n")
EMPTY_QUERY: Final = message(b"I")
PORTAL_SUSPENDED: Final = message(b"s")
COPY_DONE: Final = message(b"c")
