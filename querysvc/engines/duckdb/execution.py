"""One query inside a worker: prepare (footers, ranges, relations), then run into the spool."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final  # file systems and Arrow are untyped

import pyarrow as pa

from querysvc.engines.duckdb import session
from querysvc.engines.duckdb.footers import FooterReader
from querysvc.engines.duckdb.inexact import scanned_twice
from querysvc.engines.duckdb.instances import Instance
from querysvc.engines.duckdb.lowering.narrow_decimals import is_narrow_overflow
from querysvc.engines.duckdb.readers.base import PlanReader, ReaderContext
from querysvc.engines.duckdb.readers.failures import find_bad_value
from querysvc.engines.duckdb.readers.json import DOUBT_MARK, SPELLING_MARK
from querysvc.engines.duckdb.readers.watch import WatchedClient
from querysvc.engines.duckdb.relations import KEPT_BYTES_MAX, PlannedRelations, plan_relations
from querysvc.engines.duckdb.requests import RunPlan, plan_objects
from querysvc.engines.duckdb.settings import WorkerSettings
from querysvc.engines.duckdb.spool import conform, spool_schema
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import ExecutionPlan, ReadEstimate

Report = Callable[[dict[str, object]], None]

_PROGRESS_SECONDS: Final = 0.2
_NOT_PARALLEL: Final = re.compile(
    "null_padding.*quoted new ?lines|parallel = false", re.IGNORECASE | re.DOTALL
)
_NO_COLUMNS: Final = re.compile(f"{DOUBT_MARK}|JSON")
_NOT_PARSED: Final = re.compile("CSV (Error|Parser)|[Ii]nvalid unicode|sniff")
_SPOOL_BUFFER_BYTES: Final = 1 << 20


class CancelledError(Exception):
    """The API process asked to stop."""


@dataclass(slots=True)
class Control:
    """What the listening thread may do to the running query."""

    proceed: threading.Event
    cancelled: threading.Event
    interrupt: Callable[[], None] | None = None

    @classmethod
    def create(cls) -> Control:
        """A control with nothing to interrupt yet."""
        return cls(threading.Event(), threading.Event())

    def cancel(self) -> None:
        """Stop the query: whatever it waits for ends now."""
        self.cancelled.set()
        self.proceed.set()
        if self.interrupt is not None:
            self.interrupt()

    def check(self) -> None:
        """Raise when the query was cancelled."""
        if self.cancelled.is_set():
            raise CancelledError


class Execution:
    """Runs one request on a prepared connection."""

    def __init__(
        self,
        request: RunPlan,
        instance: Instance,
        client: PlanReader,
        file_system: Any,
        *,
        watched: WatchedClient,
        footers: FooterReader,
        settings: WorkerSettings,
    ) -> None:
        self.request = request
        self.plan: ExecutionPlan = request.plan
        self.instance = instance
        self.connection = instance.connection
        self.file_system = file_system
        self.client = client
        self.settings = settings
        self.context = ReaderContext(self.connection, file_system, client, footers)
        watched.see = self._see
        self.estimate = ReadEstimate(0, 0)
        self.rows = 0
        self.spooled_bytes = 0
        self.has_made_nothing = instance.is_sealed
        """The instance is as it was: no path, file system, macro or function came to it."""
        self._is_narrowed = False
        self._is_trying = False

    def _see(self, object_index: int, offset: int, data: bytes) -> None:
        self.context.watch.see(object_index, offset, data)
        self.context.checksums.see(object_index, offset, data)
        if self._is_trying and self.context.reads_json_types and self.context.watch.has_odd_keys:
            # The rest need not be read for an answer that is dropped.
            raise RuntimeError(DOUBT_MARK)

    def prepare(self) -> PlannedRelations:
        """Open the plan's files and build the relations; reads footers only."""
        if self.instance.is_sealed:
            assert not self.plan.scans, "a sealed instance opens no file"
            return PlannedRelations((), self.estimate)
        rescanned = scanned_twice(self.plan.query)
        self.context.is_reread = bool(rescanned)
        is_large = _stored_bytes(self.plan, rescanned) > KEPT_BYTES_MAX
        session.limit(self.connection, self.plan.limits, rereads=is_large)
        self.connection.register_filesystem(self.file_system)
        relations = plan_relations(self.plan, self.context)
        self.estimate = relations.estimate
        return relations

    def run(self, relations: PlannedRelations, spool: int, report: Report) -> None:
        """Announce the ranges, run the query, and write its batches to the spool."""
        statement = self._statement(relations, narrows=True)
        try:
            with self._progress_told(report):
                self._load(relations)
                if self.settings.engine_layers and not self.instance.is_sealed:
                    session.seal(self.connection, self.context.paths)
                while not self._attempt(statement, spool, report):
                    relations = plan_relations(self.plan, self.context)
                    self._load(relations)
                    statement = self._statement(relations, narrows=False)
        finally:
            os.close(spool)

    def _load(self, relations: PlannedRelations) -> None:
        """Start what was announced, and fill the relations' temporary tables."""
        self.client.prefetch(())
        for load in self.context.loads:
            load()
        for index, sql in enumerate(relations.sql if self.request.raw_sql is not None else ()):
            self.connection.execute(f'CREATE OR REPLACE TEMP VIEW "t{index}" AS {sql}')

    def _attempt(self, statement: str, spool: int, report: Report) -> bool:
        """Run the statement once; false when it must run again, the context being changed.

        Batches of what may run again are told only when all is known to be right.
        """
        held: list[dict[str, object]] = []
        watch = self.context.watch
        may_run_again = watch.is_watching or self._is_narrowed
        try:
            with self.trying():
                self._spool(statement, spool, held.append if may_run_again else report)
        except Exception as error:
            if not self._falls_back(str(error)):
                raise
            return False
        if self._falls_back(""):
            return False
        damaged = watch.damaged(lambda index: plan_objects(self.plan)[index].size)
        if damaged is not None:
            raise QueryServiceError(
                ErrorCode.HIVE_BAD_DATA,
                f"{plan_objects(self.plan)[damaged].address}: damaged or truncated gzip data",
            )
        for batch in held:
            report(batch)
        return True

    @contextlib.contextmanager
    def trying(self) -> Iterator[None]:
        """While a doubt ends the reading that it makes useless."""
        self._is_trying = True
        try:
            yield
        finally:
            self._is_trying = False

    def _falls_back(self, message: str) -> bool:
        """Whether a slower way of computing or of reading text must be taken; takes it."""
        context = self.context
        if self._is_narrowed and is_narrow_overflow(message):
            context.start_over()
            return True
        if not context.watch.is_watching:
            return False
        if self._reads_json_otherwise(message):
            pass
        elif _NOT_PARALLEL.search(message) and not context.is_serial:
            context.is_serial = True
        elif context.is_exact:
            return False
        elif context.watch.is_suspicious or _NOT_PARSED.search(message):
            context.is_exact = True
        else:
            return False
        context.start_over()
        return True

    def _reads_json_otherwise(self, message: str) -> bool:
        context = self.context
        if "maximum_object_size" in message and not context.has_large_objects:
            context.has_large_objects = True
        elif context.reads_json_types and (
            context.watch.has_odd_keys or _NO_COLUMNS.search(message)
        ):
            context.reads_json_texts = True
        elif _NO_COLUMNS.search(message) and not context.reads_whole_objects:
            context.reads_whole_objects = True
        elif SPELLING_MARK in message and not context.collects_spellings:
            context.collects_spellings = True
        elif context.watch.has_odd_keys and not context.reads_whole_objects:
            context.reads_whole_objects = context.collects_spellings = True
        elif self._is_odd_json(message):
            context.reads_json_rows = True
        else:
            return False
        return True

    def _is_odd_json(self, message: str) -> bool:
        """Whether DuckDB's JSON readers met what only the exact path can judge."""
        if not self.context.json_files or self.context.reads_json_rows:
            return False
        is_bad = find_bad_value(message) is not None or "Malformed JSON" in message
        return is_bad or self.context.watch.is_suspicious

    def _statement(self, relations: PlannedRelations, *, narrows: bool) -> str:
        if self.request.raw_sql is not None:
            return self.request.raw_sql
        from querysvc.engines.duckdb.functions.install import install
        from querysvc.engines.duckdb.lowering.lower import lower

        # Not by views: a view is bound once more than its text, file by file.
        tables = {index: f"({sql})" for index, sql in enumerate(relations.sql)}
        lowered = lower(self.plan.query, tables, self.plan.session, narrows=narrows)
        self._is_narrowed = lowered.is_narrowed
        if lowered.macros or lowered.functions:
            self.has_made_nothing = False
        install(self.connection, lowered)
        return str(lowered.sql)

    def _spool(self, sql: str, spool: int, report: Report) -> None:
        schema = spool_schema(self.plan.columns)
        reader = self.connection.execute(sql).to_arrow_reader(self.settings.spool_batch_rows)
        limit = self.plan.limits.result_bytes_max
        self.rows = 0
        os.ftruncate(spool, 0)
        os.lseek(spool, 0, os.SEEK_SET)
        with open(spool, "wb", buffering=_SPOOL_BUFFER_BYTES, closefd=False) as sink:
            with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
                for batch in conform(reader, schema):
                    writer.write_batch(batch)
                    self.rows += batch.num_rows
                    end = _end(sink)
                    if limit is not None and end > limit:
                        raise QueryServiceError(
                            ErrorCode.RESULT_TOO_LARGE,
                            f"the result exceeds the limit of {limit} bytes",
                        )
                    report({"batch": {"end": end, "rows": batch.num_rows}})
            self.spooled_bytes = _end(sink)
        if self.request.raw_sql is None:
            from querysvc.engines.duckdb.functions.install import raise_uncaught

            raise_uncaught()

    @contextlib.contextmanager
    def _progress_told(self, report: Report) -> Iterator[None]:
        """Tell meanwhile what was read, if anything is to be read."""
        if self.instance.is_sealed:
            yield
            return
        stop = threading.Event()
        reporter = threading.Thread(target=self._report_progress, args=(stop, report), daemon=True)
        reporter.start()
        try:
            yield
        finally:
            stop.set()
            reporter.join()

    def _report_progress(self, stop: threading.Event, report: Report) -> None:
        planned = self.estimate.scanned_bytes
        while not stop.wait(_PROGRESS_SECONDS):
            read = self.client.read_bytes
            share = min(read / planned, 1.0) if planned else None
            report(
                {
                    "progress": {
                        "fraction": share,
                        "scanned_bytes": read,
                        "planned_bytes": planned,
                        "rows": self.rows,
                        "rejected_rows": self.context.rejected,
                    }
                }
            )


def _end(sink: BinaryIO) -> int:
    sink.flush()
    return sink.tell()


def _stored_bytes(plan: ExecutionPlan, tables: set[int]) -> int:
    return sum(
        stored.size
        for table in tables
        for partition in plan.scans[table].partitions
        for stored in partition.objects
    )
