"""Values as the catalog stores them: names checked and in lower case, as Glue writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from querysvc_catalog.errors import EntityKind, InvalidInputError
from querysvc_catalog.model import (
    Column,
    Database,
    DatabaseName,
    Partition,
    StorageDescriptor,
    Table,
    TableName,
    UserDefinedFunction,
)
from querysvc_catalog.names import normalize_name


def catalog_name(name: str) -> str:
    """Normalise the name of a data catalog, which is compared without regard to case."""
    return normalize_name(EntityKind.DATA_CATALOG, name)


def database_name(name: DatabaseName) -> DatabaseName:
    """Normalise the full name of a database."""
    return DatabaseName(
        catalog_name(name.catalog_name), normalize_name(EntityKind.DATABASE, name.name)
    )


def table_name(name: TableName) -> TableName:
    """Normalise the full name of a table."""
    database = database_name(name.database)
    return TableName(
        database.catalog_name, database.name, normalize_name(EntityKind.TABLE, name.name)
    )


def database(value: Database) -> Database:
    """Normalise a database."""
    name = database_name(value.full_name)
    return replace(
        value, name=name.name, catalog_name=name.catalog_name, parameters=dict(value.parameters)
    )


def table(value: Table) -> Table:
    """Normalise a table: its names, its columns' and its partition keys'."""
    name = table_name(value.full_name)
    partition_keys = columns(value.partition_keys)
    names = [key.name for key in partition_keys]
    if len(set(names)) != len(names):
        raise InvalidInputError(f"table {name} names a partition key twice")
    return replace(
        value,
        name=name.name,
        database_name=name.database_name,
        catalog_name=name.catalog_name,
        storage_descriptor=_descriptor(value.storage_descriptor),
        partition_keys=partition_keys,
        parameters=dict(value.parameters),
    )


def partitions(values: Sequence[Partition], creation_time: datetime | None) -> list[Partition]:
    """Normalise partitions, which mostly share one tuple of columns."""
    last: tuple[Column, ...] = ()
    normalized = last
    found: list[Partition] = []
    for value in values:
        descriptor = value.storage_descriptor
        if descriptor is not None:
            if descriptor.columns is not last:
                last, normalized = descriptor.columns, columns(descriptor.columns)
            if normalized is not last:
                descriptor = replace(descriptor, columns=normalized)
        found.append(
            Partition(
                values=tuple(value.values),
                storage_descriptor=descriptor,
                parameters=dict(value.parameters),
                creation_time=creation_time,
                last_access_time=value.last_access_time,
                last_analyzed_time=value.last_analyzed_time,
            )
        )
    return found


def function(value: UserDefinedFunction) -> UserDefinedFunction:
    """Normalise a function's names."""
    name = database_name(DatabaseName(value.catalog_name, value.database_name))
    return replace(
        value,
        function_name=function_name(value.function_name),
        database_name=name.name,
        catalog_name=name.catalog_name,
    )


def function_name(name: str) -> str:
    """Normalise the name of a function."""
    return normalize_name(EntityKind.USER_DEFINED_FUNCTION, name)


def columns(values: Sequence[Column]) -> tuple[Column, ...]:
    """Normalise the names of columns, keeping a tuple that needs no change."""
    normalized = tuple(
        value if (name := column_name(value.name)) == value.name else replace(value, name=name)
        for value in values
    )
    return values if isinstance(values, tuple) and values == normalized else normalized


def column_name(name: str) -> str:
    """Normalise the name of a column."""
    return normalize_name(EntityKind.COLUMN, name)


def _descriptor(value: StorageDescriptor | None) -> StorageDescriptor | None:
    if value is None:
        return None
    normalized = columns(value.columns)
    return value if normalized is value.columns else replace(value, columns=normalized)
