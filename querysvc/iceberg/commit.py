"""Commits: manifests, a manifest list, a metadata file, and a compare-and-swap in the catalog.

The swap of `metadata_location` under the version of the entry that was read is the one commit: what
is written before it is referenced by nothing.
"""

from __future__ import annotations

import random
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal  # pyiceberg's summaries are untyped

from pyiceberg.avro.codecs import AvroCompressionCodec
from pyiceberg.manifest import (
    DataFile,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import (
    Operation,
    Snapshot,
    SnapshotSummaryCollector,
    Summary,
    update_snapshot_summaries,
)
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
    update_table_metadata,
)

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.entries import table_entry
from querysvc.iceberg.scan import data_files
from querysvc.iceberg.table import IcebergTable, IcebergTables
from querysvc_catalog.errors import ConcurrentModificationError, EntityNotFoundError
from querysvc_catalog.model import TableName

WRITER_PROPERTY: Final = "trino_query_id"
"""In a snapshot's summary: which query made it, as Trino tells it too."""
_UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ATTEMPTS_MAX: Final = 100
_WAIT_SECONDS_MAX: Final = 0.5
_CODEC: Final[AvroCompressionCodec] = "deflate"
_FORMAT_VERSION: Final = 2

OperationName = Literal["append", "overwrite", "delete", "replace"]


class CommitConflictError(QueryServiceError):
    """Another commit came first, and what was to be committed rests on what it changed."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.ICEBERG_COMMIT_ERROR, message)

    def __reduce__(self) -> tuple[type[CommitConflictError], tuple[str]]:
        return type(self), (self.message,)


@dataclass(frozen=True, slots=True)
class SnapshotChange:
    """What a new snapshot adds to its parent and takes from it."""

    operation: OperationName
    added: tuple[DataFile, ...] = ()
    added_deletes: tuple[DataFile, ...] = ()
    removed: frozenset[str] = frozenset()
    """Paths of data files and delete files."""
    properties: Mapping[str, str] = field(default_factory=dict)


ChangeMetadata = Callable[[IcebergTable], tuple[TableUpdate, ...]]
"""The updates of a table's metadata; asked anew when another commit came first."""


class Committer:
    """Commits to tables. Thread-safe."""

    def __init__(self, tables: IcebergTables) -> None:
        self.tables = tables

    def commit(
        self,
        base: IcebergTable,
        change: SnapshotChange,
        *,
        query_id: str,
        strict: bool,
        before: Callable[[], None] = lambda: None,
    ) -> IcebergTable:
        """Add a snapshot and make it the current one.

        When another commit came first, a strict change fails with CommitConflictError; another one
        is made anew on what is there. `before` is called before each swap and may raise.
        """
        base_head = base.metadata.current_snapshot_id
        attempts: list[_NewSnapshot] = []

        def updates(table: IcebergTable) -> tuple[TableUpdate, ...]:
            for lost in attempts:
                lost.discard()
            if table.metadata.table_uuid != base.metadata.table_uuid:
                raise CommitConflictError(f"Iceberg table {base.name} was replaced meanwhile")
            if strict and table.metadata.current_snapshot_id != base_head:
                raise CommitConflictError(
                    f"Iceberg table {base.name} was changed by another commit meanwhile"
                )
            _check_as_written(base, table)
            attempts[:] = [_NewSnapshot(table, change, query_id)]
            return _updates(attempts[0].write())

        return self._swap(base, updates, name=query_id, before=before)

    def change_metadata(
        self, name: TableName, change: ChangeMetadata, *, query_id: str = ""
    ) -> IcebergTable:
        """Change a table's metadata without a snapshot of its own; no updates change nothing."""
        return self._swap(self.tables.current(name), change, name=query_id, before=lambda: None)

    def _swap(
        self,
        base: IcebergTable,
        change: ChangeMetadata,
        *,
        name: str,
        before: Callable[[], None],
    ) -> IcebergTable:
        table = base
        for attempt in range(_ATTEMPTS_MAX):
            updates = change(table)
            if not updates:
                return table
            metadata = update_table_metadata(
                table.metadata, updates, metadata_location=table.metadata_location
            )
            location = new_metadata_location(metadata, table.metadata_location, name)
            ToOutputFile.table_metadata(metadata, table.io.new_output(location))
            before()
            try:
                entry = self.tables.catalog.update_table(
                    table_entry(table.entry, metadata, location, table.metadata_location),
                    expected_version=table.entry.version_id,
                )
            except ConcurrentModificationError:
                table.io.delete(location)
                time.sleep(random.random() * min(_WAIT_SECONDS_MAX, 0.01 * 2**attempt))  # noqa: S311 - a wait
                table = self.tables.current(table.name)
                continue
            except EntityNotFoundError as error:
                raise QueryServiceError(ErrorCode.TABLE_NOT_FOUND, error.message) from error
            self.tables.keep(location, metadata)
            return IcebergTable(entry, metadata, location, table.io)
        raise CommitConflictError(
            f"Iceberg table {base.name}: {_ATTEMPTS_MAX} commits of others came first"
        )


def with_snapshot(table: IcebergTable, change: SnapshotChange, query_id: str) -> TableMetadata:
    """The metadata of a table that nobody else knows yet, with a snapshot."""
    updates = _updates(_NewSnapshot(table, change, query_id).write())
    return update_table_metadata(table.metadata, updates, metadata_location=table.metadata_location)


def _updates(made: Snapshot) -> tuple[TableUpdate, ...]:
    return (
        AddSnapshotUpdate(snapshot=made),
        SetSnapshotRefUpdate.model_validate(
            {
                "ref-name": MAIN_BRANCH,
                "type": SnapshotRefType.BRANCH,
                "snapshot-id": made.snapshot_id,
            }
        ),
    )


def holds_commit(table: IcebergTable, query_id: str) -> bool:
    """Whether a table's metadata reach anything that a query wrote.

    Snapshots tell it; where they have expired, the files' names do.
    """
    if query_id in table.metadata_location:
        return True
    for snapshot in table.metadata.snapshots:
        if snapshot.summary and snapshot.summary.get(WRITER_PROPERTY) == query_id:
            return True
    found = data_files(table)
    paths = (*(one.file.file_path for one in found.files), *(d.file_path for d in found.deletes))
    return any(query_id in path for path in paths)


def new_metadata_location(metadata: TableMetadata, previous: str | None, query_id: str) -> str:
    """Where a table's next metadata file goes: `00001-<query id>.metadata.json`, for the sweeper.

    Trino reads no other form of names than a version and a UUID. A query's later attempts have
    later versions, for another commit came between.
    """
    version = 0
    if previous is not None:
        number = previous.rpartition("/")[2].partition("-")[0].lstrip("v")
        version = int(number) + 1 if number.isdigit() else 1
    unique = query_id if _UUID.fullmatch(query_id) else str(uuid.uuid4())
    provider = load_location_provider(metadata.location, metadata.properties)
    return provider.new_metadata_location(f"{version:05d}-{unique}.metadata.json")


def _check_as_written(base: IcebergTable, table: IcebergTable) -> None:
    """Files were written by the base's schema and spec; the table's may have changed since."""
    if table.metadata.default_spec_id == base.metadata.default_spec_id and (
        table.metadata.current_schema_id == base.metadata.current_schema_id
    ):
        return
    raise CommitConflictError(
        f"The schema or the partitioning of Iceberg table {base.name} was changed meanwhile"
    )


class _NewSnapshot:
    """One attempt to make a snapshot upon a table as it is."""

    def __init__(self, table: IcebergTable, change: SnapshotChange, query_id: str) -> None:
        self._table = table
        self._metadata = table.metadata
        self._change = change
        self._query_id = query_id
        self._id = table.metadata.new_snapshot_id()
        self._attempt = uuid.uuid4()
        self._written = 0
        self._removed: list[DataFile] = []
        self._paths: list[str] = []
        self._provider = load_location_provider(table.metadata.location, table.metadata.properties)

    def write(self) -> Snapshot:
        """Write manifests and their list."""
        if self._metadata.format_version != _FORMAT_VERSION:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"Writing to Iceberg table {self._table.name} of format version"
                f" {self._metadata.format_version} is not supported",
            )
        parent = self._metadata.current_snapshot()
        kept = self._kept(parent)
        manifests = [
            *self._added(self._change.added, ManifestContent.DATA),
            *self._added(self._change.added_deletes, ManifestContent.DELETES),
            *kept,
        ]
        sequence = self._metadata.last_sequence_number + 1
        path = self._path(f"snap-{self._id}-1")
        with write_manifest_list(
            format_version=_FORMAT_VERSION,
            output_file=self._table.io.new_output(path),
            snapshot_id=self._id,
            parent_snapshot_id=parent.snapshot_id if parent else None,
            sequence_number=sequence,
            avro_compression=_CODEC,
        ) as writer:
            writer.add_manifests(manifests)
        return Snapshot.model_validate(
            {
                "snapshot-id": self._id,
                "parent-snapshot-id": parent.snapshot_id if parent else None,
                "manifest-list": path,
                "sequence-number": sequence,
                "timestamp-ms": max(int(time.time() * 1000), self._metadata.last_updated_ms),
                "summary": self._summary(parent),
                "schema-id": self._metadata.current_schema_id,
            }
        )

    def discard(self) -> None:
        """Delete what was written, for another commit came first."""
        for path in self._paths:
            self._table.io.delete(path)

    def _path(self, what: str) -> str:
        name = f"{what}-{self._attempt}_{self._query_id}.avro"
        self._paths.append(self._provider.new_metadata_location(name))
        return self._paths[-1]

    def _added(self, files: Sequence[DataFile], content: ManifestContent) -> list[ManifestFile]:
        return [
            self._manifest(spec_id, content, [self._entry(file) for file in group])
            for spec_id, group in _by_spec(files).items()
        ]

    def _entry(self, file: DataFile) -> ManifestEntry:
        return ManifestEntry.from_args(
            status=ManifestEntryStatus.ADDED,
            snapshot_id=self._id,
            sequence_number=None,
            file_sequence_number=None,
            data_file=file,
        )

    def _kept(self, parent: Snapshot | None) -> list[ManifestFile]:
        """The parent's manifests, written anew where they list files that are removed."""
        manifests = parent.manifests(self._table.io) if parent else []
        if not self._change.removed:
            return [one for one in manifests if one.has_added_files() or one.has_existing_files()]
        kept = []
        for manifest in manifests:
            kept += self._without_removed(manifest)
        missing = self._change.removed - {file.file_path for file in self._removed}
        if missing:
            raise CommitConflictError(
                f"Iceberg table {self._table.name}: {len(missing)} files that are to be removed are"
                f" no longer there (first: {min(missing)})"
            )
        return kept

    def _without_removed(self, manifest: ManifestFile) -> list[ManifestFile]:
        entries = manifest.fetch_manifest_entry(self._table.io, discard_deleted=True)
        gone = [one for one in entries if one.data_file.file_path in self._change.removed]
        if not gone:
            return [manifest] if entries else []
        self._removed += [one.data_file for one in gone]
        rewritten = []
        for entry in entries:
            is_gone = entry.data_file.file_path in self._change.removed
            rewritten.append(
                ManifestEntry.from_args(
                    status=ManifestEntryStatus.DELETED if is_gone else ManifestEntryStatus.EXISTING,
                    snapshot_id=self._id if is_gone else entry.snapshot_id,
                    sequence_number=entry.sequence_number,
                    file_sequence_number=entry.file_sequence_number,
                    data_file=entry.data_file,
                )
            )
        return [self._manifest(manifest.partition_spec_id, manifest.content, rewritten)]

    def _manifest(
        self, spec_id: int, content: ManifestContent, entries: Iterable[ManifestEntry]
    ) -> ManifestFile:
        path = self._path(f"m{self._written}")
        self._written += 1
        writer = _ManifestWriter(
            self._metadata.specs()[spec_id],
            self._metadata.schema(),
            self._table.io.new_output(path),
            self._id,
            _CODEC,
        )
        writer.holds = content
        with writer:
            for entry in entries:
                writer.add_entry(entry)
        return writer.to_manifest_file()

    def _summary(self, parent: Snapshot | None) -> Summary:
        collector = SnapshotSummaryCollector()
        schema, specs = self._metadata.schema(), self._metadata.specs()
        for file in (*self._change.added, *self._change.added_deletes):
            collector.add_file(file, schema, specs[file.spec_id])
        for file in self._removed:
            collector.remove_file(file, schema, specs[file.spec_id])
        told: dict[str, Any] = {
            **collector.build(),
            **self._change.properties,
            WRITER_PROPERTY: self._query_id,
            "engine-name": "querysvc",
        }
        operation = Operation(self._change.operation)
        # pyiceberg computes the totals of all operations but `replace`.
        counted = Operation.OVERWRITE if operation is Operation.REPLACE else operation
        previous = parent.summary if parent else None
        summary = update_snapshot_summaries(Summary(operation=counted, **told), previous)
        return Summary(operation=operation, **summary.additional_properties)


class _ManifestWriter(ManifestWriterV2):
    """Writes manifests of data files and of delete files, which pyiceberg does not."""

    holds: ManifestContent = ManifestContent.DATA

    def content(self) -> ManifestContent:
        """What the manifest lists."""
        return self.holds

    @property
    def _meta(self) -> dict[str, str]:
        is_data = self.holds is ManifestContent.DATA
        return {**super()._meta, "content": "data" if is_data else "deletes"}


def _by_spec(files: Iterable[DataFile]) -> dict[int, list[DataFile]]:
    groups: dict[int, list[DataFile]] = defaultdict(list)
    for file in files:
        groups[file.spec_id].append(file)
    return groups
