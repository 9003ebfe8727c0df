"""A real `querysvc serve` process for tests, over any S3 endpoint."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from querysvc.client import Client, ServiceError, ServiceUnreachableError
from querysvc.settings import Settings
from querysvc.state.database import open_database, sqlite_url
from querysvc.state.migrate import upgrade
from tests.support.s3 import ACCESS_KEY, REGION, SECRET_KEY, free_port

START_SECONDS_MAX = 60.0
STATE_FILE = "state.db"


@dataclass
class RunningService:
    """A running service: its address, its process, a client of it."""

    url: str
    client: Client
    process: subprocess.Popen[bytes]
    state_dir: Path
    environment: dict[str, str]

    def cli(
        self, *arguments: str, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the `querysvc` command against this service."""
        command = [sys.executable, "-m", "querysvc", *arguments]
        environment = {**self.environment, "QUERYSVC_SERVER": self.url, "COLUMNS": "160"}
        return subprocess.run(
            command, input=stdin or b"", capture_output=True, env=environment, timeout=120
        )

    def log(self) -> str:
        """What the service has logged."""
        return (self.state_dir / "test.log").read_text(errors="replace")

    def kill(self) -> None:
        """End the process as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)


@cache
def _empty_state() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="querysvc-empty-state-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = open_database(sqlite_url(folder / STATE_FILE))
    upgrade(database)
    database.close()
    return folder / STATE_FILE


@contextmanager
def running_service(
    endpoint: str,
    state_dir: Path,
    *,
    port: int | None = None,
    module: str = "querysvc",
    **settings: Any,
) -> Iterator[RunningService]:
    """Start the service and wait until it is ready; settings become QUERYSVC_… variables."""
    unknown = settings.keys() - Settings.model_fields.keys() - {"config"}
    assert not unknown, f"no such settings: {sorted(unknown)}"  # the service would ignore them
    port = port or free_port()
    state_dir.mkdir(parents=True, exist_ok=True)
    if "database_url" not in settings and not (state_dir / STATE_FILE).exists():
        # At head already: a service that makes its schema first starts half a second later.
        shutil.copy(_empty_state(), state_dir / STATE_FILE)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "QUERYSVC_"))},
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        **{f"QUERYSVC_{name.upper()}": str(value) for name, value in settings.items()},
    }
    arguments = [sys.executable, "-m", module, "serve", "--port", str(port)]
    arguments += ["--state-dir", str(state_dir), "--s3-endpoint", endpoint]
    arguments += ["--s3-region", REGION]
    arguments += [] if "auth" in settings else ["--auth", "none"]
    with (state_dir / "test.log").open("ab") as log:
        process = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    with Client(url, timeout_seconds=120) as client:
        service = RunningService(url, client, process, state_dir, environment)
        try:
            _wait_until_alive(service)
            yield service
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise


def _wait_until_alive(service: RunningService) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if service.process.poll() is not None:
            raise RuntimeError(f"the service ended at its start:\n{service.log()[-4000:]}")
        try:
            service.client.get("/healthz")
        except (ServiceUnreachableError, ServiceError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the service did not start in time:\n{service.log()[-4000:]}")
