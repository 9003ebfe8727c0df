"""A bad network between us and S3: the answer is right, or a named error, and then right again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from querysvc.client import ServiceError
from tests.support.running_service import RunningService, running_service
from tests.support.s3 import require_versitygw, versitygw
from tests.support.s3_faults import EXPECTED, SETTINGS, ask, ddl, load
from tests.support.toxiproxy import Toxiproxy, toxiproxy

SURVIVED = {
    "latency": {"latency": 100, "jitter": 50},
    "bandwidth": {"rate": 4000},
    "slicer": {"average_size": 4096, "size_variation": 1024, "delay": 50},
}
LASTING = {"limit_data": {"bytes": 2000}}
"""Resets and silence are in s3_faults.py; lasting ones of all connections take half a minute."""

Stack = tuple[RunningService, Toxiproxy]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    require_versitygw()
    root = tmp_path_factory.mktemp("toxic")
    (root / "s3").mkdir()
    with versitygw(root / "s3") as s3, toxiproxy(s3.url) as proxy:
        load(s3)
        with running_service(proxy.url, root / "state", **SETTINGS) as service:
            for statement in ddl():
                service.client.run(statement)
            yield service, proxy


@pytest.mark.parametrize("kind", SURVIVED)
def test_a_slow_network_changes_no_answer(stack: Stack, kind: str) -> None:
    service, proxy = stack
    with proxy.toxic(kind, **SURVIVED[kind]):
        assert ask(service, "parquet") == EXPECTED
        assert ask(service, "csv") == EXPECTED


@pytest.mark.parametrize("kind", LASTING)
def test_a_broken_network_is_told_and_passes(stack: Stack, kind: str) -> None:
    service, proxy = stack
    with proxy.toxic(kind, **LASTING[kind]), pytest.raises(ServiceError) as caught:
        ask(service, "csv")
    assert caught.value.code == "STORAGE_UNAVAILABLE"
    assert ask(service, "csv") == EXPECTED
