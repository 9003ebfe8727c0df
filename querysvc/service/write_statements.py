"""CREATE TABLE AS, INSERT and UNLOAD as statement executors.

The query runs like a SELECT, into a spool of its own; a process makes files of it; its files are
staged, placed and registered by the query's WriteTransaction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn, StatementType
from querysvc.service.access import Action
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.iceberg_writes import IcebergWriter
from querysvc.service.statements import (
    RunContext,
    StatementOutcome,
)
from querysvc.service.write_staging import RowStager, WriterParts, transaction_of
from querysvc.service.write_targets import (
    FolderTargets,
    TableTargets,
    folder_of,
    location_of,
    new_partitions,
    new_table,
    new_table_location,
)
from querysvc.write_plan import CreateTableAs, FileWrite, InsertInto, Unload
from querysvc_catalog.model import Partition, Table, TableName

_UPLOADS_AT_ONCE: Final = 8
_PARTITIONS_AT_ONCE: Final = 100


class WriteExecutor:
    """Runs write statements."""

    def __init__(self, parts: WriterParts) -> None:
        self._parts = parts
        self._stager = RowStager(parts)
        self._iceberg = IcebergWriter(self._stager, parts.iceberg)
        self._catalog = parts.parts.catalog

    def execute(self, statement: FileWrite, context: RunContext) -> StatementOutcome:
        """Run a write statement."""
        if isinstance(statement, CreateTableAs):
            return self.create_table_as(statement, context)
        if isinstance(statement, InsertInto):
            return self.insert(statement, context)
        return self.unload(statement, context)

    def create_table_as(self, statement: CreateTableAs, context: RunContext) -> StatementOutcome:
        """Run a CREATE TABLE AS."""
        name = statement.table
        access = self._parts.policies.access_of(context.principal)
        access.require(Action.CREATE, name)
        kind = (StatementType.DDL, "CREATE_TABLE_AS_SELECT")
        if self._catalog.find_table(name) is not None:
            if statement.if_not_exists:
                return _outcome(kind, 0)
            raise _exists(name)
        location = new_table_location(
            statement,
            context.running.id,
            context.work_group,
            context.output_location,
            self._catalog,
        )
        if statement.external_location is not None:
            access.require_location(location)
        write = transaction_of(context)
        write.intend(locations=(location,), table=_identity(name), creates_table=True)
        self._require_empty(location, f"{name.database_name}.{name.name}", context.running.id)
        if statement.iceberg is not None:
            outcome = self._iceberg.create_table_as(statement, location, context)
            return replace(outcome, statement_type=kind[0], substatement_type=kind[1])
        targets = FolderTargets(location, statement.layout)
        outcome = (
            self._stager.write(statement.query, statement.layout, targets, context)
            if statement.with_data
            else _outcome(kind, 0)
        )
        table = new_table(statement, location, context.running.id, context.session)
        write.place()
        with catalog_errors():
            self._catalog.create_table(table)
            self._register(table, targets.found, context.running.id)
        return replace(outcome, statement_type=kind[0], substatement_type=kind[1])

    def insert(self, statement: InsertInto, context: RunContext) -> StatementOutcome:
        """Run an INSERT."""
        table = statement.table
        self._parts.policies.access_of(context.principal).require(Action.INSERT, table.full_name)
        if table.is_iceberg:
            return self._iceberg.insert(statement, context)
        now = context.session.started_at or self._parts.clock.now()
        targets = TableTargets(self._catalog, table, statement.layout, now)
        write = transaction_of(context)
        write.intend(locations=(folder_of(location_of(table)),), table=_identity(table.full_name))
        outcome = self._stager.write(statement.query, statement.layout, targets, context)
        new = targets.new
        if new:
            write.intend(partitions=tuple(new))
        write.place()
        self._require_unchanged(table)
        with catalog_errors():
            self._register(table, new, context.running.id)
        return replace(outcome, substatement_type="INSERT")

    def unload(self, statement: Unload, context: RunContext) -> StatementOutcome:
        """Run an UNLOAD."""
        location = folder_of(statement.location)
        self._parts.policies.access_of(context.principal).require_location(location)
        write = transaction_of(context)
        write.intend(locations=(location,))
        self._require_empty(location, "unload", context.running.id)
        targets = FolderTargets(location, statement.layout)
        outcome = self._stager.write(statement.query, statement.layout, targets, context)
        write.place()
        return replace(outcome, substatement_type="UNLOAD")

    def _require_empty(self, location: str, what: str, query_id: str) -> None:
        """HIVE_PATH_ALREADY_EXISTS where objects lie, or where another write is about to."""
        others = any(
            one.query_id != query_id and location in one.locations
            for one in self._parts.parts.writes.open_writes()
        )
        if others or not self._parts.parts.objects.is_empty(location):
            raise QueryServiceError(
                ErrorCode.HIVE_PATH_ALREADY_EXISTS,
                f"Target directory for table '{what}' already exists: {location}. You may need to"
                f" manually clean the data at location '{location}' before retrying; nothing there"
                " was deleted.",
            )

    def _require_unchanged(self, table: Table) -> None:
        """The table may have been dropped or moved while its rows were made."""
        found = self._catalog.find_table(table.full_name)
        if found is None:
            name = table.full_name
            raise QueryServiceError(
                ErrorCode.TABLE_NOT_FOUND,
                f"Table '{name.catalog_name}.{name}' was dropped while rows were written",
            )
        if (found.location, found.columns) != (table.location, table.columns):
            raise QueryServiceError(
                ErrorCode.HIVE_CONCURRENT_MODIFICATION_DETECTED,
                f"Table '{table.full_name}' was changed while rows were written",
            )

    def _register(self, table: Table, folders: dict[tuple[str, ...], str], query_id: str) -> None:
        """Register partitions; one that another write registered meanwhile must lie there too."""
        partitions = list(new_partitions(table, folders, query_id))
        for start in range(0, len(partitions), _PARTITIONS_AT_ONCE):
            part = partitions[start : start + _PARTITIONS_AT_ONCE]
            failed = self._catalog.create_partitions(table.full_name, part)
            if failed:
                self._check_registered(table, part)

    def _check_registered(self, table: Table, wanted: list[Partition]) -> None:
        found = self._catalog.get_partitions(table.full_name, [one.values for one in wanted])
        places = {one.values: (one.location or "").rstrip("/") for one in found}
        for one in wanted:
            if places.get(one.values) != one.location:
                raise QueryServiceError(
                    ErrorCode.HIVE_CONCURRENT_MODIFICATION_DETECTED,
                    f"partition {one.values} of {table.full_name} was registered at another"
                    " location while rows were written",
                )


def _outcome(kind: tuple[StatementType, str], rows: int) -> StatementOutcome:
    columns: tuple[ResultColumn, ...] = ()
    return StatementOutcome(columns, *kind, update_count=rows, written_objects=())


def _exists(name: TableName) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.TABLE_ALREADY_EXISTS,
        f"Destination table '{name.catalog_name}.{name}' already exists",
    )


def _identity(name: TableName) -> tuple[str, str, str]:
    return name.catalog_name, name.database_name, name.name
