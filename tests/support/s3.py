"""A real S3 server for tests: versitygw over a temporary directory."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest

from querysvc.plan import StoredObject
from querysvc.storage.configuration import Credentials, StorageConfiguration

ROOT = Path(__file__).parents[2]
ACCESS_KEY, SECRET_KEY = "testaccess", "testsecretkey"
REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """A running S3 server and how to speak to it."""

    url: str
    region: str = REGION
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    process_id: int | None = None
    certificate: Path | None = None
    """What the server's TLS is trusted by; None where it speaks plain HTTP."""
    log: Path | None = None
    """Where versitygw writes a line for each request."""

    def requests(self, since: int = 0) -> list[tuple[str, str, str]]:
        """(method, path, query) of each request that the log tells of from this byte on."""
        assert self.log is not None, "only versitygw keeps a log"
        with self.log.open("rb") as log:
            log.seek(since)
            lines = log.read().decode().splitlines()
        found = [[part.strip() for part in line.split("|")] for line in lines if "| vgw |" in line]
        return [(parts[5], parts[6], parts[8]) for parts in found]

    def client(self, region: str | None = None) -> Any:
        """A boto3 client, for preparing and checking."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=region or self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=botocore.config.Config(s3={"addressing_style": "path"}),
            verify=str(self.certificate) if self.certificate else None,
        )

    def configuration(self, **changes: Any) -> StorageConfiguration:
        """The storage configuration that points here."""
        values: dict[str, Any] = {
            "endpoint_url": self.url,
            "region": self.region,
            "credentials": Credentials(self.access_key, self.secret_key),
            **changes,
        }
        return StorageConfiguration(**values)

    def put(self, bucket: str, key: str, data: bytes, **options: Any) -> StoredObject:
        """Write an object and describe it as a listing would."""
        client = self.client()
        client.put_object(Bucket=bucket, Key=key, Body=data, **options)
        return self.stored(bucket, key)

    def stored(self, bucket: str, key: str) -> StoredObject:
        """Describe an object as a listing would."""
        head = self.client().head_object(Bucket=bucket, Key=key)
        return StoredObject(
            bucket,
            key,
            head["ContentLength"],
            head["ETag"].strip('"'),
            head["LastModified"],
            head.get("StorageClass", "STANDARD"),
        )


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def find_versitygw() -> str | None:
    """The server's binary: .tools/bin of the project, or the path."""
    own = ROOT / ".tools" / "bin" / "versitygw"
    return str(own) if own.exists() else shutil.which("versitygw")


def wait_until_answering(
    url: str,
    process: subprocess.Popen[bytes],
    seconds: float = 30,
    certificate: Path | None = None,
) -> None:
    """Wait until an HTTP server answers anything at all."""
    trusted = ssl.create_default_context(cafile=certificate) if certificate else None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server for {url} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=1, context=trusted):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer within {seconds} s")


@contextmanager
def versitygw(folder: Path, certificate: Path | None = None) -> Iterator[S3Server]:
    """Run versitygw on a free port over `folder`; by TLS with a certificate, its key beside it."""
    binary = find_versitygw()
    if binary is None:
        raise FileNotFoundError("versitygw is in neither .tools/bin nor the path")
    for part in ("data", "iam", "versions"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [binary, "--port", f"127.0.0.1:{port}", "--region", REGION]
    if certificate is not None:
        command += ["--cert", str(certificate), "--key", str(certificate.with_suffix(".key"))]
    command += ["--iam-dir", str(folder / "iam"), "posix"]
    command += ["--versioning-dir", str(folder / "versions"), str(folder / "data")]
    environment = {
        "PATH": os.environ["PATH"],
        "ROOT_ACCESS_KEY": ACCESS_KEY,
        "ROOT_SECRET_KEY": SECRET_KEY,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
            wait_until_answering(url, process, certificate=certificate)
            own = folder / "log"
            yield S3Server(url, process_id=process.pid, certificate=certificate, log=own)
        finally:
            process.terminate()
            process.wait(timeout=10)


def require_versitygw() -> None:
    """Skip where the binary is missing, and fail in CI."""
    if find_versitygw() is None:
        pytest.skip("versitygw is not installed (tests/install-tools.sh installs it)")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A versitygw for the whole session; skips (fails in CI) where the binary is missing."""
    require_versitygw()
    folder = Path(tempfile.mkdtemp(prefix="querysvc-s3-"))
    try:
        with versitygw(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """A fresh bucket."""
    name = f"test-{uuid.uuid4().hex[:20]}"
    s3_server.client().create_bucket(Bucket=name)
    return name
