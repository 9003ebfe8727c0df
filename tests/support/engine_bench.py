"""One contained engine over local bytes, for tests of readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from querysvc.engines.duckdb.engine import DuckDBEngine
from querysvc.engines.duckdb.settings import SupervisorSettings, WorkerSettings
from querysvc.plan import TableColumn
from querysvc.types.algebra import TrinoType
from querysvc_catalog.model import StorageDescriptor
from tests.support.engine_plans import RecordingControl, plan, scan, spooled
from tests.support.local_gateway import LocalGateway

Partitions = Sequence[tuple[tuple[Any, ...], Mapping[str, bytes]]]


class EngineBench:
    """Scans one table at a time, through gateway, worker and spool."""

    def __init__(self, directory: Path) -> None:
        self.gateway = LocalGateway()
        self.engine = DuckDBEngine(
            self.gateway,
            SupervisorSettings(idle_workers=1, worker=WorkerSettings(allows_raw_sql=True)),
        )
        self.spool = directory / "spool"
        self.control = RecordingControl()

    def select(
        self,
        storage: StorageDescriptor,
        columns: Sequence[TableColumn],
        partitions: Partitions,
        sql: str | None = None,
        result: Sequence[tuple[str, TrinoType]] | None = None,
        **scan_options: Any,
    ) -> list[tuple[Any, ...]]:
        for _values, objects in partitions:
            self.gateway.objects = {**self.gateway.objects, **objects}
        table = scan(columns, partitions, storage, **scan_options)
        used, shown = table.reference.used_columns, table.reference.columns
        self.control = RecordingControl()
        listed = ", ".join(f'"c{index}"' for index in used)
        self.outcome = self.engine.execute_raw(
            plan([table], result or [(shown[i].name, shown[i].type) for i in used]),
            sql or f"SELECT {listed} FROM t0",
            self.spool,
            self.control,
        )
        return spooled(self.spool) if self.outcome.rows else []
