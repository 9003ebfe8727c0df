"""What planned reads cost without an engine: 207 MB whole, cold and cached, on loopback and slow.

Run: .venv/bin/python benchmarks/fetch.py
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import obstore
import psutil
from obstore.store import S3Store
from support import median, record, s3_server, slow_network

from querysvc.plan import ResourceLimits, StoredObject
from querysvc.storage.configuration import StorageConfiguration
from querysvc.storage.fetcher import Fetcher
from querysvc.storage.range_client import RangeClient

MIB = 1 << 20
LARGE_BYTES = 207_000_000
FILES, FILE_BYTES = 2500, 10_000
TURNS = 5


@contextmanager
def reader(fetcher: Fetcher, query: str, objects: Sequence[StoredObject]) -> Iterator[RangeClient]:
    """One query's client."""
    attachment = fetcher.attach(query, objects, ResourceLimits())
    client = RangeClient(attachment.connection, attachment.window_descriptor)
    try:
        yield client
    finally:
        client.close()
        fetcher.detach(query)
        attachment.close()


def whole(client: RangeClient, objects: Sequence[StoredObject]) -> None:
    """Read everything, announced, 1 MiB at a time."""
    client.prefetch((n, 0, one.size) for n, one in enumerate(objects))
    for n, one in enumerate(objects):
        got = sum(len(client.read(n, at, MIB)) for at in range(0, one.size, MIB))
        assert got == one.size
    assert client.misses == 0


def measure(
    configuration: StorageConfiguration, objects: Sequence[StoredObject], *, cached: bool
) -> dict[str, float]:
    """Median wall and CPU milliseconds of whole reads."""
    fetcher = Fetcher(configuration)
    fetcher.start()
    gateway = psutil.Process(fetcher.process_id)
    walls, ours, gateways = [], [], []
    for turn in range(TURNS + cached):
        with reader(fetcher, f"q{turn}", objects) as client:
            times, own, wall = gateway.cpu_times(), time.process_time(), time.perf_counter()
            whole(client, objects)
            walls.append((time.perf_counter() - wall) * 1000)
            ours.append((time.process_time() - own) * 1000)
            after = gateway.cpu_times()
            gateways.append((after.user + after.system - times.user - times.system) * 1000)
    fetcher.close()
    first = 1 if cached else 0
    total = sum(one.size for one in objects)
    wall = median(walls[first:])
    return {
        "wall_milliseconds": round(wall, 1),
        "megabytes_per_second": round(total / wall / 1000),
        "worker_cpu_milliseconds": round(median(ours[first:]), 1),
        "gateway_cpu_milliseconds": round(median(gateways[first:]), 1),
    }


def bare(configuration: StorageConfiguration, stored: StoredObject) -> float:
    """Median wall milliseconds of the same ranges by obstore alone, in one process."""
    keys = configuration.credentials
    assert keys is not None
    store = S3Store(
        stored.bucket,
        endpoint=configuration.endpoint_url or "",
        region="us-east-1",
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
        client_options={"allow_http": True},
    )
    step = configuration.segment_bytes

    async def fetch() -> None:
        slots = asyncio.Semaphore(configuration.query_request_concurrency)

        async def one(start: int) -> None:
            end = min(start + step, stored.size)
            async with slots:
                await obstore.get_range_async(store, stored.key, start=start, end=end)

        await asyncio.gather(*map(one, range(0, stored.size, step)))

    def timed(action: Callable[[], Any]) -> float:
        start = time.perf_counter()
        action()
        return (time.perf_counter() - start) * 1000

    return round(median([timed(lambda: asyncio.run(fetch())) for _ in range(TURNS)]), 1)


def main() -> None:
    """Measure and record."""
    with s3_server() as server:
        server.client().create_bucket(Bucket="bench")
        large = [server.put("bench", "large", os.urandom(MIB) * (LARGE_BYTES // MIB))]
        small = [server.put("bench", f"s/{n:05d}", os.urandom(FILE_BYTES)) for n in range(FILES)]
        cold = {"range_cache_bytes": 0}
        figures: dict[str, Any] = {
            "load_average_before": os.getloadavg()[0],
            "large_bytes": large[0].size,
            "small_files": FILES,
            "large_loopback": measure(server.configuration(**cold), large, cached=False),
            "large_cached": measure(server.configuration(), large, cached=True),
            "large_bare_obstore_milliseconds": bare(server.configuration(), large[0]),
            "small_loopback": measure(server.configuration(**cold), small, cached=False),
        }
        with slow_network(server, 0.05) as url:
            slow = {"endpoint_url": url, **cold}
            figures["large_50_ms"] = measure(server.configuration(**slow), large, cached=False)
            figures["small_50_ms"] = measure(server.configuration(**slow), small, cached=False)
        figures["load_average_after"] = os.getloadavg()[0]
        record("fetch", figures)


if __name__ == "__main__":
    main()
