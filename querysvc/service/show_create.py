"""SHOW CREATE TABLE: Hive's statement that makes the table again, laid out as Athena prints it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from querysvc.sql.ddl.hive_strings import quote
from querysvc_catalog.model import Column, SerDeInfo, StorageDescriptor, Table
from querysvc_catalog.serdes import CLASSES, StorageFormat

_LAZY: Final = CLASSES[StorageFormat.TEXTFILE].serialization_library
# SerDe properties, and the clauses of ROW FORMAT DELIMITED that stand for them, in Hive's order.
_DELIMITERS: Final = {
    "field.delim": "FIELDS TERMINATED BY",
    "escape.delim": "ESCAPED BY",
    "colelction.delim": "COLLECTION ITEMS TERMINATED BY",
    "mapkey.delim": "MAP KEYS TERMINATED BY",
    "line.delim": "LINES TERMINATED BY",
    "serialization.null.format": "NULL DEFINED AS",
}
_DEFAULT_FORMAT: Final = ("serialization.format", "1")
_NOT_SHOWN: Final = frozenset({"EXTERNAL", "comment"})


def create_table_lines(table: Table) -> list[str]:
    """The statement's lines; Hive ends some of them with a space."""
    descriptor = table.storage_descriptor or StorageDescriptor()
    lines = [f"CREATE EXTERNAL TABLE {_name(table.name)}("]
    lines += _listed(map(_column, table.columns))
    if table.description is not None:
        lines.append(f"COMMENT {quote(table.description)}")
    if table.partition_keys:
        lines += ["PARTITIONED BY ( ", *_listed(map(_column, table.partition_keys))]
    if descriptor.bucket_columns:
        lines += [
            "CLUSTERED BY ( ",
            *_listed(f"  {c}" for c in map(_name, descriptor.bucket_columns)),
        ]
        lines.append(f"INTO {descriptor.number_of_buckets} BUCKETS")
    lines += _row_format(descriptor.serde_info or SerDeInfo())
    lines += ["STORED AS INPUTFORMAT ", f"  {quote(descriptor.input_format or '')} "]
    lines += ["OUTPUTFORMAT ", f"  {quote(descriptor.output_format or '')}"]
    lines += ["LOCATION", f"  {quote(descriptor.location or '')}"]
    shown = {k: v for k, v in sorted(table.parameters.items()) if k not in _NOT_SHOWN}
    return [*lines, "TBLPROPERTIES (", *_listed(_properties(shown))] if shown else lines


def create_iceberg_lines(
    table: Table, partitioning: Iterable[str], properties: Mapping[str, str]
) -> list[str]:
    """The statement of an Iceberg table; the partitioning is of Athena's transforms."""
    name = f"{_name(table.database_name)}.{_name(table.name)}"
    lines = [f"CREATE TABLE {name} (", *_listed(map(_column, table.current_columns))]
    fields = ", ".join(partitioning)
    if fields:
        lines.append(f"PARTITIONED BY ({fields})")
    if table.description is not None:
        lines.append(f"COMMENT {quote(table.description)}")
    lines.append(f"LOCATION {quote(table.location or '')}")
    told = {"table_type": "iceberg", **dict(sorted(properties.items()))}
    return [*lines, "TBLPROPERTIES (", *_listed(_properties(told))]


def iceberg_transform(transform: str, column: str) -> str:
    """A partition field as Athena writes it: `bucket(16, c)` of Iceberg's `bucket[16]`."""
    name, _, parameter = transform.rstrip("]").partition("[")
    if name == "identity":
        return _name(column)
    return f"{name}({parameter}, {_name(column)})" if parameter else f"{name}({_name(column)})"


def _row_format(serde: SerDeInfo) -> list[str]:
    parameters = {k: v for k, v in serde.parameters.items() if (k, v) != _DEFAULT_FORMAT}
    if serde.serialization_library == _LAZY and _is_delimited(parameters):
        clauses = [
            f"  {clause} {quote(parameters[key])} "
            for key, clause in _DELIMITERS.items()
            if key in parameters
        ]
        return ["ROW FORMAT DELIMITED ", *clauses]
    lines = ["ROW FORMAT SERDE ", f"  {quote(serde.serialization_library or '')} "]
    if parameters:
        *head, last = _listed(_properties(dict(sorted(parameters.items()))))
        lines += ["WITH SERDEPROPERTIES ( ", *head, f"{last} "]
    return lines


def _is_delimited(parameters: Mapping[str, str]) -> bool:
    """Whether the clauses of ROW FORMAT DELIMITED say all of it."""
    if "field.delim" not in parameters or not set(parameters) <= {
        *_DELIMITERS,
        "serialization.format",
    }:
        return False
    return parameters.get("serialization.format") == parameters["field.delim"]


def _listed(items: Iterable[str]) -> list[str]:
    """Items on lines of their own, separated by commas, the last one closing the parenthesis."""
    lines = [f"{item}, " for item in items]
    lines[-1] = f"{lines[-1].removesuffix(', ')})"
    return lines


def _column(column: Column) -> str:
    comment = "" if column.comment is None else f" COMMENT {quote(column.comment)}"
    return f"  {_name(column.name)} {column.type or 'string'}{comment}"


def _properties(properties: Mapping[str, str]) -> list[str]:
    return [f"  {quote(key)}={quote(value)}" for key, value in properties.items()]


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
