"""OPTIMIZE of Iceberg tables as a statement executor: files written anew, rows as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from querysvc import tree
from querysvc.model import StatementType
from querysvc.plan import AnalysedStatement
from querysvc.planning.iceberg import IcebergReader
from querysvc.service.access import Action
from querysvc.service.iceberg_writes import (
    IcebergTargets,
    commit_files,
    identity_of,
    locations_of,
)
from querysvc.service.row_changes import current_table, take_back, whole_rows
from querysvc.service.statements import RunContext, StatementOutcome
from querysvc.service.table_turns import TableTurns, attempts
from querysvc.service.write_staging import RowStager, transaction_of
from querysvc.write_plan import OptimizeTable

if TYPE_CHECKING:
    from querysvc.iceberg.table import IcebergTable


class OptimizeExecutor:
    """Runs OPTIMIZE."""

    def __init__(self, stager: RowStager, reader: IcebergReader, turns: TableTurns) -> None:
        self._stager = stager
        self._reader = reader
        self._turns = turns

    def execute(self, statement: OptimizeTable, context: RunContext) -> StatementOutcome:
        """Run the statement, anew as long as other commits come first."""
        name = statement.table.full_name
        self._stager.parts.policies.access_of(context.principal).require(Action.ALTER, name)
        with self._turns.of(name, context.running):
            return attempts(
                lambda: self._run(statement, current_table(self._reader, statement.table), context),
                lambda: take_back(self._stager, self._reader.tables.load(statement.table), context),
            )

    def _run(
        self, statement: OptimizeTable, table: IcebergTable, context: RunContext
    ) -> StatementOutcome:
        from querysvc.iceberg.commit import SnapshotChange
        from querysvc.iceberg.optimize import left_behind
        from querysvc.iceberg.scan import data_files

        chosen = self._chosen(statement, table)
        if not chosen:
            return StatementOutcome((), StatementType.DDL, "OPTIMIZE")
        targets = IcebergTargets(table)
        transaction_of(context).intend(
            locations=locations_of(table, targets), table=identity_of(table.name)
        )
        query = _all_rows(statement.query, table, chosen)
        outcome = self._stager.write(query, whole_rows(table), targets, context)
        removed = chosen | left_behind(data_files(table), chosen)
        change = SnapshotChange("replace", targets.files, removed=removed)
        commit_files(self._reader, table, change, context, strict=True)
        return replace(
            outcome,
            statement_type=StatementType.DDL,
            substatement_type="OPTIMIZE",
            update_count=None,
            written_objects=None,
        )

    def _chosen(self, statement: OptimizeTable, table: IcebergTable) -> frozenset[str]:
        from querysvc.iceberg.filters import row_filter
        from querysvc.iceberg.optimize import files_to_rewrite
        from querysvc.iceberg.scan import data_files

        reference = statement.query.tables[0]
        wanted = row_filter(reference.domains, reference.columns, table.metadata.schema())
        scan = data_files(table, row_filter=wanted)
        return files_to_rewrite(table, scan, self._stager.parts.limits.file_bytes)


def _all_rows(
    query: AnalysedStatement, table: IcebergTable, files: frozenset[str]
) -> AnalysedStatement:
    """The query without its condition, of these files alone."""
    select = query.query.body
    assert isinstance(select, tree.Select), "the analyser made it"
    reference = replace(
        query.tables[0],
        table=table.entry,
        domains={},
        partition_predicate=None,
        only_files=files,
    )
    whole = replace(query.query, body=replace(select, where=None))
    return replace(query, query=whole, tables=(reference,))
