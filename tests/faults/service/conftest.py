"""A service without any S3: what these tests break is beside it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.support.running_service import RunningService

NO_S3 = "http://127.0.0.1:9"
"""The discard port: nothing listens there, and SELECTs without tables need nothing of it."""
ENDLESS = "SELECT count(*) FROM TABLE(sequence(1, 4000000)) a, TABLE(sequence(1, 4000000)) b"


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.02)


def answers(service: RunningService) -> bool:
    """Whether a query runs from its submission to its row."""
    query = service.client.run("SELECT 6 * 7")
    return list(service.client.rows(query["id"])) == [[42]]
