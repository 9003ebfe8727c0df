"""The main job over REST: submit, watch, read in every format, cancel."""

from __future__ import annotations

import io
import json
import threading
import time

import httpx
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from querysvc.client import ServiceError
from tests.support.running_service import RunningService

ROWS = 1000


def rows(service: RunningService, sql: str, **options: object) -> list[list[object]]:
    execution = service.client.run(sql, database="shop", **options)
    return list(service.client.rows(execution["id"]))


def test_waiting_submission_answers_with_the_final_state(service: RunningService) -> None:
    execution = service.client.submit("SELECT 1 AS one", wait_seconds=20)
    assert execution["state"] == "SUCCEEDED"
    assert execution["columns"] == [{"name": "one", "type": "integer"}]
    assert list(service.client.rows(execution["id"])) == [[1]]


def test_parquet_partitions_are_pruned_and_bytes_counted(service: RunningService) -> None:
    execution = service.client.run(
        "SELECT count(*), sum(amount) FROM orders WHERE day = DATE '2024-01-02'", database="shop"
    )
    assert list(service.client.rows(execution["id"])) == [[1000, "49950000.00"]]
    statistics = execution["statistics"]
    assert (statistics["scanned_files"], statistics["scanned_partitions"]) == (1, 1)
    assert statistics["total_partitions"] == 2
    assert 0 < statistics["scanned_bytes"] < 50_000
    assert rows(service, "SELECT count(*) FROM orders") == [[2000]]


def test_row_groups_are_pruned(service: RunningService) -> None:
    execution = service.client.run(
        "SELECT max(id) FROM orders WHERE id < 50 AND day = DATE '2024-01-01'", database="shop"
    )
    assert list(service.client.rows(execution["id"])) == [[49]]
    statistics = execution["statistics"]
    assert (statistics["scanned_row_groups"], statistics["total_row_groups"]) == (1, 10)


def test_gzipped_csv_and_json_lines_are_read_by_their_schema(service: RunningService) -> None:
    assert rows(service, "SELECT id, name, born FROM people ORDER BY id") == [
        [1, "Ada", "1815-12-10"],
        [2, "", None],
    ]
    assert rows(service, "SELECT kind, at, cardinality(tags) FROM events ORDER BY 1") == [
        ["click", "2024-01-01 10:00:00.500", 2],
        [None, None, 0],
    ]


def test_join_subquery_window_and_set_operation(service: RunningService) -> None:
    assert rows(
        service,
        """WITH big AS (SELECT id, row_number() OVER (ORDER BY id DESC) AS place
                        FROM orders WHERE day = DATE '2024-01-01' AND id IN (SELECT id FROM people))
           SELECT id, p.name FROM big JOIN people p USING (id) WHERE place = 1
           UNION ALL SELECT -1, 'end' ORDER BY 1""",
    ) == [[-1, "end"], [2, ""]]


def test_pages_hold_what_their_tokens_promise(service: RunningService) -> None:
    execution = service.client.run("SELECT id FROM orders ORDER BY id, day", database="shop")
    path = f"/v1/queries/{execution['id']}/results"
    found, tokens, token = [], [], None
    while True:
        page = service.client.get(path, max_rows=300, page_token=token)
        found += [row[0] for row in page["rows"]]
        token = page.get("next_page_token")
        if token is None:
            break
        tokens.append(token)
    assert found == [i // 2 for i in range(2 * ROWS)]
    again = service.client.get(path, max_rows=300, page_token=tokens[2])
    assert again["rows"][0] == [450], "any page comes from its token alone"


@pytest.mark.parametrize("media_type", ["text/csv", "application/x-ndjson"])
def test_whole_result_as_text(service: RunningService, media_type: str) -> None:
    execution = service.client.run("SELECT id, name AS n FROM people ORDER BY id", database="shop")
    body = b"".join(service.client.stream(execution["id"], media_type))
    if media_type == "text/csv":
        assert body == b'"id","n"\n"1","Ada"\n"2",""\n'
    else:
        lines = [json.loads(line) for line in body.splitlines()]
        assert lines == [{"id": 1, "n": "Ada"}, {"id": 2, "n": ""}]


def test_whole_result_as_arrow_and_parquet(service: RunningService) -> None:
    execution = service.client.run("SELECT id, amount FROM orders", database="shop")
    arrow = b"".join(service.client.stream(execution["id"], "application/vnd.apache.arrow.stream"))
    table = pyarrow.ipc.open_stream(arrow).read_all()
    assert (table.num_rows, table.column_names) == (2 * ROWS, ["id", "amount"])
    parquet = b"".join(service.client.stream(execution["id"], "application/vnd.apache.parquet"))
    assert pq.read_table(io.BytesIO(parquet)).num_rows == 2 * ROWS


def test_same_client_token_is_the_same_query(service: RunningService) -> None:
    token = "a-token-that-is-long-enough-for-athena"
    first = service.client.submit("SELECT 1", client_request_token=token)
    assert service.client.submit("SELECT 1", client_request_token=token)["id"] == first["id"]
    with pytest.raises(ServiceError) as raised:
        service.client.submit("SELECT 2", client_request_token=token)
    assert (raised.value.code, raised.value.status) == ("IDEMPOTENCY_MISMATCH", 409)


def test_events_end_with_the_final_state(service: RunningService) -> None:
    execution = service.client.submit("SELECT count(*) FROM shop.orders")
    url = f"{service.url}/v1/queries/{execution['id']}/events"
    with httpx.stream("GET", url, timeout=30) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        data = (line[6:] for line in response.iter_lines() if line.startswith("data: "))
        states = [json.loads(line)["state"] for line in data]
    assert states[-1] == "SUCCEEDED"


def test_cancel_ends_a_running_query_within_a_second(service: RunningService) -> None:
    sql = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = -1"
    execution = service.client.submit(sql, database="shop")
    deadline = time.monotonic() + 20
    while service.client.query(execution["id"])["state"] != "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    service.client.cancel(execution["id"])
    started = time.monotonic()
    while service.client.query(execution["id"])["state"] == "RUNNING":
        assert time.monotonic() - started < 2.5  # one second, and slack for a loaded machine
        time.sleep(0.02)
    assert service.client.query(execution["id"])["state"] == "CANCELLED"
    assert rows(service, "SELECT 1") == [[1]]


def test_history_lists_newest_first_and_filters(service: RunningService) -> None:
    first = service.client.run("SELECT 'first'")
    second = service.client.run("SELECT 'second'")
    listed = [q["id"] for q in service.client.history(limit=10)["queries"]]
    assert listed.index(second["id"]) < listed.index(first["id"])
    with pytest.raises(ServiceError):
        service.client.run("SELECT nosuch")
    failed = service.client.history(state="FAILED", limit=1)["queries"][0]
    assert failed["error"]["code"] == "COLUMN_NOT_FOUND"


def test_many_small_queries_at_once_all_succeed(service: RunningService) -> None:
    answers: list[object] = []

    def one(number: int) -> None:
        execution = service.client.run(f"SELECT {number}")
        answers.extend(next(iter(service.client.rows(execution["id"]))))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == list(range(32))


def test_estimate_tells_bytes_without_running(service: RunningService) -> None:
    sql = "SELECT id FROM orders WHERE day = DATE '2024-01-01'"
    estimate = service.client.post("/v1/estimate", {"sql": sql, "database": "shop"})
    ran = service.client.run(sql, database="shop")["statistics"]
    assert estimate["files"] == 1
    assert estimate["scanned_bytes"] == pytest.approx(ran["scanned_bytes"], rel=0.01)


def test_health_metrics_and_openapi_answer(service: RunningService) -> None:
    assert service.client.get("/healthz") == {"status": "ok"}
    assert service.client.get("/readyz")["status"] == "ready"
    metrics = httpx.get(f"{service.url}/metrics").text
    assert "querysvc_" in metrics
    document = service.client.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert all(
        "operationId" in operation
        for path in document["paths"].values()
        for operation in path.values()
    )
