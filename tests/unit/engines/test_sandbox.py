"""Each layer of the sandbox alone, from inside a forked process that tries what it forbids."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from querysvc.engines.duckdb import sandbox
from querysvc.engines.duckdb.sandbox import SandboxSettings, enter


def inside(tmp_path: Path, layers: set[str], action: Callable[[], object]) -> str:
    """What the action returned or raised, as text, in a process with these layers."""
    reader, writer = os.pipe()
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            enter(SandboxSettings(str(scratch), writer, frozenset(layers)))
            told = repr(action())
        except BaseException as error:
            told = f"{type(error).__name__}: {getattr(error, 'errno', '')} {error}"
        os.write(writer, told.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read().decode()
    _pid, status = os.waitpid(pid, 0)
    assert status == 0, status
    return told


DENIED = f"PermissionError: {errno.EPERM} "
FORBIDDEN = f"PermissionError: {errno.EACCES} "


def test_landlock_forbids_reading_and_writing_outside_scratch(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    only = {"landlock"}
    assert inside(tmp_path, only, secret.read_text).startswith(FORBIDDEN)
    assert inside(tmp_path, only, Path("/etc/passwd").read_text).startswith(FORBIDDEN)
    assert inside(tmp_path, only, lambda: os.listdir("/")).startswith(FORBIDDEN)
    assert inside(tmp_path, only, lambda: secret.write_text("y")).startswith(FORBIDDEN)
    assert inside(tmp_path, only, secret.unlink).startswith(FORBIDDEN)
    # A link from another directory answers as from another device.
    assert f"[Errno {errno.EXDEV}]" in inside(tmp_path, only, lambda: os.link(secret, "stolen"))
    assert inside(tmp_path, only, lambda: Path("own").write_text("y")) == "1"


def test_landlock_forbids_tcp(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = inside(
            tmp_path, {"landlock"}, lambda: socket.create_connection(("127.0.0.1", port), 1)
        )
    assert told.startswith(FORBIDDEN)


def test_landlock_forbids_signals_to_other_processes(tmp_path: Path) -> None:
    parent = os.getpid()
    assert inside(tmp_path, {"landlock"}, lambda: os.kill(parent, 0)).startswith(DENIED)


@pytest.mark.parametrize(
    "action",
    [
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        socket.socketpair,
        os.fork,
        lambda: os.execv("/bin/true", ["true"]),
        lambda: os.kill(os.getppid(), 0),
        lambda: os.pidfd_open(os.getppid()),
        lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
        lambda: os.chroot("/"),
        lambda: os.setuid(0),
    ],
)
def test_seccomp_denies(tmp_path: Path, action: Callable[[], object]) -> None:
    assert inside(tmp_path, {"seccomp"}, action).startswith(DENIED)


def test_seccomp_denies_subprocesses(tmp_path: Path) -> None:
    told = inside(tmp_path, {"seccomp"}, lambda: subprocess.run(["/bin/true"], check=False))
    assert "Error" in told


@pytest.mark.parametrize("number", [101, 165, 272, 310, 321, 425, 463])
def test_seccomp_denies_raw_calls(tmp_path: Path, number: int) -> None:
    def call() -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.syscall(number, 0, 0, 0, 0, 0, 0) == -1
        return ctypes.get_errno()

    assert inside(tmp_path, {"seccomp"}, call) in (str(errno.EPERM), str(errno.ENOSYS))


def test_seccomp_lets_threads_and_files_be(tmp_path: Path) -> None:
    def work() -> str:
        done: list[str] = []
        thread = threading.Thread(target=lambda: done.append(Path("x").write_text("1") and "ok"))
        thread.start()
        thread.join()
        return done[0]

    assert inside(tmp_path, {"seccomp"}, work) == "'ok'"


def test_the_environment_is_empty(tmp_path: Path) -> None:
    os.environ["CANARY_SECRET"] = "x"
    try:
        told = inside(tmp_path, {"environment"}, lambda: dict(os.environ))
    finally:
        del os.environ["CANARY_SECRET"]
    assert told == "{}"


def test_other_descriptors_are_closed(tmp_path: Path) -> None:
    with open("/etc/passwd") as held:
        number = held.fileno()
        told = inside(tmp_path, {"descriptors"}, lambda: os.read(number, 1))
    assert told.startswith(f"OSError: {errno.EBADF}")


def test_limits_are_set_for_good(tmp_path: Path) -> None:
    told = inside(
        tmp_path,
        {"resource_limits"},
        lambda: [
            resource.getrlimit(kind) for kind in (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)
        ],
    )
    assert told == str([(0, 0), (sandbox.OPEN_FILES_MAX, sandbox.OPEN_FILES_MAX)])


def test_a_layer_that_is_switched_off_is_told(tmp_path: Path) -> None:
    def report() -> object:
        return [
            layer.is_applied
            for layer in enter(SandboxSettings(".", 1, frozenset({"no_new_privileges"})))
        ]

    told = inside(tmp_path, set(), report)
    assert told == "[False, False, True, False, False, False]"
    assert signal.SIGKILL == 9
