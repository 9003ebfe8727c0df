"""Iceberg tables for the analyser and the planner; pyiceberg is loaded with the first one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol  # rows of any type

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import StoredObject, TableColumn, TableReference, TableScan, TableVersion
from querysvc_catalog.model import Table
from querysvc_catalog.service import CatalogService

if TYPE_CHECKING:
    from querysvc.iceberg.table import IcebergTable, IcebergTables

_DESCRIBED_MAX: Final = 64
"""More objects than this are looked up in a listing of the table's location."""


class IcebergObjects(Protocol):
    """S3 as Iceberg needs it: small objects by name, and what S3 tells of data files."""

    def read_object(self, address: str) -> bytes: ...

    def put_bytes(self, address: str, data: bytes) -> None: ...

    def delete(self, addresses: Sequence[str]) -> None: ...

    def describe(self, addresses: Sequence[str]) -> list[StoredObject | None]: ...

    def list_locations(
        self, locations: Sequence[str], *, includes_hidden: bool = False
    ) -> list[list[StoredObject]]: ...


class IcebergReader:
    """Tells Iceberg tables' columns and files. Thread-safe."""

    def __init__(self, catalog: CatalogService, objects: IcebergObjects) -> None:
        self._catalog = catalog
        self._objects = objects
        self._lock = threading.Lock()
        self._tables: IcebergTables | None = None

    @property
    def tables(self) -> IcebergTables:
        """The tables' metadata."""
        from querysvc.iceberg.table import IcebergTables

        with self._lock:
            if self._tables is None:
                self._tables = IcebergTables(self._catalog, self._objects)
            return self._tables

    def columns(self, entry: Table, snapshot_id: int | None = None) -> tuple[TableColumn, ...]:
        """The columns of a table, or of one of its snapshots, and the hidden ones."""
        from querysvc.iceberg.plan import columns_of

        return columns_of(self.tables.load(entry).schema_of(snapshot_id))

    def snapshot_id(self, entry: Table, version: TableVersion) -> int:
        """The id of the snapshot that a version names; INVALID_ARGUMENTS where there is none."""
        from querysvc.iceberg.versions import snapshot_of

        return snapshot_of(self.tables.load(entry), version)

    def has_names_of_now(self, entry: Table, snapshot_id: int) -> bool:
        """Whether a snapshot's columns are columns of the table now, by the same names."""
        from querysvc.iceberg.versions import column_names

        table = self.tables.load(entry)
        return column_names(table.schema_of(snapshot_id)) <= column_names(table.metadata.schema())

    def scan(self, reference: TableReference) -> TableScan:
        """The files that a reference may need; raises QueryServiceErrors."""
        from querysvc.iceberg.plan import scan_table

        return scan_table(self.tables.load(reference.table), reference, self._describe)

    def told_columns(self, entry: Table, suffix: str) -> tuple[TableColumn, ...]:
        """The columns of `"t$<suffix>"`, which tells of a table."""
        from querysvc.iceberg.metadata_tables import columns_of_told

        return columns_of_told(self.tables.load(entry), suffix)

    def told_rows(self, entry: Table, suffix: str) -> Iterator[tuple[Any, ...]]:
        """Its rows: literal values, lists for arrays and rows, dicts for maps."""
        from querysvc.iceberg.metadata_tables import rows_of_told

        return rows_of_told(self.tables.load(entry), suffix)

    def properties(self, entry: Table) -> dict[str, str]:
        """The properties that a table's metadata hold."""
        return dict(self.tables.load(entry).metadata.properties)

    def holds_commit(self, entry: Table, query_id: str) -> bool:
        """Whether a table has a snapshot or a file that a query made."""
        from querysvc.iceberg.commit import holds_commit

        return holds_commit(self.tables.load(entry), query_id)

    def _describe(self, table: IcebergTable, addresses: Sequence[str]) -> Sequence[StoredObject]:
        known: dict[str, StoredObject] = {}
        if len(addresses) > _DESCRIBED_MAX:
            listed = self._objects.list_locations([table.metadata.location], includes_hidden=True)
            known = {one.address: one for one in listed[0]}
        missing = [one for one in dict.fromkeys(addresses) if one not in known]
        for address, found in zip(missing, self._objects.describe(missing), strict=True):
            if found is None:
                raise QueryServiceError(
                    ErrorCode.ICEBERG_INVALID_METADATA,
                    f"Iceberg table {table.name}: {address}, which its metadata lists, does not"
                    " exist",
                )
            known[address] = found
        return [known[one] for one in addresses]
