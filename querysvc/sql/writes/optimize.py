"""OPTIMIZE table REWRITE DATA USING BIN_PACK [WHERE …]: Athena's statement, read and checked.

The condition chooses files, by what their partitions and bounds admit; of a file all rows are
written anew, so that no row is lost whatever the condition says.
"""

from __future__ import annotations

from collections.abc import Sequence

from querysvc import tree
from querysvc.model import Session
from querysvc.sql.analyser import analyse_with, analysis_context, check_parameter_count
from querysvc.sql.metadata import MetadataReader
from querysvc.sql.parser import ParsedStatement
from querysvc.sql.queries import QueryAnalyser
from querysvc.sql.query_parser import QueryParser
from querysvc.sql.query_syntax import Table
from querysvc.sql.scope import Scope
from querysvc.sql.syntax import Expression
from querysvc.sql.token_stream import deep_recursion
from querysvc.sql.writes.changed_table import ChangedTable
from querysvc.sql.writes.changes import condition_of
from querysvc.write_plan import OptimizeTable

KIND = "OPTIMIZE"


class OptimizeParser(QueryParser):
    """Reads one OPTIMIZE; `parameters` counts its `?`."""

    def __init__(self, statement: ParsedStatement) -> None:
        super().__init__(statement.sql, list(statement.tokens))

    @property
    def parameters(self) -> int:
        """How many `?` were read."""
        return self._parameters

    def statement(self) -> tuple[Table, Expression | None]:
        """The table and the condition."""
        self.expect(KIND)
        table = Table(self.position, self.qualified_name())
        self.expect("REWRITE", "DATA", "USING", "BIN_PACK")
        with deep_recursion():
            where = self.expression() if self.take("WHERE") else None
        self.end()
        return table, where


def analyse_optimize(
    statement: ParsedStatement,
    session: Session,
    metadata: MetadataReader,
    parameters: Sequence[str] = (),
) -> OptimizeTable:
    """Check and type the statement; raises StatementError."""
    parser = OptimizeParser(statement)
    table, where = parser.statement()
    check_parameter_count(len(parameters), parser.parameters)
    context = analysis_context(session, metadata, parameters)
    target = ChangedTable(table.name, KIND, context)

    def build(queries: QueryAnalyser) -> tree.Query:
        source = queries.relations.analyse(table, Scope())
        condition = None
        if where is not None:
            condition = condition_of(queries, where, Scope(source.fields), "WHERE clause")
        items = tuple(item.expression for item in source.visible)
        output = tuple(
            tree.Field(column.name, item.type)
            for column, item in zip(target.columns, items, strict=True)
        )
        return tree.Query(output, tree.Select(items, source.item, condition))

    return OptimizeTable(target.info.table, analyse_with(build, context))
