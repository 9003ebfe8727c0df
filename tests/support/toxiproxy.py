"""Toxiproxy before an S3 server: what networks do to connections, below HTTP.

What happens to answers of S3 itself (statuses, other ETags, lost keys) is fault_proxy.py's part.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.s3 import free_port, wait_until_answering
from tests.support.tools import require_tool

_PROXY = "s3"


@dataclass(frozen=True)
class Toxiproxy:
    """One proxy of a running Toxiproxy: its address, and the server's own API."""

    url: str
    api: httpx.Client

    @contextmanager
    def toxic(self, kind: str, **attributes: Any) -> Iterator[None]:
        """Do this to all that S3 sends, until the block ends."""
        body = {"name": kind, "type": kind, "stream": "downstream", "attributes": attributes}
        self.api.post(f"/proxies/{_PROXY}/toxics", json=body).raise_for_status()
        try:
            yield
        finally:
            self.api.delete(f"/proxies/{_PROXY}/toxics/{kind}").raise_for_status()


@contextmanager
def toxiproxy(upstream: str) -> Iterator[Toxiproxy]:
    """Run it before the upstream; skips where it is not installed."""
    binary = require_tool("bin/toxiproxy")
    port, own = free_port(), free_port()
    command = [str(binary), "-host", "127.0.0.1", "-port", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_answering(f"{address}/version", process)
        with httpx.Client(base_url=address) as api:
            listen, behind = f"127.0.0.1:{own}", upstream.removeprefix("http://")
            proxy = {"name": _PROXY, "listen": listen, "upstream": behind, "enabled": True}
            api.post("/proxies", json=proxy).raise_for_status()
            yield Toxiproxy(f"http://{listen}", api)
    finally:
        process.terminate()
        process.wait(timeout=10)
