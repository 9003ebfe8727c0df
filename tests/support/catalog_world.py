"""A catalog in memory with its DDL, for tests that need no engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from querysvc.model import Session
from querysvc.plan import AnalysedStatement
from querysvc.planning.iceberg import IcebergReader
from querysvc.planning.metadata import CatalogMetadata
from querysvc.service.ddl import DdlExecutor, StatementResult
from querysvc.service.statement_reading import analyse
from querysvc.service.system_metadata import SystemMetadata
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.model import Table, TableName
from querysvc_catalog.service import CatalogService
from tests.support.memory_objects import MemoryObjects

SESSION = Session(user="ann", started_at=datetime(2024, 1, 1, tzinfo=UTC))


class Directories:
    """A lister over a dictionary: location → names."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}

    def directories(self, locations: Sequence[str]) -> list[list[str]]:
        return [self.names.get(location, []) for location in locations]


class World:
    """An executor over an empty catalog."""

    def __init__(self) -> None:
        self.catalog = CatalogService(MemoryCatalogRepository(), lambda: datetime.now(UTC))
        self.catalog.ensure_defaults()
        self.directories = Directories()
        self.objects = MemoryObjects()
        iceberg = IcebergReader(self.catalog, self.objects)
        self.metadata = SystemMetadata(CatalogMetadata(self.catalog, iceberg))
        self._executor = DdlExecutor(self.catalog, self.directories, self.objects)

    def analyse(self, sql: str, session: Session = SESSION) -> Any:
        return analyse(sql, session, self.metadata, ())

    def run(self, sql: str, session: Session = SESSION) -> StatementResult:
        return self._executor.execute(self.analyse(sql, session), session)

    def query(self, sql: str, session: Session = SESSION) -> AnalysedStatement:
        statement = self.analyse(sql, session)
        assert isinstance(statement, AnalysedStatement)
        return statement

    def column(self, sql: str) -> list[str | None]:
        return [row[0] for row in self.run(sql).rows]

    def table(self, name: str, database: str = "default") -> Table:
        return self.catalog.get_table(TableName("awsdatacatalog", database, name))
