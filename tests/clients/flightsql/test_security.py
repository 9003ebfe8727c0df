"""Flight SQL over TLS that clients verify, keys as passwords, the handshake; transactions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as dbapi
import adbc_driver_manager
import pytest
from pyarrow import flight

from querysvc.service.auth import Authenticator, KeyRequest, SecretBox
from querysvc.service.clock import SystemClock
from querysvc.state.memory import MemoryState
from querysvc_drivers.flightsql.messages import new, packed, unpacked
from querysvc_drivers.trino.authentication import with_api_keys
from tests.support.certificates import self_signed
from tests.support.flight_stack import FlightStack, flight_stack

ROOTS = adbc_driver_flightsql.DatabaseOptions.TLS_ROOT_CERTS.value


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="module")
def authenticator(tmp_path_factory: pytest.TempPathFactory) -> Authenticator:
    box = SecretBox(tmp_path_factory.mktemp("keys") / "key")
    return Authenticator(MemoryState(), box, SystemClock(), is_required=True)


@pytest.fixture(scope="module")
def key(authenticator: Authenticator) -> str:
    return authenticator.create_key(KeyRequest("ada")).secret_text


@pytest.fixture(scope="module")
def secure(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path, authenticator: Authenticator
) -> Iterator[FlightStack]:
    tls = (certificate, certificate.with_suffix(".key"))
    authenticate = with_api_keys(authenticator.authenticate)
    with flight_stack(tmp_path_factory.mktemp("secure"), authenticate, tls) as stack:
        yield stack


def ask(stack: FlightStack, certificate: Path, password: str) -> Any:
    options = {"username": "ada", "password": password, ROOTS: certificate.read_text()}
    with (
        dbapi.connect(stack.uri, db_kwargs=options, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT current_user, count(*) FROM tpch.tiny.nation")
        return cursor.fetchall()


def test_a_key_is_a_password_over_tls(secure: FlightStack, certificate: Path, key: str) -> None:
    assert ask(secure, certificate, key) == [("ada", 25)]


def test_a_wrong_password_is_refused_over_tls(secure: FlightStack, certificate: Path) -> None:
    with pytest.raises(adbc_driver_manager.Error, match="AUTHENTICATION_FAILED"):
        ask(secure, certificate, "wrong")


def test_a_certificate_of_somebody_else_is_refused(
    secure: FlightStack, key: str, tmp_path: Path
) -> None:
    with pytest.raises(adbc_driver_manager.Error, match=r"certificate|handshake"):
        ask(secure, self_signed(tmp_path / "other.pem"), key)


def test_a_plain_client_gets_no_answer_of_a_tls_port(secure: FlightStack, key: str) -> None:
    client = flight.FlightClient(secure.uri.replace("grpc+tls", "grpc"))
    with pytest.raises(flight.FlightUnavailableError):
        run(client, bearer(key), "SELECT 1")


def test_the_handshake_gives_a_token_for_the_calls_that_follow(
    secure: FlightStack, certificate: Path, key: str
) -> None:
    client = flight.FlightClient(secure.uri, tls_root_certs=certificate.read_bytes())
    token = client.authenticate_basic_token("ada", key)
    options = flight.FlightCallOptions(headers=[token])
    assert run(client, options, "SELECT current_user AS u") == [{"u": "ada"}]
    with pytest.raises(flight.FlightUnauthenticatedError):
        client.authenticate_basic_token("ada", "wrong")


def test_queries_run_in_a_transaction_and_writes_do_not(
    secure: FlightStack, certificate: Path, key: str
) -> None:
    options = {"username": "ada", "password": key, ROOTS: certificate.read_text()}
    with (
        dbapi.connect(secure.uri, db_kwargs=options, autocommit=False) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT count(*) FROM tpch.tiny.region")
        assert cursor.fetchall() == [(5,)]
        connection.commit()
        cursor.execute("SELECT 1")
        connection.rollback()
        with pytest.raises(adbc_driver_manager.Error, match="AUTOCOMMIT_WRITE_CONFLICT"):
            cursor.execute("DROP TABLE tpch.tiny.region")


def test_a_transaction_ends_once_and_is_its_principals_alone(
    secure: FlightStack, certificate: Path, key: str, authenticator: Authenticator
) -> None:
    client = flight.FlightClient(secure.uri, tls_root_certs=certificate.read_bytes())
    ada = bearer(key)
    begin = flight.Action("BeginTransaction", packed(new("ActionBeginTransactionRequest")))
    (answer,) = client.do_action(begin, ada)
    number = unpacked(answer.body.to_pybytes())[1].transaction_id
    request = new("ActionEndTransactionRequest", transaction_id=number, action=1)
    end = flight.Action("EndTransaction", packed(request))
    eve = bearer(authenticator.create_key(KeyRequest("eve")).secret_text)
    with pytest.raises(flight.FlightServerError, match="NOT_FOUND"):
        list(client.do_action(end, eve))
    assert list(client.do_action(end, ada)) == []
    with pytest.raises(flight.FlightServerError, match="NOT_FOUND"):
        list(client.do_action(end, ada))


def bearer(key: str) -> Any:
    return flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {key}".encode())])


def run(client: Any, options: Any, sql: str) -> Any:
    command = flight.FlightDescriptor.for_command(packed(new("CommandStatementQuery", query=sql)))
    ticket = client.get_flight_info(command, options).endpoints[0].ticket
    return client.do_get(ticket, options).read_all().to_pylist()
