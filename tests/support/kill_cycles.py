"""`kill -9` of workers and of the whole service, again and again under load: what must hold."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from querysvc.client import ServiceError, ServiceUnreachableError
from tests.support.killed_writes import BUCKET, SETTINGS
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server

SERVICE_KILL_EVERY: Final = 10
"""Every so many cycles the victim is the whole service, else one worker."""
ROWS: Final = 1000
_SELECTS: Final = 4
_SETTLE_SECONDS_MAX: Final = 120.0
_LOST: Final = frozenset({"WORKER_CRASHED", "SERVER_SHUTTING_DOWN", "ABANDONED_QUERY"})


@dataclass
class Load:
    """What was acknowledged: a query's id, and the value that it must give (None: an INSERT)."""

    expected: dict[str, int | None] = field(default_factory=dict)
    pending: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """Statements by client token whose acknowledgement never came."""

    def submit(self, service: RunningService, token: str, sql: str, value: int | None) -> None:
        """Submit; without an answer the same token asks again later."""
        self.pending[token] = (sql, value)
        try:
            query = service.client.submit(sql, client_request_token=token)
        except (ServiceUnreachableError, ServiceError):
            return
        self.expected[query["id"]] = value
        del self.pending[token]

    def retry(self, service: RunningService) -> None:
        """Ask again for what was not acknowledged."""
        for token, (sql, value) in list(self.pending.items()):
            self.submit(service, token, sql, value)


def run(server: S3Server, state_dir: Path, count: int, seed: int, **state: Any) -> dict[str, Any]:
    """So many kills; the counts of how queries ended, and the problems found."""
    server.client().create_bucket(Bucket=BUCKET)
    chance, load, kills = random.Random(seed), Load(), Counter[str]()
    settings = {**SETTINGS, "submissions_per_second_max": 1000, **state}
    with ExitStack() as stack:
        service = stack.enter_context(running_service(server.url, state_dir, **settings))
        service.client.run("CREATE DATABASE k")
        service.client.run("CREATE TABLE k.total AS SELECT CAST(0 AS bigint) AS n WHERE false")
        for cycle in range(1, count + 1):
            for token, sql, value in _statements(cycle):
                load.submit(service, token, sql, value)
            time.sleep(chance.uniform(0.0, 0.3))  # the moment to be killed at is what is drawn
            if cycle % SERVICE_KILL_EVERY:
                kills["worker" if _kill_worker(service, chance) else "no worker ran"] += 1
                continue
            service.kill()
            kills["service"] += 1
            stack.close()
            service = stack.enter_context(running_service(server.url, state_dir, **settings))
            load.retry(service)
        load.retry(service)
        return {"kills": dict(kills), **_judged(service, server, load)}


def _statements(cycle: int) -> Iterator[tuple[str, str, int | None]]:
    numbers = "UNNEST(sequence(1, 1000)) a(x), UNNEST(sequence(1, 200)) b(y)"
    for number in range(_SELECTS):
        value = cycle * _SELECTS + number
        yield f"select-{value:06}", f"SELECT {value} + count(*) - 200000 FROM {numbers}", value
    insert = f"INSERT INTO k.total SELECT x FROM UNNEST(sequence(1, {ROWS})) a(x)"
    yield f"insert-{cycle:06}", insert, None


def _kill_worker(service: RunningService, chance: random.Random) -> bool:
    """Kill one process that the zygote forked; False when there is none just now."""
    workers = [
        process
        for process in psutil.Process(service.process.pid).children(recursive=True)
        if _is_worker(process)
    ]
    if not workers:
        return False
    try:
        chance.choice(workers).send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


def _is_worker(process: psutil.Process) -> bool:
    try:
        parent = process.parent()
        return parent is not None and "zygote" in " ".join(parent.cmdline())
    except psutil.Error:
        return False


def _judged(service: RunningService, server: S3Server, load: Load) -> dict[str, Any]:
    ends: Counter[str] = Counter()
    problems = [f"never acknowledged: {token}" for token in load.pending]
    inserted = 0
    failed_inserts = []
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    for query_id, value in load.expected.items():
        query = service.client.query(query_id, wait_seconds=_patience(deadline))
        ends[f"{'INSERT' if value is None else 'SELECT'} {query['state']}"] += 1
        if query["state"] == "SUCCEEDED":
            inserted += ROWS if value is None else 0
            rows = None if value is None else list(service.client.rows(query_id))
            if rows not in (None, [[value]]):
                problems.append(f"{query_id} answered {rows}, not {value}")
        elif query["error"] is None or query["error"]["code"] not in _LOST:
            problems.append(f"{query_id} is {query['state']}: {query['error']}")
        elif value is None:
            failed_inserts.append(query_id)
    problems += _total(service, inserted) + _orphans(server, failed_inserts)
    return {"queries": len(load.expected), "ends": dict(sorted(ends.items())), "problems": problems}


def _total(service: RunningService, inserted: int) -> list[str]:
    query = service.client.run("SELECT count(*) FROM k.total")
    ((found,),) = service.client.rows(query["id"])
    return [] if found == inserted else [f"k.total has {found} rows, not {inserted}"]


def _orphans(server: S3Server, failed: list[str]) -> list[str]:
    """Objects and open uploads of INSERTs that failed, when the sweeper had its time."""
    client = server.client()
    deadline = time.monotonic() + 15
    while True:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        keys += [
            one["Key"] for one in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        ]
        left = [key for key in keys if any(one in key for one in failed)]
        if not left or time.monotonic() > deadline:
            return [f"orphan: {key}" for key in left]
        time.sleep(0.2)


def _patience(deadline: float) -> float:
    return min(60.0, max(0.0, deadline - time.monotonic()))
