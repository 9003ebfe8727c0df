"""PostgreSQL restarts under load: told by name, nothing lost, no hand needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from querysvc.client import Client, ServiceError
from tests.faults.service.conftest import ENDLESS, NO_S3, answers, until
from tests.support.postgresql import PostgreSQL, server
from tests.support.running_service import RunningService, running_service

SUBMITTERS = 3


@pytest.fixture
def postgresql() -> Iterator[PostgreSQL]:
    with server() as running:
        yield running


class Load:
    """Clients that submit until they are told to stop."""

    def __init__(self, service: RunningService) -> None:
        self._url = service.url
        self._stopped = threading.Event()
        self.acknowledged: dict[str, int] = {}
        self.refused: set[tuple[str, int]] = set()
        self._threads = [
            threading.Thread(target=self._submit, args=(n,)) for n in range(SUBMITTERS)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _submit(self, first: int) -> None:
        with Client(self._url) as client:
            number = first
            while not self._stopped.wait(0.02):
                number += SUBMITTERS
                try:
                    self.acknowledged[client.submit(f"SELECT {number}")["id"]] = number
                except ServiceError as error:
                    self.refused.add((error.code, error.status))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_postgresql_restarts_under_load(postgresql: PostgreSQL, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"database_url": postgresql.url, "lease_seconds": 2}
    with running_service(NO_S3, tmp_path / "state", **settings) as service:
        assert answers(service)
        running = service.client.submit(ENDLESS)["id"]
        until(lambda: service.client.query(running)["state"] == "RUNNING")
        with Load(service) as load:
            until(lambda: len(load.acknowledged) > 5)
            postgresql.stop()
            until(lambda: load.refused)
            postgresql.start()
            before = len(load.acknowledged)
            until(lambda: len(load.acknowledged) > before + 5)
        assert load.refused == {("STATE_UNAVAILABLE", 503)}
        for query_id, number in load.acknowledged.items():
            query = service.client.query(query_id, wait_seconds=30)
            if query["state"] == "FAILED":
                assert query["error"]["code"] == "STATE_UNAVAILABLE"
            else:
                assert list(service.client.rows(query_id)) == [[number]]
        assert service.client.query(running)["state"] == "RUNNING"
        service.client.cancel(running)
        until(lambda: service.client.query(running)["state"] == "CANCELLED")
        assert answers(service)
