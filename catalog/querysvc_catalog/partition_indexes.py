"""Glue's partition indexes: kept with their table and told back; every key is searched alike.

Glue needs them to find partitions by a few of the keys; our store finds them by any.
So an index is ACTIVE at once, and only its definition is kept. Limits: Glue's three a table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from querysvc_catalog.errors import (
    AlreadyExistsError,
    ConcurrentModificationError,
    EntityKind,
    EntityNotFoundError,
    InvalidInputError,
    ResourceNumberLimitExceededError,
)
from querysvc_catalog.model import PartitionIndex, Table, TableName
from querysvc_catalog.service import CatalogService

INDEXES_MAX: Final = 3
_TRIES: Final = 10


def create(catalog: CatalogService, table: TableName, index: PartitionIndex) -> None:
    """Add an index to a table; AlreadyExists, InvalidInput, EntityNotFound, ResourceNumberLimit."""
    _change(catalog, table, lambda found: with_index(found, index))


def delete(catalog: CatalogService, table: TableName, name: str) -> None:
    """Remove an index of a table; EntityNotFound of the table or the index."""
    _change(catalog, table, lambda found: _without_index(found, name.lower()))


def with_index(table: Table, index: PartitionIndex) -> Table:
    """A table with one more index."""
    keys = tuple(key.lower() for key in index.keys)
    wanted = PartitionIndex(index.name.lower(), keys)
    known = {key.name.lower() for key in table.partition_keys}
    if not keys or len(set(keys)) != len(keys):
        raise InvalidInputError(f"Partition index {wanted.name} must name each of its keys once.")
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise InvalidInputError(
            f"Partition index {wanted.name} names {', '.join(unknown)}, which"
            f" table {table.full_name} does not have as a partition key."
        )
    for other in table.partition_indexes:
        if other.name == wanted.name or other.keys == keys:
            raise AlreadyExistsError(EntityKind.PARTITION_INDEX, other.name)
    if len(table.partition_indexes) >= INDEXES_MAX:
        raise ResourceNumberLimitExceededError(EntityKind.PARTITION_INDEX, wanted.name)
    return replace(table, partition_indexes=(*table.partition_indexes, wanted))


def _without_index(table: Table, name: str) -> Table:
    left = tuple(index for index in table.partition_indexes if index.name != name)
    if len(left) == len(table.partition_indexes):
        raise EntityNotFoundError(EntityKind.PARTITION_INDEX, name)
    return replace(table, partition_indexes=left)


def _change(catalog: CatalogService, name: TableName, change: Callable[[Table], Table]) -> None:
    """Compare-and-swap, again when another writer was first."""
    for attempt in range(_TRIES):
        table = catalog.get_table(name)
        try:
            catalog.update_table(
                change(table), expected_version=table.version_id, skip_archive=True
            )
        except ConcurrentModificationError:
            if attempt == _TRIES - 1:
                raise
        else:
            return
