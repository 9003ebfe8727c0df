"""The demo's embedded S3: moto's server in a process of its own (why moto: ADR-0006)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from querysvc.demo.data import DemoObject

REGION = "us-east-1"
ACCESS_KEY = "demo"
SECRET_KEY = "demo-secret"  # noqa: S105 the embedded store takes any key; it listens on loopback
START_SECONDS_MAX = 30.0


@contextmanager
def embedded_store() -> Iterator[str]:
    """Run the store on a free loopback port; yields its URL."""
    port = free_port()
    arguments = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(  # noqa: S603 our own interpreter and module
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for_port(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def upload(endpoint: str, bucket: str, objects: Iterable[DemoObject]) -> tuple[int, int]:
    """Create the bucket, put the objects; returns their number and bytes."""
    client = s3_client(endpoint)
    client.create_bucket(Bucket=bucket)

    def put(item: DemoObject) -> int:
        client.put_object(
            Bucket=bucket, Key=item.key, Body=item.body, StorageClass=item.storage_class
        )
        return len(item.body)

    with ThreadPoolExecutor(4) as pool:
        sizes = list(pool.map(put, objects))
    return len(sizes), sum(sizes)


def s3_client(endpoint: str) -> Any:  # botocore's clients are made at run time: no static type
    """A botocore S3 client of the embedded store."""
    import botocore.session
    from botocore.config import Config

    return botocore.session.get_session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}),
    )


def _wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the embedded store ended with exit code {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the embedded store did not answer within {START_SECONDS_MAX:.0f} s")
