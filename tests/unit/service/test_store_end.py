"""A query's end is stored once, also when the state could not be used at first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import QueryState
from querysvc.state.memory import MemoryState
from querysvc.state.repository import Completion
from tests.unit.service.conftest import Harness, build, stop

GONE = QueryServiceError(ErrorCode.STATE_UNAVAILABLE, "The database cannot be used now.")


class Failing(MemoryState):
    """A state whose first attempts to finish fail: before the commit, or after it."""

    def __init__(self, *, commits: bool) -> None:
        super().__init__()
        self._commits = commits
        self.failures = 2

    def finish(self, query_id: str, fencing_token: int, completion: Completion) -> bool:
        if self.failures:
            self.failures -= 1
            if self._commits:
                super().finish(query_id, fencing_token, completion)
            raise GONE
        return super().finish(query_id, fencing_token, completion)


@pytest.fixture(params=[False, True], ids=["lost before the commit", "its answer lost"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    harness = build(Failing(commits=request.param), tmp_path)
    harness.dispatcher.start()
    yield harness
    stop(harness)


def test_the_end_is_stored_when_it_can_be(harness: Harness) -> None:
    ended = harness.run()
    assert ended.state is QueryState.SUCCEEDED
    text = harness.metrics.exposition().decode()
    assert 'querysvc_queries_total{error="",state="SUCCEEDED",work_group="primary"} 1.0' in text
