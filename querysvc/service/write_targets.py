"""Where written rows go: a new table's location, a table's partitions, an UNLOAD's folder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Session
from querysvc.results.writing.files import WrittenFile
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.write_transaction import WRITER_PARAMETER
from querysvc.state.values import WorkGroup
from querysvc.write_plan import CreateTableAs, FileFormat, WriteLayout
from querysvc_catalog.model import (
    Column,
    DatabaseName,
    Partition,
    PartitionValues,
    SerDeInfo,
    StorageDescriptor,
    Table,
)
from querysvc_catalog.names import partition_path
from querysvc_catalog.partition_values import partition_keys
from querysvc_catalog.predicates import And, Membership, NullTest, PartitionFilter, Predicate
from querysvc_catalog.projection import TableProjection, projection_of
from querysvc_catalog.serdes import CLASSES, StorageFormat
from querysvc_catalog.service import CatalogService

_EXTERNAL: Final = "EXTERNAL_TABLE"
_ENFORCED: Final = (
    "The Create Table As Select query failed because it was submitted with an 'external_location'"
    " property to an Athena Workgroup that enforces a centralized output location for all queries."
    " Please remove the 'external_location' property and resubmit the query."
)
_CODEC_PARAMETERS: Final = {
    StorageFormat.PARQUET: "parquet.compress",
    StorageFormat.ORC: "orc.compress",
}


class Targets(Protocol):
    """Tells the folder of a partition's files (of all files, when there are no keys)."""

    def folder(self, values: PartitionValues) -> str:
        """The folder's address, which ends with a slash."""
        ...

    def written(self, file: WrittenFile, path: Path, address: str) -> None:
        """A finished local file is about to be uploaded."""
        ...


class _NotTold:
    """Targets that need not know of files."""

    def written(self, file: WrittenFile, path: Path, address: str) -> None:
        """Nothing is to be done."""


class FolderTargets(_NotTold):
    """Partitions lie under one location, in Hive's way."""

    def __init__(self, location: str, layout: WriteLayout) -> None:
        self._location = folder_of(location)
        self._keys = [column.name for column in layout.key_columns]
        self._lock = threading.Lock()
        self._found: dict[PartitionValues, str] = {}

    def folder(self, values: PartitionValues) -> str:
        """The folder of a partition's files."""
        if not self._keys:
            return self._location
        folder = f"{self._location}{partition_path(self._keys, values)}/"
        with self._lock:
            self._found[values] = folder
        return folder

    @property
    def found(self) -> dict[PartitionValues, str]:
        """The partitions that were asked for."""
        with self._lock:
            return dict(self._found)


class TableTargets(_NotTold):
    """Where a table's partitions lie: registered, projected, or new ones under its location."""

    def __init__(
        self, catalog: CatalogService, table: Table, layout: WriteLayout, now: datetime
    ) -> None:
        self._catalog = catalog
        self._table = table
        self._under = FolderTargets(location_of(table), layout)
        with catalog_errors():
            self._projection = projection_of(table, now)
        self._lock = threading.Lock()
        self._folders: dict[PartitionValues, str] = {}
        self._new: dict[PartitionValues, str] = {}

    @property
    def new(self) -> dict[PartitionValues, str]:
        """The partitions that are to be registered."""
        with self._lock:
            return dict(self._new)

    def folder(self, values: PartitionValues) -> str:
        """The folder of a partition's files."""
        with self._lock:
            if values not in self._folders:
                self._folders[values] = self._look(values)
            return self._folders[values]

    def _look(self, values: PartitionValues) -> str:
        if not self._table.partition_keys:
            return self._under.folder(values)
        if self._projection is not None:
            return _projected(self._projection, self._table, values)
        with catalog_errors():
            known = self._catalog.get_partitions(self._table.full_name, [values])
        if not known:
            self._new[values] = self._under.folder(values)
            return self._new[values]
        self._check_alike(known[0])
        return folder_of(known[0].location or self._under.folder(values))

    def _check_alike(self, partition: Partition) -> None:
        """Rows are written in the table's form: a partition of another one cannot take them."""
        own, whole = partition.storage_descriptor, self._table.storage_descriptor
        if own is None or whole is None or _form(own) == _form(whole):
            return
        keys = [key.name for key in self._table.partition_keys]
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED,
            f"INSERT into partition {partition_path(keys, partition.values)} of"
            f" {self._table.full_name}, whose columns or format are not the table's",
        )


def _form(descriptor: StorageDescriptor) -> object:
    serde = descriptor.serde_info or SerDeInfo()
    columns = [(column.name, column.type) for column in descriptor.columns]
    return columns, serde.serialization_library, dict(serde.parameters)


def _projected(projection: TableProjection, table: Table, values: PartitionValues) -> str:
    """A projected partition's folder; one that queries would not see is refused."""
    keys = partition_keys(table.partition_keys)
    wanted: list[Predicate] = []
    for index, (key, text) in enumerate(zip(keys, values, strict=True)):
        value = key.parse(text)
        wanted.append(NullTest(index) if value is None else Membership(index, frozenset({value})))
    with catalog_errors():
        found = projection.partitions(PartitionFilter(keys, And(tuple(wanted))))
        for partition in found:
            if partition.location is not None:
                return folder_of(partition.location)
    names = [column.name for column in table.partition_keys]
    raise QueryServiceError(
        ErrorCode.HIVE_INVALID_PARTITION_VALUE,
        f"partition {partition_path(names, values)} is none that the partition projection of"
        f" {table.full_name} has: queries would not see its rows",
    )


def folder_of(location: str) -> str:
    """The location with a slash at its end."""
    return location if location.endswith("/") else f"{location}/"


def location_of(table: Table) -> str:
    """The table's location; HIVE_INVALID_METADATA when it has none."""
    if not table.location:
        raise QueryServiceError(
            ErrorCode.HIVE_INVALID_METADATA, f"Table {table.full_name} has no location"
        )
    return table.location


def new_table_location(
    statement: CreateTableAs,
    query_id: str,
    work_group: WorkGroup,
    output_location: str | None,
    catalog: CatalogService,
) -> str:
    """Where a new table's data goes: as asked, under the output location, or in its database's."""
    if statement.external_location is not None:
        is_central = work_group.result_configuration.output_location is not None
        if work_group.enforces_configuration and is_central:
            raise QueryServiceError(ErrorCode.INVALID_REQUEST, _ENFORCED)
        return folder_of(statement.external_location)
    if output_location is not None:
        return f"{folder_of(output_location)}tables/{query_id}/"
    name = DatabaseName(statement.table.catalog_name, statement.table.database_name)
    with catalog_errors():
        location = catalog.get_database(name).location_uri
    if location is None:
        raise QueryServiceError(
            ErrorCode.INVALID_TABLE_PROPERTY,
            "CREATE TABLE AS needs the property external_location, for neither the work group nor"
            f" the request has an output location, and database {name.name} has no location",
        )
    return f"{folder_of(location)}{statement.table.name}/"


def new_table(statement: CreateTableAs, location: str, query_id: str, session: Session) -> Table:
    """The catalog's entry of a new table."""
    layout = statement.layout
    form = layout.format
    own = _CODEC_PARAMETERS.get(form.storage_format)
    return Table(
        name=statement.table.name,
        database_name=statement.table.database_name,
        catalog_name=statement.table.catalog_name,
        owner=session.user,
        description=statement.comment,
        storage_descriptor=_descriptor(layout, form, location),
        partition_keys=tuple(Column(c.name, c.hive_type) for c in layout.key_columns),
        parameters={
            "EXTERNAL": "TRUE",
            "write.compression": form.compression.value,
            WRITER_PARAMETER: query_id,
            **({own: form.compression.value} if own else {}),
            **({"bucketing_version": "1"} if layout.buckets else {}),
        },
        table_type=_EXTERNAL,
    )


def _descriptor(layout: WriteLayout, form: FileFormat, location: str) -> StorageDescriptor:
    classes = CLASSES[form.storage_format]
    parameters = dict(form.serde_parameters)
    if "field.delim" in parameters:
        parameters |= {"serialization.format": parameters["field.delim"], "line.delim": "\n"}
    return StorageDescriptor(
        columns=tuple(Column(c.name, c.hive_type) for c in layout.data_columns),
        location=location,
        input_format=classes.input_format,
        output_format=classes.output_format,
        serde_info=SerDeInfo(
            serialization_library=classes.serialization_library, parameters=parameters
        ),
        bucket_columns=layout.buckets.columns if layout.buckets else (),
        number_of_buckets=layout.buckets.count if layout.buckets else None,
    )


def new_partitions(
    table: Table, folders: dict[PartitionValues, str], query_id: str
) -> Sequence[Partition]:
    """Entries of partitions that a write registers."""
    assert table.storage_descriptor is not None, "the layout was made from it"
    return [
        Partition(
            values=values,
            storage_descriptor=replace(table.storage_descriptor, location=folder.rstrip("/")),
            parameters={WRITER_PARAMETER: query_id},
        )
        for values, folder in folders.items()
    ]
