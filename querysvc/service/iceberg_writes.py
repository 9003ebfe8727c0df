"""INSERT and CREATE TABLE AS of Iceberg tables: files are staged as others, and then committed.

The commit is the swap of the table's metadata location in the catalog (ADR-0024).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from querysvc.planning.iceberg import IcebergReader
from querysvc.results.writing.files import WrittenFile
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.statements import RunContext, StatementOutcome
from querysvc.service.write_staging import RowStager, transaction_of
from querysvc.service.write_transaction import WRITER_PARAMETER
from querysvc.write_plan import CreateTableAs, InsertInto
from querysvc_catalog.model import StorageDescriptor, Table, TableName

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile

    from querysvc.iceberg.commit import SnapshotChange
    from querysvc.iceberg.table import IcebergTable


class IcebergTargets:
    """Where an Iceberg table's new files go; the entries of those that were written."""

    def __init__(self, table: IcebergTable) -> None:
        from querysvc.iceberg.writing import DataFiles

        self._made = DataFiles(table)
        self._lock = threading.Lock()
        self._files: list[DataFile] = []

    @property
    def location(self) -> str:
        """The folder under which all of them go."""
        return self._made.location

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The files that were written."""
        with self._lock:
            return tuple(sorted(self._files, key=lambda one: one.file_path))

    def folder(self, values: Sequence[str]) -> str:
        """The folder of a partition's files."""
        return self._made.folder(values)

    def written(self, file: WrittenFile, path: Path, address: str) -> None:
        """Note a file's entry."""
        entry = self._made.entry(file.values, path, address)
        with self._lock:
            self._files.append(entry)


@dataclass(frozen=True, slots=True)
class IcebergWriter:
    """Runs INSERT and CREATE TABLE AS of Iceberg tables."""

    stager: RowStager
    reader: IcebergReader

    def insert(self, statement: InsertInto, context: RunContext) -> StatementOutcome:
        """Run an INSERT: its files become a snapshot of what the table then is."""
        from querysvc.iceberg.commit import SnapshotChange
        from querysvc.iceberg.writing import table_layout

        table = self.reader.tables.load(statement.table)
        targets = IcebergTargets(table)
        write = transaction_of(context)
        write.intend(locations=locations_of(table, targets), table=identity_of(table.name))
        layout = table_layout(table, statement.layout)
        outcome = self.stager.write(statement.query, layout, targets, context)
        if targets.files:
            change = SnapshotChange("append", targets.files)
            commit_files(self.reader, table, change, context, strict=False)
        return replace(outcome, substatement_type="INSERT")

    def create_table_as(
        self, statement: CreateTableAs, location: str, context: RunContext
    ) -> StatementOutcome:
        """Run a CREATE TABLE AS into an empty location: the table appears with its rows."""
        from querysvc.iceberg.commit import SnapshotChange, with_snapshot
        from querysvc.iceberg.create import NewColumn, planned_table, planned_with, store_metadata
        from querysvc.iceberg.writing import table_layout

        assert statement.iceberg is not None, "the statement makes an Iceberg table"
        tables, query_id = self.reader.tables, context.running.id
        entry = _entry(statement, location, context)
        columns = [NewColumn(one.name, one.type) for one in statement.layout.columns]
        table = planned_table(tables, entry, columns, statement.iceberg.partitioning, name=query_id)
        write = transaction_of(context)
        outcome = StatementOutcome((), statement.query.statement_type, "", written_objects=())
        files: tuple[DataFile, ...] = ()
        if statement.with_data:
            targets = IcebergTargets(table)
            layout = table_layout(table, statement.layout)
            outcome = self.stager.write(statement.query, layout, targets, context)
            files = targets.files
        write.place()
        if files:
            metadata = with_snapshot(table, SnapshotChange("append", files), query_id)
            table = planned_with(tables, entry, metadata, name=query_id)
        store_metadata(tables, table)
        write.verify()
        with catalog_errors():
            tables.catalog.create_table(table.entry)
        return outcome


def commit_files(
    reader: IcebergReader,
    table: IcebergTable,
    change: SnapshotChange,
    context: RunContext,
    *,
    strict: bool,
) -> None:
    """Put the staged files in place and commit their snapshot; see Committer.commit."""
    from querysvc.iceberg.commit import CommitConflictError, Committer

    write = transaction_of(context)
    write.place()
    write.committing()
    try:
        Committer(reader.tables).commit(
            table, change, query_id=context.running.id, strict=strict, before=write.verify
        )
    except CommitConflictError:
        write.not_committed()
        raise


def _entry(statement: CreateTableAs, location: str, context: RunContext) -> Table:
    assert statement.iceberg is not None, "the statement makes an Iceberg table"
    name = statement.table
    return Table(
        name=name.name,
        database_name=name.database_name,
        catalog_name=name.catalog_name,
        owner=context.session.user,
        description=statement.comment,
        storage_descriptor=StorageDescriptor(location=location.rstrip("/")),
        parameters={**statement.iceberg.properties, WRITER_PARAMETER: context.running.id},
    )


def locations_of(table: IcebergTable, targets: IcebergTargets) -> tuple[str, ...]:
    """The folders that may hold objects of a write."""
    from pyiceberg.table.locations import load_location_provider

    provider = load_location_provider(table.metadata.location, table.metadata.properties)
    return targets.location, f"{provider.metadata_path}/"


def identity_of(name: TableName) -> tuple[str, str, str]:
    """The name as intents keep it."""
    return name.catalog_name, name.database_name, name.name
