"""From a reference to an Iceberg table to what its readers need: columns by id, files, deletes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final  # partition values are of any type
from uuid import UUID

from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.name_mapping import MappedField, parse_mapping_from_json
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import IcebergType, ListType, MapType, NestedField, StructType

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.filters import row_filter
from querysvc.iceberg.scan import FileScan, data_files
from querysvc.iceberg.store import address_of
from querysvc.iceberg.table import IcebergTable
from querysvc.iceberg.types import to_trino
from querysvc.plan import (
    IcebergDelete,
    IcebergField,
    IcebergFile,
    IcebergScan,
    PartitionScan,
    StoredObject,
    TableColumn,
    TableReference,
    TableScan,
)
from querysvc.tree import LiteralValue
from querysvc.types.algebra import BIGINT, VARCHAR, TimestampTz
from querysvc_catalog.model import StorageDescriptor

POSITION: Final = "$pos"
"""A row's number in its data file, from 0."""
_HIDDEN: Final = (
    TableColumn("$path", VARCHAR, is_hidden=True),
    TableColumn("$file_size", BIGINT, is_hidden=True),
    TableColumn("$file_modified_time", TimestampTz(3), is_hidden=True),
    TableColumn("$partition", VARCHAR, is_hidden=True),
    TableColumn(POSITION, BIGINT, is_hidden=True),
)
_NAME_MAPPING: Final = "schema.name-mapping.default"

Describe = Callable[[IcebergTable, Sequence[str]], Sequence[StoredObject]]
"""What S3 tells of objects, in the order of their addresses."""


def columns_of(schema: Schema) -> tuple[TableColumn, ...]:
    """A schema's columns as statements see them, and the hidden ones."""
    names = [field.name.lower() for field in schema.fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"Columns whose names differ in case alone: {twice}"
        )
    named = (TableColumn(f.name.lower(), to_trino(f.field_type)) for f in schema.fields)
    return (*named, *_HIDDEN)


def scan_table(table: IcebergTable, reference: TableReference, describe: Describe) -> TableScan:
    """The files of the reference's snapshot that its domains leave, and how they are read."""
    schema = table.schema_of(reference.snapshot_id)
    wanted = row_filter(reference.domains, reference.columns, schema)
    found = data_files(table, reference.snapshot_id, wanted, only=reference.only_files)
    _check_readable(table, found)
    names = _names(table)
    fields = {field.name.lower(): field for field in schema.fields}
    paths = [one.file.file_path for one in found.files]
    paths += [one.file_path for one in found.deletes]
    for path in paths:
        table.io.require(path)
    addresses = list(map(address_of, paths))
    objects = tuple(describe(table, addresses))
    data, deletes = objects[: len(found.files)], objects[len(found.files) :]
    descriptor = StorageDescriptor(location=table.metadata.location)
    parts = (data, deletes) if deletes else (data,)
    return TableScan(
        reference,
        tuple(PartitionScan((), descriptor, part) for part in parts),
        len(parts),
        IcebergScan(
            tuple(
                _field(fields[column.name], names)
                for column in reference.columns
                if not column.is_hidden
            ),
            tuple(
                IcebergFile(
                    one.file.file_path,
                    _partition_path(table, one.file),
                    tuple(_constants(table, schema, one.file)),
                    one.deletes,
                )
                for one in found.files
            ),
            tuple(IcebergDelete(_equality(table, one, names)) for one in found.deletes),
        ),
    )


def _check_readable(table: IcebergTable, found: FileScan) -> None:
    for file in (*(one.file for one in found.files), *found.deletes):
        # Parquet alone: a deletion vector (Puffin), an Avro or ORC file would be read wrongly.
        if file.file_format != FileFormat.PARQUET:
            kind = "delete" if file.content != DataFileContent.DATA else "data"
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"Iceberg table {table.name}: {kind} files of format {_format(file)} are not"
                f" supported (first: {file.file_path})",
            )
        if file.key_metadata:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"Iceberg table {table.name}: encrypted files are not supported"
                f" (first: {file.file_path})",
            )


def _format(file: DataFile) -> str:
    return str(getattr(file.file_format, "value", file.file_format))


def _field(field: NestedField, names: Mapping[int, tuple[str, ...]]) -> IcebergField:
    default = field.initial_default
    return IcebergField(
        field.field_id,
        to_trino(field.field_type),
        tuple(_field(child, names) for child in _children(field.field_type)),
        None if default is None else literal_of(field.field_type, default),
        names.get(field.field_id, ()),
    )


def _children(type_: IcebergType) -> tuple[NestedField, ...]:
    match type_:
        case StructType():
            return type_.fields
        case ListType():
            return (type_.element_field,)
        case MapType():
            return (type_.key_field, type_.value_field)
    return ()


def _names(table: IcebergTable) -> dict[int, tuple[str, ...]]:
    """By field id, the names of fields in files that hold no ids."""
    text = table.metadata.properties.get(_NAME_MAPPING)
    if text is None:
        return {}
    found: dict[int, tuple[str, ...]] = {}
    waiting: list[MappedField] = list(parse_mapping_from_json(text).root)
    while waiting:
        field = waiting.pop()
        if field.field_id is not None:
            found[field.field_id] = tuple(field.names)
        waiting.extend(field.fields)
    return found


def _equality(
    table: IcebergTable, file: DataFile, names: Mapping[int, tuple[str, ...]]
) -> tuple[IcebergField, ...]:
    """The fields by which a delete file's rows are compared; the newest schema that has each."""
    if file.content != DataFileContent.EQUALITY_DELETES:
        return ()
    fields = []
    for number in file.equality_ids or []:
        field = _newest_field(table, number)
        if field is None or not field.field_type.is_primitive:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"Iceberg table {table.name}: equality deletes by field {number} are not supported"
                f" ({file.file_path})",
            )
        fields.append(_field(field, names))
    return tuple(fields)


def _newest_field(table: IcebergTable, number: int) -> NestedField | None:
    """A top-level field, also one that was dropped since."""
    schemas = [table.metadata.schema(), *reversed(table.metadata.schemas)]
    for schema in schemas:
        for field in schema.fields:
            if field.field_id == number:
                return field
    return None


def _spec(table: IcebergTable, file: DataFile) -> PartitionSpec:
    return table.metadata.specs()[file.spec_id]


def _constants(
    table: IcebergTable, schema: Schema, file: DataFile
) -> Iterator[tuple[int, LiteralValue]]:
    """The values of columns that are partition keys as they are: a file may lack them."""
    for index, field in enumerate(_spec(table, file).fields):
        if not isinstance(field.transform, IdentityTransform):
            continue
        source = _source(schema, field)
        if source is not None:
            yield field.source_id, literal_of(source.field_type, file.partition[index])


def _source(schema: Schema, field: PartitionField) -> NestedField | None:
    return next((one for one in schema.fields if one.field_id == field.source_id), None)


def _partition_path(table: IcebergTable, file: DataFile) -> str:
    spec = _spec(table, file)
    return (
        ""
        if spec.is_unpartitioned()
        else spec.partition_to_path(file.partition, schema_of_spec(table, spec))
    )


def schema_of_spec(table: IcebergTable, spec: PartitionSpec) -> Schema:
    """A schema that knows all the columns that a spec is made of."""
    wanted = {field.source_id for field in spec.fields}
    for schema in (table.metadata.schema(), *reversed(table.metadata.schemas)):
        if wanted <= schema.field_ids:
            return schema
    return table.metadata.schema()


def literal_of(type_: IcebergType, value: Any) -> LiteralValue:
    """A value of pyiceberg's as the typed tree has it."""
    if value is None:
        return None
    convert = _LITERALS.get(str(type_))
    if convert is not None:
        return convert(value)
    if isinstance(value, bool | int | float | Decimal | str | bytes):
        return value
    raise QueryServiceError(
        ErrorCode.NOT_SUPPORTED, f"an Iceberg value of type {type_} is not supported here"
    )


_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_PICOSECONDS: Final = 1_000_000


def _days(value: Any) -> int:
    return value.toordinal() - _EPOCH_ORDINAL if isinstance(value, date) else int(value)


def _micros(value: Any) -> int:
    if isinstance(value, datetime):
        raise TypeError("pyiceberg gives timestamps as microseconds")
    return int(value) * _PICOSECONDS


_LITERALS: Final[dict[str, Callable[[Any], LiteralValue]]] = {
    "date": _days,
    "time": _micros,
    "timestamp": _micros,
    "timestamptz": lambda value: (_micros(value), "UTC"),
    "uuid": lambda value: str(value if isinstance(value, UUID) else UUID(bytes=bytes(value))),
    "int": int,
    "long": int,
}
