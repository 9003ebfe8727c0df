"""A service that is killed while queries wait and run loses none and runs none twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from querysvc.client import Client
from tests.end_to_end.conftest import DDL, ENDLESS, until
from tests.support.running_service import running_service
from tests.support.s3 import S3Server

LIMITS = {"running_queries_max": 2, "lease_seconds": 2, "query_timeout_seconds": 60}


def states(client: Client, ids: list[str]) -> list[str]:
    return [client.query(query_id)["state"] for query_id in ids]


def claims(state_dir: Path) -> dict[str, int]:
    """How often each query was claimed, from the state itself."""
    return dict(stored(state_dir, "SELECT id, fencing_token FROM query_executions"))


def state_of(state_dir: Path, query_id: str) -> str:
    return dict(stored(state_dir, "SELECT id, state FROM query_executions"))[query_id]


def stored(state_dir: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{state_dir}/state.db?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def results(client: Client, query_id: str) -> list[list[object]]:
    return list(client.rows(query_id))


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.mark.timeout(300)
def test_killed_service_loses_no_query_and_runs_none_twice(s3: S3Server, state_dir: Path) -> None:
    with running_service(s3.url, state_dir, **LIMITS) as service:
        client = service.client
        for statement in DDL[:3]:
            client.run(statement)
        finished = client.run("SELECT sum(id) FROM shop.orders")["id"]
        before = claims(state_dir)[finished]
        endless = [client.submit(ENDLESS)["id"] for _ in range(2)]
        until(lambda: states(client, endless) == ["RUNNING"] * 2)
        queued = [
            client.submit(f"SELECT {n}", client_request_token=f"token-number-{n}")["id"]
            for n in range(20)
        ]
        doomed = client.submit("SELECT nosuch")["id"]
        created = client.submit("CREATE DATABASE after_the_crash")["id"]
        assert set(states(client, [*queued, doomed, created])) == {"QUEUED"}
        family = descendants(service.process.pid)
        assert len(family) >= 3, "the storage gateway, the zygote and workers"
        service.kill()
    until(lambda: not any(map(is_alive, family)), 10)

    with running_service(s3.url, state_dir, **LIMITS) as service:
        client = service.client
        assert results(client, finished) == [[999000]], "results outlive the process"
        again = [
            client.submit(f"SELECT {n}", client_request_token=f"token-number-{n}")["id"]
            for n in range(20)
        ]
        assert again == queued, "client tokens outlive the process"
        # The endless ones run once more (nobody has seen a row of them): let the others pass.
        until(lambda: "QUEUED" not in states(client, endless))
        for query_id in endless:
            client.cancel(query_id)
        everything = [finished, *endless, *queued, doomed, created]
        final = {"SUCCEEDED", "FAILED", "CANCELLED"}
        until(lambda: set(states(client, everything)) <= final)
        assert states(client, endless) == ["CANCELLED"] * 2
        assert states(client, [*queued, created]) == ["SUCCEEDED"] * 21
        assert states(client, [doomed]) == ["FAILED"]
        assert [results(client, query_id) for query_id in queued] == [[[n]] for n in range(20)]
        listed = [query["id"] for query in client.history(limit=100)["queries"]]
        assert sorted(listed) == sorted(set(listed))
        assert set(everything) <= set(listed)
        counted = claims(state_dir)
        assert counted[finished] == before, "what had ended was not run again"
        assert {counted[query_id] for query_id in queued} == {1}, "what waited was run once"


@pytest.mark.timeout(300)
def test_stopped_service_gives_its_query_back_and_a_query_lost_twice_fails_by_name(
    s3: S3Server, state_dir: Path
) -> None:
    settings = {**LIMITS, "shutdown_grace_seconds": 0}
    with running_service(s3.url, state_dir, **settings) as service:
        for statement in DDL[:3]:
            service.client.run(statement)
        query_id = service.client.submit(ENDLESS)["id"]
        until(lambda: states(service.client, [query_id]) == ["RUNNING"])
    assert service.process.returncode == 0, "SIGTERM is an ordinary end"
    assert state_of(state_dir, query_id) == "QUEUED", service.log()[-2000:]
    with running_service(s3.url, state_dir, **settings) as service:
        until(lambda: states(service.client, [query_id]) == ["RUNNING"])
        service.kill()
    with running_service(s3.url, state_dir, **settings) as service:
        until(lambda: states(service.client, [query_id]) == ["FAILED"])
        error = service.client.query(query_id)["error"]
        assert error["code"] == "SERVER_SHUTTING_DOWN"
        assert "Submit it again" in error["message"]
        assert results(service.client, service.client.run("SELECT 7")["id"]) == [[7]]


def descendants(process_id: int) -> list[int]:
    """The process ids below a process."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(path.parent.name)] = int(after_name[1])
    found = [process_id]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
