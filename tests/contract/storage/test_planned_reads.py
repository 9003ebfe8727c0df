"""Planned reads over a real S3 server: bytes, bounds, accounting, cache, cutoff, cancel."""

from __future__ import annotations

import mmap
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import ResourceLimits
from querysvc.storage import protocol
from querysvc.storage.protocol import Kind, Segment

MIB = 1 << 20


@pytest.fixture
def blob() -> bytes:
    return random.Random(1).randbytes(5 * MIB + 12345)


def test_prefetched_ranges_are_read_exactly_and_without_a_miss(
    s3_server: Any, bucket: str, open_reader: Any, blob: bytes
) -> None:
    stored = s3_server.put(bucket, "a", blob)
    reader = open_reader([stored], segment_bytes=MIB)
    ranges = [(0, 0, 100), (0, 5000, 70000), (0, 2 * MIB, 3 * MIB + 12345)]
    reader.client.prefetch(ranges)
    for index, offset, length in ranges:
        assert reader.client.read(index, offset, length) == blob[offset : offset + length]
    accounting = reader.fetcher.detach(reader.query_id)
    assert (reader.client.misses, accounting.misses) == (0, 0)
    # Gaps of neighbours that one request covers are fetched too.
    assert accounting.fetched_bytes == 75000 + 3 * MIB + 12345
    assert accounting.requests == 1 + 4


def test_unforeseen_reads_answer_rightly_and_count_as_misses(
    s3_server: Any, bucket: str, open_reader: Any, blob: bytes
) -> None:
    reader = open_reader([s3_server.put(bucket, "a", blob)])
    assert reader.client.read(0, 1000, 50) == blob[1000:1050]
    assert reader.client.read(0, len(blob) - 10, 100) == blob[-10:]
    assert reader.client.read(0, len(blob), 100) == b""
    assert reader.client.misses == 2
    assert reader.fetcher.detach(reader.query_id).fetched_bytes == 60


def test_empty_object_is_read_without_a_request(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    reader = open_reader([s3_server.put(bucket, "empty", b"")])
    reader.client.prefetch([(0, 0, 0)])
    assert reader.client.read(0, 0, 10) == b""
    assert reader.fetcher.detach(reader.query_id).requests == 0


@pytest.mark.parametrize("window", [256 << 10, 1 * MIB, 64 * MIB])
def test_random_reads_of_many_threads_are_right_in_any_window(
    s3_server: Any, bucket: str, open_reader: Any, blob: bytes, window: int
) -> None:
    objects = [s3_server.put(bucket, f"o{n}", blob[n:]) for n in range(3)]
    reader = open_reader(
        objects,
        limits=ResourceLimits(fetch_window_bytes=window),
        segment_bytes=256 << 10,
        range_cache_bytes=4 * MIB,
    )
    reader.client.prefetch([(n, at, 300_000) for n in range(3) for at in range(0, 4 * MIB, MIB)])

    def work(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(40):
            n = choose.randrange(3)
            offset = choose.randrange(len(blob))
            length = choose.choice([10, 1000, 100_000, 900_000])
            got = reader.client.read(n, offset, length)
            assert got == blob[n:][offset : offset + length]

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))


def test_cached_bytes_are_copied_only_a_little_ahead_of_the_reader(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    data = random.Random(2).randbytes(20 * MIB)
    stored = s3_server.put(bucket, "a", data)
    first = open_reader([stored])
    assert first.client.read(0, 0, len(data)) == data
    second = open_reader([stored], fetcher=first.fetcher)
    second.client.prefetch([(0, 0, len(data))])
    assert second.client.read(0, 0, 1) == data[:1]
    assert second.fetcher.accounting(second.query_id).cached_bytes == 8 * MIB
    assert second.client.read(0, 0, len(data)) == data
    accounting = second.fetcher.detach(second.query_id)
    assert (accounting.requests, accounting.cached_bytes) == (0, len(data))


def test_read_larger_than_the_window_passes_through_it(
    s3_server: Any, bucket: str, open_reader: Any, blob: bytes
) -> None:
    reader = open_reader(
        [s3_server.put(bucket, "a", blob)],
        limits=ResourceLimits(fetch_window_bytes=512 << 10),
        segment_bytes=128 << 10,
    )
    reader.client.prefetch([(0, 0, len(blob))])
    assert reader.client.read(0, 0, len(blob)) == blob
    assert reader.client.misses == 0


def test_unread_prefetches_make_room_for_what_is_wanted(
    s3_server: Any, bucket: str, open_reader: Any, blob: bytes
) -> None:
    objects = [s3_server.put(bucket, f"o{n}", blob) for n in range(2)]
    reader = open_reader(
        objects, limits=ResourceLimits(fetch_window_bytes=512 << 10), segment_bytes=128 << 10
    )
    reader.client.prefetch([(0, 0, len(blob))])  # nobody will read this
    assert reader.client.read(1, 0, len(blob)) == blob
    assert reader.client.evictions > 0


def test_second_query_reads_from_the_nodes_cache(
    s3_server: Any, bucket: str, open_reader: Any, blob: bytes
) -> None:
    stored = s3_server.put(bucket, "a", blob)
    first = open_reader([stored])
    assert first.client.read(0, 0, len(blob)) == blob
    second = open_reader([stored], fetcher=first.fetcher)
    second.client.prefetch([(0, 77, MIB)])
    assert second.client.read(0, 77, MIB) == blob[77 : 77 + MIB]
    accounting = first.fetcher.detach(second.query_id)
    assert (accounting.fetched_bytes, accounting.cached_bytes, accounting.requests) == (0, MIB, 0)
    assert accounting.scanned_bytes == MIB


def test_overwritten_object_is_never_served_from_the_cache(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    first = open_reader([s3_server.put(bucket, "a", b"old" * 1000)])
    assert first.client.read(0, 0, 3000) == b"old" * 1000
    fresh = open_reader([s3_server.put(bucket, "a", b"new" * 1000)], fetcher=first.fetcher)
    assert fresh.client.read(0, 0, 3000) == b"new" * 1000
    assert first.client.identity(0) != fresh.client.identity(0)


def test_object_replaced_after_listing_fails_the_read_by_name(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    stored = s3_server.put(bucket, "data/a", b"x" * 5000)
    reader = open_reader([stored])
    s3_server.put(bucket, "data/a", b"y" * 5000)
    with pytest.raises(QueryServiceError, match=f"s3://{bucket}/data/a changed") as caught:
        reader.client.read(0, 0, 100)
    assert caught.value.code is ErrorCode.OBJECT_CHANGED
    assert reader.client.failure is not None
    assert reader.client.failure.code is ErrorCode.OBJECT_CHANGED


def test_object_deleted_after_listing_fails_the_read(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    stored = s3_server.put(bucket, "a", b"x" * 5000)
    reader = open_reader([stored])
    s3_server.client().delete_object(Bucket=bucket, Key="a")
    with pytest.raises(QueryServiceError, match="was deleted") as caught:
        reader.client.read(0, 0, 100)
    assert caught.value.code is ErrorCode.OBJECT_CHANGED


def test_wrong_credentials_are_told_as_such(s3_server: Any, bucket: str, open_reader: Any) -> None:
    from querysvc.storage.configuration import Credentials

    stored = s3_server.put(bucket, "a", b"x")
    reader = open_reader([stored], credentials=Credentials("testaccess", "wrong"))
    with pytest.raises(QueryServiceError) as caught:
        reader.client.read(0, 0, 1)
    assert caught.value.code is ErrorCode.INVALID_CREDENTIALS
    assert "wrong" not in caught.value.message.replace("wrong credentials", "")


def test_cutoff_refuses_the_next_request_only_when_it_is_read(
    s3_server: Any, bucket: str, open_reader: Any, blob: bytes
) -> None:
    stored = s3_server.put(bucket, "a", blob)
    limits = ResourceLimits(scanned_bytes_max=2 * MIB)
    reader = open_reader([stored], limits=limits, segment_bytes=MIB)
    reader.client.prefetch([(0, 0, len(blob))])
    assert reader.client.read(0, 0, 2 * MIB) == blob[: 2 * MIB]
    with pytest.raises(QueryServiceError, match=f"limit of {2 * MIB} scanned bytes") as caught:
        reader.client.read(0, 2 * MIB, 10)
    assert caught.value.code is ErrorCode.EXCEEDED_SCAN_LIMIT
    assert reader.fetcher.detach(reader.query_id).fetched_bytes == 2 * MIB


def test_gateway_that_died_fails_its_readers_and_is_replaced(
    s3_server: Any, bucket: str, open_reader: Any, blob: bytes
) -> None:
    stored = s3_server.put(bucket, "a", blob)
    reader = open_reader([stored])
    first = reader.fetcher.process_id
    os.kill(first, 9)
    with pytest.raises(QueryServiceError) as caught:
        reader.client.read(0, 0, 10)
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    reader.fetcher._process.wait()
    again = open_reader([stored], fetcher=reader.fetcher)
    assert again.client.read(0, 0, 10) == blob[:10]
    assert reader.fetcher.process_id != first


def test_detach_ends_the_readers_and_a_second_one_is_harmless(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    reader = open_reader([s3_server.put(bucket, "a", b"x" * 10)])
    reader.client.read(0, 0, 10)
    assert reader.fetcher.detach(reader.query_id).fetched_bytes == 10
    assert reader.fetcher.detach(reader.query_id).fetched_bytes == 0
    with pytest.raises(QueryServiceError):
        reader.client.read(0, 0, 10)


@pytest.mark.parametrize(
    "hostile",
    [
        protocol.segments_message(Kind.DEMAND, [Segment(1, 7, 0, 10)]),
        protocol.segments_message(Kind.DEMAND, [Segment(1, 0, 5, 10)]),
        protocol.segments_message(Kind.DEMAND, [Segment(1, 0, 1 << 63, 10)]),
        protocol.segments_message(Kind.PREFETCH, [Segment(1, 0, 0, 0)]),
        protocol.segments_message(Kind.PREFETCH, [Segment(1, 0, 0, (1 << 32) - 1)]),
        protocol.numbers_message(Kind.RELEASE, [99]),
        protocol.message(Kind.RELEASE, b"123"),
        protocol.message(Kind.DEMAND, b"1"),
        protocol.message(Kind.HELLO, b""),
        protocol.HEADER.pack(250, 0),
        protocol.HEADER.pack(16, 0xFFFFFFFF),
    ],
)
def test_hostile_message_ends_that_workers_connection_and_no_other(
    s3_server: Any, bucket: str, open_reader: Any, hostile: bytes
) -> None:
    stored = s3_server.put(bucket, "a", b"0123456789")
    victim = open_reader([stored])
    attacker = open_reader([stored], fetcher=victim.fetcher)
    attacker.client._send(hostile)
    attacker.client._receiver.join(10)
    with pytest.raises(QueryServiceError):
        attacker.client.read(0, 0, 10)
    assert victim.client.read(0, 0, 10) == b"0123456789"


def test_worker_can_neither_write_nor_resize_the_window(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    reader = open_reader([s3_server.put(bucket, "a", b"x")])
    attachment = reader.fetcher.attach("other", [], ResourceLimits())
    try:
        descriptor = attachment.window_descriptor
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, 4096, prot=mmap.PROT_WRITE | mmap.PROT_READ)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", 0)
    finally:
        attachment.close()


def test_gateway_is_not_open_to_other_processes_of_the_user(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    reader = open_reader([s3_server.put(bucket, "a", b"x")])
    process_id = reader.fetcher.process_id
    # Not dumpable: its files in /proc belong to root, whoever runs it.
    folder = Path(f"/proc/{process_id}")
    assert (folder / "mem").stat().st_uid == 0
    assert b"testsecretkey" not in (folder / "cmdline").read_bytes()
    assert b"testsecretkey" not in (folder / "environ").read_bytes()


def test_reads_that_wait_end_when_the_query_is_cancelled(
    s3_server: Any, bucket: str, open_reader: Any, proxy: Any
) -> None:
    from tests.support.fault_proxy import Fault, Rule

    stored = s3_server.put(bucket, "a", b"x" * 100_000)
    proxy.add(Rule(Fault.STALL_BODY, times=None))
    reader = open_reader([stored], endpoint_url=proxy.url)
    failures: list[QueryServiceError] = []

    def read() -> None:
        try:
            reader.client.read(0, 0, 100_000)
        except QueryServiceError as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert proxy.stalled.acquire(timeout=10)
    reader.fetcher.cancel(reader.query_id)
    thread.join(timeout=1)
    assert not thread.is_alive()
    assert failures[0].code is ErrorCode.STORAGE_UNAVAILABLE
