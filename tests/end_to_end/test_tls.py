"""TLS on the service's ports, with the certificate that the operator gave: REST, AWS, Flight SQL.

Trino's and PostgreSQL's wires: tests/clients/{trino,pgwire}/test_security.py.
"""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions
import httpx
import pyarrow as pa
import pytest
from pyarrow import flight

from querysvc.server import open_authenticator
from querysvc.service.auth import KeyRequest, NewKey, NewKeyPair
from querysvc.settings import load_settings
from querysvc_drivers.flightsql.messages import new, packed
from tests.end_to_end.conftest import until
from tests.support.certificates import self_signed
from tests.support.s3 import REGION, free_port


@dataclass(frozen=True)
class Secured:
    """A service that speaks TLS alone."""

    certificate: Path
    port: int
    flight_port: int
    key: NewKey
    pair: NewKeyPair


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    state = folder / "state"
    certificate = self_signed(folder / "server.pem")
    with open_authenticator(load_settings(None, {"state_dir": state})) as keys:
        key = keys.create_key(KeyRequest("ada", frozenset({"admin"})))
        pair = keys.create_key_pair(KeyRequest("ada", frozenset({"admin"})))
    port, flight_port = free_port(), free_port()
    command = [sys.executable, "-m", "querysvc", "serve", "--port", str(port), "--auth", "keys"]
    command += ["--flight-port", str(flight_port)]
    command += ["--state-dir", str(state), "--s3-endpoint", "http://127.0.0.1:1"]
    command += ["--tls-certificate-file", str(certificate)]
    command += ["--tls-key-file", str(certificate.with_suffix(".key"))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    trusted = ssl.create_default_context(cafile=str(certificate))

    def answers() -> bool:
        try:
            return httpx.get(f"https://127.0.0.1:{port}/healthz", verify=trusted).is_success
        except httpx.TransportError:
            return False

    try:
        until(answers)
        yield Secured(certificate, port, flight_port, key, pair)
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_the_port_speaks_https_and_nothing_else(secured: Secured) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{secured.port}/healthz")
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{secured.port}/healthz")


def test_the_aws_wire_is_encrypted(secured: Secured) -> None:
    def work_groups(scheme: str, verify: str | None) -> object:
        athena = boto3.client(
            "athena",
            endpoint_url=f"{scheme}://127.0.0.1:{secured.port}",
            region_name=REGION,
            verify=verify,
            aws_access_key_id=secured.pair.pair.access_key_id,
            aws_secret_access_key=secured.pair.secret_access_key,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        return athena.list_work_groups()["WorkGroups"]

    assert work_groups("https", str(secured.certificate))
    with pytest.raises(botocore.exceptions.SSLError):
        work_groups("https", None)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        work_groups("http", None)


def test_flight_sql_is_encrypted(secured: Secured) -> None:
    descriptor = flight.FlightDescriptor.for_command(
        packed(new("CommandStatementQuery", query="SELECT 1 AS n"))
    )
    bearer = f"Bearer {secured.key.secret_text}".encode()
    options = flight.FlightCallOptions(headers=[(b"authorization", bearer)], timeout=20)

    def rows(scheme: str, **trust: object) -> object:
        address = f"{scheme}://127.0.0.1:{secured.flight_port}"
        with flight.FlightClient(address, **trust) as client:
            ticket = client.get_flight_info(descriptor, options).endpoints[0].ticket
            return client.do_get(ticket, options).read_all().to_pylist()

    roots = secured.certificate.read_bytes()
    assert rows("grpc+tls", tls_root_certs=roots) == [{"n": 1}]
    for scheme in ("grpc", "grpc+tls"):  # in the clear; with the machine's own authorities
        with pytest.raises((flight.FlightError, pa.ArrowException)):
            rows(scheme)
