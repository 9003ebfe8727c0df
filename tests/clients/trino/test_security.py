"""API keys as passwords and tokens of stock clients, over TLS that they verify."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.auth import Authenticator, KeyRequest, SecretBox
from querysvc.service.clock import SystemClock
from querysvc.state.memory import MemoryState
from querysvc_drivers.trino.authentication import with_api_keys
from tests.support.certificates import self_signed
from tests.support.trino_stack import Stack, trino_stack

trino = pytest.importorskip("trino")

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture(autouse=True)
def no_other_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """requests prefers the environment's bundle to the one that it is given."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="module")
def authenticator(tmp_path_factory: pytest.TempPathFactory) -> Authenticator:
    box = SecretBox(tmp_path_factory.mktemp("keys") / "key")
    return Authenticator(MemoryState(), box, SystemClock(), is_required=True)


@pytest.fixture(scope="module")
def secure(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path, authenticator: Authenticator
) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("secure")
    with trino_stack(
        root,
        authenticate=with_api_keys(authenticator.authenticate),
        ssl_certfile=str(certificate),
        ssl_keyfile=str(certificate.with_suffix(".key")),
    ) as stack:
        yield stack


def ask(stack: Stack, certificate: Path, auth: Any) -> Any:
    connection = trino.dbapi.connect(
        host="127.0.0.1",
        port=stack.port,
        http_scheme="https",
        verify=str(certificate),
        user="ada",
        auth=auth,
        catalog="tpch",
        schema="tiny",
    )
    with contextlib.closing(connection):
        cursor = connection.cursor()
        cursor.execute("SELECT current_user, count(*) FROM lineitem")
        return cursor.fetchall()


def test_a_key_is_a_password(
    secure: Stack, certificate: Path, authenticator: Authenticator
) -> None:
    key = authenticator.create_key(KeyRequest("ada")).secret_text
    auth = trino.auth.BasicAuthentication("ada", key)
    assert ask(secure, certificate, auth) == [["ada", 60_175]]


def test_a_key_is_a_bearer_token(
    secure: Stack, certificate: Path, authenticator: Authenticator
) -> None:
    key = authenticator.create_key(KeyRequest("ada")).secret_text
    assert ask(secure, certificate, trino.auth.JWTAuthentication(key)) == [["ada", 60_175]]


def test_a_token_of_an_identity_provider_is_taken(
    secure: Stack,
    certificate: Path,
    authenticator: Authenticator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Tokens:
        def principal(self, text: str) -> Principal:
            if text != "eyJ.a.b":
                raise QueryServiceError(ErrorCode.AUTHENTICATION_FAILED, "not signed by anyone")
            return Principal("tess")

    monkeypatch.setattr(authenticator, "_tokens", Tokens())
    assert ask(secure, certificate, trino.auth.JWTAuthentication("eyJ.a.b")) == [["tess", 60_175]]
    with pytest.raises(trino.exceptions.HttpError, match="401"):
        ask(secure, certificate, trino.auth.JWTAuthentication("eyJ.a.c"))


@pytest.mark.parametrize("password", ["wrong", "qsvc_0_0"])
def test_a_wrong_password_is_401(secure: Stack, certificate: Path, password: str) -> None:
    with pytest.raises(trino.exceptions.HttpError, match="401"):
        ask(secure, certificate, trino.auth.BasicAuthentication("ada", password))


def test_no_password_is_401(secure: Stack, certificate: Path) -> None:
    with pytest.raises(trino.exceptions.HttpError, match="401"):
        ask(secure, certificate, None)


def test_a_revoked_key_is_401(
    secure: Stack, certificate: Path, authenticator: Authenticator
) -> None:
    made = authenticator.create_key(KeyRequest("ada"))
    authenticator.revoke_key(made.key.id)
    with pytest.raises(trino.exceptions.HttpError, match="401"):
        ask(secure, certificate, trino.auth.BasicAuthentication("ada", made.secret_text))
