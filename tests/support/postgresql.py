"""A throw-away PostgreSQL server on a free loopback port, started by the tests themselves."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


def binaries() -> Path | None:
    """The directory of initdb and pg_ctl, the newest version's."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    on_path = shutil.which("initdb")
    if found:
        return Path(found[-1]).parent
    return Path(on_path).parent if on_path else None


@dataclass(frozen=True)
class PostgreSQL:
    """A server of our own: its folder, its port, how its programs are run."""

    root: Path
    port: int

    @property
    def url(self) -> str:
        """The URL of its database."""
        return f"postgresql://querysvc@127.0.0.1:{self.port}/postgres"

    def initialise(self) -> None:
        """Make the server's files."""
        user = ("-U", "querysvc", "-A", "trust", "-E", "UTF8")
        self.run("initdb", "-D", str(self.data), *user)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off"
        options += f" -c unix_socket_directories={self.root}"
        log = str(self.root / "log")
        self.run("pg_ctl", "-D", str(self.data), "-o", options, "-w", "-l", log, "start")

    def stop(self) -> None:
        """End the server at once, as a crash does; connections break."""
        if (self.data / "postmaster.pid").exists():
            self.run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    @property
    def data(self) -> Path:
        """Where its files are."""
        return self.root / "data"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, which refuse to run as root."""
        where = binaries()
        assert where is not None, "the server was made by these programs"
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        subprocess.run(
            [*(as_user if os.getuid() == 0 else []), str(where / program), *arguments],
            check=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.root,
        )


@contextmanager
def server() -> Iterator[PostgreSQL]:
    """A fresh server, running; skips (fails in CI) where PostgreSQL is missing."""
    if binaries() is None:
        reason = "PostgreSQL is not installed (tests/install-tools.sh installs it)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    root = Path(tempfile.mkdtemp(prefix="querysvc-pg-"))
    if os.getuid() == 0:
        shutil.chown(root, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = PostgreSQL(root, port)
    try:
        running.initialise()
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def running_server() -> Iterator[str]:
    """The URL of a fresh server's database."""
    with server() as running:
        yield running.url
