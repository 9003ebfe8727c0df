"""What vectorised functions import loads inside a contained worker too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.settings import SupervisorSettings, WorkerSettings
from querysvc.model import Session
from querysvc.plan import ExecutionPlan
from querysvc.sql.analyser import analyse
from querysvc.sql.metadata import MemoryMetadata
from tests.support.engine_plans import RecordingControl, spooled
from tests.support.local_gateway import LocalGateway


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[DuckDBEngine]:
    settings = SupervisorSettings(idle_workers=1, worker=WorkerSettings())
    engine = DuckDBEngine(LocalGateway(), settings)
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("regexp_extract('1a 2b', '(?<=\\s)\\d')", "2"),
        ("word_stem('running')", "run"),
        ("to_hex(xxhash64(to_utf8('a')))", "D24EC4F1A98C6E5B"),
        ("to_hex(spooky_hash_v2_32(to_utf8('a')))", "A0BBC9BD"),
        ("to_hex(murmur3(to_utf8('a')))", "897859F6655555855A890E51483AB5E6"),
        ("CAST(IPADDRESS '::1' AS varchar)", "::1"),
        ("format('%s', TIMESTAMP '2024-01-02 03:04:05 Europe/Paris')", None),
        ("url_extract_host('http://a.b/c')", "a.b"),
    ],
)
def test_a_function_answers(
    engine: DuckDBEngine, tmp_path: Path, expression: str, expected: str | None
) -> None:
    session = Session("c", "s", started_at=datetime.now(UTC), user="u")
    statement = analyse(f"SELECT {expression}", session, MemoryMetadata("c"))
    plan = ExecutionPlan("q", statement.query, statement.columns, (), session)
    engine.execute(plan, tmp_path / "spool", RecordingControl())
    ((value,),) = spooled(tmp_path / "spool")
    assert value == (expected or "2024-01-02T03:04:05+01:00[Europe/Paris]")
