"""Data files that are to be added: how rows are laid out, where files go, their metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final  # partition values are of any type

import orjson
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.table.locations import load_location_provider
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BinaryType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IcebergType,
    StructType,
    UUIDType,
)
from pyiceberg.types import ListType as IcebergList
from pyiceberg.types import MapType as IcebergMap

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg.table import IcebergTable
from querysvc.iceberg.types import to_trino
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc.write_plan import (
    Compression,
    IcebergLayout,
    IcebergPartition,
    WriteLayout,
    WrittenColumn,
)

_CODEC: Final = "write.parquet.compression-codec"
_CODECS: Final[Mapping[str, Compression]] = {
    "uncompressed": Compression.NONE,
    "none": Compression.NONE,
    "gzip": Compression.GZIP,
    "snappy": Compression.SNAPPY,
    "zstd": Compression.ZSTD,
}
_FORMAT: Final = "write.format.default"


def table_layout(
    table: IcebergTable, layout: WriteLayout, *, marker: int | None = None
) -> WriteLayout:
    """The layout with the table's field ids, partitions and codec; NOT_SUPPORTED of other formats.

    `marker` is the index of the boolean column of the rows that is true of those to write.
    """
    _check_writable(table)
    schema = table.metadata.schema()
    places = {field.field_id: index for index, field in enumerate(schema.fields)}
    partitions = []
    for field in table.metadata.spec().fields:
        if field.source_id not in places:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"Writing to Iceberg table {table.name}, whose partition field {field.name} is of a"
                " nested field, is not supported",
            )
        partitions.append(IcebergPartition(places[field.source_id], str(field.transform)))
    arrow = schema_to_pyarrow(schema)
    columns = tuple(
        replace(column, type=_named(field.field_type))
        for column, field in zip(layout.columns, schema.fields, strict=True)
    )
    return replace(
        layout,
        columns=columns,
        partition_keys=0,
        format=replace(layout.format, compression=_codec(table)),
        iceberg=IcebergLayout(arrow.serialize().to_pybytes(), tuple(partitions), marker),
    )


def columns_to_write(table: IcebergTable) -> tuple[WrittenColumn, ...]:
    """The table's columns, for rows that come in its types."""
    found = []
    for field in table.metadata.schema().fields:
        type_ = to_trino(field.field_type)
        found.append(WrittenColumn(field.name.lower(), type_, "", type_))
    return tuple(found)


def _check_writable(table: IcebergTable) -> None:
    form = table.metadata.properties.get(_FORMAT, "parquet").lower()
    version = table.metadata.format_version
    if form != "parquet" or version != 2:
        what = f"of format {form}" if form != "parquet" else f"of format version {version}"
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED,
            f"Writing to Iceberg table {table.name} {what} is not supported",
        )


def _codec(table: IcebergTable) -> Compression:
    name = table.metadata.properties.get(_CODEC, "zstd").lower()
    codec = _CODECS.get(name)
    if codec is None:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED,
            f"Writing to Iceberg table {table.name} with {_CODEC} = {name} is not supported",
        )
    return codec


def _named(type_: IcebergType) -> TrinoType:
    """The type with fields' names as the schema has them, for Arrow compares their case."""
    match type_:
        case IcebergList():
            return algebra.Array(_named(type_.element_type))
        case IcebergMap():
            return algebra.Map(_named(type_.key_type), _named(type_.value_type))
        case StructType():
            fields = (algebra.RowField(f.name, _named(f.field_type)) for f in type_.fields)
            return algebra.Row(tuple(fields))
    return to_trino(type_)


class DataFiles:
    """Tells where a table's new data files go, and makes the entries of those that were written."""

    def __init__(self, table: IcebergTable) -> None:
        self._table = table
        metadata = table.metadata
        self._schema = metadata.schema()
        self._spec: PartitionSpec = metadata.spec()
        self._types = [field.field_type for field in self._spec.partition_type(self._schema).fields]
        self._plan = compute_statistics_plan(self._schema, metadata.properties)
        self._paths = parquet_path_to_id_mapping(self._schema)
        self._provider = load_location_provider(metadata.location, metadata.properties)

    @property
    def location(self) -> str:
        """The folder under which all data files go."""
        return f"{self._provider.data_path}/"

    def folder(self, values: Sequence[str]) -> str:
        """The folder of a partition's files; the values as the file writer tells them."""
        self._table.io.require(self.location)
        if self._spec.is_unpartitioned():
            return self.location
        path = self._spec.partition_to_path(self._partition(values), self._schema)
        return f"{self.location}{path}/"

    def entry(self, values: Sequence[str], path: Path, address: str) -> DataFile:
        """The manifest's entry of a written local file."""
        metadata = pq.read_metadata(path)
        statistics = data_file_statistics_from_parquet_metadata(metadata, self._plan, self._paths)
        return new_data_file(
            content=DataFileContent.DATA,
            file_path=address,
            partition=self._partition(values),
            file_size_in_bytes=path.stat().st_size,
            spec_id=self._spec.spec_id,
            **statistics.to_serialized_dict(),
        )

    def _partition(self, values: Sequence[str]) -> Record:
        told = orjson.loads(values[0]) if values else []
        return Record(*(_value(type_, one) for type_, one in zip(self._types, told, strict=True)))


def new_data_file(*, spec_id: int, **members: Any) -> DataFile:
    """A Parquet file's entry."""
    members.setdefault("sort_order_id", None)
    members.setdefault("equality_ids", None)
    members.setdefault("key_metadata", None)
    file = DataFile.from_args(file_format=FileFormat.PARQUET, **members)
    file.spec_id = spec_id
    return file


def _value(type_: IcebergType, told: Any) -> Any:
    """A partition's value as pyiceberg has it, from what the file writer told."""
    if told is None:
        return None
    convert = _VALUES.get(type(type_))
    return told if convert is None else convert(told)


_VALUES: Final[dict[type, Callable[[Any], Any]]] = {
    DecimalType: Decimal,
    FloatType: float,
    DoubleType: float,
    BinaryType: bytes.fromhex,
    FixedType: bytes.fromhex,
    UUIDType: bytes.fromhex,
}
