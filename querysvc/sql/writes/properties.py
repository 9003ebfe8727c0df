"""WITH (…) of CREATE TABLE AS and UNLOAD: Athena's properties, and those of Trino's hive connector.

A property is one line of a table here; what a name may mean is told by its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import syntax
from querysvc.sql.writes.codecs import CODECS, codec_named
from querysvc.sql.writes.parser import Property, refuse_duplicates
from querysvc.write_plan import Buckets, Compression, FileFormat, NewIcebergTable
from querysvc_catalog.serdes import StorageFormat

_FORMATS: Final = {str(each): each for each in CODECS}
_UNLOADED: Final = {name: each for name, each in _FORMATS.items() if each is not StorageFormat.CSV}
_LEVELS: Final = range(1, 23)
_BUCKETS: Final = range(1, 501)
"""One file is open for each."""
_FIELD_DELIMITER: Final = "field.delim"


@dataclass(slots=True)
class WriteProperties:
    """What the properties say; None where they say nothing."""

    storage_format: StorageFormat = StorageFormat.PARQUET
    compression: str | None = None
    format_compressions: dict[StorageFormat, str] = field(default_factory=dict)
    compression_level: int | None = None
    external_location: str | None = None
    partitioned_by: tuple[str, ...] = ()
    bucketed_by: tuple[str, ...] = ()
    bucket_count: int = 0
    serde_parameters: dict[str, str] = field(default_factory=dict)
    has_format: bool = False
    is_iceberg: bool = False
    is_external: bool | None = None
    partitioning: tuple[str, ...] = ()
    iceberg_properties: dict[str, str] = field(default_factory=dict)

    def new_iceberg_table(self) -> NewIcebergTable | None:
        """What an Iceberg table has; None where the table is to be Hive's."""
        if not self.is_iceberg:
            return None
        properties = {"format": self.storage_format.value.lower(), **self.iceberg_properties}
        if self.compression is not None:
            properties["write_compression"] = self.compression.lower()
        return NewIcebergTable(self.partitioning, properties)

    def file_format(self) -> FileFormat:
        """The format with its codec."""
        form = self.storage_format
        named = self.format_compressions.get(form)
        if named is not None and self.compression is not None and named != self.compression:
            raise _invalid("write_compression and the format's own compression differ")
        compression = _codec(form, named or self.compression)
        if self.compression_level is not None and compression is not Compression.ZSTD:
            raise _invalid("compression_level is for ZSTD compression only")
        parameters = dict(self.serde_parameters)
        if form is not StorageFormat.TEXTFILE and _FIELD_DELIMITER in parameters:
            raise _invalid(f"field_delimiter is for text files, not for format {form}")
        return FileFormat(form, compression, self.compression_level, parameters)

    def buckets(self) -> Buckets | None:
        """The buckets, if there are any."""
        if bool(self.bucketed_by) != bool(self.bucket_count):
            raise _invalid("bucketed_by and bucket_count must be specified together")
        return Buckets(self.bucketed_by, self.bucket_count) if self.bucketed_by else None


def read_table_properties(properties: tuple[Property, ...], catalog: str) -> WriteProperties:
    """The properties of a CREATE TABLE AS."""
    found = _read(properties, _TABLE_PROPERTIES, f"Catalog '{catalog}' table property")
    named = {item.name for item in properties}
    if found.is_iceberg:
        _check_iceberg(found, named)
    else:
        for name in sorted(named & {"location", "partitioning", *_ICEBERG_PROPERTIES}):
            raise _refused_property(name)
        if found.is_external is False:
            raise StatementError(
                ErrorCode.NOT_SUPPORTED, "is_external = false is not supported for Hive tables"
            )
    return found


def _check_iceberg(found: WriteProperties, named: set[str]) -> None:
    for name in sorted(named & _HIVE_ONLY):
        raise _invalid(f"The property {name} is for Hive tables, not for an Iceberg table")
    if found.is_external:
        raise _invalid("An Iceberg table is not external: is_external must be false")
    if found.storage_format is not StorageFormat.PARQUET:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED,
            f"Iceberg tables of format {found.storage_format} are not supported",
        )


def read_unload_properties(properties: tuple[Property, ...]) -> WriteProperties:
    """The properties of an UNLOAD; `format` must be among them."""
    found = _read(properties, _UNLOAD_PROPERTIES, "UNLOAD property")
    if not found.has_format:
        raise _invalid("UNLOAD needs the property format: WITH (format = 'PARQUET')")
    return found


_Reader = Callable[[WriteProperties, Any], None]


def _read(
    properties: tuple[Property, ...], readers: Mapping[str, _Reader], what: str
) -> WriteProperties:
    refuse_duplicates(properties)
    found = WriteProperties()
    for item in properties:
        line, column = item.position
        reader = readers.get(item.name)
        if reader is None:
            raise StatementError(
                ErrorCode.INVALID_TABLE_PROPERTY,
                f"{what} '{item.name}' does not exist",
                line=line,
                column=column,
            )
        try:
            reader(found, _value(item.value))
        except _BadValueError as error:
            raise StatementError(
                ErrorCode.INVALID_TABLE_PROPERTY,
                f"Invalid value for {what[0].lower()}{what[1:]} '{item.name}': {error}",
                line=line,
                column=column,
            ) from None
    return found


class _BadValueError(Exception):
    """A property's value is none."""


def _value(node: syntax.Expression) -> object:
    match node:
        case (
            syntax.StringLiteral(value=value)
            | syntax.IntegerLiteral(value=value)
            | syntax.BooleanLiteral(value=value)
        ):
            return value
        case syntax.ArrayConstructor(items=items):
            return tuple(_value(item) for item in items)
    raise _BadValueError("it must be a constant")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _BadValueError(f"Cannot convert [{value}] to varchar")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, tuple):
        raise _BadValueError(f"Cannot convert [{value}] to array(varchar)")
    return tuple(_text(item).lower() for item in value)


def _format(formats: Mapping[str, StorageFormat]) -> _Reader:
    def read(found: WriteProperties, value: object) -> None:
        form = formats.get(_text(value).upper())
        if form is None:
            raise _BadValueError(f"Invalid value [{value}]. Valid values: [{', '.join(formats)}]")
        found.storage_format, found.has_format = form, True

    return read


def _compression(found: WriteProperties, value: object) -> None:
    found.compression = _text(value).upper()


def _compression_of(form: StorageFormat) -> _Reader:
    def read(found: WriteProperties, value: object) -> None:
        found.format_compressions[form] = _text(value)

    return read


def _codec(form: StorageFormat, name: str | None) -> Compression:
    if name is None:
        return CODECS[form][0]
    codec = codec_named(form, name)
    if codec is None:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED,
            f"compression {name} of format {form} is not supported; supported are"
            f" {', '.join(CODECS[form])}",
        )
    return codec


def _level(found: WriteProperties, value: object) -> None:
    if not isinstance(value, int) or value not in _LEVELS:
        raise _BadValueError(f"[{value}] is not from {_LEVELS[0]} to {_LEVELS[-1]}")
    found.compression_level = value


def _location(found: WriteProperties, value: object) -> None:
    found.external_location = checked_location(_text(value))


def checked_location(location: str) -> str:
    """The location; INVALID_TABLE_PROPERTY unless it is `s3://bucket/…`."""
    scheme, _, rest = location.partition("://")
    if scheme.lower() not in ("s3", "s3a", "s3n") or not rest.partition("/")[0]:
        raise StatementError(
            ErrorCode.INVALID_TABLE_PROPERTY,
            f"External location is not a valid file system URI: {location}",
        )
    return location


def _partitioned_by(found: WriteProperties, value: object) -> None:
    found.partitioned_by = _names(value)


def _bucketed_by(found: WriteProperties, value: object) -> None:
    found.bucketed_by = _names(value)


def _bucket_count(found: WriteProperties, value: object) -> None:
    if not isinstance(value, int) or value not in _BUCKETS:
        raise _BadValueError(f"[{value}] is not from {_BUCKETS[0]} to {_BUCKETS[-1]}")
    found.bucket_count = value


def _serde(name: str) -> _Reader:
    def read(found: WriteProperties, value: object) -> None:
        character = _text(value)
        if len(character) != 1:
            raise _BadValueError(f"'{character}' is not one character")
        found.serde_parameters[name] = character

    return read


def _null_format(found: WriteProperties, value: object) -> None:
    found.serde_parameters["serialization.null.format"] = _text(value)


def _table_type(found: WriteProperties, value: object) -> None:
    kind = _text(value).upper()
    if kind not in ("HIVE", "ICEBERG"):
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, f"CREATE TABLE AS of table_type '{value}' is not supported"
        )
    found.is_iceberg = kind == "ICEBERG"


def _is_external(found: WriteProperties, value: object) -> None:
    if not isinstance(value, bool):
        raise _BadValueError(f"Cannot convert [{value}] to boolean")
    found.is_external = value


def _table_location(found: WriteProperties, value: object) -> None:
    found.external_location = checked_location(_text(value))


def _partitioning(found: WriteProperties, value: object) -> None:
    _names(value)
    assert isinstance(value, tuple), "it was read as names"
    found.partitioning = value


def _iceberg_property(name: str) -> _Reader:
    def read(found: WriteProperties, value: object) -> None:
        found.iceberg_properties[name] = str(value)

    return read


def _refused_property(name: str) -> StatementError:
    return StatementError(ErrorCode.NOT_SUPPORTED, f"the table property {name} is not supported")


def _refused(name: str) -> _Reader:
    def read(_: WriteProperties, __: object) -> None:
        raise _refused_property(name)

    return read


_ICEBERG_PROPERTIES: Final = (
    "optimize_rewrite_data_file_threshold",
    "optimize_rewrite_delete_file_threshold",
    "vacuum_max_metadata_files_to_keep",
    "vacuum_max_snapshot_age_seconds",
    "vacuum_min_snapshots_to_keep",
    "write_target_data_file_size_bytes",
)
"""Of Athena's Iceberg tables: kept with the table."""
_HIVE_ONLY: Final = frozenset(
    {
        *("external_location", "partitioned_by", "bucketed_by", "bucket_count", "null_format"),
        *("field_delimiter", "textfile_field_separator", "textfile_field_separator_escape"),
        *("csv_separator", "csv_quote", "csv_escape"),
    }
)
_UNLOAD_PROPERTIES: Final[Mapping[str, _Reader]] = {
    "format": _format(_UNLOADED),
    "compression": _compression,
    "compression_level": _level,
    "field_delimiter": _serde(_FIELD_DELIMITER),
    "partitioned_by": _partitioned_by,
}
_TABLE_PROPERTIES: Final[Mapping[str, _Reader]] = {
    "format": _format(_FORMATS),
    "write_compression": _compression,
    "parquet_compression": _compression_of(StorageFormat.PARQUET),
    "orc_compression": _compression_of(StorageFormat.ORC),
    "avro_compression": _compression_of(StorageFormat.AVRO),
    "compression_level": _level,
    "external_location": _location,
    "partitioned_by": _partitioned_by,
    "bucketed_by": _bucketed_by,
    "bucket_count": _bucket_count,
    "field_delimiter": _serde(_FIELD_DELIMITER),
    "textfile_field_separator": _serde(_FIELD_DELIMITER),
    "textfile_field_separator_escape": _serde("escape.delim"),
    "null_format": _null_format,
    "csv_separator": _serde("separatorChar"),
    "csv_quote": _serde("quoteChar"),
    "csv_escape": _serde("escapeChar"),
    "table_type": _table_type,
    "is_external": _is_external,
    "location": _table_location,
    "partitioning": _partitioning,
    **{name: _iceberg_property(name) for name in _ICEBERG_PROPERTIES},
    "sorted_by": _refused("sorted_by"),
}


def _invalid(message: str) -> StatementError:
    return StatementError(ErrorCode.INVALID_TABLE_PROPERTY, message)
