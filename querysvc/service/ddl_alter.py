"""ALTER TABLE and ALTER DATABASE: changes of catalog entries; no object is touched.

A table is replaced only if it is still the version that was read: of two changes at once one fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.service.ddl_context import DdlContext, StatementResult, error
from querysvc.service.ddl_partitions import find_partition, path_of, spec_values
from querysvc.service.iceberg_tables import rename_iceberg_table
from querysvc.sql.ddl import statements as ddl
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import Column, Partition, StorageDescriptor, Table
from querysvc_catalog.serdes import StorageFormat, resolve_format

_BY_NAME: Final = frozenset(
    {
        StorageFormat.PARQUET,
        StorageFormat.AVRO,
        StorageFormat.OPENX_JSON,
        StorageFormat.JSON,
        StorageFormat.CLOUDTRAIL,
    }
)
"""In other formats columns may be found by their place: dropping one would shift those after it."""


def set_database_properties(
    statement: ddl.SetDatabaseProperties, context: DdlContext
) -> StatementResult:
    """ALTER DATABASE SET DBPROPERTIES."""
    database = context.catalog.get_database(context.database(statement.database))
    parameters = {**database.parameters, **statement.properties}
    context.catalog.update_database(replace(database, parameters=parameters))
    return StatementResult()


def add_columns(statement: ddl.AddColumns, context: DdlContext) -> StatementResult:
    """ALTER TABLE [PARTITION] ADD COLUMNS: after the data columns, before the partition keys."""
    table = context.table(statement.table)
    partition, columns = _columns_of(table, statement.partition, context)
    known = {column.name for column in columns}
    added = [c for c in statement.columns if not (statement.if_not_exists and c.name in known)]
    _put_columns(table, partition, (*columns, *added), context)
    return StatementResult()


def replace_columns(statement: ddl.ReplaceColumns, context: DdlContext) -> StatementResult:
    """ALTER TABLE [PARTITION] REPLACE COLUMNS: the data columns are these from now on."""
    table = context.table(statement.table)
    partition, _ = _columns_of(table, statement.partition, context)
    _put_columns(table, partition, statement.columns, context)
    return StatementResult()


def change_column(statement: ddl.ChangeColumn, context: DdlContext) -> StatementResult:
    """ALTER TABLE CHANGE COLUMN: name, type, comment and place of a data column."""
    table = context.table(statement.table)
    columns = list(table.columns)
    index = _index_of(table, statement.old)
    changed = statement.new
    if changed.comment is None:
        changed = replace(changed, comment=columns[index].comment)
    if not (statement.is_first or statement.after):
        columns[index] = changed
    else:
        del columns[index]
        place = 0
        if statement.after is not None:
            names = [column.name for column in columns]
            if statement.after not in names:
                raise _missing_column(table, statement.after)
            place = names.index(statement.after) + 1
        columns.insert(place, changed)
    _put_columns(table, None, columns, context)
    return StatementResult()


def drop_column(statement: ddl.DropColumn, context: DdlContext) -> StatementResult:
    """ALTER TABLE DROP COLUMN: refused where the columns after it would be read from its place."""
    table = context.table(statement.table)
    columns = list(table.columns)
    if statement.if_exists and statement.column not in {c.name for c in columns}:
        return StatementResult()
    index = _index_of(table, statement.column)
    if len(columns) == 1:
        raise error(ErrorCode.NOT_SUPPORTED, "Cannot drop the only non-partition column in a table")
    if index < len(columns) - 1 and _is_by_position(table):
        raise error(
            ErrorCode.NOT_SUPPORTED,
            f"DROP COLUMN of a column that is not the last is not supported for {table.full_name}:"
            " its files may have columns by position, and those after it would be read wrongly",
        )
    del columns[index]
    _put_columns(table, None, columns, context)
    return StatementResult()


def rename_column(statement: ddl.RenameColumn, context: DdlContext) -> StatementResult:
    """ALTER TABLE RENAME COLUMN: the catalog's name; files keep theirs."""
    table = context.table(statement.table)
    columns = list(table.columns)
    if statement.if_exists and statement.old not in {c.name for c in columns}:
        return StatementResult()
    index = _index_of(table, statement.old)
    columns[index] = replace(columns[index], name=statement.new)
    _put_columns(table, None, columns, context)
    return StatementResult()


def rename_table(statement: ddl.RenameTable, context: DdlContext) -> StatementResult:
    """ALTER TABLE RENAME TO: of Iceberg tables alone, for Glue cannot rename a table."""
    table = context.table(statement.table)
    if table.is_iceberg:
        return rename_iceberg_table(table, statement.new, context)
    raise error(ErrorCode.NOT_SUPPORTED, "Table rename is not yet supported by Glue service")


def rename_partition(statement: ddl.RenamePartition, context: DdlContext) -> StatementResult:
    """ALTER TABLE PARTITION RENAME TO PARTITION: other values, the same location."""
    table = context.table(statement.table)
    partition = find_partition(table, statement.old, context)
    values = spec_values(table, statement.new)
    if values != partition.values and context.catalog.get_partitions(table.full_name, [values]):
        raise error(ErrorCode.ALREADY_EXISTS, f"Partition already exists: {path_of(table, values)}")
    renamed = replace(partition, values=values)
    context.catalog.update_partition(table.full_name, partition.values, renamed)
    return StatementResult()


def set_location(statement: ddl.SetLocation, context: DdlContext) -> StatementResult:
    """ALTER TABLE [PARTITION] SET LOCATION."""
    table = context.table(statement.table)
    if not statement.location.lower().startswith(("s3://", "s3a://", "s3n://")):
        raise error(
            ErrorCode.INVALID_TABLE_PROPERTY,
            f"LOCATION '{statement.location}' is not in S3: it must begin with s3://",
        )
    if statement.partition is None:
        descriptor = replace(_descriptor(table), location=statement.location)
        _put_table(replace(table, storage_descriptor=descriptor), context)
        return StatementResult()
    partition = find_partition(table, statement.partition, context)
    descriptor = replace(
        partition.storage_descriptor or _descriptor(table), location=statement.location
    )
    moved = replace(partition, storage_descriptor=descriptor)
    context.catalog.update_partition(table.full_name, partition.values, moved)
    return StatementResult()


def set_table_properties(statement: ddl.SetTableProperties, context: DdlContext) -> StatementResult:
    """ALTER TABLE SET TBLPROPERTIES: adds them, or gives them other values."""
    table = context.table(statement.table)
    properties = dict(statement.properties)
    # Hive keeps a table's comment among its properties, Glue beside them.
    comment = properties.pop("comment", table.description)
    parameters = {**table.parameters, **properties}
    _put_table(replace(table, parameters=parameters, description=comment), context)
    return StatementResult()


def unset_table_properties(
    statement: ddl.UnsetTableProperties, context: DdlContext
) -> StatementResult:
    """ALTER TABLE UNSET TBLPROPERTIES."""
    table = context.table(statement.table)
    missing = [key for key in statement.keys if key not in table.parameters]
    if missing and not statement.if_exists:
        raise error(
            ErrorCode.INVALID_TABLE_PROPERTY,
            f"Table {table.full_name} has no property '{missing[0]}'",
        )
    parameters = {k: v for k, v in table.parameters.items() if k not in statement.keys}
    _put_table(replace(table, parameters=parameters), context)
    return StatementResult()


def _descriptor(table: Table) -> StorageDescriptor:
    if table.storage_descriptor is None:
        raise StatementError(
            ErrorCode.HIVE_INVALID_METADATA, f"Table {table.full_name} has no storage descriptor"
        )
    return table.storage_descriptor


def _columns_of(
    table: Table, spec: ddl.PartitionSpec | None, context: DdlContext
) -> tuple[Partition | None, tuple[Column, ...]]:
    """The columns of the table, or of one of its partitions."""
    if spec is None:
        return None, table.columns
    partition = find_partition(table, spec, context)
    own = partition.storage_descriptor
    return partition, own.columns if own is not None else table.columns


def _put_columns(
    table: Table, partition: Partition | None, columns: Sequence[Column], context: DdlContext
) -> None:
    """Store the columns of the table or of the partition, if their names are all different."""
    seen: set[str] = set()
    for column in (*columns, *table.partition_keys):
        if column.name in seen:
            message = f"Column '{column.name}' already exists in {table.full_name}"
            raise error(ErrorCode.COLUMN_ALREADY_EXISTS, message)
        seen.add(column.name)
    if partition is None:
        descriptor = replace(_descriptor(table), columns=tuple(columns))
        _put_table(replace(table, storage_descriptor=descriptor), context)
        return
    own = partition.storage_descriptor or _descriptor(table)
    changed = replace(partition, storage_descriptor=replace(own, columns=tuple(columns)))
    context.catalog.update_partition(table.full_name, partition.values, changed)


def _put_table(table: Table, context: DdlContext) -> None:
    context.catalog.update_table(table, expected_version=table.version_id)


def _index_of(table: Table, name: str) -> int:
    for index, column in enumerate(table.columns):
        if column.name == name:
            return index
    if name in {key.name for key in table.partition_keys}:
        message = f"Column '{name}' of {table.full_name} is a partition key and cannot be changed"
        raise error(ErrorCode.NOT_SUPPORTED, message)
    raise _missing_column(table, name)


def _missing_column(table: Table, name: str) -> StatementError:
    message = f"Column '{name}' does not exist in {table.full_name}"
    return error(ErrorCode.COLUMN_NOT_FOUND, message)


def _is_by_position(table: Table) -> bool:
    try:
        return resolve_format(_descriptor(table)).storage_format not in _BY_NAME
    except CatalogError:
        return True
