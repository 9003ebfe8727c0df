"""VACUUM: which snapshots have expired, and which files nothing needs any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from pyiceberg.table.update import RemoveSnapshotsUpdate, TableUpdate

from querysvc.iceberg.create import all_files
from querysvc.iceberg.store import address_of
from querysvc.iceberg.table import IcebergTable
from querysvc.plan import StoredObject

_AGE: Final = "history.expire.max-snapshot-age-ms"
_KEPT: Final = "history.expire.min-snapshots-to-keep"
_AGE_MS: Final = 432_000_000
"""Athena's five days."""
ORPHAN_AGE_MS_MIN: Final = 3 * 86_400_000
"""A file that nothing refers to may be one of a write that has not committed yet."""


def expire(table: IcebergTable, now_ms: int) -> tuple[TableUpdate, ...]:
    """Remove snapshots that are too old; never the last ones, nor those with a name."""
    metadata = table.metadata
    limit = now_ms - age_ms(table)
    kept = {reference.snapshot_id for reference in metadata.refs.values()}
    kept |= set(list(_ancestors(table))[: max(1, _number(metadata.properties, _KEPT, 1))])
    gone = [
        one.snapshot_id
        for one in metadata.snapshots
        if one.snapshot_id not in kept and one.timestamp_ms < limit
    ]
    if not gone:
        return ()
    return (RemoveSnapshotsUpdate.model_validate({"snapshot-ids": gone}),)


def age_ms(table: IcebergTable) -> int:
    """How old a snapshot may become."""
    return _number(table.metadata.properties, _AGE, _AGE_MS)


def _ancestors(table: IcebergTable) -> Iterator[int]:
    """The current snapshot, its parent, and so on."""
    snapshot = table.metadata.current_snapshot()
    while snapshot is not None:
        yield snapshot.snapshot_id
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else table.metadata.snapshot_by_id(parent)


def unneeded(
    before: IcebergTable, after: IcebergTable, stored: list[StoredObject], now: datetime
) -> list[str]:
    """The addresses of files that expired snapshots alone needed, and of old orphans.

    `stored` are the objects of the table's own folders.
    """
    needed = {address_of(path) for path in _needed(after)}
    expired = [address_of(path) for path in all_files(before) if before.io.holds(path)]
    oldest_kept = now.astimezone(UTC).timestamp() * 1000 - max(age_ms(after), ORPHAN_AGE_MS_MIN)
    orphans = [one.address for one in stored if one.last_modified.timestamp() * 1000 < oldest_kept]
    return [one for one in dict.fromkeys((*expired, *orphans)) if one not in needed]


def _needed(table: IcebergTable) -> Iterator[str]:
    """What the table's snapshots read, and its metadata files: all but what they removed."""
    metadata = table.metadata
    seen: set[str] = set()
    for snapshot in metadata.snapshots:
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                seen.add(manifest.manifest_path)
                yield manifest.manifest_path
                for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                    yield entry.data_file.file_path
    yield from (logged.metadata_file for logged in metadata.metadata_log)
    yield from (one.statistics_path for one in metadata.statistics)
    yield from (one.statistics_path for one in metadata.partition_statistics)
    yield table.metadata_location


def _number(properties: Mapping[str, str], name: str, default: int) -> int:
    told = properties.get(name, "")
    return int(told) if told.isdigit() else default
