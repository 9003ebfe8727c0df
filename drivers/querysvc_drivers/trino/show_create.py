"""SHOW CREATE TABLE, VIEW and SCHEMA as Trino's Hive connector prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.ddl.trino_table import LINE_COUNTS, SERDE_PROPERTIES
from querysvc.sql.metadata import TableInfo, ViewInfo
from querysvc.types.algebra import delimited_where_needed
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import StorageDescriptor, Table
from querysvc_catalog.serdes import StorageFormat, resolve_format

Name = tuple[str, str, str]


def create_view_text(name: Name, view: ViewInfo) -> str:
    """The CREATE VIEW statement of a view."""
    security = "INVOKER" if view.runs_as_invoker else "DEFINER"
    head = f"CREATE VIEW {_dotted(name)}{_commented(view.comment)} SECURITY {security} AS"
    return f"{head}\n{view.sql.rstrip()}"


def create_schema_text(catalog: str, schema: str) -> str:
    """The CREATE SCHEMA statement of a schema; its location is not told."""
    return f"CREATE SCHEMA {delimited_where_needed(catalog)}.{delimited_where_needed(schema)}"


def create_table_text(name: Name, info: TableInfo) -> str:
    """The CREATE TABLE statement of a table of files."""
    table = info.table
    comments = {c.name: c.comment for c in (*table.columns, *table.partition_keys)}
    columns = [
        f"   {delimited_where_needed(column.name)} {column.type.wire_name}"
        f"{_commented(comments.get(column.name))}"
        for column in info.columns
        if not column.is_hidden
    ]
    lines = [f"CREATE TABLE {_dotted(name)} (", ",\n".join(columns), ")"]
    if table.description is not None:
        lines.append(_commented(table.description).strip())
    told = sorted(_properties(table).items())
    properties = ",\n".join(f"   {key} = {text}" for key, text in told)
    return "\n".join([*lines, "WITH (", properties, ")"])


def _properties(table: Table) -> dict[str, str]:
    descriptor = table.storage_descriptor or StorageDescriptor()
    serde = descriptor.serde_info
    given: Mapping[str, str] = {**(serde.parameters if serde else {}), **table.parameters}
    found = {"format": _literal(_format(table, descriptor))}
    if descriptor.location:
        found["external_location"] = _literal(descriptor.location)
    if table.partition_keys:
        found["partitioned_by"] = _array(key.name for key in table.partition_keys)
    if descriptor.bucket_columns:
        found["bucketed_by"] = _array(descriptor.bucket_columns)
        found["bucket_count"] = str(descriptor.number_of_buckets)
    for name, parameter in SERDE_PROPERTIES.items():
        if parameter in given:
            found[name] = _literal(given[parameter])
    for name, parameter in LINE_COUNTS.items():
        if given.get(parameter, "").isdecimal():
            found[name] = given[parameter]
    return found


def _format(table: Table, descriptor: StorageDescriptor) -> str:
    try:
        found = resolve_format(descriptor).storage_format
    except CatalogError as error:
        raise StatementError(
            ErrorCode.HIVE_UNSUPPORTED_FORMAT, f"{table.full_name}: {error.message}"
        ) from error
    return "JSON" if found is StorageFormat.CLOUDTRAIL else found.value


def _commented(comment: str | None) -> str:
    return "" if comment is None else f" COMMENT {_literal(comment)}"


def _dotted(name: Name) -> str:
    return ".".join(map(delimited_where_needed, name))


def _array(names: Iterable[str]) -> str:
    return f"ARRAY[{','.join(_literal(name) for name in names)}]"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
