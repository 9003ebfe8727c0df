"""Avro: columns by name, decoded block by block in Python, types as for the other formats."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final  # Avro schemas are JSON documents, Arrow and DuckDB's types untyped

import pyarrow as pa
from fastavro import parse_schema, schemaless_reader
from fastavro.schema import SchemaParseException, UnknownType

from querysvc.engines.duckdb.footers import bad_file
from querysvc.engines.duckdb.readers.avro_container import (
    AvroHeader,
    encode_long,
    read_blocks,
    read_header,
)
from querysvc.engines.duckdb.readers.avro_types import (
    ArrowForm,
    SchemaReader,
    UnsupportedAvroError,
    without_logical_types,
)
from querysvc.engines.duckdb.readers.base import (
    File,
    FileGroup,
    Part,
    PlanReader,
    ReaderContext,
    read_in_order,
    used_columns,
)
from querysvc.engines.duckdb.readers.damage import DamagedFileError
from querysvc.engines.duckdb.readers.object_file import ObjectFile
from querysvc.engines.duckdb.readers.physical import Source, TypeMismatchError, convert
from querysvc.engines.duckdb.readers.quarantine import select_rows
from querysvc.engines.duckdb.readers.rejects import on_bad_record
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text, type_text
from querysvc.engines.duckdb.readers.streamed import (
    FILE,
    numbered_origin,
    place_arrays,
    place_fields,
)
from querysvc.engines.duckdb.readers.typed import options_of, unsupported
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import TableColumn
from querysvc_catalog.serde_options import parse_avro_options

_HEADER_BYTES: Final = 64 << 10
"""Announced of every file, to learn its schema before the query."""
_BUFFER_BYTES: Final = 1 << 20
_DAMAGED: Final = (
    *(ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, MemoryError),
    *(UnicodeDecodeError, pa.ArrowException),
)
"""What fastavro and Arrow raise over bytes that are not what the schema says."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """A field of the table's own Avro schema: its name and aliases, and its default."""

    names: tuple[str, ...]
    default: Any


@dataclass(frozen=True, slots=True)
class _Column:
    """A used column, the record's field that holds it, and its form."""

    index: int
    column: TableColumn
    field: str
    form: ArrowForm


def read_avro(group: FileGroup, context: ReaderContext) -> list[Part]:
    """Build one part for each schema among the files."""
    options = options_of(group, parse_avro_options)
    if options.schema_url is not None:
        raise unsupported(group, "SerDe property avro.schema.url")
    declared = _declared(group, options.schema_literal)
    context.client.prefetch(
        [(file.index, 0, min(_HEADER_BYTES, file.stored.size)) for file in group.files],
        is_kept=True,
    )
    by_schema: dict[str, list[File]] = {}
    headers: dict[str, AvroHeader] = {}
    for file in group.files:
        header = _header(file, context.client)
        key = json.dumps(header.schema)
        headers.setdefault(key, header)
        by_schema.setdefault(key, []).append(file)
    return [
        _part(group, files, headers[key], declared, context=context)
        for key, files in by_schema.items()
    ]


def _declared(group: FileGroup, literal: str | None) -> dict[str, _Declared]:
    """What the table's own Avro schema says of its fields, by name in lower case."""
    if literal is None:
        return {}
    try:
        return {
            field["name"].lower(): _Declared(
                (field["name"], *field.get("aliases", ())), field.get("default")
            )
            for field in json.loads(literal)["fields"]
        }
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise QueryServiceError(
            ErrorCode.HIVE_INVALID_METADATA,
            f"table {group.reference.table.full_name}: avro.schema.literal is no record schema",
        ) from error


def _header(file: File, client: PlanReader) -> AvroHeader:
    try:
        with io.BufferedReader(ObjectFile(file, client), _HEADER_BYTES) as source:
            return read_header(source)
    except DamagedFileError as error:
        raise bad_file(file, str(error)) from error


def _part(
    group: FileGroup,
    files: Sequence[File],
    header: AvroHeader,
    declared: Mapping[str, _Declared],
    *,
    context: ReaderContext,
) -> Part:
    columns = _columns(group, files[0], header, declared)
    schema = pa.schema(
        [
            *(pa.field(f"s{i}", one.form.type) for i, one in enumerate(columns)),
            *place_fields(group.reference),
        ]
    )
    types = context.connection.from_arrow(schema.empty_table()).types
    base = context.claim(files)
    data = {
        index: _default(group, column, declared)
        for index, column in used_columns(group.reference)
        if not (column.is_partition_key or column.is_hidden)
    }
    source_type = on_bad_record(group, Source)
    for position, one in enumerate(columns):
        source = source_type(one.column.name, one.column.type, f"({base} + {FILE})")
        if pa.types.is_null(one.form.type):
            continue
        try:
            data[one.index] = convert(f'"s{position}"', types[position], one.column.type, source)
        except TypeMismatchError:
            raise _mismatch(files[0], one) from None
    table = f"avro{len(context.ordinals)}"
    context.feed(table, schema, lambda: _batches(files, columns, schema, context.client))
    ranges = read_in_order(files)
    size = sum(file.stored.size for file in files)
    sql = select_rows(
        group,
        files,
        quote_name(table),
        data,
        context=context,
        raw={one.index: f'CAST("s{i}" AS VARCHAR)' for i, one in enumerate(columns)},
        origin=numbered_origin(group.reference),
    )
    return Part(sql, ranges, size, len(files))


def _default(group: FileGroup, column: TableColumn, declared: Mapping[str, _Declared]) -> str:
    """SQL of what a record without the field has."""
    own = declared.get(column.name.lower())
    if own is None or own.default is None:
        return f"CAST(NULL AS {type_text(column.type)})"
    if not isinstance(own.default, str | int | float) or column.type.children:
        raise unsupported(group, f"the default of {column.name} in the Avro schema")
    text = json.dumps(own.default) if isinstance(own.default, bool) else str(own.default)
    return f"CAST({quote_text(text)} AS {type_text(column.type)})"


def _columns(
    group: FileGroup, first: File, header: AvroHeader, declared: Mapping[str, _Declared]
) -> list[_Column]:
    """The used columns that the records have."""
    if not isinstance(header.schema, dict) or header.schema.get("type") != "record":
        raise bad_file(first, "holds no Avro records")
    try:
        reader = SchemaReader(header.schema)
        fields: dict[str, Any] = {}
        for field in header.schema["fields"]:
            fields.setdefault(field["name"].lower(), field)
    except (KeyError, TypeError, UnsupportedAvroError) as error:
        raise bad_file(first, f"has an Avro schema that cannot be read: {error}") from error
    found = []
    for index, column in used_columns(group.reference):
        own = declared.get(column.name.lower())
        names = own.names if own is not None else (column.name,)
        field = next((fields[one.lower()] for one in names if one.lower() in fields), None)
        if field is None or column.is_partition_key or column.is_hidden:
            continue
        try:
            form = reader.form(field["type"], header.schema.get("namespace", ""))
        except UnsupportedAvroError as error:
            raise unsupported(group, f"{error} in Avro field {field['name']}") from error
        found.append(_Column(index, column, field["name"], form))
    return found


def _batches(
    files: Sequence[File], columns: Sequence[_Column], schema: Any, client: PlanReader
) -> Iterator[Any]:
    for position, file in enumerate(files):
        before = 0
        try:
            for count, records in _records(file, client, is_needed=bool(columns)):
                arrays = [_array(records, one) for one in columns]
                arrays += place_arrays(schema, position, count, before)
                before += count
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        except DamagedFileError as error:
            raise bad_file(file, str(error)) from error


def _records(
    file: File, client: PlanReader, *, is_needed: bool
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """How many records each block has, and they themselves where they are needed."""
    with io.BufferedReader(ObjectFile(file, client), _BUFFER_BYTES) as source:
        header = read_header(source)
        # A block of records is an array's block: so one call decodes them all.
        try:
            array = parse_schema({"type": "array", "items": without_logical_types(header.schema)})
        except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError) as error:
            raise DamagedFileError(f"has a schema that cannot be read: {error}") from error
        for count, data in read_blocks(source, header):
            if not is_needed or not count:
                yield count, []
                continue
            try:
                block = io.BytesIO(encode_long(count) + data + b"\x00")
                yield count, schemaless_reader(block, array, None)  # type: ignore[misc]
            except _DAMAGED as error:
                raise DamagedFileError(f"has a block that cannot be decoded: {error}") from error


def _array(records: Sequence[dict[str, Any]], one: _Column) -> Any:
    field, change = one.field, one.form.convert
    values = [record[field] for record in records]
    if change is not None:
        values = [change(value) for value in values]
    try:
        return pa.array(values, one.form.type)
    except _DAMAGED as error:
        raise DamagedFileError(f"has a value in field {field} that cannot be: {error}") from error


def _mismatch(file: File, one: _Column) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.HIVE_BAD_DATA,
        f"Field {one.field}'s type {one.form.type} in Avro file {file.stored.address} is"
        f" incompatible with type {one.column.type} defined in table schema",
    )
