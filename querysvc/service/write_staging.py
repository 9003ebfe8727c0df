"""The common road of writes: a query's rows as files, staged as objects that do not exist yet."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Progress, ResultConfiguration, StatementType
from querysvc.plan import AnalysedStatement, Engine, ReadEstimate
from querysvc.planning.iceberg import IcebergReader
from querysvc.planning.request import QueryPlanner
from querysvc.results.writing.encoder import FileEncoder
from querysvc.results.writing.files import WriteJob, WrittenFile
from querysvc.service.clock import Clock
from querysvc.service.policies import Policies
from querysvc.service.running import RunningQuery
from querysvc.service.statements import (
    RunContext,
    StatementOutcome,
    plan_request,
    run_statistics,
)
from querysvc.service.write_targets import Targets
from querysvc.service.write_transaction import WriteParts, WriteTransaction
from querysvc.write_plan import WriteLayout

_UPLOADS_AT_ONCE: Final = 8


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
    iceberg: IcebergReader
    directory: Path
    clock: Clock
    limits: WriteLimits = WriteLimits()


class RowStager:
    """Runs queries whose rows become files."""

    def __init__(self, parts: WriterParts) -> None:
        self.parts = parts

    def write(
        self,
        query: AnalysedStatement,
        layout: WriteLayout,
        targets: Targets,
        context: RunContext,
        *,
        keep: Callable[[Path], None] | None = None,
    ) -> StatementOutcome:
        """Run the query and stage its rows as objects; `keep` may read the spooled rows after."""
        parts, running = self.parts, context.running
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
            # A DELETE writes no rows: no process is needed for its files.
            rows = self._stage(job, targets, context) if layout.columns else 0
            if keep is not None:
                keep(spool)
        is_part = layout.iceberg is not None and layout.iceberg.marker is not None
        if rows != run.rows and not is_part:
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
            written_objects=transaction_of(context).addresses,
            warnings=(*query.warnings, *planned.warnings),
        )

    def _stage(self, job: WriteJob, targets: Targets, context: RunContext) -> int:
        """Make files and upload each as it is finished; none is left on disk."""
        write, running = transaction_of(context), context.running
        options = data_options(running.claimed.execution.result_configuration)
        uploads: list[Future[None]] = []

        def upload(file: WrittenFile, taken: Callable[[], None]) -> None:
            path = job.directory / file.name
            try:
                running.raise_if_stopped()
                folder = targets.folder(file.values)
                write.intend_location(folder)
                address = f"{folder}{file.name}"
                targets.written(file, path, address)
                write.stage(address, path, options)
            finally:
                path.unlink(missing_ok=True)
                taken()

        with ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="upload") as pool:

            def take(file: WrittenFile, taken: Callable[[], None]) -> None:
                _raise_failed(uploads)
                uploads.append(pool.submit(upload, file, taken))

            rows = self.parts.encoder.run(job, take, running.on_cancel)
            for one in uploads:
                one.result()
        running.raise_if_stopped()
        return rows

    @contextlib.contextmanager
    def _staging(self, query_id: str) -> Iterator[Path]:
        directory = self.parts.directory / query_id
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


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


def transaction_of(context: RunContext) -> WriteTransaction:
    """The write of the running query."""
    assert context.write is not None, "a service that has write statements has transactions"
    return context.write


def data_options(configuration: ResultConfiguration) -> ResultConfiguration:
    """Data is encrypted as results are; their owner and ACL are of the results' bucket alone."""
    return ResultConfiguration(
        encryption_option=configuration.encryption_option, kms_key=configuration.kms_key
    )
