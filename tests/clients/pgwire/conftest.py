"""A served PostgreSQL wire for stock clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.pg_stack import PgStack, pg_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PgStack]:
    """TPC-H tiny behind the wire."""
    with pg_stack(tmp_path_factory.mktemp("pgwire")) as stack:
        yield stack
