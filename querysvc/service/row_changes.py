"""DELETE, UPDATE and MERGE of Iceberg tables as a statement executor (ADR-0025).

One query gives the rows that change: new ones become data files as an INSERT's do, those that go
become position deletes. Both are one snapshot, which is committed only upon the snapshot that was
read: if another commit came first, the whole statement runs again on what there is then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.planning.iceberg import IcebergReader
from querysvc.service.access import Action
from querysvc.service.iceberg_writes import (
    IcebergTargets,
    commit_files,
    identity_of,
    locations_of,
)
from querysvc.service.running import RunningQuery
from querysvc.service.statements import RunContext, StatementOutcome
from querysvc.service.write_staging import RowStager, data_options, transaction_of
from querysvc.write_plan import CHANGES, ChangeRows, Compression, FileFormat, WriteLayout
from querysvc_catalog.model import TableName
from querysvc_catalog.serdes import StorageFormat

if TYPE_CHECKING:
    from querysvc.iceberg.commit import OperationName, SnapshotChange
    from querysvc.iceberg.table import IcebergTable

_log = structlog.get_logger(__name__)
_ATTEMPTS_MAX: Final = 20
_TURN_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class RowsChanged:
    """What one attempt of a statement staged."""

    count: int
    change: SnapshotChange


class RowChangeExecutor:
    """Runs statements that change rows; on one node those of one table take turns."""

    def __init__(self, stager: RowStager, reader: IcebergReader) -> None:
        self._stager = stager
        self._reader = reader
        self._turns = _Turns()

    def execute(self, statement: ChangeRows, context: RunContext) -> StatementOutcome:
        """Run the statement, anew as long as other commits come first."""
        from querysvc.iceberg.commit import CommitConflictError

        name = statement.table.full_name
        access = self._stager.parts.policies.access_of(context.principal)
        for action in sorted(statement.actions):
            access.require(Action(action), name)
        with self._turns.of(name, context.running):
            for _ in range(_ATTEMPTS_MAX - 1):
                statement = self._anew(statement)
                try:
                    return self._run(statement, context)
                except CommitConflictError as error:
                    _log.info("A statement that changes rows runs again.", reason=error.message)
                    self._take_back(statement, context)
            return self._run(self._anew(statement), context)

    def _anew(self, statement: ChangeRows) -> ChangeRows:
        """The statement upon the table as it is now; its columns must be those it was typed for."""
        before = self._reader.tables.load(statement.table)
        now = self._reader.tables.current(statement.table.full_name)
        if before.metadata.current_schema_id != now.metadata.current_schema_id or (
            before.metadata.table_uuid != now.metadata.table_uuid
        ):
            raise QueryServiceError(
                ErrorCode.ICEBERG_COMMIT_ERROR,
                f"Table {now.name} was altered or replaced while the statement waited or ran",
            )
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
        staged: list[RowsChanged] = []
        outcome = self._stager.write(
            statement.query,
            _layout(table, control),
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

    def _take_back(self, statement: ChangeRows, context: RunContext) -> None:
        """Remove what a refused attempt wrote: its files, and the metadata that list them."""
        table = self._reader.tables.load(statement.table)
        transaction_of(context).restart()
        folder = f"{table.metadata.location.rstrip('/')}/metadata/"
        self._stager.parts.parts.objects.clear(folder, context.running.id)


def _layout(table: IcebergTable, control: int) -> WriteLayout:
    """How the new rows are laid out; a DELETE has none, and no columns for them."""
    from querysvc.iceberg.writing import columns_to_write, table_layout

    form = FileFormat(StorageFormat.PARQUET, Compression.ZSTD)
    layout = table_layout(table, WriteLayout(form, columns_to_write(table)), marker=control)
    return layout if control else replace(layout, columns=())


def _operation(change: SnapshotChange) -> OperationName:
    """The word for what a snapshot does, as the table format has it."""
    if not change.added:
        return "delete"
    return "overwrite" if change.added_deletes or change.removed else "append"


class _Turns:
    """Whose turn it is to change a table's rows: others would only be refused and run again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[TableName] = set()
        self._changed = threading.Condition(self._lock)

    @contextmanager
    def of(self, name: TableName, running: RunningQuery) -> Iterator[None]:
        """Wait for the turn; a query that is told to stop waits no longer."""
        with self._changed:
            while name in self._held:
                self._changed.wait(_TURN_SECONDS)
                running.raise_if_stopped()
            self._held.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._held.discard(name)
                self._changed.notify_all()
