"""What other users feel while somebody abuses the service: their latency, in turns with quiet."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from querysvc.client import Client, ServiceError, ServiceUnreachableError
from tests.support.running_service import RunningService, running_service

NO_S3: Final = "http://127.0.0.1:9"
NEIGHBOUR_SQL: Final = (
    "SELECT n % 7, count(*), sum(n) FROM (VALUES 1, 2, 3, 4, 5, 6, 7, 8, 9) t(n) GROUP BY 1"
)
PAUSE_SECONDS: Final = 0.02
LIMITS: Final[dict[str, Any]] = {
    "query_timeout_seconds": 3,
    "query_memory_bytes": 300 << 20,
    "query_spill_bytes": 64 << 20,
    "query_result_bytes_max": 64 << 20,
}


@dataclass
class Felt:
    """Seconds of the neighbours' queries, quiet and disturbed, and what the abuse ended with."""

    quiet: list[float] = field(default_factory=list)
    disturbed: list[float] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)
    """Of the abuser's statements, by name."""
    wrong: list[str] = field(default_factory=list)


@contextmanager
def shared_service(state_dir: Path) -> Iterator[tuple[RunningService, str, str]]:
    """A service with two users: the keys of the neighbour and of the abuser."""
    with running_service(NO_S3, state_dir, auth="keys", **LIMITS) as service:
        keys = [
            service.cli("keys", "create", "--principal", name, "--state-dir", str(state_dir))
            for name in ("bob", "mallory")
        ]
        bob, mallory = (key.stdout.decode().strip() for key in keys)
        yield service, bob, mallory


def feel(
    service: RunningService,
    bob: str,
    mallory: str,
    statements: Mapping[str, str],
    *,
    at_once: int,
) -> Felt:
    """Run the statements, so many at once, and after each be quiet for as long."""
    felt = Felt()
    with Client(service.url, api_key=bob) as neighbour:
        for _ in range(20):
            _ask(neighbour, felt)
        for first in range(0, len(statements), at_once):
            group = dict(list(statements.items())[first : first + at_once])
            abuse = _Abuse(service.url, mallory, group, felt.ends)
            began = time.monotonic()
            with abuse:
                while abuse.is_running:
                    felt.disturbed.append(_ask(neighbour, felt))
                    time.sleep(PAUSE_SECONDS)
            until = time.monotonic() + min(time.monotonic() - began, 2.0)
            while time.monotonic() < until:
                felt.quiet.append(_ask(neighbour, felt))
                time.sleep(PAUSE_SECONDS)
    return felt


def _ask(client: Client, felt: Felt) -> float:
    began = time.monotonic()
    try:
        query = client.submit(NEIGHBOUR_SQL, wait_seconds=20)
    except (ServiceError, ServiceUnreachableError) as error:
        felt.wrong.append(str(error))
    else:
        felt.wrong += [] if query["state"] == "SUCCEEDED" else [str(query["error"])]
    return time.monotonic() - began


class _Abuse:
    """Statements that run at once, each to its end."""

    def __init__(
        self, url: str, key: str, statements: Mapping[str, str], ends: dict[str, str]
    ) -> None:
        self._url, self._key, self._ends = url, key, ends
        self._threads = [threading.Thread(target=self._run, args=one) for one in statements.items()]

    @property
    def is_running(self) -> bool:
        """Whether any of them has not ended."""
        return any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def _run(self, name: str, sql: str) -> None:
        with Client(self._url, api_key=self._key) as client:
            try:
                client.run(sql)
            except ServiceError as error:
                self._ends[name] = error.code
            else:
                self._ends[name] = "SUCCEEDED"
