"""A statement's way over the wire: POST, pages, end, cancel, errors."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pyarrow as pa
import pytest
import zstandard

from querysvc_drivers.trino import SegmentLimits, SegmentStore, TrinoSettings
from tests.unit.drivers.trino.conftest import KEY, Wire

USER = {"X-Trino-User": "eve"}


class Client:
    """Walks a statement's pages by hand."""

    def __init__(self, wire: Wire, **headers: str) -> None:
        self.http = wire.http
        self.headers = {**USER, **headers}

    def post(self, sql: str) -> dict[str, Any]:
        answer = self.http.post("/v1/statement", content=sql, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, address: str) -> httpx.Response:
        return self.http.get(address, headers=self.headers)

    def pages(self, sql: str) -> list[dict[str, Any]]:
        answers = [self.post(sql)]
        while "nextUri" in answers[-1]:
            answers.append(self.get(answers[-1]["nextUri"]).json())
        return answers

    def rows(self, sql: str) -> list[list[Any]]:
        return [row for page in self.pages(sql) for row in page.get("data", ())]


def test_a_post_carries_no_rows_and_pages_carry_them_to_the_end(wire: Wire) -> None:
    pages = Client(wire).pages("SELECT n")
    assert "data" not in pages[0]
    assert pages[0]["stats"]["state"] == "QUEUED"
    assert [row for page in pages for row in page.get("data", ())] == [[n] for n in range(10)]
    assert pages[-1]["stats"]["state"] == "FINISHED"
    assert pages[-1]["columns"] == [
        {
            "name": "n",
            "type": "bigint",
            "typeSignature": {"rawType": "bigint", "arguments": []},
        }
    ]


def test_rows_are_sent_while_the_query_still_runs(wire: Wire) -> None:
    wire.harness.engine.is_held = True
    client = Client(wire)
    page = client.post("SELECT n")
    wire.harness.engine.release()
    while not page.get("data"):
        page = client.get(page["nextUri"]).json()
    assert page["data"] == [[0], [1], [2], [3]]
    assert page["stats"]["state"] == "RUNNING"
    wire.harness.engine.release(2)


def test_the_last_page_can_be_fetched_again_and_older_ones_are_gone(wire: Wire) -> None:
    client = Client(wire)
    first = client.post("SELECT n")["nextUri"]
    page = client.get(first)
    assert client.get(first).json() == page.json()
    while "nextUri" in page.json():
        page = client.get(page.json()["nextUri"])
    assert client.get(first).status_code in (200, 410)
    last = client.pages("SELECT n")
    assert "data" in last[-1] or last[-1]["stats"]["state"] == "FINISHED"


def test_an_address_that_was_not_given_is_not_found(wire: Wire) -> None:
    client = Client(wire)
    address = client.post("SELECT n")["nextUri"]
    head, slug, token = address.rsplit("/", 2)
    assert client.get(f"{head}/y{'0' * 40}/{token}").status_code == 404
    assert client.get(f"{head}/{slug}/7").status_code == 404
    assert client.get(f"{head}/{slug}/x").status_code == 404


def test_another_principal_cannot_fetch_a_page(wire: Wire) -> None:
    address = Client(wire).post("SELECT n")["nextUri"]
    ada = Client(wire, Authorization=f"Bearer {KEY}")
    assert ada.get(address).status_code == 404


def test_a_delete_cancels_the_query(wire: Wire) -> None:
    wire.harness.engine.is_held = True
    client = Client(wire)
    page = client.post("SELECT n")
    assert wire.harness.engine.started.acquire(timeout=10)
    assert client.http.delete(page["nextUri"], headers=USER).status_code == 204
    error = client.get(page["nextUri"]).json()["error"]
    assert error["errorName"] == "USER_CANCELED"
    stored = wire.harness.service.wait(page["id"], _anonymous(), timeout_seconds=10)
    assert stored.state == "CANCELLED"


def test_a_semantic_error_has_its_place(wire: Wire) -> None:
    last = Client(wire).pages("SELECT missing")[-1]
    assert last["stats"]["state"] == "FAILED"
    error = last["error"]
    assert error["message"] == "line 1:8: Column 'missing' cannot be resolved"
    assert (error["errorCode"], error["errorName"]) == (47, "COLUMN_NOT_FOUND")
    assert error["errorType"] == "USER_ERROR"
    assert error["errorLocation"] == {"lineNumber": 1, "columnNumber": 8}
    assert error["failureInfo"]["message"] == error["message"]


def test_a_syntax_error_inside_execute_immediate_has_its_place_in_the_whole(wire: Wire) -> None:
    error = Client(wire).pages("EXECUTE IMMEDIATE 'SELEC 1'")[-1]["error"]
    assert error["errorName"] == "SYNTAX_ERROR"
    assert error["errorLocation"] == {"lineNumber": 1, "columnNumber": 20}


def test_pages_are_bounded_in_size(wire: Wire) -> None:
    names = pa.array([f"{n:0100}" for n in range(60_000)])
    wire.answers.add("SELECT s", {"s": "varchar"}, pa.RecordBatch.from_arrays([names], ["0"]))
    client = Client(wire)
    page, rows = client.post("SELECT s"), 0
    while "nextUri" in page:
        answer = client.get(page["nextUri"])
        assert len(answer.content) < 2 << 20
        page = answer.json()
        rows += len(page.get("data", ()))
    assert rows == 60_000


@pytest.mark.parametrize("encoding", ["json", "json+lz4", "json+zstd"])
def test_rows_come_in_inline_segments_when_an_encoding_is_asked_for(
    wire: Wire, encoding: str
) -> None:
    numbers = pa.array(range(5000), pa.int64())
    wire.answers.add("SELECT m", {"m": "bigint"}, pa.RecordBatch.from_arrays([numbers], ["0"]))
    client = Client(wire, **{"X-Trino-Query-Data-Encoding": f"nope,{encoding},json"})
    pages = [page["data"] for page in client.pages("SELECT m") if "data" in page]
    assert {page["encoding"] for page in pages} == {encoding}
    rows: list[Any] = []
    for page in pages:
        for segment in page["segments"]:
            assert segment["metadata"]["rowOffset"] == len(rows)
            data = base64.b64decode(segment["data"])
            assert len(data) == segment["metadata"]["segmentSize"]
            size = segment["metadata"].get("uncompressedSize")
            if size is not None:
                codec = "lz4_raw" if encoding == "json+lz4" else "zstd"
                if codec == "zstd":
                    data = zstandard.ZstdDecompressor().decompress(data)
                else:
                    data = pa.decompress(data, size, codec=codec, asbytes=True)
            rows += json.loads(data)
    assert rows == [[n] for n in range(5000)]


def _long_texts(wire: Wire) -> None:
    names = pa.array([f"{n:0100}" for n in range(60_000)])
    wire.answers.add("SELECT s", {"s": "varchar"}, pa.RecordBatch.from_arrays([names], ["0"]))


def _segments(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [segment for page in pages for segment in page.get("data", {}).get("segments", ())]


@pytest.mark.parametrize("encoding", ["json", "json+zstd"])
def test_large_rows_lie_in_segments_that_are_fetched_without_credentials(
    wire: Wire, segments: SegmentStore, encoding: str
) -> None:
    _long_texts(wire)
    asked = {"X-Trino-Query-Data-Encoding": encoding, "X-Trino-Target-Result-Size": "2MB"}
    found = _segments(Client(wire, **asked).pages("SELECT s"))
    assert [segment["type"] for segment in found].count("spooled") >= 2
    rows = 0
    for segment in found:
        metadata = segment["metadata"]
        assert metadata["rowOffset"] == rows
        if segment["type"] == "inline":
            rows += metadata["rowsCount"]
            continue
        body = httpx.get(segment["uri"]).content
        assert len(body) == metadata["segmentSize"]
        if "uncompressedSize" in metadata:
            body = zstandard.ZstdDecompressor().decompress(body)
            assert len(body) == metadata["uncompressedSize"]
        texts = json.loads(body)
        assert texts[0] == [f"{rows:0100}"]
        assert len(texts) == metadata["rowsCount"]
        rows += len(texts)
        assert httpx.get(segment["ackUri"]).status_code == 200
        assert httpx.get(segment["uri"]).status_code == 404
    assert rows == 60_000
    assert len(segments) == 0


@pytest.mark.parametrize("path", ["download", "ack"])
def test_a_guessed_segment_is_not_found(wire: Wire, path: str) -> None:
    _long_texts(wire)
    client = Client(wire, **{"X-Trino-Query-Data-Encoding": "json"})
    uri = next(s["uri"] for s in _segments(client.pages("SELECT s")) if s["type"] == "spooled")
    guess = uri.rsplit("/", 1)[1]
    guess = ("A" if guess[0] != "A" else "B") + guess[1:]
    for name in (guess, "..", "%2e%2e%2fstate.db", ""):
        assert wire.http.get(f"/v1/spooled/{path}/{name}").status_code in (404, 405)


def test_rows_stay_in_the_page_when_the_spool_is_full(wire: Wire, segments: SegmentStore) -> None:
    _long_texts(wire)
    segments._limits = SegmentLimits(bytes_max=0)
    client = Client(wire, **{"X-Trino-Query-Data-Encoding": "json+zstd"})
    found = _segments(client.pages("SELECT s"))
    assert {segment["type"] for segment in found} == {"inline"}
    assert sum(segment["metadata"]["rowsCount"] for segment in found) == 60_000


@pytest.mark.parametrize("settings", [TrinoSettings(client_timeout_seconds=0.6)])
def test_a_heartbeat_keeps_a_statement_whose_client_is_busy(wire: Wire) -> None:
    wire.harness.engine.is_held = True
    client = Client(wire)
    page = client.post("SELECT n")
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert client.http.head(page["nextUri"], headers=USER).status_code == 200
        time.sleep(0.1)
    assert wire.harness.state.get(page["id"]).state == "RUNNING"
    wire.harness.engine.release(3)
    assert client.http.head(page["nextUri"][:-1] + "9", headers=USER).status_code == 404


@pytest.mark.parametrize("settings", [TrinoSettings(client_timeout_seconds=0.3)])
def test_rows_of_a_query_that_has_ended_wait_longer_for_their_client(wire: Wire) -> None:
    _long_texts(wire)
    client = Client(wire)
    page = client.post("SELECT s")
    while not page.get("data"):
        page = client.get(page["nextUri"]).json()
    rows = page["data"]
    time.sleep(0.8)  # what was read and not sent is forgotten, and read again
    while "nextUri" in page:
        page = client.get(page["nextUri"]).json()
        rows += page.get("data", [])
    assert rows == [[f"{n:0100}"] for n in range(60_000)]


def test_a_client_may_ask_whether_it_may_speak(wire: Wire) -> None:
    assert wire.http.head("/v1/statement", headers=USER).status_code == 200
    wrong = {"Authorization": "Bearer nothing"}
    assert wire.http.head("/v1/statement", headers=wrong).status_code == 401


@pytest.mark.parametrize("settings", [TrinoSettings(client_timeout_seconds=0.3)])
def test_a_query_whose_client_vanished_is_ended(wire: Wire) -> None:
    wire.harness.engine.is_held = True
    page = Client(wire).post("SELECT n")
    assert wire.harness.engine.started.acquire(timeout=10)
    stored = wire.harness.service.wait(page["id"], _anonymous(), timeout_seconds=10)
    assert stored.state == "CANCELLED"
    _until(lambda: wire.harness.engine.running == 0)
    assert Client(wire).get(page["nextUri"]).status_code == 404


def test_a_wrong_key_is_401_with_a_challenge(wire: Wire) -> None:
    for authorization in ("Bearer nope", "Basic " + base64.b64encode(b"ada:nope").decode(), "X y"):
        answer = httpx.post(
            f"{wire.url}/v1/statement", content="SELECT 1", headers={"Authorization": authorization}
        )
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_key_as_basic_password_makes_its_principal_the_user(wire: Wire) -> None:
    basic = base64.b64encode(f"ada:{KEY}".encode()).decode()
    page = Client(wire, Authorization=f"Basic {basic}").post("SELECT n")
    execution = wire.harness.state.get(page["id"])
    assert execution is not None
    assert (execution.principal, execution.session.user) == ("ada", "ada")


def test_without_authentication_the_user_is_whom_the_client_names(wire: Wire) -> None:
    execution = wire.harness.state.get(Client(wire).post("SELECT n")["id"])
    assert execution is not None
    assert (execution.principal, execution.session.user) == ("anonymous", "eve")


def test_a_type_without_a_wire_form_is_an_error_of_the_statement(wire: Wire) -> None:
    digests = pa.RecordBatch.from_arrays([pa.array([b"x"])], ["0"])
    wire.answers.add("SELECT h", {"h": "HyperLogLog"}, digests)
    error = Client(wire).pages("SELECT h")[-1]["error"]
    assert error["errorName"] == "NOT_SUPPORTED"


def test_headers_become_the_session(wire: Wire) -> None:
    client = Client(
        wire,
        **{
            "X-Trino-Catalog": "Lake",
            "X-Trino-Schema": "shop",
            "X-Trino-Time-Zone": "Europe/Berlin",
            "X-Trino-Source": "dbeaver",
            "X-Trino-Client-Tags": "a,b",
            "X-Trino-Session": "query_max_run_time=90s",
        },
    )
    execution = wire.harness.state.get(client.post("SELECT n")["id"])
    assert execution is not None
    session = execution.session
    assert (session.catalog, session.database) == ("lake", "shop")
    assert (session.time_zone, session.source) == ("Europe/Berlin", "dbeaver")
    assert session.client_tags == ("a", "b")
    assert execution.work_group == "primary"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"X-Trino-Session": "nope=1"}, "INVALID_SESSION_PROPERTY"),
        ({"X-Trino-Session": "query_max_run_time=5"}, "INVALID_SESSION_PROPERTY"),
        ({"X-Trino-Time-Zone": "Mars/Olympus"}, "NOT_SUPPORTED"),
        ({"X-Trino-Client-Tags": "work_group=nope"}, "WORK_GROUP_NOT_FOUND"),
    ],
)
def test_a_session_that_cannot_be_is_refused(
    wire: Wire, headers: dict[str, str], name: str
) -> None:
    assert Client(wire, **headers).pages("SELECT n")[-1]["error"]["errorName"] == name


def test_an_empty_statement_is_a_bad_request(wire: Wire) -> None:
    assert httpx.post(f"{wire.url}/v1/statement", content=" ", headers=USER).status_code == 400


def test_large_answers_are_compressed_when_the_client_accepts_it(wire: Wire) -> None:
    numbers = pa.array(range(5000), pa.int64())
    wire.answers.add("SELECT m", {"m": "bigint"}, pa.RecordBatch.from_arrays([numbers], ["0"]))
    client = Client(wire)
    page = client.post("SELECT m")
    encodings = set()
    while "nextUri" in page:
        answer = client.get(page["nextUri"])
        encodings.add((bool(answer.json().get("data")), answer.headers.get("content-encoding")))
        page = answer.json()
    assert (True, "gzip") in encodings


def test_the_server_tells_a_version_and_that_it_is_up(wire: Wire) -> None:
    info = httpx.get(f"{wire.url}/v1/info").json()
    assert info["nodeVersion"] == {"version": "476"}
    assert (info["coordinator"], info["starting"]) == (True, False)
    assert httpx.get(f"{wire.url}/v1/info/state").json() == "ACTIVE"


def test_a_query_can_be_looked_up_and_killed_by_its_id(wire: Wire) -> None:
    wire.harness.engine.is_held = True
    page = Client(wire).post("SELECT n")
    address = f"{wire.url}/v1/query/{page['id']}"
    assert httpx.get(address).json()["query"] == "SELECT n"
    assert httpx.delete(address).status_code == 204
    wire.harness.service.wait(page["id"], _anonymous(), timeout_seconds=10)
    assert httpx.get(address).json()["state"] == "FAILED"


def _anonymous() -> Any:
    from tests.unit.drivers.trino.conftest import ANONYMOUS

    return ANONYMOUS


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
