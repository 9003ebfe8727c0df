"""ALTER TABLE, DESCRIBE and SHOW of Iceberg tables: by their metadata files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from querysvc.errors import ErrorCode
from querysvc.service.ddl_context import DdlContext, StatementResult, error, text_columns
from querysvc.service.show_create import create_iceberg_lines, iceberg_transform
from querysvc.sql.ddl import statements as ddl
from querysvc.types.hive import from_hive
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import Column, Table
from querysvc_catalog.types import parse_type

if TYPE_CHECKING:
    from querysvc.iceberg.alter import ChangeTable, NewColumn, Updates
    from querysvc.iceberg.table import IcebergTable

_DELETED_AT_ONCE: Final = 1000
_DESCRIBED: Final = ("col_name", "data_type", "comment")
_RESERVED: Final = frozenset(
    {"table_type", "metadata_location", "previous_metadata_location", "format-version", "external"}
)


def alter(statement: Any, table: Table, context: DdlContext) -> StatementResult:
    """Run an ALTER TABLE statement; what cannot be done to Iceberg tables is refused by name."""
    change = _CHANGES.get(type(statement))
    if change is None or getattr(statement, "partition", None) is not None:
        what = type(statement).__name__
        raise error(
            ErrorCode.NOT_SUPPORTED,
            f"{_NAMES.get(what, what)} of the Iceberg table {table.full_name} is not supported",
        )
    commit(table, change(statement), context)
    return StatementResult()


def commit(table: Table, change: ChangeTable, context: DdlContext) -> None:
    """Change a table's metadata; the change is asked again when another commit came first."""
    context.iceberg().change_metadata(table.full_name, change, query_id=context.query_id)


def _add_columns(statement: ddl.AddColumns) -> ChangeTable:
    from querysvc.iceberg.alter import add_columns

    columns = [_column(column) for column in statement.columns]
    return lambda table: add_columns(table, columns, if_not_exists=statement.if_not_exists)


def _drop_column(statement: ddl.DropColumn) -> ChangeTable:
    from querysvc.iceberg.alter import drop_column

    return lambda table: drop_column(table, statement.column, if_exists=statement.if_exists)


def _change_column(statement: ddl.ChangeColumn) -> ChangeTable:
    from querysvc.iceberg.alter import Place, change_column

    new, place = _column(statement.new), Place(statement.is_first, statement.after)
    return lambda table: change_column(table, statement.old, new, place)


def _rename_column(statement: ddl.RenameColumn) -> ChangeTable:
    from querysvc.iceberg.alter import rename_column

    def change(table: IcebergTable) -> Updates:
        return rename_column(table, statement.old, statement.new, if_exists=statement.if_exists)

    return change


def _set_properties(statement: ddl.SetTableProperties) -> ChangeTable:
    from querysvc.iceberg.alter import set_properties
    from querysvc.iceberg.create import iceberg_properties

    _refuse_reserved(statement.properties)
    properties = iceberg_properties(statement.properties)
    return lambda _: set_properties(properties)


def _unset_properties(statement: ddl.UnsetTableProperties) -> ChangeTable:
    from querysvc.iceberg.alter import unset_properties
    from querysvc.iceberg.create import iceberg_properties

    _refuse_reserved(statement.keys)
    keys = tuple(iceberg_properties(dict.fromkeys(statement.keys, "parquet")))
    return lambda table: unset_properties(table, keys, if_exists=statement.if_exists)


def _refuse_reserved(keys: Any) -> None:
    for key in keys:
        if key.lower() in _RESERVED:
            message = f"The property '{key}' of an Iceberg table cannot be changed"
            raise error(ErrorCode.INVALID_TABLE_PROPERTY, message)


_CHANGES: Final[dict[type, Callable[[Any], ChangeTable]]] = {
    ddl.AddColumns: _add_columns,
    ddl.DropColumn: _drop_column,
    ddl.ChangeColumn: _change_column,
    ddl.RenameColumn: _rename_column,
    ddl.SetTableProperties: _set_properties,
    ddl.UnsetTableProperties: _unset_properties,
}
_NAMES: Final = {
    "ReplaceColumns": "ALTER TABLE REPLACE COLUMNS",
    "SetLocation": "ALTER TABLE SET LOCATION",
    "AddColumns": "ALTER TABLE PARTITION ADD COLUMNS",
    "AddPartitions": "ALTER TABLE ADD PARTITION",
    "DropPartitions": "ALTER TABLE DROP PARTITION",
    "RenamePartition": "ALTER TABLE RENAME PARTITION",
    "RepairTable": "MSCK REPAIR TABLE",
    "ShowPartitions": "SHOW PARTITIONS",
}


def _column(column: Column) -> NewColumn:
    from querysvc.iceberg.alter import NewColumn

    try:
        type_ = from_hive(parse_type(column.type or "string"))
    except CatalogError as found:
        raise error(ErrorCode.NOT_SUPPORTED, found.message) from found
    return NewColumn(column.name, type_, column.comment)


def properties(table: Table, context: DdlContext) -> dict[str, str]:
    """The properties of the entry and of the metadata."""
    return {**context.iceberg().tables.load(table).metadata.properties, **table.parameters}


def describe(table: Table, context: DdlContext) -> StatementResult:
    """DESCRIBE as Athena tells it: the schema, then the partition spec."""
    metadata = context.iceberg().tables.load(table).metadata
    rows: list[tuple[str | None, ...]] = [
        ("# Table schema:", "", ""),
        ("# col_name", *_DESCRIBED[1:]),
    ]
    rows += [(c.name, c.type or "", c.comment or "") for c in table.current_columns]
    rows += [("", "", ""), ("# Partition spec:", "", "")]
    rows.append(("# field_name", "field_transform", "column_name"))
    for field in metadata.spec().fields:
        source = metadata.schema().find_column_name(field.source_id) or ""
        rows.append((field.name, str(field.transform), source))
    return StatementResult(text_columns(*_DESCRIBED), tuple(rows))


def create_lines(table: Table, context: DdlContext) -> list[str]:
    """SHOW CREATE TABLE's lines."""
    metadata = context.iceberg().tables.load(table).metadata
    schema = metadata.schema()
    partitioning = [
        iceberg_transform(str(field.transform), schema.find_column_name(field.source_id) or "")
        for field in metadata.spec().fields
        if str(field.transform) != "void"
    ]
    return create_iceberg_lines(table, partitioning, metadata.properties)


def vacuum(statement: ddl.Vacuum, context: DdlContext) -> StatementResult:
    """VACUUM: expire snapshots, then remove what nothing needs any more."""
    from querysvc.iceberg.vacuum import expire, unneeded

    entry = context.table(statement.table)
    if not entry.is_iceberg or context.objects is None:
        raise error(ErrorCode.NOT_SUPPORTED, "VACUUM is supported for Iceberg tables only")
    committer, now = context.iceberg(), datetime.now(UTC)
    before = committer.tables.load(entry)
    # Also where nothing has expired: whoever may not change the table may not clear it either.
    context.catalog.update_table(entry, expected_version=entry.version_id)
    after = committer.change_metadata(
        entry.full_name,
        lambda table: expire(table, int(now.timestamp() * 1000)),
        query_id=context.query_id,
    )
    root = before.metadata.location.rstrip("/")
    folders = [f"{root}/data/", f"{root}/metadata/"]
    listed = context.objects.list_locations(folders, includes_hidden=True)
    gone = unneeded(before, after, [one for found in listed for one in found], now)
    for start in range(0, len(gone), _DELETED_AT_ONCE):
        context.objects.delete(gone[start : start + _DELETED_AT_ONCE])
    return StatementResult()
