"""A service that is killed while it writes leaves all of a write or nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.killed_writes import cycles
from tests.support.s3 import S3Server, require_versitygw, versitygw

SEED = 20261123
COUNT = 4
"""benchmarks/killed_writes.py runs many more, and records them."""


@pytest.fixture
def server(tmp_path: Path) -> S3Server:
    require_versitygw()
    with versitygw(tmp_path / "s3") as running:
        yield running


@pytest.mark.timeout(240)
@pytest.mark.slow
@pytest.mark.parametrize(("is_iceberg", "count"), [(False, COUNT), (True, COUNT // 2)])
def test_a_killed_write_is_whole_or_gone(
    server: S3Server, tmp_path: Path, *, is_iceberg: bool, count: int
) -> None:
    found = list(cycles(server, tmp_path / "state", count, SEED, is_iceberg=is_iceberg))
    assert [cycle.problems for cycle in found] == [()] * count
