"""The settings of the contained engine: plain values that bootstrap fills in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from querysvc.engines.duckdb.sandbox import LAYERS


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker process is born with; it must pickle.

    The names are `module:attribute` of layers that this one must not import:
    `(gateway socket, window descriptor) -> PlanReader` `(PlanReader) -> PlanFiles`;
    and of the results layer: `(type) -> (array) -> texts`.
    """

    range_client: str = "querysvc.storage.range_client:RangeClient"
    file_system: str = "querysvc.storage.plan_filesystem:PlanFileSystem"
    text_converter: str = "querysvc.results.text_values:text_converter"
    sandbox_layers: frozenset[str] = frozenset(LAYERS)
    engine_layers: bool = True
    """DuckDB's own locks; off only in tests that prove the operating system's layers."""
    allows_raw_sql: bool = False
    """Test hook: lets a request carry SQL instead of a typed query."""
    prepared_instances: int = 4
    """DuckDB instances that a worker makes ahead, beside the next query's; 2.6 MB each."""
    footer_cache_bytes: int = 64 << 20
    spool_batch_rows: int = 16_384


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """How many workers wait, and when one is ended."""

    scratch_directory: Path | None = None
    """Where workers spill; None takes a temporary directory of our own."""
    idle_workers: int = 2
    queries_per_worker_max: int = 200
    worker_growth_bytes_max: int = 256 << 20
    """An idle worker that keeps more private memory than this is replaced."""
    cancel_grace_seconds: float = 0.7
    """From the interrupt to SIGKILL; cancelling is promised within one second."""
    start_timeout_seconds: float = 30.0
    memory_sample_seconds: float = 0.01
    worker: WorkerSettings = field(default_factory=WorkerSettings)
