"""DDL and utility statements as statement executors: the catalog's answer becomes a result."""

from __future__ import annotations

from querysvc.service.ddl import DdlExecutor, kind_of
from querysvc.service.statements import RunContext, StatementOutcome
from querysvc.sql.ddl import Statement


class DdlStatements:
    """Runs every kind of statement that `DdlExecutor` knows."""

    def __init__(self, executor: DdlExecutor) -> None:
        self._executor = executor

    def execute(self, statement: Statement, context: RunContext) -> StatementOutcome:
        """Run the statement; its rows of text are the result."""
        kind = kind_of(statement)
        result = self._executor.execute(statement, context.session)
        names = [column.name for column in result.columns]
        columns = context.write_rows(names, result.rows) if names else ()
        return StatementOutcome(columns, kind.statement_type, kind.substatement_type)
