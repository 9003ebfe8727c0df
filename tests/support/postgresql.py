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
from pathlib import Path

import pytest


def binaries() -> Path | None:
    """The directory of initdb and pg_ctl, the newest version's."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    on_path = shutil.which("initdb")
    if found:
        return Path(found[-1]).parent
    return Path(on_path).parent if on_path else None


@contextmanager
def running_server() -> Iterator[str]:
    """The URL of a fresh server's database; skips (fails in CI) where PostgreSQL is missing."""
    where = binaries()
    if where is None:
        pytest.skip("PostgreSQL is not installed (tests/install-tools.sh installs it)")
    root = Path(tempfile.mkdtemp(prefix="querysvc-pg-"))
    data = root / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # PostgreSQL refuses to run as root: its package's own user runs it then.
    as_user: list[str] = []
    if os.getuid() == 0:
        shutil.chown(root, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={root} -c fsync=off"
    )
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def run(*command: str) -> None:
        subprocess.run(
            [*as_user, *command],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=root,
        )

    try:
        run(str(where / "initdb"), "-D", str(data), "-U", "querysvc", "-A", "trust", "-E", "UTF8")
        run(
            str(where / "pg_ctl"),
            "-D",
            str(data),
            "-o",
            options,
            "-w",
            "-l",
            f"{root}/log",
            "start",
        )
        yield f"postgresql://querysvc@127.0.0.1:{port}/postgres"
    finally:
        if (data / "postmaster.pid").exists():
            run(str(where / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(root, ignore_errors=True)
