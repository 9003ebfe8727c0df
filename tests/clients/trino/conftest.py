"""A served Trino wire for stock clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.trino_stack import Stack, trino_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """TPC-H tiny behind the wire."""
    root: Path = tmp_path_factory.mktemp("trino")
    with trino_stack(root) as stack:
        yield stack
