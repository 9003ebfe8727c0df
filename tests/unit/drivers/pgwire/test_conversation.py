"""Conversations that no stock client has, byte by byte."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from querysvc_drivers.pgwire.messages import message
from tests.support.pg_stack import PgStack, pg_stack

STARTUP = struct.pack(">i", 3 << 16) + b"user\0eve\0database\0tpch\0options\0-csearch_path=tiny\0\0"
PARSE = message(
    b"P", b"s\0SELECT name FROM nation WHERE nationkey = $1\0" + struct.pack(">hi", 1, 20)
)
BIND = message(b"B", b"\0s\0" + struct.pack(">hhi", 0, 1, 1) + b"3" + struct.pack(">h", 0))
SYNC = message(b"S")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PgStack]:
    with pg_stack(tmp_path_factory.mktemp("conversation")) as stack:
        yield stack


def kinds(stack: PgStack, *told: bytes) -> str:
    """The kinds of the messages that the server answers after its first ReadyForQuery."""
    first = struct.pack(">i", len(STARTUP) + 4) + STARTUP
    with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as client:
        client.sendall(first + b"".join(told) + message(b"X"))
        answer = b""
        while part := client.recv(65536):
            answer += part
    found, at = "", 0
    while at < len(answer):
        found += chr(answer[at])
        at += 1 + struct.unpack_from(">i", answer, at + 1)[0]
    return found.partition("Z")[2]


def execute(rows_max: int = 0) -> bytes:
    return message(b"E", b"\0" + struct.pack(">i", rows_max))


def test_a_statement_is_described_after_it_was_run(stack: PgStack) -> None:
    describe = message(b"D", b"Ss\0")
    assert kinds(stack, PARSE, BIND, execute(), SYNC, describe, SYNC) == "12DCZtTZ"


def test_rows_come_in_parts_within_a_transaction(stack: PgStack) -> None:
    parse = message(b"P", b"\0TABLE nation\0\0\0")
    bind = message(b"B", b"\0\0" + bytes(6))
    begin = message(b"Q", b"BEGIN\0")
    parts = [parse, bind, execute(20), SYNC, execute(4), execute(2), SYNC]
    assert kinds(stack, begin, *parts) == "CZ12" + "D" * 20 + "sZ" + "DDDDs" + "DCZ"


def test_after_an_error_all_is_skipped_up_to_sync(stack: PgStack) -> None:
    wrong = message(b"P", b"\0SELECT 1::nothing(\0\0\0")
    assert kinds(stack, wrong, BIND, execute(), PARSE, SYNC, PARSE, SYNC) == "EZ1Z"


def test_an_empty_query_is_told_so(stack: PgStack) -> None:
    parse = message(b"P", b"\0 ; \0\0\0")
    bind = message(b"B", b"\0\0" + bytes(6))
    assert kinds(stack, message(b"Q", b"\0"), parse, bind, execute(), SYNC) == "IZ12IZ"


def test_a_function_call_is_refused(stack: PgStack) -> None:
    assert kinds(stack, message(b"F", bytes(10)), message(b"Q", b"SELECT 1\0")) == "EZTDCZ"


def test_portals_are_limited(stack: PgStack) -> None:
    binds = [message(b"B", b"p%d\0s\0" % n + BIND[8:]) for n in range(1001)]
    begin = message(b"Q", b"BEGIN\0")
    assert kinds(stack, begin, PARSE, *binds, SYNC) == "CZ1" + "2" * 1000 + "EZ"
