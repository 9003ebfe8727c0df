"""A full disk and exhausted descriptors are told by name, and pass without anybody's hand."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from querysvc.client import ServiceError
from tests.faults.service.conftest import ENDLESS, NO_S3, answers, until
from tests.support.running_service import RunningService, running_service

DISK_BYTES = 48 << 20
LARGE = "SELECT rpad('', 1000, 'x') AS x FROM TABLE(sequence(1, 100000))"
"""A result of 100 MB."""
TOLD = {"SUCCEEDED", "GENERIC_INSUFFICIENT_RESOURCES", "STATE_UNAVAILABLE"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 48 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all space that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as sink:
        for size in (1 << 20, 1 << 12):
            try:
                while sink.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return ballast


def submit_for_ever(service: RunningService) -> None:
    """The last pages of the log are not yet taken: one of the next submissions does not fit."""
    while True:
        service.client.submit("SELECT 1")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_full_disk_is_told_and_passes(small_disk: Path) -> None:
    with running_service(NO_S3, small_disk / "state") as service:
        earlier = service.client.run("SELECT 1")["id"]
        with pytest.raises(ServiceError) as caught:
            service.client.run(LARGE)
        assert caught.value.code == "GENERIC_INSUFFICIENT_RESOURCES"
        assert "disk space" in caught.value.message
        assert answers(service), "what the failed query wrote is gone"
        running = service.client.submit(ENDLESS)["id"]
        until(lambda: service.client.query(running)["state"] == "RUNNING")
        ballast = fill(small_disk)
        with pytest.raises(ServiceError) as caught:
            submit_for_ever(service)
        assert (caught.value.code, caught.value.status) == ("STATE_UNAVAILABLE", 503)
        assert "no space" in caught.value.message or "disk is full" in caught.value.message
        assert list(service.client.rows(earlier)) == [[1]], "reading needs no space"
        ballast.unlink()
        until(lambda: answers(service))
        service.client.cancel(running)
        until(lambda: service.client.query(running)["state"] == "CANCELLED")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_exhausted_descriptors_are_told_and_pass(tmp_path: Path) -> None:
    with running_service(NO_S3, tmp_path / "state") as service, ExitStack() as taken:
        assert answers(service)
        process = psutil.Process(service.process.pid)
        hard = process.rlimit(resource.RLIMIT_NOFILE)[1]
        room = process.num_fds() + 40
        process.rlimit(resource.RLIMIT_NOFILE, (room, hard))
        host, port = service.url.removeprefix("http://").split(":")
        while process.num_fds() < room:
            taken.enter_context(socket.create_connection((host, int(port)), timeout=5))
        told, acknowledged = submit_some(service)
        assert told | ends(service, acknowledged) >= {"GENERIC_INSUFFICIENT_RESOURCES"}
        taken.close()
        until(lambda: answers(service))
        assert told | ends(service, acknowledged) <= TOLD


def submit_some(service: RunningService) -> tuple[set[str], list[str]]:
    """Submit, on the connection that is open; the errors' names, and the ids."""
    told, acknowledged = set(), []
    for _ in range(5):
        try:
            acknowledged.append(service.client.submit("SELECT 1")["id"])
        except ServiceError as error:
            told.add(error.code)
    return told, acknowledged


def ends(service: RunningService, query_ids: list[str]) -> set[str]:
    """How they ended, or that they still run."""
    queries = [service.client.query(query_id, wait_seconds=5) for query_id in query_ids]
    return {one["error"]["code"] if one["error"] else one["state"] for one in queries}
