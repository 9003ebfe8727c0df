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
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from pyarrow import flight

from querysvc.server import open_authenticator
from querysvc.service.auth import KeyRequest
from querysvc.settings import load_settings
from querysvc_drivers.flightsql.messages import new, packed, unpacked
from tests.end_to_end.conftest import DDL
from tests.support import postgresql
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
    flight_port: int
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
        "flight_port": free_port(),
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
            verifier = root.key.scram_verifier
            assert verifier is not None
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
            "SCRAM verifier": verifier,
            "key file": (folder / "secret.key").read_text(),
        }
        session = Session(service, settings["pg_port"], settings["flight_port"], secrets)
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
        _use_flight(session, password)
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


def _use_flight(session: Session, password: str) -> None:
    options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {password}".encode())])
    with flight.FlightClient(f"grpc://127.0.0.1:{session.flight_port}") as client:
        for sql in STATEMENTS:
            command = packed(new("CommandStatementQuery", query=sql))
            descriptor = flight.FlightDescriptor.for_command(command)
            try:
                ticket = client.get_flight_info(descriptor, options).endpoints[0].ticket
                _, told = unpacked(ticket.ticket)
                session.secrets["Flight ticket"] = told.statement_handle.decode("latin-1")
                session.answers.append(repr(client.do_get(ticket, options).read_all().to_pylist()))
                altered = flight.Ticket(ticket.ticket[:-4] + b"AAAA")
                session.answers.append(repr(client.do_get(altered, options).read_all()))
            except (flight.FlightError, pa.ArrowException) as error:
                session.answers.append(str(error))


def secret_part(text: str) -> bytes:
    """What nobody but its owner may know of it: of a key and a token the last part."""
    if text.startswith("qsvc_"):
        text = text.split("_", 2)[2]
    return text.rpartition(".")[2].encode()


@pytest.mark.parametrize("name", ["S3 secret", "API key", "pair secret", "token", "Flight ticket"])
def test_no_secret_is_left_anywhere(session: Session, name: str) -> None:
    canary = secret_part(session.secrets[name])
    assert len(canary) > 10
    assert len(session.answers) > 50
    told = [answer for answer in session.answers if canary in answer.encode()]
    assert told == []
    files = [path for path in session.service.state_dir.rglob("*") if path.is_file()]
    assert {"state.db", "test.log"} <= {path.name for path in files}
    assert [str(path) for path in files if canary in path.read_bytes()] == []


@pytest.mark.parametrize("name", ["SCRAM verifier", "key file"])
def test_what_the_state_keeps_of_secrets_is_told_to_nobody(session: Session, name: str) -> None:
    canary = session.secrets[name].rpartition(":")[2].encode()
    assert len(canary) > 10
    assert [answer for answer in session.answers if canary in answer.encode()] == []
    assert canary.decode() not in session.service.log()


def test_the_databases_password_is_told_to_nobody(s3: S3Server, tmp_path: Path) -> None:
    password = "canary-of-the-database"
    with postgresql.server() as database:
        url = database.url.replace("querysvc@", f"querysvc:{password}@")
        settings = {"database_url": url, "log_level": "debug", "log_format": "json"}
        with running_service(s3.url, tmp_path / "state", **settings) as service:
            address = f"{service.url}/v1/queries?wait=20"
            answers = [httpx.post(address, json={"sql": "SELECT 1"}).text]
            assert "SUCCEEDED" in answers[0]
            database.stop()
            refused = httpx.post(address, json={"sql": "SELECT 1"})
            assert "STATE_UNAVAILABLE" in refused.text
            answers += [refused.text, httpx.get(f"{service.url}/readyz").text]
            answers += [httpx.get(f"{service.url}/metrics").text]
            log = service.log()
            service.kill()  # there is nothing that it could save
        told = service.cli("serve", "--port", "0", "--state-dir", str(tmp_path / "other"))
    assert told.returncode != 0
    answers += [log, told.stdout.decode(), told.stderr.decode()]
    assert [answer for answer in answers if password in answer] == []


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
