"""API keys end to end: `querysvc keys` beside a running service, owners, admins, refusals."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from querysvc.client import Client, ServiceError
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import free_port


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    endpoint = f"http://127.0.0.1:{free_port()}"  # no query here reads S3
    with running_service(endpoint, tmp_path_factory.mktemp("auth"), auth="keys") as running:
        yield running


@pytest.fixture(scope="module")
def key_of(guarded: RunningService) -> dict[str, str]:
    return {
        "ada": keys(guarded, "create", "--principal", "ada", "--description", "for tests").strip(),
        "bob": keys(guarded, "create", "--principal", "bob").strip(),
        "root": keys(guarded, "create", "--principal", "root", "--role", "admin").strip(),
    }


def keys(service: RunningService, *arguments: str) -> str:
    told = service.cli("keys", *arguments, "--state-dir", str(service.state_dir))
    assert told.returncode == 0, told.stderr
    return told.stdout.decode()


def key_id(key: str) -> str:
    return key.split("_")[1]


def connect(service: RunningService, key: str) -> Client:
    return Client(service.url, api_key=key)


def refusal(service: RunningService, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return httpx.post(f"{service.url}/v1/queries", json={"sql": "SELECT 1"}, headers=headers)


@pytest.mark.parametrize(
    "path", ["queries", "catalogs/awsdatacatalog/databases", "work-groups", "queries/x/results"]
)
def test_every_resource_needs_a_key(guarded: RunningService, path: str) -> None:
    response = httpx.get(f"{guarded.url}/v1/{path}")
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["code"] == "AUTHENTICATION_FAILED"


def test_wires_of_drivers_need_a_key_too(guarded: RunningService) -> None:
    headers = {"X-Trino-User": "root"}
    response = httpx.post(f"{guarded.url}/v1/statement", content="SELECT 1", headers=headers)
    assert response.status_code == 401


@pytest.mark.parametrize(
    "authorization", ["Bearer qsvc_0000_wrong", "Bearer", "Basic YTpi", "Bearer qsvc_\xff".encode()]
)
def test_wrong_key_is_refused(guarded: RunningService, authorization: str | bytes) -> None:
    assert refusal(guarded, authorization).status_code == 401


def test_secret_of_another_key_is_refused(guarded: RunningService, key_of: dict[str, str]) -> None:
    mixed = f"qsvc_{key_id(key_of['root'])}_{key_of['bob'].split('_', 2)[2]}"
    assert refusal(guarded, f"Bearer {mixed}").status_code == 401


def test_health_needs_no_key(guarded: RunningService) -> None:
    assert httpx.get(f"{guarded.url}/healthz").status_code == 200
    assert httpx.get(f"{guarded.url}/readyz").status_code == 200


def test_key_made_beside_a_running_service_works_at_once_in_the_command_line(
    guarded: RunningService, key_of: dict[str, str]
) -> None:
    told = guarded.cli("query", "-o", "csv", "--api-key", key_of["ada"], "SELECT 1 AS n")
    assert (told.returncode, told.stdout) == (0, b'"n"\n"1"\n')
    without = guarded.cli("query", "SELECT 1")
    assert without.returncode == 1
    assert b"AUTHENTICATION_FAILED" in without.stderr


def test_query_belongs_to_its_owner(guarded: RunningService, key_of: dict[str, str]) -> None:
    with connect(guarded, key_of["ada"]) as ada, connect(guarded, key_of["bob"]) as bob:
        execution = ada.run("SELECT 'of ada'")
        assert execution["principal"] == "ada"
        assert list(ada.rows(execution["id"])) == [["of ada"]]
        for attempt in (
            lambda: bob.query(execution["id"]),
            lambda: list(bob.rows(execution["id"])),
            lambda: b"".join(bob.stream(execution["id"], "text/csv")),
            lambda: bob.cancel(execution["id"]),
            lambda: bob.get(f"/v1/queries/{execution['id']}/events"),
        ):
            with pytest.raises(ServiceError) as raised:
                attempt()
            assert raised.value.status in (403, 404)
        assert execution["id"] not in [q["id"] for q in bob.history()["queries"]]
        listed = bob.history(principal="ada")
        assert listed["queries"] == []


def test_admin_sees_and_changes_everything(guarded: RunningService, key_of: dict[str, str]) -> None:
    with connect(guarded, key_of["ada"]) as ada, connect(guarded, key_of["root"]) as root:
        execution = ada.run("SELECT 'for the admin too'")
        assert list(root.rows(execution["id"])) == [["for the admin too"]]
        assert execution["id"] in [q["id"] for q in root.history()["queries"]]
        with pytest.raises(ServiceError) as raised:
            ada.post("/v1/work-groups", {"name": "mine"})
        assert (raised.value.code, raised.value.status) == ("PERMISSION_DENIED", 403)
        assert root.post("/v1/work-groups", {"name": "ours"})["name"] == "ours"


def test_key_for_one_work_group_is_refused_in_others(
    guarded: RunningService, key_of: dict[str, str]
) -> None:
    with connect(guarded, key_of["root"]) as root:
        root.post("/v1/work-groups", {"name": "etl"})
    key = keys(guarded, "create", "--principal", "job", "--work-group", "etl").strip()
    with connect(guarded, key) as job:
        assert job.run("SELECT 1", work_group="etl")["state"] == "SUCCEEDED"
        with pytest.raises(ServiceError) as raised:
            job.run("SELECT 1")
        assert raised.value.code == "PERMISSION_DENIED"


def test_revoked_key_ends_at_once(guarded: RunningService) -> None:
    key = keys(guarded, "create", "--principal", "gone").strip()
    assert refusal(guarded, f"Bearer {key}").status_code == 201
    keys(guarded, "revoke", key_id(key))
    response = refusal(guarded, f"Bearer {key}")
    assert response.status_code == 401
    line = next(line for line in keys(guarded, "list").splitlines() if key_id(key) in line)
    assert "revoked" in line


def test_revoking_an_unknown_key_is_told(guarded: RunningService) -> None:
    told = guarded.cli("keys", "revoke", "nosuch", "--state-dir", str(guarded.state_dir))
    assert told.returncode == 1
    assert b"NOT_FOUND: There is no key nosuch" in told.stderr
    assert b"Traceback" not in told.stderr


def test_expired_key_is_refused(guarded: RunningService) -> None:
    # 0.01 days are the least that the command gives: make the key as it does, and wait it out.
    program = (
        "import sys; from datetime import UTC, datetime, timedelta; from pathlib import Path;"
        "from querysvc.server import open_authenticator; from querysvc.settings import Settings;"
        "from querysvc.service.auth import KeyRequest;"
        "at = datetime.now(UTC) + timedelta(seconds=float(sys.argv[2]));\n"
        "with open_authenticator(Settings(state_dir=Path(sys.argv[1]))) as a:"
        " print(a.create_key(KeyRequest('late', expires_at=at)).secret_text)"
    )
    arguments = [sys.executable, "-c", program, str(guarded.state_dir), "3"]
    made = subprocess.run(arguments, capture_output=True, check=True, timeout=60)
    key = made.stdout.decode().strip()
    deadline = time.monotonic() + 20
    while refusal(guarded, f"Bearer {key}").status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "expired" in refusal(guarded, f"Bearer {key}").json()["detail"]
    line = next(line for line in keys(guarded, "list").splitlines() if key_id(key) in line)
    assert "expired" in line


def test_list_of_keys_holds_no_secret(guarded: RunningService, key_of: dict[str, str]) -> None:
    pair = keys(guarded, "create", "--principal", "aws", "--aws")
    access_key_id, secret = re.findall(r"=(\S+)", pair)
    listed = keys(guarded, "list")
    assert access_key_id in listed
    assert "for tests" in listed
    for key in (*key_of.values(), f"__{secret}"):
        assert key.split("_", 2)[2] not in listed
    state = (guarded.state_dir / "state.db").read_bytes()
    wal = guarded.state_dir / "state.db-wal"
    state += wal.read_bytes() if wal.exists() else b""
    for key in (*key_of.values(), f"__{secret}"):
        assert key.split("_", 2)[2].encode() not in state, "no secret is kept readable"
    assert not any(key in guarded.log() for key in key_of.values())


def serve(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "querysvc", "serve", "--port", "0", *arguments]
    return subprocess.run(command, capture_output=True, timeout=60)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_service_refuses_to_listen_beyond_loopback_without_authentication(
    host: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state_dir = tmp_path_factory.mktemp("exposed") / "state"
    told = serve("--host", host, "--auth", "none", "--state-dir", str(state_dir))
    assert told.returncode == 1
    text = told.stderr.decode()
    assert "CONFIGURATION_INVALID" in text
    assert f"listening on {host} without authentication" in text
    assert "--auth keys" in text
    assert "Traceback" not in text
    assert not state_dir.exists(), "nothing was started"


def test_service_listens_beyond_loopback_with_keys(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    state_dir = tmp_path_factory.mktemp("open")
    with running_service(endpoint, state_dir, auth="keys", host="0.0.0.0") as service:
        assert refusal(service, None).status_code == 401
