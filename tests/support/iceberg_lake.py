"""Iceberg tables in memory, with deletes that no Python library writes; they can be put on S3."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DataFile, DataFileContent
from pyiceberg.schema import Schema

from querysvc.iceberg.commit import Committer, OperationName, SnapshotChange
from querysvc.iceberg.create import NewColumn, planned_table, store_metadata
from querysvc.iceberg.table import IcebergTable, IcebergTables
from querysvc.iceberg.writing import DataFiles, new_data_file
from querysvc.types.algebra import TrinoType
from querysvc_catalog.memory import MemoryCatalogRepository
from querysvc_catalog.model import Database, StorageDescriptor, Table, TableName
from querysvc_catalog.service import CatalogService
from tests.support.memory_objects import MemoryObjects

DATABASE = "ice"
_DELETE_SCHEMA = pa.schema(
    [
        pa.field("file_path", pa.string(), False, {"PARQUET:field_id": "2147483546"}),
        pa.field("pos", pa.int64(), False, {"PARQUET:field_id": "2147483545"}),
    ]
)


class Lake:
    """A catalog with Iceberg tables, and their objects."""

    def __init__(self, root: str, directory: Path) -> None:
        self.root = root
        self.objects = MemoryObjects()
        self.catalog = CatalogService(MemoryCatalogRepository(), lambda: datetime.now(UTC))
        self.catalog.ensure_defaults()
        self.catalog.create_database(Database(DATABASE))
        self.tables = IcebergTables(self.catalog, self.objects)
        self.committer = Committer(self.tables)
        self._directory = directory
        self._numbers = itertools.count()

    def create(
        self, name: str, columns: Mapping[str, TrinoType], partitioning: Sequence[str] = ()
    ) -> IcebergTable:
        """Make an empty table."""
        entry = Table(
            name,
            DATABASE,
            storage_descriptor=StorageDescriptor(location=f"{self.root}/{name}"),
        )
        wanted = [NewColumn(one, type_) for one, type_ in columns.items()]
        table = planned_table(self.tables, entry, wanted, partitioning)
        store_metadata(self.tables, table)
        self.catalog.create_table(table.entry)
        return self.table(name)

    def table(self, name: str) -> IcebergTable:
        """The table as it is now."""
        return self.tables.current(TableName("awsdatacatalog", DATABASE, name))

    def data_file(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        partition: str = "[]",
        schema: Schema | None = None,
    ) -> DataFile:
        """A data file that is not in the table yet; `partition` is its values as JSON."""
        table = self.table(name)
        arrow = schema_to_pyarrow(schema or table.metadata.schema())
        path = self._directory / f"{next(self._numbers)}.parquet"
        pq.write_table(pa.Table.from_pylist(list(rows), schema=arrow), path, row_group_size=2)
        made = DataFiles(table)
        address = f"{made.folder((partition,))}{path.name}"
        self.objects[address] = path.read_bytes()
        return made.entry((partition,), path, address)

    def append(self, name: str, *files: DataFile) -> IcebergTable:
        """Add data files."""
        return self.commit(name, "append", added=files)

    def commit(self, name: str, operation: OperationName, **change: Any) -> IcebergTable:
        """Add a snapshot."""
        made = SnapshotChange(operation, **change)
        return self.committer.commit(self.table(name), made, query_id="q", strict=True)

    def positions(self, name: str, file: DataFile, positions: Sequence[int]) -> DataFile:
        """A file of deletes of positions in one data file."""
        rows = [{"file_path": file.file_path, "pos": one} for one in positions]
        return self._deletes(
            name, pa.Table.from_pylist(rows, schema=_DELETE_SCHEMA), file, equality_ids=None
        )

    def equal(
        self, name: str, fields: Sequence[str], rows: Sequence[Mapping[str, Any]], like: DataFile
    ) -> DataFile:
        """A file of deletes of the rows that are equal in these fields, in a file's partition."""
        schema = self.table(name).metadata.schema().select(*fields)
        table = pa.Table.from_pylist(list(rows), schema=schema_to_pyarrow(schema))
        ids = [field.field_id for field in schema.fields]
        return self._deletes(name, table, like, equality_ids=ids)

    def _deletes(
        self, name: str, rows: pa.Table, like: DataFile, *, equality_ids: list[int] | None
    ) -> DataFile:
        sink = io.BytesIO()
        pq.write_table(rows, sink)
        address = f"{self.root}/{name}/data/{next(self._numbers)}-deletes.parquet"
        self.objects[address] = sink.getvalue()
        is_equality = equality_ids is not None
        return new_data_file(
            content=DataFileContent.EQUALITY_DELETES
            if is_equality
            else DataFileContent.POSITION_DELETES,
            file_path=address,
            partition=like.partition,
            file_size_in_bytes=len(sink.getvalue()),
            record_count=rows.num_rows,
            equality_ids=equality_ids,
            spec_id=like.spec_id,
        )

    def publish(self, name: str, s3: Any, glue: Any) -> None:
        """Put everything on S3 and register the table."""
        for address, data in self.objects.items():
            bucket, _, key = address.removeprefix("s3://").partition("/")
            s3.put_object(Bucket=bucket, Key=key, Body=data)
        entry = self.table(name).entry
        glue.create_table(
            DatabaseName=DATABASE,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": dict(entry.parameters),
                "StorageDescriptor": {
                    "Location": entry.location,
                    "Columns": [{"Name": c.name, "Type": c.type} for c in entry.columns],
                },
            },
        )
