"""A table's metadata: loaded from the location that its catalog entry tells, and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError as PydanticError
from pyiceberg.exceptions import ValidationError
from pyiceberg.schema import Schema
from pyiceberg.serializers import FromInputFile
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.store import ObjectBytes, ObjectFiles
from querysvc_catalog.errors import EntityNotFoundError
from querysvc_catalog.model import Table, TableName
from querysvc_catalog.service import CatalogService

METADATA_LOCATION: Final = "metadata_location"
PREVIOUS_METADATA_LOCATION: Final = "previous_metadata_location"
_FOLDERS: Final = ("write.data.path", "write.metadata.path")
_KEPT_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class IcebergTable:
    """A table as one metadata file tells it, and the catalog's entry that named the file."""

    entry: Table
    metadata: TableMetadata
    metadata_location: str
    io: ObjectFiles

    @property
    def name(self) -> TableName:
        """The table's name with its database and data catalog."""
        return self.entry.full_name

    def snapshot(self, snapshot_id: int | None = None) -> Snapshot | None:
        """The snapshot of that id; without one the current one, None where nothing was written."""
        if snapshot_id is None:
            return self.metadata.current_snapshot()
        found = self.metadata.snapshot_by_id(snapshot_id)
        if found is None:
            raise QueryServiceError(
                ErrorCode.INVALID_ARGUMENTS, f"Iceberg snapshot ID does not exists: {snapshot_id}"
            )
        return found

    def schema_of(self, snapshot_id: int | None = None) -> Schema:
        """The schema by which a snapshot is read: the current one's own is the table's."""
        snapshot = self.snapshot(snapshot_id) if snapshot_id is not None else None
        if snapshot is None or snapshot.schema_id is None:
            return self.metadata.schema()
        found = self.metadata.schema_by_id(snapshot.schema_id)
        return found if found is not None else self.metadata.schema()


class IcebergTables:
    """Loads tables' metadata. Thread-safe; what a location holds never changes, so it is kept."""

    def __init__(self, catalog: CatalogService, objects: ObjectBytes) -> None:
        self.catalog = catalog
        self.objects = objects
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, TableMetadata] = OrderedDict()

    def load(self, entry: Table) -> IcebergTable:
        """The table as its entry tells; raises ICEBERG_INVALID_METADATA."""
        location = entry.parameters.get(METADATA_LOCATION)
        if not location:
            raise _invalid(entry.full_name, f"has no parameter {METADATA_LOCATION}")
        metadata = self._metadata(entry.full_name, location)
        return IcebergTable(entry, metadata, location, self.files_of(entry))

    def files_of(self, entry: Table) -> ObjectFiles:
        """The objects that a table may read and write: under what its entry names."""
        named = [entry.parameters[name] for name in _FOLDERS if name in entry.parameters]
        if entry.location:
            named.append(entry.location)
        location = entry.parameters.get(METADATA_LOCATION)
        if location:
            named.append(location.rpartition("/")[0])
        return ObjectFiles(self.objects, named)

    def current(self, name: TableName) -> IcebergTable:
        """The table as the catalog has it now."""
        try:
            return self.load(self.catalog.get_table(name))
        except EntityNotFoundError as error:
            raise QueryServiceError(ErrorCode.TABLE_NOT_FOUND, error.message) from error

    def keep(self, location: str, metadata: TableMetadata) -> None:
        """Remember what a metadata file holds."""
        with self._lock:
            self._kept[location] = metadata
            self._kept.move_to_end(location)
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)

    def _metadata(self, name: TableName, location: str) -> TableMetadata:
        with self._lock:
            known = self._kept.get(location)
            if known is not None:
                self._kept.move_to_end(location)
                return known
        try:
            file = ObjectFiles(self.objects).new_input(location)
            found = FromInputFile.table_metadata(file)
        except (ValidationError, PydanticError, ValueError, OSError) as error:
            raise _invalid(name, f"has metadata that cannot be read: {location}") from error
        self.keep(location, found)
        return found


def _invalid(name: TableName, what: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.ICEBERG_INVALID_METADATA, f"Iceberg table {name} {what}")
