"""What operators rely on: results in S3, a visible and limited queue, PostgreSQL, changed data."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from querysvc.client import Client, ServiceError
from tests.end_to_end.conftest import DDL, ENDLESS, until
from tests.support import postgresql
from tests.support.fault_proxy import Fault, FaultProxy, Rule
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import S3Server


def state(client: Client, query_id: str) -> str:
    return str(client.query(query_id)["state"])


def names_in(s3: S3Server, prefix: str) -> list[str]:
    listed = s3.client().list_objects_v2(Bucket="data", Prefix=prefix)
    return sorted(one["Key"].removeprefix(prefix) for one in listed.get("Contents", []))


def body(s3: S3Server, key: str) -> bytes:
    return bytes(s3.client().get_object(Bucket="data", Key=key)["Body"].read())


def test_result_and_metadata_appear_at_the_output_location_in_athenas_form(
    service: RunningService, s3: S3Server
) -> None:
    place = "s3://data/results/select"
    execution = service.client.run(
        "SELECT id, name, nullif(born, born) AS gone FROM people ORDER BY id",
        database="shop",
        output_location=place + "/",
    )
    name = execution["id"]
    assert execution["output_location"] == f"{place}/{name}.csv"
    assert names_in(s3, "results/select/") == [f"{name}.csv", f"{name}.csv.metadata"]
    text = body(s3, f"results/select/{name}.csv")
    assert text == b'"id","name","gone"\n"1","Ada",\n"2","",\n', "all quoted, NULL as nothing"
    metadata = body(s3, f"results/select/{name}.csv.metadata")
    for part in (b"id", b"integer", b"name", b"varchar", b"gone", b"date"):
        assert part in metadata
    assert execution["statistics"]["publishing_milliseconds"] >= 0


def test_ddl_and_utility_results_are_text(service: RunningService, s3: S3Server) -> None:
    execution = service.client.run("SHOW TABLES IN shop", output_location="s3://data/results/show/")
    name = execution["id"]
    assert names_in(s3, "results/show/") == [f"{name}.txt", f"{name}.txt.metadata"]
    assert b"orders\n" in body(s3, f"results/show/{name}.txt")


def test_failed_query_leaves_no_result_object(service: RunningService, s3: S3Server) -> None:
    with pytest.raises(ServiceError):
        service.client.run(
            "SELECT sum(id) FROM bad_csv",
            database="shop",
            output_location="s3://data/results/failed/",
        )
    assert names_in(s3, "results/failed/") == []


def test_output_location_that_cannot_be_written_fails_the_query_by_name(
    service: RunningService,
) -> None:
    with pytest.raises(ServiceError) as raised:
        service.client.run("SELECT 1", output_location="s3://no-such-bucket/x/")
    assert raised.value.code == "BUCKET_NOT_FOUND"
    assert "no-such-bucket" in raised.value.message


@contextmanager
def busy_work_group(client: Client, name: str, queued_max: int) -> Iterator[str]:
    """A work group whose one place is taken; yields the id of the query that takes it."""
    limits = {"running_max": 1, "queued_max": queued_max}
    client.post("/v1/work-groups", {"name": name, "limits": limits})
    running = client.submit(ENDLESS, work_group=name)["id"]
    try:
        until(lambda: state(client, running) == "RUNNING")
        yield running
    finally:
        client.cancel(running)
        until(lambda: state(client, running) == "CANCELLED")


def test_queue_shows_positions_and_a_cancelled_entry_leaves_it(service: RunningService) -> None:
    client = service.client
    with busy_work_group(client, "waiting", 10):
        waiting = [client.submit(f"SELECT {n}", work_group="waiting")["id"] for n in range(3)]
        assert [client.query(one)["queue_position"] for one in waiting] == [1, 2, 3]
        assert client.cancel(waiting[0])["state"] == "CANCELLED"
        assert [client.query(one)["queue_position"] for one in waiting] == [None, 1, 2]
        assert client.run("SELECT 'others go on'")["state"] == "SUCCEEDED"
        assert [state(client, one) for one in waiting[1:]] == ["QUEUED", "QUEUED"]
    until(lambda: {state(client, one) for one in waiting[1:]} == {"SUCCEEDED"})
    assert state(client, waiting[0]) == "CANCELLED"
    assert list(client.rows(waiting[2])) == [[2]]


def test_full_queue_is_429_with_retry_after(service: RunningService) -> None:
    client = service.client
    with busy_work_group(client, "narrow", 1):
        waiting = client.submit("SELECT 1", work_group="narrow")["id"]
        refused = httpx.post(
            f"{service.url}/v1/queries", json={"sql": "SELECT 2", "work_group": "narrow"}
        )
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["code"] == "QUERY_QUEUE_FULL"
        assert "narrow" in refused.json()["detail"]
        told = service.cli("query", "-w", "narrow", "SELECT 3")
        assert told.returncode == 2
        assert b"QUERY_QUEUE_FULL" in told.stderr
    until(lambda: state(client, waiting) == "SUCCEEDED")


def test_events_tell_queue_run_and_end(service: RunningService) -> None:
    client = service.client
    with busy_work_group(client, "watched", 10):
        waiting = client.submit("SELECT 1", work_group="watched")["id"]
        seen: list[bytes] = []
        is_open = threading.Event()

        def watch() -> None:
            url = f"{service.url}/v1/queries/{waiting}/events"
            with httpx.stream("GET", url, timeout=60) as response:
                for line in response.iter_lines():
                    seen.append(line.encode())
                    is_open.set()

        thread = threading.Thread(target=watch)
        thread.start()
        assert is_open.wait(30)
    thread.join(60)
    text = b"\n".join(seen)
    assert text.index(b'"state":"QUEUED"') < text.index(b'"state":"SUCCEEDED"')
    assert seen[0] == b"event: query"


def test_two_thousand_partitions_are_pruned_by_their_values(
    service: RunningService, s3: S3Server
) -> None:
    client = service.client
    client.run(
        """CREATE EXTERNAL TABLE shop.many (id bigint) PARTITIONED BY (n int)
           STORED AS PARQUET LOCATION 's3://data/many/'"""
    )
    for number in (7, 1234):
        s3.client().put_object(Bucket="data", Key=f"many/n={number}/p", Body=one_column([number]))
    for start in range(0, 2000, 500):
        parts = " ".join(f"PARTITION (n={n})" for n in range(start, start + 500))
        client.run(f"ALTER TABLE shop.many ADD IF NOT EXISTS {parts}")
    execution = client.run("SELECT id, n FROM shop.many WHERE n BETWEEN 1000 AND 1500")
    assert list(client.rows(execution["id"])) == [[1234, 1234]]
    statistics = execution["statistics"]
    assert (statistics["scanned_partitions"], statistics["total_partitions"]) == (501, 2000)
    assert statistics["scanned_files"] == 1


def one_column(values: list[int]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(values, pa.int64())}), sink, row_group_size=1000)
    return sink.getvalue()


def test_object_replaced_after_its_listing_fails_the_query_and_is_never_mixed(
    s3: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old, new = one_column(list(range(5000))), one_column([-1] * 5000)
    with (
        FaultProxy(s3.url).running() as proxy,
        running_service(proxy.url, tmp_path_factory.mktemp("changed")) as service,
    ):
        client = service.client
        client.run(
            "CREATE EXTERNAL TABLE t (id bigint) STORED AS PARQUET LOCATION 's3://data/moving/'"
        )
        answers: set[object] = set()
        told: list[str] = []
        for number in (1, 2, 3):  # replaced at its first, second, third GET
            s3.client().put_object(Bucket="data", Key="moving/p", Body=old)
            proxy.clear()
            proxy.add(Rule(Fault.STATUS, matches=replaces_at(number, s3, "moving/p", new)))
            try:
                execution = client.run("SELECT min(id), max(id), count(*) FROM t")
                answers.add(tuple(next(client.rows(execution["id"]))))
            except ServiceError as error:
                answers.add(error.code)
                told.append(error.message)
        assert "OBJECT_CHANGED" in answers
        assert answers <= {"OBJECT_CHANGED", (0, 4999, 5000), (-1, -1, 5000)}
        for message in told:
            assert "s3://data/moving/p" in message
            assert "run the query again" in message
        proxy.clear()
        s3.client().put_object(Bucket="data", Key="moving/p", Body=new)
        execution = client.run("SELECT min(id), max(id), count(*) FROM t")
        assert list(client.rows(execution["id"])) == [[-1, -1, 5000]]


def replaces_at(number: int, s3: S3Server, key: str, data: bytes) -> Callable[[str, str], bool]:
    """A rule's condition that never holds, and replaces the object before its n-th GET."""
    lock, seen = threading.Lock(), []

    def matches(method: str, path: str) -> bool:
        if method != "GET" or not path.startswith(f"/data/{key}"):
            return False
        with lock:
            seen.append(path)
            is_turn = len(seen) == number
        if is_turn:
            s3.client().put_object(Bucket="data", Key=key, Body=data)
        return False

    return matches


@pytest.mark.timeout(300)
def test_postgresql_keeps_the_state_over_a_restart(
    s3: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state_dir = tmp_path_factory.mktemp("postgresql")
    with postgresql.running_server() as url:
        with running_service(s3.url, state_dir, database_url=url) as service:
            for statement in DDL[:3]:
                service.client.run(statement)
            counted = service.client.run("SELECT count(*) FROM shop.orders")["id"]
            assert list(service.client.rows(counted)) == [[2000]]
            assert not (state_dir / "state.db").exists()
            told = service.cli("keys", "create", "--principal", "ada", *at(state_dir))
            assert told.returncode == 0, told.stderr
            running = service.client.submit(ENDLESS)["id"]
            until(lambda: state(service.client, running) == "RUNNING")
            service.kill()
        with running_service(s3.url, state_dir, database_url=url) as service:
            assert list(service.client.rows(counted)) == [[2000]]
            until(lambda: state(service.client, running) == "RUNNING")
            service.client.cancel(running)
            until(lambda: state(service.client, running) == "CANCELLED")
            assert b"ada" in service.cli("keys", "list", *at(state_dir)).stdout
            assert service.client.run("SELECT count(*) FROM shop.orders")["state"] == "SUCCEEDED"


def at(state_dir: object) -> tuple[str, str]:
    return "--state-dir", str(state_dir)
