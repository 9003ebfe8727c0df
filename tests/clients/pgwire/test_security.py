"""API keys as passwords by SCRAM, over TLS that clients verify."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from querysvc.model import Principal
from querysvc.service.auth import KeyRequest
from tests.support.certificates import self_signed
from tests.support.pg_stack import PgStack, pg_stack

psycopg = pytest.importorskip("psycopg")

pytestmark = pytest.mark.filterwarnings("ignore")  # the clients' own


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[PgStack]:
    root = tmp_path_factory.mktemp("secure")
    with pg_stack(root, needs_keys=True, certificate=certificate) as stack:
        yield stack


@pytest.fixture(scope="module")
def key(secure: PgStack) -> str:
    secure.authenticator.create_key(KeyRequest("ada"))  # another one of hers
    return secure.authenticator.create_key(KeyRequest("ada")).secret_text


def verified(stack: PgStack, certificate: Path, **more: object) -> str:
    """What libpq is told to verify the server by its certificate."""
    return stack.dsn(sslmode="verify-full", sslrootcert=certificate, user="ada", **more)


def test_a_key_proves_itself_bound_to_the_channel(
    secure: PgStack, certificate: Path, key: str
) -> None:
    dsn = verified(secure, certificate, password=key, channel_binding="require")
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("ada",)
        assert connection.pgconn.ssl_in_use


def test_a_key_proves_itself_without_tls(secure: PgStack, key: str) -> None:
    dsn = secure.dsn(user="ada", password=key, sslmode="disable", require_auth="scram-sha-256")
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("user", ["ada", "nobody", "ünï"])
@pytest.mark.parametrize("password", ["wrong", "qsvc_0_0", " "])
def test_a_wrong_password_is_refused(
    secure: PgStack, certificate: Path, key: str, user: str, password: str
) -> None:
    with pytest.raises(psycopg.OperationalError) as raised:
        psycopg.connect(verified(secure, certificate, password=password) + f" user='{user}'")
    assert f'password authentication failed for user "{user}"' in str(raised.value)


def test_another_users_key_is_refused(secure: PgStack, certificate: Path) -> None:
    theirs = secure.authenticator.create_key(KeyRequest("bob")).secret_text
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(verified(secure, certificate, password=theirs))


def test_a_revoked_key_is_refused(secure: PgStack, certificate: Path) -> None:
    made = secure.authenticator.create_key(KeyRequest("ada"))
    secure.authenticator.revoke_key(made.key.id)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(verified(secure, certificate, password=made.secret_text))


def test_a_certificate_of_somebody_else_is_refused(
    secure: PgStack, key: str, tmp_path: Path
) -> None:
    other = self_signed(tmp_path / "other.pem")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(verified(secure, other, password=key))


def test_a_key_without_a_verifier_is_asked_for_in_clear_over_tls_or_loopback_only(
    secure: PgStack, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = secure.authenticator.create_key(KeyRequest("old"))
    keys = secure.authenticator._keys
    keys._api_keys[made.key.id] = dataclasses.replace(made.key, scram_verifier=None)
    told = {"user": "old", "password": made.secret_text}
    with psycopg.connect(secure.dsn(**told, require_auth="password")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("old",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(secure.dsn(user="old", password="wrong"))
    monkeypatch.setattr("querysvc_drivers.pgwire.connection._is_loopback", lambda address: False)
    with pytest.raises(psycopg.OperationalError, match="needs TLS"):
        psycopg.connect(secure.dsn(**told, sslmode="disable"))
    with psycopg.connect(secure.dsn(**told, sslmode="require")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_token_of_an_identity_provider_is_a_password_of_its_user(
    secure: PgStack, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tokens:
        def principal(self, text: str) -> Principal:
            return Principal({"eyJ.a.b": "tess"}.get(text, "somebody else"))

    monkeypatch.setattr(secure.authenticator, "_tokens", Tokens())
    dsn = verified(secure, certificate, password="eyJ.a.b") + " user=tess"
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("tess",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(verified(secure, certificate, password="eyJ.a.c") + " user=tess")


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_verifies_and_proves(secure: PgStack, certificate: Path, key: str) -> None:
    dsn = verified(secure, certificate, password=key)
    done = subprocess.run(
        ["psql", "-X", "-w", "-At", dsn, "-c", "SELECT current_user"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("ada\n", "")


def test_pgjdbc_verifies_and_proves(secure: PgStack, certificate: Path, key: str) -> None:
    pytest.importorskip("jaydebeapi")
    from tests.clients.pgwire.test_jdbc import ask, connect

    told = {"ssl": "true", "sslmode": "verify-full", "sslrootcert": str(certificate)}
    with connect(secure.port, user="ada", password=key, **told) as connection:
        assert ask(connection.jconn, "SELECT current_user") == [["ada"]]
    with pytest.raises(Exception, match="password authentication failed") as raised:
        connect(secure.port, user="ada", password="wrong", **told)
    assert str(raised.value.getSQLState()) == "28P01"


def test_psqlodbc_verifies_and_proves(
    secure: PgStack, certificate: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyodbc = pytest.importorskip("pyodbc")
    from tests.clients.pgwire.test_odbc import DRIVER

    if DRIVER not in pyodbc.drivers():
        pytest.skip("psqlODBC is not installed (make tools)")
    settings: dict[str, Any] = {
        "Driver": f"{{{DRIVER}}}",
        "Server": "127.0.0.1",
        "Port": secure.port,
        "Database": "tpch",
        "Uid": "ada",
        "SSLmode": "verify-full",
        "pqopt": f"{{sslrootcert={certificate}}}",
    }

    def text(password: str) -> str:
        return ";".join(f"{n}={v}" for n, v in {**settings, "Pwd": password}.items())

    connection = pyodbc.connect(text(key), autocommit=True)
    assert connection.cursor().execute("SELECT current_user").fetchval() == "ada"
    connection.close()
    with pytest.raises(pyodbc.Error, match="password authentication failed"):
        pyodbc.connect(text("wrong"))
