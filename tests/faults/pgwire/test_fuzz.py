"""Random, mangled and truncated bytes at the PostgreSQL wire: no crash, no hang, no leak."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from querysvc_drivers.pgwire import PgSettings
from querysvc_drivers.pgwire.messages import message
from tests.support.pg_stack import PgStack, pg_stack

CONNECTIONS = 150
SECONDS_MAX = 20
STARTUP = struct.pack(">i", 3 << 16) + b"user\0eve\0database\0tpch\0options\0-csearch_path=tiny\0\0"
PARSE = b"s\0SELECT name FROM nation WHERE nationkey = $1\0\0\0"
BIND = b"\0s\0" + struct.pack(">hhi", 0, 1, 1) + b"3" + struct.pack(">h", 0)
CONVERSATION = (
    struct.pack(">i", len(STARTUP) + 4) + STARTUP,
    message(b"Q", b"SELECT 1; SELECT * FROM pg_catalog.pg_class\0"),
    message(b"P", PARSE),
    message(b"D", b"Ss\0"),
    message(b"B", BIND),
    message(b"E", b"\0" + struct.pack(">i", 1)),
    message(b"S"),
    message(b"Q", b"COPY nation TO STDOUT (FORMAT binary)\0"),
    message(b"C", b"Ss\0"),
    message(b"H"),
    message(b"Q", b"BEGIN; DECLARE c CURSOR FOR TABLE nation; FETCH 2 FROM c\0"),
    message(b"X"),
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PgStack]:
    root: Path = tmp_path_factory.mktemp("fuzz")
    with pg_stack(root, settings=PgSettings(authentication_seconds_max=2.0)) as stack:
        yield stack


def talk(stack: PgStack, data: bytes, *, closes_at_once: bool) -> None:
    """Send the bytes, read what comes, and leave."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as client:
        try:
            client.sendall(data)
            if closes_at_once:
                return
            client.settimeout(0.05)
            while client.recv(65536):
                pass
        except (TimeoutError, ConnectionError):
            return


def mangled(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them changed, left out or put in, and maybe cut."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(changed))
        kind = chance.randrange(3)
        if kind == 0:
            changed[at] = chance.randrange(256)
        elif kind == 1:
            del changed[at : at + chance.randint(1, 9)]
        else:
            changed[at:at] = chance.randbytes(chance.randint(1, 9))
        changed = changed or bytearray(b"\0")
    return bytes(changed[: chance.randint(1, len(changed))] if chance.random() < 0.5 else changed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mangled_bytes_do_no_harm(stack: PgStack, seed: int) -> None:
    chance = random.Random(seed)
    deadline = time.monotonic() + SECONDS_MAX
    conversation = b"".join(CONVERSATION)
    for _ in range(CONNECTIONS // 3):
        if time.monotonic() > deadline:
            break
        kind = chance.randrange(4)
        if kind == 0:
            data = chance.randbytes(chance.randint(1, 4000))
        elif kind == 1:
            data = CONVERSATION[0] + chance.randbytes(chance.randint(1, 4000))
        elif kind == 2:
            parts = list(CONVERSATION[1:])
            chance.shuffle(parts)
            data = CONVERSATION[0] + b"".join(parts)
        else:
            data = mangled(conversation, chance)
        talk(stack, data, closes_at_once=chance.random() < 0.3)
    still_serves(stack)


def test_every_truncation_of_a_conversation_does_no_harm(stack: PgStack) -> None:
    conversation = b"".join(CONVERSATION)
    for end in range(1, len(conversation), 7):
        talk(stack, conversation[:end], closes_at_once=True)
    still_serves(stack)


def test_a_client_that_says_nothing_is_let_go(stack: PgStack) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as client:
        client.sendall(CONVERSATION[0][:7])
        assert client.recv(1) == b""


def still_serves(stack: PgStack) -> None:
    """Everything that was opened is closed again, nothing runs, and a client is answered."""
    deadline = time.monotonic() + 20
    while stack.server.connections or stack.engine.running:
        assert time.monotonic() < deadline, "connections or queries were left behind"
        time.sleep(0.02)
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as client:
        client.sendall(CONVERSATION[0] + message(b"Q", b"SELECT 40 + 2\0") + message(b"X"))
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert b"\x00\x00\x00\x0242" in answer
