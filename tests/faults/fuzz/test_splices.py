"""Spliced statements over every wire: the canary stays unread and uncalled, the service well.

Here some of them; `python -m benchmarks.splices --seconds 600` sends many more.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.escape.cages import MARK
from tests.faults.fuzz.canary_service import CanaryService, canary_service
from tests.support.s3 import require_versitygw, versitygw

SEED = 8
STATEMENTS = 300


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanaryService]:
    require_versitygw()
    folder = tmp_path_factory.mktemp("splices")
    with versitygw(folder / "s3") as s3, canary_service(s3, folder) as service:
        yield service


def test_no_splice_tells_of_the_canary(service: CanaryService) -> None:
    found = service.send(SEED, lambda sent: sent < STATEMENTS)
    assert (found.leaks, found.harm, found.internal) == ([], [], [])
    assert found.answered > STATEMENTS // 50
    assert len(found.wires) == 5
    assert MARK not in service.history()
    assert service.left() == []
    assert service.office.rows("SELECT a FROM open.t") == [[1]]
    # The same question of who may ask it: the canary sings.
    assert MARK in repr(service.office.rows("SELECT * FROM hidden.canary", "root"))
