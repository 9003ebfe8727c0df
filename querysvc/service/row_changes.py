"""DELETE, UPDATE and MERGE of Iceberg tables as a statement executor (ADR-0025).

One query gives the rows that change: new ones become data files as an INSERT's do, those that go
become position deletes. Both are one snapshot, which is committed only upon the snapshot that was
read: if another commit came first, the whole statement runs again on what there is then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from querysvc import tree
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import StatementType
from querysvc.planning.iceberg import IcebergReader
from querysvc.service.access import Action
from querysvc.service.iceberg_writes import (
    IcebergTargets,
    commit_files,
    identity_of,
    locations_of,
)
from querysvc.service.statements import RunContext, StatementOutcome
from querysvc.service.table_turns import TableTurns, attempts
from querysvc.service.write_staging import RowStager, data_options, transaction_of
from querysvc.write_plan import (
    CHANGES,
    ChangeRows,
    Compression,
    FileFormat,
    RowAction,
    WriteLayout,
)
from querysvc_catalog.model import Table
from querysvc_catalog.serdes import StorageFormat

if TYPE_CHECKING:
    from querysvc.iceberg.commit import OperationName, SnapshotChange
    from querysvc.iceberg.table import IcebergTable


@dataclass(frozen=True, slots=True)
class RowsChanged:
    """What one attempt of a statement staged."""

    count: int
    change: SnapshotChange


class RowChangeExecutor:
    """Runs statements that change rows; on one node those of one table take turns."""

    def __init__(self, stager: RowStager, reader: IcebergReader, turns: TableTurns) -> None:
        self._stager = stager
        self._reader = reader
        self._turns = turns

    def execute(self, statement: ChangeRows, context: RunContext) -> StatementOutcome:
        """Run the statement, anew as long as other commits come first."""
        name = statement.table.full_name
        access = self._stager.parts.policies.access_of(context.principal)
        for action in sorted(statement.actions):
            access.require(Action(action), name)
        with self._turns.of(name, context.running):
            return attempts(
                lambda: self._run(self._anew(statement), context),
                lambda: take_back(self._stager, self._reader.tables.load(statement.table), context),
            )

    def _anew(self, statement: ChangeRows) -> ChangeRows:
        """The statement upon the table as it is now; its columns must be those it was typed for."""
        now = current_table(self._reader, statement.table)
        query = statement.query
        tables = tuple(
            replace(one, table=now.entry) if one.table == statement.table else one
            for one in query.tables
        )
        return replace(statement, table=now.entry, query=replace(query, tables=tables))

    def _run(self, statement: ChangeRows, context: RunContext) -> StatementOutcome:
        table = self._reader.tables.load(statement.table)
        control = len(statement.query.columns) - len(CHANGES)
        targets = IcebergTargets(table)
        write = transaction_of(context)
        write.intend(locations=locations_of(table, targets), table=identity_of(table.name))
        cleared = self._cleared(statement, table, context)
        if cleared is not None:
            return cleared
        layout = whole_rows(table, marker=control)
        staged: list[RowsChanged] = []
        outcome = self._stager.write(
            statement.query,
            layout if control else replace(layout, columns=()),
            targets,
            context,
            keep=lambda spool: staged.append(self._staged(spool, control, table, context)),
        )
        changed = staged[0]
        if changed.count:
            change = replace(changed.change, added=targets.files)
            change = replace(change, operation=_operation(change))
            commit_files(self._reader, table, change, context, strict=True)
        return replace(
            outcome,
            substatement_type=statement.kind,
            update_count=changed.count,
            written_objects=write.addresses,
        )

    def _cleared(
        self, statement: ChangeRows, table: IcebergTable, context: RunContext
    ) -> StatementOutcome | None:
        """A DELETE of all rows: files are removed unread, where their rows are known by number."""
        from querysvc.iceberg.commit import SnapshotChange
        from querysvc.iceberg.scan import data_files

        body = statement.query.query.body
        is_whole = isinstance(body, tree.Select) and body.where is None
        if statement.kind != RowAction.DELETE or not is_whole:
            return None
        scan = data_files(table)
        if scan.deletes:
            return None
        if scan.files:
            removed = frozenset(one.file.file_path for one in scan.files)
            change = SnapshotChange("delete", removed=removed)
            commit_files(self._reader, table, change, context, strict=True)
        count = sum(one.file.record_count for one in scan.files)
        return StatementOutcome(
            (), StatementType.DML, statement.kind, update_count=count, written_objects=()
        )

    def _staged(
        self, spool: Path, control: int, table: IcebergTable, context: RunContext
    ) -> RowsChanged:
        """Read which rows change, and stage the files that say which of them go."""
        from querysvc.iceberg.commit import SnapshotChange
        from querysvc.iceberg.deletes import DeleteTarget, changed_rows, emptied, write_deletes
        from querysvc.iceberg.scan import data_files

        changed = changed_rows(spool, control)
        if not changed.gone:
            return RowsChanged(changed.count, SnapshotChange("append"))
        files = {one.file.file_path: one for one in data_files(table).files}
        removed = emptied(changed, files)
        target = DeleteTarget(spool.parent, IcebergTargets(table).location, context.running.id)
        entries = []
        write = transaction_of(context)
        options = data_options(context.running.claimed.execution.result_configuration)
        for made in write_deletes(changed, files, removed, target):
            context.running.raise_if_stopped()
            write.stage(made.entry.file_path, made.path, options)
            made.path.unlink()
            entries.append(made.entry)
        change = SnapshotChange("delete", added_deletes=tuple(entries), removed=removed)
        return RowsChanged(changed.count, change)


def current_table(reader: IcebergReader, entry: Table) -> IcebergTable:
    """The table as it is now; ICEBERG_COMMIT_ERROR when its columns are not the entry's."""
    before, now = reader.tables.load(entry), reader.tables.current(entry.full_name)
    if before.metadata.current_schema_id != now.metadata.current_schema_id or (
        before.metadata.table_uuid != now.metadata.table_uuid
    ):
        raise QueryServiceError(
            ErrorCode.ICEBERG_COMMIT_ERROR,
            f"Table {now.name} was altered or replaced while the statement waited or ran",
        )
    return now


def take_back(stager: RowStager, table: IcebergTable, context: RunContext) -> None:
    """Remove what a refused attempt wrote: its files, and the metadata that list them."""
    transaction_of(context).restart()
    folder = f"{table.metadata.location.rstrip('/')}/metadata/"
    stager.parts.parts.objects.clear(folder, context.running.id)


def whole_rows(table: IcebergTable, marker: int | None = None) -> WriteLayout:
    """How rows that come in the table's columns are laid out; see IcebergLayout.marker."""
    from querysvc.iceberg.writing import columns_to_write, table_layout

    form = FileFormat(StorageFormat.PARQUET, Compression.ZSTD)
    return table_layout(table, WriteLayout(form, columns_to_write(table)), marker=marker)


def _operation(change: SnapshotChange) -> OperationName:
    """The word for what a snapshot does, as the table format has it."""
    if not change.added:
        return "delete"
    return "overwrite" if change.added_deletes or change.removed else "append"
