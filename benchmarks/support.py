"""What benchmarks share: recorded results, a real S3 server, a slow network, a running service."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from querysvc.client import Client  # noqa: E402 the project's root must be importable first
from tests.support.s3 import S3Server, free_port, versitygw  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("duckdb", "pyarrow", "obstore", "polars", "fastapi", "sqlglot")
CACHE = Path(tempfile.gettempdir()) / "querysvc-benchmarks"


def record(name: str, figures: dict[str, Any], bars: dict[str, bool] | None = None) -> None:
    """Write figures with commit, date, machine and versions to benchmarks/results/<name>.json."""
    entry = {
        "benchmark": name,
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "versions": {package: _version(package) for package in PACKAGES},
        "figures": figures,
        "bars": bars or {},
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(entry, indent=2) + "\n")
    print(json.dumps({"figures": figures, "bars": entry["bars"]}, indent=2))


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def timed(action: Callable[[], Any]) -> float:
    """Seconds of wall clock that the action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def percentile(values: list[float], share: float) -> float:
    """The value below which that share (0-1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


median = statistics.median


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """versitygw over a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="querysvc-bench-s3-") as folder,
        versitygw(Path(folder)) as server,
    ):
        yield server


@contextmanager
def slow_network(server: S3Server, delay_seconds: float) -> Iterator[str]:
    """A TCP proxy before the server that adds the delay to every request; yields its URL.

    A request is what a client sends after it was answered: on a kept-alive connection every burst
    of client bytes is held back once. Bodies of uploads would be slowed down per burst: load first.
    """
    host, _, port = server.url.removeprefix("http://").partition(":")
    loop = asyncio.new_event_loop()

    async def pump(reader: Any, writer: Any, delay: float) -> None:
        try:
            while data := await reader.read(1 << 20):
                if delay:
                    await asyncio.sleep(delay)
                writer.write(data)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def serve(reader: Any, writer: Any) -> None:
        up_reader, up_writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        await asyncio.gather(pump(reader, up_writer, delay_seconds), pump(up_reader, writer, 0.0))

    own_port = free_port()
    started = threading.Event()

    async def run() -> None:
        proxy = await asyncio.start_server(serve, "127.0.0.1", own_port, limit=1 << 22)
        started.set()
        async with proxy:
            await proxy.serve_forever()

    def main() -> None:
        asyncio.set_event_loop(loop)
        task = loop.create_task(run())
        loop.run_forever()
        task.cancel()

    threading.Thread(target=main, daemon=True).start()
    started.wait(10)
    try:
        yield f"http://127.0.0.1:{own_port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)


@contextmanager
def service(endpoint: str, server: S3Server, **settings: Any) -> Iterator[Client]:
    """`querysvc serve` over that endpoint; extra settings become QUERYSVC_… variables."""
    with service_process(endpoint, server, **settings) as (client, _process_id):
        yield client


@contextmanager
def service_process(
    endpoint: str, server: S3Server, **settings: Any
) -> Iterator[tuple[Client, int]]:
    """The same, with the id of the service's process."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="querysvc-bench-state-") as state:
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            **{f"QUERYSVC_{name.upper()}": str(value) for name, value in settings.items()},
        }
        arguments = [sys.executable, "-m", "querysvc", "serve", "--port", str(port)]
        arguments += ["--state-dir", state, "--s3-endpoint", endpoint]
        arguments += ["--s3-region", server.region, "--auth", "none"]
        with open(Path(state) / "log", "wb") as log:
            process = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log)
        try:
            with Client(f"http://127.0.0.1:{port}", timeout_seconds=600) as client:
                _wait_until_ready(client, process, Path(state) / "log")
                yield client, process.pid
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"querysvc ended:\n{log.read_text()[-3000:]}")
        try:
            client.get("/readyz")
        except Exception:  # not up yet; the deadline tells if it never is
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"querysvc was not ready in 60 s:\n{log.read_text()[-3000:]}")
