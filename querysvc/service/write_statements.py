"""CREATE TABLE AS, INSERT and UNLOAD as statement executors.

The query runs like a SELECT, into a spool of its own; a process makes files of it; its files are
staged, placed and registered by the query's WriteTransaction.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Progress, ResultColumn, ResultConfiguration, StatementType
from querysvc.plan import AnalysedStatement, Engine, ReadEstimate
from querysvc.planning.request import QueryPlanner
from querysvc.results.writing.encoder import FileEncoder
from querysvc.results.writing.files import WriteJob, WrittenFile
from querysvc.service.access import Action
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.clock import Clock
from querysvc.service.policies import Policies
from querysvc.service.running import RunningQuery
from querysvc.service.statements import (
    RunContext,
    StatementOutcome,
    plan_request,
    run_statistics,
)
from querysvc.service.write_targets import (
    FolderTargets,
    TableTargets,
    Targets,
    folder_of,
    location_of,
    new_partitions,
    new_table,
    new_table_location,
)
from querysvc.service.write_transaction import WriteParts, WriteTransaction
from querysvc.write_plan import CreateTableAs, FileWrite, InsertInto, Unload, WriteLayout
from querysvc_catalog.model import Partition, Table, TableName

_UPLOADS_AT_ONCE: Final = 8
_PARTITIONS_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """What one write may take."""

    file_bytes: int = 256 << 20
    partitions_max: int = 10_000
    staging_bytes_max: int = 64 << 30


@dataclass(frozen=True, slots=True)
class WriterParts:
    """What write statements work with."""

    planner: QueryPlanner
    engine: Engine
    encoder: FileEncoder
    parts: WriteParts
    policies: Policies
    directory: Path
    clock: Clock
    limits: WriteLimits = WriteLimits()


class WriteExecutor:
    """Runs write statements."""

    def __init__(self, parts: WriterParts) -> None:
        self._parts = parts
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
        write = _transaction(context)
        write.intend(locations=(location,), table=_identity(name), creates_table=True)
        self._require_empty(location, f"{name.database_name}.{name.name}", context.running.id)
        targets = FolderTargets(location, statement.layout)
        outcome = (
            self._write(statement.query, statement.layout, targets, context)
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
        now = context.session.started_at or self._parts.clock.now()
        targets = TableTargets(self._catalog, table, statement.layout, now)
        write = _transaction(context)
        write.intend(locations=(folder_of(location_of(table)),), table=_identity(table.full_name))
        outcome = self._write(statement.query, statement.layout, targets, context)
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
        write = _transaction(context)
        write.intend(locations=(location,))
        self._require_empty(location, "unload", context.running.id)
        targets = FolderTargets(location, statement.layout)
        outcome = self._write(statement.query, statement.layout, targets, context)
        write.place()
        return replace(outcome, substatement_type="UNLOAD")

    # The common road.

    def _write(
        self,
        query: AnalysedStatement,
        layout: WriteLayout,
        targets: Targets,
        context: RunContext,
    ) -> StatementOutcome:
        """Run the query and stage its rows as objects."""
        parts, running = self._parts, context.running
        began = parts.clock.steady_seconds()
        planned = parts.planner.plan(plan_request(query, context))
        running.raise_if_stopped()
        planning_seconds = parts.clock.steady_seconds() - began
        with self._staging(running.id) as directory:
            spool = directory / "rows.arrow"
            control = _WriteControl(running, parts.limits.staging_bytes_max)
            run = parts.engine.execute(planned.plan, spool, control)
            job = WriteJob(
                running.id,
                layout,
                spool,
                directory,
                parts.limits.file_bytes,
                parts.limits.partitions_max,
            )
            rows = self._stage(job, targets, context)
        if rows != run.rows:
            raise QueryServiceError(
                ErrorCode.GENERIC_INTERNAL_ERROR,
                f"The engine told {run.rows} rows and {rows} were written.",
            )
        return StatementOutcome(
            columns=(),
            statement_type=StatementType.DML,
            substatement_type="",
            statistics=run_statistics(run, planned, planning_seconds),
            update_count=rows,
            written_objects=_transaction(context).addresses,
            warnings=(*query.warnings, *planned.warnings),
        )

    def _stage(self, job: WriteJob, targets: Targets, context: RunContext) -> int:
        """Make files and upload each as it is finished; none is left on disk."""
        write, running = _transaction(context), context.running
        options = _data_options(running.claimed.execution.result_configuration)
        uploads: list[Future[None]] = []

        def upload(file: WrittenFile, taken: Callable[[], None]) -> None:
            path = job.directory / file.name
            try:
                running.raise_if_stopped()
                folder = targets.folder(file.values)
                write.intend_location(folder)
                write.stage(f"{folder}{file.name}", path, options)
            finally:
                path.unlink(missing_ok=True)
                taken()

        with ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="upload") as pool:

            def take(file: WrittenFile, taken: Callable[[], None]) -> None:
                _raise_failed(uploads)
                uploads.append(pool.submit(upload, file, taken))

            rows = self._parts.encoder.run(job, take, running.on_cancel)
            for one in uploads:
                one.result()
        running.raise_if_stopped()
        return rows

    @contextlib.contextmanager
    def _staging(self, query_id: str) -> Iterator[Path]:
        directory = self._parts.directory / query_id
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

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


class _WriteControl:
    """The query's control for an engine whose rows are no result: they only fill the disk."""

    def __init__(self, running: RunningQuery, bytes_max: int) -> None:
        self._running = running
        self._bytes_max = bytes_max
        self.is_cancelled = running.is_cancelled
        self.on_cancel = running.on_cancel

    def on_estimate(self, estimate: ReadEstimate) -> None:
        """Refuse the run when it would read more than it may."""
        self._running.on_estimate(estimate)

    def on_progress(self, progress: Progress) -> None:
        """Tell watchers."""
        self._running.on_progress(progress)

    def on_batch(self, end_offset: int, rows: int) -> None:
        """Stop a write that needs more disk than it may."""
        if end_offset > self._bytes_max:
            self._running.stop(
                QueryServiceError(
                    ErrorCode.EXCEEDED_SPILL_LIMIT,
                    f"The rows to write take more than {self._bytes_max} bytes on local disk; the"
                    " setting write_staging_bytes_max raises it",
                )
            )


def _raise_failed(uploads: list[Future[None]]) -> None:
    for one in uploads:
        if one.done():
            one.result()


def _transaction(context: RunContext) -> WriteTransaction:
    assert context.write is not None, "a service that has write statements has transactions"
    return context.write


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


def _data_options(configuration: ResultConfiguration) -> ResultConfiguration:
    """Data is encrypted as results are; their owner and ACL are of the results' bucket alone."""
    return ResultConfiguration(
        encryption_option=configuration.encryption_option, kms_key=configuration.kms_key
    )
