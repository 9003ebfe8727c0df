"""What a busy service still answers: health checks beside 64 running and 1,000 queued queries,
and 1,000 GetQueryExecution polls at once.

The running queries wait for an S3 that never answers: they hold threads, connections and leases,
as many as the service lets run, and no processor.

    python -m benchmarks.busy_service [--queued 1000] [--polls 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from benchmarks.support import Client, S3Server, median, percentile, record, service

RUNNING = 64
CHECKS = 300
RATIO_MAX = 2.0
SUBMITTERS = 8
SETTINGS = {
    "running_queries_max": RUNNING,
    "work_group_running_max": RUNNING,
    "queued_queries_max": 100_000,
    "shutdown_grace_seconds": 0.1,
}


@contextmanager
def silent_store() -> Iterator[S3Server]:
    """A store that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield S3Server(f"http://127.0.0.1:{listener.getsockname()[1]}")


def health_checks(address: str) -> list[float]:
    """Milliseconds of health checks, one after the other."""
    taken = []
    with Client(address, timeout_seconds=60) as client:
        client.get("/healthz")
        for _ in range(CHECKS):
            start = time.perf_counter()
            client.get("/healthz")
            taken.append((time.perf_counter() - start) * 1000)
    return taken


def submit_all(address: str, count: int) -> list[str]:
    """Submit so many scans of the table that never answers; their ids."""

    def some(share: int) -> list[str]:
        with Client(address, timeout_seconds=60) as client:
            return [
                client.submit("SELECT count(*) FROM stalled.t", wait_seconds=0)["id"]
                for _ in range(share)
            ]

    shares = [count // SUBMITTERS + (i < count % SUBMITTERS) for i in range(SUBMITTERS)]
    with ThreadPoolExecutor(SUBMITTERS) as pool:
        return [one for ids in pool.map(some, shares) for one in ids]


def wait_until_running(client: Client, ids: list[str]) -> None:
    """Until as many run as may."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = client.get("/v1/queries", state="RUNNING", limit=1000)
        if len(listed["queries"]) == RUNNING:
            return
        time.sleep(0.1)
    raise AssertionError(f"fewer than {RUNNING} of {len(ids)} queries run")


async def polls(address: str, ids: list[str], count: int) -> tuple[float, list[float]]:
    """Seconds of all GetQueryExecution calls, each on its own connection, and each one's ms."""
    host, _, port = address.removeprefix("http://").partition(":")
    together = asyncio.Event()
    ready: asyncio.Queue[None] = asyncio.Queue()

    async def one(number: int) -> float:
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps({"QueryExecutionId": ids[number % len(ids)]}).encode()
        head = (
            f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.1\r\n"
            "X-Amz-Target: AmazonAthena.GetQueryExecution\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode()
        ready.put_nowait(None)
        await together.wait()
        start = time.perf_counter()
        writer.write(head + body)
        answer = await reader.read()
        writer.close()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise AssertionError(answer[:500])
        return (time.perf_counter() - start) * 1000

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    for _ in tasks:
        await ready.get()
    start = time.perf_counter()
    together.set()
    taken = await asyncio.gather(*tasks)
    return time.perf_counter() - start, list(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, default=1000)
    parser.add_argument("--polls", type=int, default=1000)
    options = parser.parse_args()
    soft = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))
    with silent_store() as server, service(server.url, server, **SETTINGS) as client:
        client.run("CREATE DATABASE stalled")
        client.run("CREATE EXTERNAL TABLE stalled.t (a int) LOCATION 's3://stalled/t/'")
        idle = health_checks(client.server)
        ids = submit_all(client.server, RUNNING + options.queued)
        wait_until_running(client, ids)
        busy = health_checks(client.server)
        seconds, each = asyncio.run(polls(client.server, ids, options.polls))
    ratio = median(busy) / median(idle)
    figures: dict[str, Any] = {
        "running": RUNNING,
        "queued": options.queued,
        "health_idle_median_milliseconds": round(median(idle), 2),
        "health_idle_p99_milliseconds": round(percentile(idle, 0.99), 2),
        "health_busy_median_milliseconds": round(median(busy), 2),
        "health_busy_p99_milliseconds": round(percentile(busy, 0.99), 2),
        "health_busy_to_idle": round(ratio, 2),
        "polls": options.polls,
        "polls_seconds": round(seconds, 2),
        "polls_median_milliseconds": round(median(each), 1),
        "polls_p99_milliseconds": round(percentile(each, 0.99), 1),
        "polls_errors": 0,
    }
    load = f"{RUNNING} running and {options.queued} queued"
    bars = {
        f"health check beside {load} <= {RATIO_MAX} x idle": ratio <= RATIO_MAX,
        f"{options.polls} polls at once: no error": True,
    }
    record("busy_service", figures, bars)


if __name__ == "__main__":
    main()
