"""The protocol's bytes."""

from __future__ import annotations

import struct

import pytest

from querysvc_drivers.pgwire.messages import (
    Bind,
    CancelRequest,
    Decoder,
    EncryptionRequest,
    Parse,
    ProtocolError,
    Query,
    Startup,
    Sync,
    message,
)


def decoder(data: bytes) -> Decoder:
    made = Decoder(1 << 20)
    made.feed(data)
    return made


def packet(body: bytes) -> bytes:
    return struct.pack(">i", len(body) + 4) + body


def test_the_first_packets_are_told_apart() -> None:
    startup = packet(struct.pack(">i", 3 << 16) + b"user\0eve\0database\0d\0\0")
    assert decoder(startup).first_packet() == Startup(0, {"user": "eve", "database": "d"})
    assert decoder(packet(struct.pack(">i", 80877103))).first_packet() == EncryptionRequest(True)
    cancel = packet(struct.pack(">iii", 80877102, 7, -9))
    assert decoder(cancel).first_packet() == CancelRequest(7, -9)


def test_messages_come_one_by_one_however_the_bytes_are_cut() -> None:
    data = message(b"Q", b"SELECT 1\0") + message(b"S")
    made = Decoder(1 << 20)
    found = []
    for byte in data:
        made.feed(bytes((byte,)))
        found += [one for one in [made.message()] if one is not None]
    assert found == [Query("SELECT 1"), Sync()]


def test_parse_and_bind_are_read() -> None:
    parse = message(b"P", b"s\0SELECT $1\0" + struct.pack(">hI", 1, 4_000_000_000))
    assert decoder(parse).message() == Parse("s", "SELECT $1", (4_000_000_000,))
    values = struct.pack(">hi", 2, 1) + b"x" + struct.pack(">i", -1)
    bind = message(b"B", b"p\0s\0" + struct.pack(">hh", 1, 1) + values + struct.pack(">h", 0))
    assert decoder(bind).message() == Bind("p", "s", (1,), (b"x", None), ())


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\x7f\xff\xff\xff\x00\x00\x00\x00",
        packet(struct.pack(">i", 2 << 16) + b"\0"),
        packet(struct.pack(">i", 3 << 16) + b"user\0eve"),
        packet(struct.pack(">i", 80877102)),
    ],
)
def test_a_wrong_first_packet_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decoder(data).first_packet()


@pytest.mark.parametrize(
    "data",
    [
        b"?\x00\x00\x00\x04",
        b"Q\x00\x00\x00\x03",
        b"Q\x7f\xff\xff\xff",
        message(b"Q", b"no end"),
        message(b"Q", b"\xff\0"),
        message(b"S", b"x"),
        message(b"P", b"s\0x\0" + struct.pack(">h", 9)),
        message(b"B", b"p\0s\0" + struct.pack(">hhi", 0, 1, 99)),
        message(b"B", b"p\0s\0" + struct.pack(">hhh", 1, 7, 0) + struct.pack(">h", 0)),
        message(b"D", b"X\0"),
    ],
)
def test_a_wrong_message_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decoder(data).message()
