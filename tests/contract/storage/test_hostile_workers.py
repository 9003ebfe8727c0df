"""Random and mangled messages at the fetcher: that worker's connection ends, the others read on."""

from __future__ import annotations

import random
import select
import struct
from typing import Any

from querysvc.plan import ResourceLimits
from querysvc.storage.protocol import Kind, Segment, message, numbers_message, segments_message
from tests.support.fuzz.parsers import changed

WORKERS = 60
CONVERSATION = (
    segments_message(Kind.PREFETCH, [Segment(1, 0, 0, 10), Segment(2, 0, 10, 10)]),
    segments_message(Kind.DEMAND, [Segment(3, 0, 20, 5)]),
    numbers_message(Kind.RELEASE, [1, 2, 3]),
    segments_message(Kind.DEMAND, [Segment(4, 1, 0, 1), Segment(5, 0, 1 << 63, 1 << 31)]),
    message(Kind.READY, struct.pack("<QQ", 1, 0)),
)


def test_no_bytes_of_a_worker_reach_beyond_its_plan_or_end_the_fetcher(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    chance = random.Random(1)
    data = bytes(range(256)) * 4
    planned, secret = s3_server.put(bucket, "a", data), b"not in the plan"
    s3_server.put(bucket, "secret", secret)
    other = open_reader([planned])
    for number in range(WORKERS):
        attachment = other.fetcher.attach(f"hostile-{number}", [planned], ResourceLimits())
        connection = attachment.connection
        connection.settimeout(5)
        told = b"".join(chance.choices(CONVERSATION, k=chance.randint(1, 6)))
        try:
            connection.sendall(changed(told, chance))
            while select.select([connection], [], [], 0.01)[0] and (
                piece := connection.recv(1 << 16)
            ):
                assert secret not in piece
        except ConnectionError:
            pass  # it was ended
        finally:
            attachment.close()
            connection.close()
    assert other.client.read(0, 3, 100) == data[3:103]
