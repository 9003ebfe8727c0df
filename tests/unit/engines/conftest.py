"""The engine's unit tests share one contained engine over local bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engine_bench import EngineBench


@pytest.fixture(scope="session")
def engine_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineBench]:
    bench = EngineBench(tmp_path_factory.mktemp("engine"))
    yield bench
    bench.engine.close()
