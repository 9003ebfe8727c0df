"""DESCRIBE: columns, partitions and storage of a table, in the order in which Hive tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from querysvc.errors import ErrorCode
from querysvc.planning.views import hive_text, view_definition
from querysvc.service.ddl_context import DdlContext, StatementResult, error, text_columns
from querysvc.service.ddl_iceberg import describe
from querysvc.service.ddl_partitions import find_partition, require_partitioned
from querysvc.sql.ddl import statements as ddl
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import Column, Partition, SerDeInfo, StorageDescriptor, Table
from querysvc_catalog.types import ArrayType, HiveType, MapType, StructType, format_type, parse_type

Row = tuple[str, str, str]
_BLANK: Final = ("", "", "")
_HEADING: Final = ("# col_name", "data_type", "comment")


def describe_table(statement: ddl.DescribeTable, context: DdlContext) -> StatementResult:
    """DESCRIBE: name, type and comment; partition keys are told again under a heading."""
    table = context.relation(statement.table)
    if table.is_iceberg and not statement.column and statement.partition is None:
        return describe(table, context)
    partition = None
    if statement.partition is not None:
        require_partitioned(table)
        partition = find_partition(table, statement.partition, context)
    if statement.column:
        rows = [_described_column(table, statement.column)]
        rows = [_HEADING, _BLANK, *rows] if statement.detail == "FORMATTED" else rows
    else:
        rows = _LAYOUTS[statement.detail](table, partition)
    return StatementResult(text_columns("col_name", "data_type", "comment"), tuple(rows))


def shown_columns(table: Table) -> tuple[Column, ...]:
    """A table's data columns; a view's columns are those of its definition.

    Trino stores one dummy column beside the definitions of its views.
    """
    if not table.is_view:
        return table.current_columns
    return tuple(
        Column(column.name.lower(), hive_text(column.type))
        for column in view_definition(table).columns
    )


def properties_of(table: Table) -> dict[str, str]:
    """The table's properties; Hive counts the comment among them."""
    comment = {} if table.description is None else {"comment": table.description}
    return {**table.parameters, **comment}


def _plain(table: Table, partition: Partition | None) -> list[Row]:
    keys = _rows(table.partition_keys)
    rows = [*_rows(_data_columns(table, partition)), *keys]
    if keys:
        rows += [_BLANK, ("# Partition Information", "", ""), _HEADING, *keys]
    return rows


def _extended(table: Table, partition: Partition | None) -> list[Row]:
    what = "Detailed Table Information" if partition is None else "Detailed Partition Information"
    facts = [*_identity(table, partition), *_storage(table, partition)]
    told = ", ".join(f"{name.strip().rstrip(':')}:{value.strip()}" for name, value, _ in facts)
    return [*_plain(table, partition), _BLANK, (what, told, "")]


def _formatted(table: Table, partition: Partition | None) -> list[Row]:
    rows: list[Row] = [_HEADING, _BLANK, *_rows(_data_columns(table, partition))]
    if table.partition_keys:
        rows += [_BLANK, ("# Partition Information", "", ""), _HEADING, _BLANK]
        rows += _rows(table.partition_keys)
    what = "# Detailed Table Information"
    if partition is not None:
        what = "# Detailed Partition Information"
    rows += [_BLANK, (what, "", ""), *_identity(table, partition)]
    rows += [_BLANK, ("# Storage Information", "", ""), *_storage(table, partition)]
    return rows


_LAYOUTS: Final = {None: _plain, "EXTENDED": _extended, "FORMATTED": _formatted}


def _identity(table: Table, partition: Partition | None) -> list[Row]:
    if partition is not None:
        facts = {
            "Partition Value:": f"[{', '.join(partition.values)}]",
            "Database:": table.database_name,
            "Table:": table.name,
            "CreateTime:": _moment(partition.creation_time),
            "LastAccessTime:": _moment(partition.last_access_time),
            "Location:": partition.location or "",
        }
        return [
            *_facts(facts),
            ("Partition Parameters:", "", ""),
            *_parameters(partition.parameters),
        ]
    facts = {
        "Database:": table.database_name,
        "Owner:": table.owner or "",
        "CreateTime:": _moment(table.create_time),
        "LastAccessTime:": _moment(table.last_access_time),
        "Protect Mode:": "None",
        "Retention:": str(table.retention),
        "Location:": table.location or "",
        "Table Type:": table.table_type or "",
    }
    return [*_facts(facts), ("Table Parameters:", "", ""), *_parameters(properties_of(table))]


def _storage(table: Table, partition: Partition | None) -> list[Row]:
    own = partition.storage_descriptor if partition is not None else None
    descriptor = own or table.storage_descriptor or StorageDescriptor()
    serde = descriptor.serde_info or SerDeInfo()
    facts = {
        "SerDe Library:": serde.serialization_library or "",
        "InputFormat:": descriptor.input_format or "",
        "OutputFormat:": descriptor.output_format or "",
        "Compressed:": "Yes" if descriptor.compressed else "No",
        "Num Buckets:": str(descriptor.number_of_buckets or -1),
        "Bucket Columns:": f"[{', '.join(descriptor.bucket_columns)}]",
        "Sort Columns:": f"[{', '.join(sort.column for sort in descriptor.sort_columns)}]",
    }
    return [*_facts(facts), ("Storage Desc Params:", "", ""), *_parameters(serde.parameters)]


def _facts(facts: Mapping[str, str]) -> list[Row]:
    return [(name, value, "") for name, value in facts.items()]


def _parameters(parameters: Mapping[str, str]) -> list[Row]:
    return [("", name, value) for name, value in sorted(parameters.items())]


def _moment(value: datetime | None) -> str:
    return "UNKNOWN" if value is None else f"{value:%a %b %d %H:%M:%S UTC %Y}"


def _data_columns(table: Table, partition: Partition | None) -> tuple[Column, ...]:
    own = partition.storage_descriptor if partition is not None else None
    return shown_columns(table) if own is None else own.columns


def _rows(columns: Iterable[Column]) -> list[Row]:
    return [(column.name, column.type or "", column.comment or "") for column in columns]


def _described_column(table: Table, path: tuple[str, ...]) -> Row:
    """A column, or a part of it: a struct's field, `$elem$`, `$key$`, `$value$`."""
    found = {column.name: column for column in (*shown_columns(table), *table.partition_keys)}
    column = found.get(path[0])
    if column is None:
        message = f"Column '{path[0]}' does not exist in {table.full_name}"
        raise error(ErrorCode.COLUMN_NOT_FOUND, message)
    if len(path) == 1:
        return column.name, column.type or "", column.comment or "from deserializer"
    try:
        type_ = parse_type(column.type or "string")
    except CatalogError as wrong:
        raise error(ErrorCode.HIVE_INVALID_METADATA, wrong.message) from wrong
    for part in path[1:]:
        inner = _part(type_, part)
        if inner is None:
            message = f"Column '{'.'.join(path)}' does not exist in {table.full_name}"
            raise error(ErrorCode.COLUMN_NOT_FOUND, message)
        type_ = inner
    return path[-1], format_type(type_), "from deserializer"


def _part(type_: HiveType, name: str) -> HiveType | None:
    match type_:
        case ArrayType(element) if name == "$elem$":
            return element
        case MapType(key, value) if name in ("$key$", "$value$"):
            return key if name == "$key$" else value
        case StructType(fields):
            return next((f.type for f in fields if f.name.lower() == name.lower()), None)
    return None
