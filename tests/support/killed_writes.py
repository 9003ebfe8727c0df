"""Cycles of `kill -9` while a service writes, and what must hold after each."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from querysvc.client import ServiceError
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server

BUCKET = "killed"
SETTINGS = {
    "lease_seconds": 2,
    "write_sweep_seconds": 0.2,
    "output_location": f"s3://{BUCKET}/out/",
}
ROWS = 60_000
KILL_SECONDS_MAX = 3.0
AFTER_UPLOAD_SECONDS_MAX = 0.6
"""Half of the cycles are killed so soon after the write's first upload."""
SETTLE_SECONDS_MAX = 60.0
SWEEP_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class Cycle:
    """What one cycle did and found."""

    statement: str
    killed_after_seconds: float
    state: str
    problems: tuple[str, ...]


def cycles(
    server: S3Server, state_dir: Path, count: int, seed: int, *, is_iceberg: bool = False
) -> Iterator[Cycle]:
    """Kill the service so many times, at random points of a CTAS or an INSERT; look after each."""
    chance = random.Random(seed)
    server.client().create_bucket(Bucket=BUCKET)
    expected = 0
    killed: tuple[str, str, float] | None = None
    for number in range(count + 1):
        with running_service(server.url, state_dir, **SETTINGS) as service:
            if killed is None:
                service.client.run("CREATE DATABASE k")
                service.client.run(_ctas("total", 0, is_iceberg=is_iceberg))
            else:
                query_id, statement, delay = killed
                state = _settled(service, query_id)
                is_insert = statement.startswith("INSERT")
                expected += ROWS if is_insert and state == "SUCCEEDED" else 0
                made = f"k.t{number - 1}" if statement.startswith("CREATE") else None
                problems = _problems(service, state, made, expected)
                problems += _left_behind(server, query_id) if state != "SUCCEEDED" else []
                yield Cycle(statement.split()[0], round(delay, 3), state, tuple(problems))
            if number == count:
                return
            statement = (
                _insert() if number % 2 else _ctas(f"t{number}", ROWS, is_iceberg=is_iceberg)
            )
            if is_iceberg and number % 4 == 3:
                statement = _UPDATE
            delay = chance.uniform(0.02, KILL_SECONDS_MAX)
            if number % 4 >= 2:
                delay *= AFTER_UPLOAD_SECONDS_MAX / KILL_SECONDS_MAX
            killed = str(service.client.submit(statement)["id"]), statement, delay
            if number % 4 >= 2:
                _await_upload(server, killed[0])
            time.sleep(delay)  # the moment to be killed at is what is drawn
            service.kill()


# It neither adds nor removes rows, if all of it is seen or none: some move to other partitions.
_UPDATE = "UPDATE k.total SET s = s || 'x', p = p + 1 WHERE n % 3 = 0"


def _ctas(name: str, rows: int, *, is_iceberg: bool) -> str:
    properties = "partitioned_by = ARRAY['p']"
    if is_iceberg:
        properties = (
            "table_type = 'ICEBERG', is_external = false, partitioning = ARRAY['p'],"
            f" location = 's3://{BUCKET}/iceberg/{name}/'"
        )
    return (
        f"CREATE TABLE k.{name} WITH ({properties}) AS"
        f" SELECT n, CAST(n AS varchar) AS s, n % 7 AS p FROM {_numbers()} WHERE n < {rows}"
    )


def _insert() -> str:
    # Every INSERT meets partitions that exist and makes one that does not.
    return (
        "INSERT INTO k.total SELECT n, CAST(n AS varchar), IF(n % 7 = 0, CAST(to_unixtime(now())"
        f" * 1000 AS bigint), n % 7) FROM {_numbers()}"
    )


def _numbers() -> str:
    thousands = ROWS // 1000
    return (
        f"(SELECT h * 1000 + l AS n FROM UNNEST(sequence(0, {thousands - 1})) a(h),"
        " UNNEST(sequence(0, 999)) b(l))"
    )


def _settled(service: RunningService, query_id: str) -> str:
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        state = str(service.client.query(query_id, wait_seconds=1)["state"])
        if state not in ("QUEUED", "RUNNING"):
            return state
    raise AssertionError(f"query {query_id} does not end")


def _await_upload(server: S3Server, query_id: str) -> None:
    """Wait until the query's first upload, or its end: what follows is the narrow part."""
    deadline = time.monotonic() + SWEEP_SECONDS_MAX
    while not _left(server, query_id) and time.monotonic() < deadline:
        time.sleep(0.01)


def _left_behind(server: S3Server, query_id: str) -> list[str]:
    """What is left of a lost query when a sweep had its time."""
    deadline = time.monotonic() + SWEEP_SECONDS_MAX
    while (left := _left(server, query_id)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [f"left behind: {key}" for key in left]


def _left(server: S3Server, query_id: str) -> list[str]:
    return [key for key in stored_keys(server) if query_id in key]


def stored_keys(server: S3Server) -> list[str]:
    """The keys of all objects and of all open uploads."""
    client = server.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    uploads = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return keys + [one["Key"] for one in uploads]


def _problems(service: RunningService, state: str, made: str | None, expected: int) -> list[str]:
    problems = []
    if (total := _count(service, "k.total")) != expected:
        problems.append(f"k.total has {total} rows, not {expected}")
    if made is not None:
        wanted = ROWS if state == "SUCCEEDED" else None
        if (found := _count(service, made)) != wanted:
            problems.append(f"{made} has {found} rows, not {wanted}")
    return problems


def _count(service: RunningService, table: str) -> int | None:
    """The table's rows; None when there is no such table."""
    try:
        query_id = service.client.run(f"SELECT count(*) FROM {table}")["id"]
    except ServiceError as error:
        if error.code != "TABLE_NOT_FOUND":
            raise
        return None
    (row,) = service.client.rows(query_id)
    return int(row[0])
