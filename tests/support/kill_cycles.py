"""`kill -9` of workers and of the whole service, again and again under load: what must hold."""

from __future__ import annotations

import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from querysvc.client import ServiceError, ServiceUnreachableError
from tests.support.killed_writes import BUCKET, SETTINGS, stored_keys
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server

SERVICE_KILL_EVERY: Final = 10
"""Every so many cycles the victim is the whole service, else one worker."""
ROWS: Final = 1000
_SELECTS: Final = 4
_SETTLE_SECONDS_MAX: Final = 300.0
_QUEUED_MAX: Final = 40
_SWEEP_SECONDS_MAX: Final = 15.0
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOST: Final = frozenset({"WORKER_CRASHED", "SERVER_SHUTTING_DOWN", "ABANDONED_QUERY"})


@dataclass(frozen=True, slots=True)
class Statement:
    """What is submitted: a SELECT of one value, or the INSERT of a cycle's own rows."""

    token: str
    sql: str
    value: int
    """What a SELECT answers, or the cycle whose rows an INSERT adds."""
    is_insert: bool = False


@dataclass
class Load:
    """What was acknowledged, by the query's id, and what was not."""

    acknowledged: dict[str, Statement] = field(default_factory=dict)
    pending: dict[Statement, str] = field(default_factory=dict)
    """And why not."""

    def submit(self, service: RunningService, statement: Statement) -> None:
        """Submit; without an answer the same token asks again later."""
        try:
            query = service.client.submit(statement.sql, client_request_token=statement.token)
        except (ServiceUnreachableError, ServiceError) as error:
            self.pending[statement] = str(error)
        else:
            self.acknowledged[query["id"]] = statement

    def retry(self, service: RunningService) -> None:
        """Ask again for what was not acknowledged."""
        pending, self.pending = self.pending, {}
        for statement in pending:
            self.submit(service, statement)


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
            for statement in _statements(cycle):
                load.submit(service, statement)
            time.sleep(chance.uniform(0.0, 0.3))  # the moment to be killed at is what is drawn
            if cycle % SERVICE_KILL_EVERY:
                kills["worker" if _kill_worker(service, chance) else "no worker ran"] += 1
                continue
            service.kill()
            kills["service"] += 1
            stack.close()
            service = stack.enter_context(running_service(server.url, state_dir, **settings))
            _await_room(service)
            load.retry(service)
        _await_room(service)
        load.retry(service)
        return {"kills": dict(kills), **_judged(service, server, load)}


def _statements(cycle: int) -> Iterator[Statement]:
    numbers = "UNNEST(sequence(1, 1000)) a(x), UNNEST(sequence(1, 200)) b(y)"
    for number in range(_SELECTS):
        value = cycle * _SELECTS + number
        sql = f"SELECT {value} + count(*) - 200000 FROM {numbers}"
        yield Statement(f"select-{value:06}", sql, value)
    insert = f"INSERT INTO k.total SELECT {cycle} FROM UNNEST(sequence(1, {ROWS})) a(x)"
    yield Statement(f"insert-{cycle:06}", insert, cycle, is_insert=True)


def _await_room(service: RunningService) -> None:
    """A load, not a flood: what is never run cannot be lost either."""
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        queued = service.client.get("/v1/queries", state="QUEUED", limit=_QUEUED_MAX + 1)
        if len(queued["queries"]) <= _QUEUED_MAX:
            return
        time.sleep(0.2)


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
    problems = [f"never acknowledged: {one.token}: {why}" for one, why in load.pending.items()]
    succeeded: dict[str, Statement] = {}
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    for query_id, statement in load.acknowledged.items():
        state, problem = _ended(service, query_id, statement, _patience(deadline))
        ends[f"{'INSERT' if statement.is_insert else 'SELECT'} {state}"] += 1
        problems += [f"{query_id}: {problem}"] if problem else []
        if state == "SUCCEEDED":
            succeeded[query_id] = statement
    inserted = {one.value: ROWS for one in succeeded.values() if one.is_insert}
    problems += _wrong_rows(service, inserted)
    lost = load.acknowledged.keys() - succeeded.keys()
    problems += _orphans(server, lost)
    return {
        "queries": len(load.acknowledged),
        "ends": dict(sorted(ends.items())),
        "problems": problems,
    }


def _ended(
    service: RunningService, query_id: str, statement: Statement, wait_seconds: float
) -> tuple[str, str | None]:
    """How an acknowledged query ended, and what is wrong with that."""
    try:
        query = service.client.query(query_id, wait_seconds=wait_seconds)
        if query["state"] == "SUCCEEDED" and not statement.is_insert:
            rows = list(service.client.rows(query_id))
            wrong = None if rows == [[statement.value]] else f"{rows}, not {statement.value}"
            return query["state"], wrong
    except ServiceError as error:
        return "LOST", str(error)
    failed_otherwise = query["error"] is None or query["error"]["code"] not in _LOST
    is_wrong = query["state"] != "SUCCEEDED" and failed_otherwise
    return query["state"], f"{query['state']}: {query['error']}" if is_wrong else None


def _wrong_rows(service: RunningService, inserted: dict[int, int]) -> list[str]:
    """Cycles whose rows are not in the table exactly as their INSERT ended."""
    query = service.client.run("SELECT n, count(*) FROM k.total GROUP BY n")
    found = {int(cycle): int(rows) for cycle, rows in service.client.rows(query["id"])}
    return [
        f"k.total has {found.get(cycle, 0)} rows of cycle {cycle}, not {inserted.get(cycle, 0)}"
        for cycle in sorted(found.keys() | inserted.keys())
        if found.get(cycle) != inserted.get(cycle)
    ]


def _orphans(server: S3Server, lost: Set[str]) -> list[str]:
    """Objects and open uploads of queries that did not succeed, when the sweeper had its time."""
    deadline = time.monotonic() + _SWEEP_SECONDS_MAX
    while True:
        left = [key for key in stored_keys(server) if _writer(key) in {None, *lost}]
        if not left or time.monotonic() > deadline:
            return [f"orphan: {key}" for key in left]
        time.sleep(0.2)


def _writer(key: str) -> str | None:
    """The query that wrote an object: the last id in its key; the first is its table's maker."""
    ids = _ID.findall(key)
    return ids[-1] if ids else None


def _patience(deadline: float) -> float:
    return min(60.0, max(0.0, deadline - time.monotonic()))
