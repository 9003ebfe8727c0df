"""One query's write: told first, staged, then put in place, then committed by the query's success.

intend    what may have to be taken back, durable before anything is done
stage     objects as open multipart uploads: nobody sees them
place     uploads become objects, which readers hide (planning.visibility); the catalog's entries
commit    `QueryRepository.finish` with SUCCEEDED, in one transaction with the write's record;
          of an Iceberg table the swap of its metadata's location, before (ADR-0024)
undo      before that: all of it, as far as it went (ADR-0021)
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultConfiguration
from querysvc.service.running import RunningQuery
from querysvc.state.repository import WriteIntent, WriteRepository
from querysvc.storage.publish import StagedUpload
from querysvc_catalog.errors import EntityNotFoundError
from querysvc_catalog.model import Table, TableName
from querysvc_catalog.service import CatalogService

WRITER_PARAMETER = "trino_query_id"
"""Which query made a table or a partition, in its parameters, where Trino tells it too."""


class ObjectStore(Protocol):
    """Stages, places and removes objects (storage.publish.ResultPublisher)."""

    def stage_file(
        self, address: str, path: Path, options: ResultConfiguration
    ) -> StagedUpload: ...

    def complete(self, uploads: Sequence[StagedUpload]) -> None: ...

    def abort(self, uploads: Sequence[StagedUpload]) -> None: ...

    def clear(self, location: str, name: str) -> int: ...

    def is_empty(self, location: str) -> bool: ...

    def delete(self, addresses: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class WriteParts:
    """What writes work with."""

    writes: WriteRepository
    objects: ObjectStore
    catalog: CatalogService
    holds_commit: Callable[[Table, str], bool] = lambda _table, _query_id: False
    """Whether an Iceberg table has what a query wrote (planning.iceberg.IcebergReader)."""


class WriteTransaction:
    """The write of one running query; its parts may come from several threads."""

    def __init__(self, parts: WriteParts, running: RunningQuery) -> None:
        self._parts = parts
        self._running = running
        self._lock = threading.RLock()
        self._token = running.claimed.fencing_token
        self._intent = WriteIntent(running.id)
        self._uploads: list[StagedUpload] = []
        self._is_placing = False
        self._may_be_committed = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """The objects that the write makes."""
        with self._lock:
            return tuple(sorted(upload.address for upload in self._uploads))

    def intend(self, **changes: object) -> None:
        """Tell durably what is about to be done; LEASE_LOST when the query is no longer ours."""
        with self._lock:
            if self._intent == WriteIntent(self._running.id):
                self._running.on_failure(self.undo)
            intent = dataclasses.replace(self._intent, **changes)  # type: ignore[arg-type]  # members of WriteIntent, by name
            if not self._parts.writes.intend_write(intent, self._token):
                raise QueryServiceError(
                    ErrorCode.SERVER_SHUTTING_DOWN, "Another node took the query over."
                )
            self._intent = intent

    def intend_location(self, location: str) -> None:
        """Tell durably that objects may come to lie under a location too."""
        with self._lock:
            known = self._intent.locations
            if not any(location.startswith(f"{one.rstrip('/')}/") for one in known):
                self.intend(locations=(*known, location))

    def stage(self, address: str, path: Path, options: ResultConfiguration) -> None:
        """Upload a file's bytes, to be an object when the write is placed."""
        upload = self._parts.objects.stage_file(address, path, options)
        with self._lock:
            self._uploads.append(upload)

    def place(self) -> None:
        """Make the staged objects exist; readers go on to hide them."""
        with self._lock:
            uploads = tuple(self._uploads)
            self._is_placing = True
        self._parts.objects.complete(uploads)

    def verify(self) -> None:
        """SERVER_SHUTTING_DOWN when the query is no longer ours."""
        self.intend()

    def committing(self) -> None:
        """The write is about to be committed elsewhere, in an Iceberg table's catalog entry.

        From here on nothing is taken back at once: the sweeper looks whether the commit was done.
        """
        with self._lock:
            self._may_be_committed = True

    def not_committed(self) -> None:
        """The commit was surely refused."""
        with self._lock:
            self._may_be_committed = False

    def restart(self) -> None:
        """Drop what was staged, put in place or not: the write begins again."""
        with self._lock:
            uploads, self._uploads = tuple(self._uploads), []
        self._parts.objects.abort(uploads)
        self._parts.objects.delete([upload.address for upload in uploads])

    def undo(self) -> None:
        """Take everything back; what cannot be now, the sweeper takes back later."""
        if self._may_be_committed:
            return
        objects = self._parts.objects
        self.restart()
        is_whole = take_back_entries(self._parts, self._intent)
        # Another runner's result objects have the same names: they go only while we hold the lease.
        is_ours = self._parts.writes.intend_write(self._intent, self._token)
        if is_ours:
            objects.delete(self._intent.result_objects)
        # An object whose making was not answered may yet come: the sweeper looks again, and until
        # then readers hide it.
        if is_ours and is_whole and not self._is_placing:
            self._parts.writes.forget_write(self._intent.query_id)


def take_back_entries(parts: WriteParts, intent: WriteIntent) -> bool:
    """Take back the catalog's entries of a write; False when another write stands on them."""
    if intent.table is None or not (intent.creates_table or intent.partitions):
        return True
    others = any(
        one.table == intent.table and one.query_id != intent.query_id
        for one in parts.writes.open_writes()
    )
    if others:
        return False
    name = TableName(*intent.table)
    try:
        if intent.creates_table:
            _drop_table(parts.catalog, name, intent.query_id)
        else:
            _drop_partitions(parts, name, intent)
    except EntityNotFoundError:
        return True
    return True


def fence(parts: WriteParts, intent: WriteIntent) -> None:
    """Give an Iceberg table another version: a commit that rests on the one before fails."""
    table = None if intent.table is None else parts.catalog.find_table(TableName(*intent.table))
    if table is not None and table.is_iceberg:
        parts.catalog.update_table(table, expected_version=table.version_id, skip_archive=True)


def is_committed_elsewhere(parts: WriteParts, intent: WriteIntent) -> bool:
    """Whether a write that did not end is in its Iceberg table all the same."""
    if intent.table is None:
        return False
    table = parts.catalog.find_table(TableName(*intent.table))
    return table is not None and table.is_iceberg and parts.holds_commit(table, intent.query_id)


def _drop_table(catalog: CatalogService, name: TableName, query_id: str) -> None:
    table = catalog.find_table(name)
    if table is not None and table.parameters.get(WRITER_PARAMETER) == query_id:
        catalog.delete_table(name)


def _drop_partitions(parts: WriteParts, name: TableName, intent: WriteIntent) -> None:
    """Drop the partitions that this write registered and that nobody has filled since."""
    found = parts.catalog.get_partitions(name, intent.partitions)
    unused = [
        partition.values
        for partition in found
        if partition.parameters.get(WRITER_PARAMETER) == intent.query_id
        and partition.location is not None
        and parts.objects.is_empty(partition.location)
    ]
    if unused:
        parts.catalog.delete_partitions(name, unused)
