"""Canaries: after a session over every wire, no secret lies in state, logs, answers or metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import httpx
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from querysvc.server import open_authenticator
from querysvc.service.auth import KeyRequest
from querysvc.settings import load_settings
from tests.end_to_end.conftest import DDL
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import REGION, SECRET_KEY, S3Server, free_port

ISSUER = "https://login.example"
STATEMENTS = (
    "SELECT count(*) FROM shop.people",
    "EXPLAIN SELECT id FROM shop.people",
    "SELECT * FROM shop.nowhere",
    "SELECT * FROM shop.bad_csv",
    "SELECT * FROM system.runtime.queries",
    "SHOW CREATE TABLE shop.people",
    "SELEC",
)


@dataclass
class Session:
    """A service, its secrets, and everything that it answered."""

    service: RunningService
    pg_port: int
    secrets: dict[str, str]
    answers: list[str] = field(default_factory=list)

    def post(self, path: str, body: dict[str, str], secret: str) -> None:
        """A request of the REST API."""
        self._told(
            httpx.post(self.service.url + path, json=body, headers=_bearer(secret), timeout=60)
        )

    def trino(self, sql: str, secret: str) -> None:
        """A statement over Trino's wire, to its last page."""
        headers = {**_bearer(secret), "X-Trino-User": "ada"}
        page = self._told(
            httpx.post(f"{self.service.url}/v1/statement", content=sql, headers=headers)
        )
        while "nextUri" in page:
            page = self._told(httpx.get(page["nextUri"], headers=headers))

    def _told(self, response: httpx.Response) -> dict[str, Any]:
        self.answers.append(f"{response.headers} {response.text}")
        return dict(response.json()) if response.text.startswith("{") else {}


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def session(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("secrets")
    key = ec.generate_private_key(ec.SECP256R1())
    document = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "e1"}
    jwks = tmp_path_factory.mktemp("keys") / "jwks.json"
    jwks.write_text(json.dumps({"keys": [document]}))
    settings: dict[str, Any] = {
        "auth": "keys",
        "pg_port": free_port(),
        "oidc_issuer": ISSUER,
        "oidc_audience": "querysvc",
        "oidc_keys": jwks,
        "log_level": "debug",
        "log_format": "json",
    }
    with running_service(s3.url, folder, **settings) as service:
        with open_authenticator(load_settings(None, {"state_dir": folder})) as keys:
            root = keys.create_key(KeyRequest("root", frozenset({"admin"})))
            pair = keys.create_key_pair(KeyRequest("root", frozenset({"admin"})))
        claims = {
            "iss": ISSUER,
            "aud": "querysvc",
            "sub": "ada",
            "exp": datetime.now(UTC) + timedelta(minutes=10),
        }
        token = jwt.encode(claims, key, "ES256", headers={"kid": "e1"})
        secrets = {
            "S3 secret": SECRET_KEY,
            "API key": root.secret_text,
            "pair id": pair.pair.access_key_id,
            "pair secret": pair.secret_access_key,
            "token": token,
        }
        session = Session(service, settings["pg_port"], secrets)
        _use(session)
        yield session


def _use(session: Session) -> None:
    key, token = session.secrets["API key"], session.secrets["token"]
    for sql in (*DDL, *STATEMENTS):
        session.post("/v1/queries?wait=60", {"sql": sql}, key)
    session.post("/v1/queries", {"sql": "SELECT 1"}, key[:-4] + "AAAA")
    session.post("/v1/queries?wait=60", {"sql": "SELECT current_user"}, token)
    session.post("/v1/queries", {"sql": "SELECT 1"}, token[:-4] + "AAAA")
    session.post("/v1/validate", {"sql": "SELECT id FROM shop.people"}, key)
    for secret in (key, token, token + "x"):
        for sql in STATEMENTS:
            session.trino(sql, secret)
    _use_aws(session, session.secrets["pair secret"])
    _use_aws(session, "wrong" + session.secrets["pair secret"])
    for password in (key, key[:-4] + "AAAA"):
        _use_postgresql(session, password)
    session.answers.append(httpx.get(session.service.url + "/metrics").text)
    session.answers.append(httpx.get(session.service.url + "/openapi.json").text)


def _use_aws(session: Session, secret: str) -> None:
    athena = boto3.client(
        "athena",
        endpoint_url=session.service.url,
        region_name=REGION,
        aws_access_key_id=session.secrets["pair id"],
        aws_secret_access_key=secret,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    for sql in STATEMENTS:
        try:
            told = athena.start_query_execution(
                QueryString=sql, ResultConfiguration={"OutputLocation": "s3://data/out/"}
            )
        except botocore.exceptions.ClientError as error:
            told = error.response
        session.answers.append(repr({**told, "ResponseMetadata": None}))


def _use_postgresql(session: Session, password: str) -> None:
    try:
        with psycopg.connect(
            host="127.0.0.1",
            port=session.pg_port,
            user="root",
            password=password,
            dbname="awsdatacatalog",
            sslmode="disable",
            autocommit=True,
        ) as connection:
            for sql in STATEMENTS:
                try:
                    session.answers.append(repr(connection.execute(sql).fetchall()))
                except psycopg.Error as error:
                    session.answers.append(str(error))
    except psycopg.OperationalError as error:
        session.answers.append(str(error))


def secret_part(text: str) -> bytes:
    """What nobody but its owner may know of it: of a key and a token the last part."""
    if text.startswith("qsvc_"):
        text = text.split("_", 2)[2]
    return text.rpartition(".")[2].encode()


@pytest.mark.parametrize("name", ["S3 secret", "API key", "pair secret", "token"])
def test_no_secret_is_left_anywhere(session: Session, name: str) -> None:
    canary = secret_part(session.secrets[name])
    assert len(canary) > 10
    assert len(session.answers) > 50
    told = [answer for answer in session.answers if canary in answer.encode()]
    assert told == []
    files = [path for path in session.service.state_dir.rglob("*") if path.is_file()]
    assert {"state.db", "test.log"} <= {path.name for path in files}
    assert [str(path) for path in files if canary in path.read_bytes()] == []


def test_the_session_did_what_it_was_to_do(session: Session) -> None:
    text = "\n".join(session.answers)
    for proof in ("ada", "AUTHENTICATION_FAILED", "HIVE_BAD_DATA", "querysvc_queries_total"):
        assert proof in text
    actions = session.service.cli("audit", "--state-dir", str(session.service.state_dir)).stdout
    assert b"awsdatacatalog.shop.people" in actions
    assert b"create_key" in actions


def test_state_is_readable_by_its_owner_only(session: Session) -> None:
    for path in (session.service.state_dir, session.service.state_dir / "secret.key"):
        assert Path(path).stat().st_mode & 0o077 == 0
