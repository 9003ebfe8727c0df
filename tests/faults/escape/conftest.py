"""What every escape is tried on: a canary on the host, and an S3 with what the corpora name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.escape.cages import Canary, canary_in
from tests.faults.escape.wires import fill
from tests.support.s3 import S3Server, require_versitygw, versitygw


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    with canary_in(tmp_path_factory.mktemp("host")) as made:
        yield made


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    require_versitygw()
    with versitygw(tmp_path_factory.mktemp("s3")) as server:
        fill(server)
        yield server
