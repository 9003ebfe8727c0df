"""The service's one port over TLS, with the certificate that the operator gave."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import until
from tests.support.certificates import self_signed
from tests.support.s3 import free_port


def test_the_port_speaks_https_and_nothing_else(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "server.pem")
    port = free_port()
    command = [sys.executable, "-m", "querysvc", "serve", "--port", str(port), "--auth", "keys"]
    command += ["--state-dir", str(tmp_path / "state"), "--s3-endpoint", "http://127.0.0.1:1"]
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
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz")
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://127.0.0.1:{port}/healthz")
    finally:
        process.terminate()
        process.wait(timeout=60)
