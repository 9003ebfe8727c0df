"""DDL and utility statements as statement executors: the catalog's answer becomes a result."""

from __future__ import annotations

from collections.abc import Callable

from querysvc.model import Principal
from querysvc.planning.discovery import DirectoryLister
from querysvc.planning.iceberg import IcebergObjects
from querysvc.service.ddl import DdlExecutor, kind_of
from querysvc.service.statements import RunContext, StatementOutcome
from querysvc.sql.ddl import Statement
from querysvc_catalog.service import CatalogService


class DdlStatements:
    """Runs every kind of statement that `DdlExecutor` knows, on the catalog of whoever asks."""

    def __init__(
        self,
        catalog_of: Callable[[Principal], CatalogService],
        lister: DirectoryLister,
        objects: IcebergObjects,
    ) -> None:
        self._catalog_of = catalog_of
        self._lister = lister
        self._objects = objects

    def execute(self, statement: Statement, context: RunContext) -> StatementOutcome:
        """Run the statement; its rows of text are the result."""
        kind = kind_of(statement)
        catalog = self._catalog_of(context.principal)
        executor = DdlExecutor(catalog, self._lister, self._objects)
        result = executor.execute(statement, context.session, context.running.id)
        names = [column.name for column in result.columns]
        columns = context.write_rows(names, result.rows) if names else ()
        return StatementOutcome(columns, kind.statement_type, kind.substatement_type)
