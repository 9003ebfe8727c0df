"""Which columns are written, in which Hive types, and which of them are partition keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.plan import TableColumn
from querysvc.sql.writes.codecs import CODECS, codec_named
from querysvc.types.algebra import (
    BOOLEAN,
    DATE,
    DOUBLE,
    REAL,
    VARBINARY,
    VARCHAR,
    Array,
    Char,
    Map,
    Row,
    Timestamp,
    TrinoType,
    Varchar,
)
from querysvc.types.hive import to_hive
from querysvc.write_plan import Buckets, Compression, FileFormat, WriteLayout, WrittenColumn
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import Table
from querysvc_catalog.serde_options import unescape_delimiter
from querysvc_catalog.serdes import StorageFormat, resolve_format, serde_properties
from querysvc_catalog.types import format_type

_KEY_TYPES_REFUSED: Final = (Array, Map, Row)
_BUCKETED: Final = (BOOLEAN, REAL, DOUBLE, DATE)


def is_text(type_: TrinoType) -> bool:
    """Whether the type is a varchar or char."""
    return isinstance(type_, Varchar | Char)


def is_bounded_text(type_: TrinoType) -> bool:
    """Whether the type is a varchar with a length, or a char."""
    return is_text(type_) and type_ != VARCHAR


def new_layout(
    columns: Sequence[tuple[str, TrinoType]], form: FileFormat, partitioned_by: tuple[str, ...]
) -> WriteLayout:
    """The layout of a table that the statement makes; partition keys must come last, in order."""
    names = [name for name, _ in columns]
    missing = [name for name in partitioned_by if name not in names]
    if missing:
        raise StatementError(
            ErrorCode.INVALID_TABLE_PROPERTY,
            f"Partition columns {_listed(missing)} not present in schema",
        )
    keys = len(partitioned_by)
    if keys and names[-keys:] != list(partitioned_by):
        raise StatementError(
            ErrorCode.HIVE_COLUMN_ORDER_MISMATCH,
            "Partition keys must be the last columns in the table and in the same order as the"
            f" table properties: {_listed(partitioned_by)}",
        )
    if keys and keys == len(names):
        raise StatementError(
            ErrorCode.INVALID_TABLE_PROPERTY, "Table contains only partition columns"
        )
    layout = WriteLayout(form, tuple(_column(name, type_) for name, type_ in columns), keys)
    _check_keys(layout)
    _check_csv(layout)
    return layout


def with_buckets(layout: WriteLayout, buckets: Buckets | None) -> WriteLayout:
    """The layout with its rows in buckets."""
    if buckets is None:
        return layout
    types = {column.name: column.type for column in layout.data_columns}
    keys = {column.name for column in layout.key_columns}
    for name in buckets.columns:
        if name in keys:
            raise StatementError(
                ErrorCode.INVALID_TABLE_PROPERTY,
                f"Bucketing column '{name}' is a partition column",
            )
        if name not in types:
            raise StatementError(
                ErrorCode.INVALID_TABLE_PROPERTY,
                f"Bucketing columns {_listed([name])} not present in schema",
            )
        if not is_bucketed(types[name]):
            raise StatementError(
                ErrorCode.NOT_SUPPORTED,
                f"Cannot create a table bucketed on an unsupported type: {name} {types[name]}",
            )
    return replace(layout, buckets=buckets)


def is_bucketed(type_: TrinoType) -> bool:
    """Whether Hive's hash is known of a type, as Trino knows it."""
    return type_.is_integer or isinstance(type_, Varchar) or type_ in _BUCKETED


def table_layout(table: Table, columns: Sequence[TableColumn]) -> WriteLayout:
    """The layout of a table that exists: its own format and its SerDe's properties."""
    if table.is_iceberg:
        return iceberg_layout([(column.name, column.type) for column in columns])
    descriptor = table.storage_descriptor
    if descriptor is None:
        raise StatementError(
            ErrorCode.HIVE_INVALID_METADATA, f"Table {table.full_name} has no storage descriptor"
        )
    if descriptor.bucket_columns:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED,
            f"INSERT into the bucketed table {table.full_name} is not supported",
        )
    try:
        resolved = resolve_format(descriptor)
    except CatalogError as error:
        raise StatementError(ErrorCode.HIVE_UNSUPPORTED_FORMAT, error.message) from error
    form = resolved.storage_format
    if form not in CODECS or resolved.is_symlink_manifest:
        what = "symlink manifests" if resolved.is_symlink_manifest else f"format {form}"
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, f"INSERT into tables of {what} is not supported"
        )
    properties = serde_properties(descriptor, table.parameters)
    _check_properties(form, properties)
    written = FileFormat(form, _codec(form, properties), None, properties)
    keys = sum(column.is_partition_key for column in columns)
    hive = [*table.columns, *table.partition_keys]
    layout = WriteLayout(
        written,
        tuple(
            WrittenColumn(column.name, column.type, entry.type or "string", column.type)
            for column, entry in zip(columns, hive, strict=True)
        ),
        keys,
    )
    _check_csv(layout)
    check_json(layout)
    return layout


def iceberg_layout(columns: Sequence[tuple[str, TrinoType]]) -> WriteLayout:
    """The layout of an Iceberg table's rows; its codec, ids and partitions are its metadata's."""
    form = FileFormat(StorageFormat.PARQUET, CODECS[StorageFormat.PARQUET][0])
    return WriteLayout(
        form, tuple(WrittenColumn(name, type_, "", type_) for name, type_ in columns)
    )


def check_json(layout: WriteLayout) -> None:
    """Trino writes binary values of JSON tables in base64, and reads them as they are."""
    if layout.format.storage_format not in (StorageFormat.JSON, StorageFormat.OPENX_JSON):
        return
    for column in layout.data_columns:
        if _holds_binary(column.type):
            raise StatementError(
                ErrorCode.NOT_SUPPORTED,
                f"Column '{column.name}' is {column.type}, which a JSON table would not give back"
                " as it was; store to_base64 of it",
            )


def _holds_binary(type_: TrinoType) -> bool:
    return type_ == VARBINARY or any(map(_holds_binary, type_.children))


# What readers would take away from rows that are written, or read otherwise than they are written.
_REFUSED_PROPERTIES: Final = (
    "skip.header.line.count",
    "skip.footer.line.count",
    "serialization.encoding",
    "timestamp.formats",
    "avro.schema.literal",
    "avro.schema.url",
)
_HARMLESS: Final = {
    "skip.header.line.count": ("0",),
    "skip.footer.line.count": ("0",),
    "serialization.encoding": ("UTF-8", "UTF8"),
}


def _check_properties(form: StorageFormat, properties: Mapping[str, str]) -> None:
    for name in _REFUSED_PROPERTIES:
        value = properties.get(name)
        if value and value.strip().upper() not in _HARMLESS.get(name, ()):
            raise _not_insertable(name)
    line = properties.get("line.delim", "\n")
    if form is StorageFormat.TEXTFILE and unescape_delimiter(line) not in ("\n", "10"):
        raise StatementError(
            ErrorCode.NOT_SUPPORTED,
            "Inserting into Hive table with line.delim property not supported",
        )


def _not_insertable(name: str) -> StatementError:
    return StatementError(
        ErrorCode.NOT_SUPPORTED, f"Inserting into Hive table with {name} property not supported"
    )


def with_sources(layout: WriteLayout, sources: Sequence[TrinoType]) -> WriteLayout:
    """The layout with the types that the query's columns come in."""
    columns = tuple(
        replace(column, source_type=source)
        for column, source in zip(layout.columns, sources, strict=True)
    )
    return replace(layout, columns=columns)


# A format's own property, and the one that Athena writes for all formats.
_CODEC_PROPERTIES: Final = {
    StorageFormat.PARQUET: ("parquet.compression", "parquet.compress"),
    StorageFormat.ORC: ("orc.compress",),
    StorageFormat.AVRO: ("avro.output.codec",),
}


def _codec(form: StorageFormat, properties: Mapping[str, str]) -> Compression:
    """What the table's properties ask for; one that is not written here is refused."""
    for name in ("write.compression", *_CODEC_PROPERTIES.get(form, ())):
        told = properties.get(name)
        if told is None:
            continue
        codec = codec_named(form, told)
        if codec is None:
            raise StatementError(
                ErrorCode.NOT_SUPPORTED, f"INSERT with {name} = {told} is not supported"
            )
        return codec
    return CODECS[form][0]


def _column(name: str, type_: TrinoType) -> WrittenColumn:
    try:
        stored = format_type(to_hive(type_))
    except StatementError as error:
        if not isinstance(type_, Timestamp):
            raise
        message = f"{error.message}; column name: {name}"
        raise StatementError(error.code, message) from None
    return WrittenColumn(name, type_, stored, type_)


def _check_keys(layout: WriteLayout) -> None:
    for column in layout.key_columns:
        if isinstance(column.type, _KEY_TYPES_REFUSED) or column.type == VARBINARY:
            raise StatementError(
                ErrorCode.NOT_SUPPORTED,
                f"Unsupported type [{column.type}] for partition: {column.name}",
            )


def _check_csv(layout: WriteLayout) -> None:
    if layout.format.storage_format is not StorageFormat.CSV:
        return
    wrong = [f"{c.name} {c.type}" for c in layout.data_columns if c.type != VARCHAR]
    if wrong:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED,
            "Hive CSV storage format only supports VARCHAR (unbounded). Unsupported columns: "
            + ", ".join(wrong),
        )


def _listed(names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]"
