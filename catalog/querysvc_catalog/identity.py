"""What all stores share: the identity of partitions, and the errors they raise alike."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace
from typing import Final

import orjson

from querysvc_catalog.errors import (
    AlreadyExistsError,
    EntityKind,
    EntityNotFoundError,
    InvalidInputError,
    ResourceNumberLimitExceededError,
)
from querysvc_catalog.model import (
    DatabaseName,
    PartitionValues,
    Table,
    TableName,
    UserDefinedFunction,
)
from querysvc_catalog.names import partition_path

_IDENTITY_LENGTH_MAX: Final = 400
_IDENTITY_PREFIX_LENGTH: Final = 300


def partition_identity(values: PartitionValues) -> str:
    """Give the text that identifies a partition within its table and orders the listing.

    It is the values as JSON. A long one is cut and closed with a digest, because PostgreSQL cannot
    index texts above 2,700 bytes; it then ends in a digit of that, not in `]`, so no two clash.
    """
    text = values_text(values)
    if len(text) <= _IDENTITY_LENGTH_MAX:
        return text
    return text[:_IDENTITY_PREFIX_LENGTH] + hashlib.sha256(text.encode()).hexdigest()


def values_text(values: PartitionValues) -> str:
    """Print partition values as canonical JSON."""
    try:
        return orjson.dumps(values).decode()
    except (TypeError, orjson.JSONEncodeError) as error:
        raise InvalidInputError(f"a partition value is not valid text: {error}") from error


def values_of(text: str) -> PartitionValues:
    """Read what `values_text` printed."""
    return tuple(orjson.loads(text))


def segment_hash(identity: str) -> int:
    """Give the number by which partitions are dealt to segments."""
    return zlib.crc32(identity.encode()) & 0x7FFF_FFFF


def partition_name(table: Table, values: PartitionValues) -> str:
    """Name a partition in messages."""
    keys = [key.name for key in table.partition_keys]
    named = partition_path(keys, values) if len(keys) == len(values) else str(list(values))
    return f"{table.full_name}/{named}"


def check_limit(kind: EntityKind, name: str, count: int, maximum: int) -> None:
    """Refuse a count above its limit."""
    if count > maximum:
        raise ResourceNumberLimitExceededError(
            kind, name, f"{kind} {name} cannot be created: the limit of {maximum} is reached."
        )


def partition_not_found(table: Table, values: PartitionValues) -> EntityNotFoundError:
    """Make the error for a partition that does not exist."""
    return EntityNotFoundError(EntityKind.PARTITION, partition_name(table, values))


def partition_exists(table: Table, values: PartitionValues) -> AlreadyExistsError:
    """Make the error for a partition that exists already."""
    return AlreadyExistsError(EntityKind.PARTITION, partition_name(table, values))


def check_keys_count(previous: Table, table: Table, partitions_count: int) -> None:
    """Refuse another number of partition keys while partitions exist."""
    if partitions_count and len(previous.partition_keys) != len(table.partition_keys):
        raise InvalidInputError(
            f"the partition keys of {table.full_name} cannot be added to or removed: "
            f"it has {partitions_count} partitions"
        )


def next_version(previous: Table, table: Table) -> Table:
    """Give what an update stores: the next version, with what only the creation sets."""
    return replace(
        table,
        version_id=previous.version_id + 1,
        create_time=previous.create_time,
        created_by=previous.created_by,
    )


def version_not_found(name: TableName, version_id: int) -> EntityNotFoundError:
    """Make the error for a table version that does not exist."""
    return EntityNotFoundError(EntityKind.TABLE_VERSION, f"{version_id} of {name}")


def version_is_current(name: TableName, version_id: int) -> InvalidInputError:
    """Make the error for the deletion of a table's current version."""
    return InvalidInputError(f"version {version_id} of {name} is the current one; drop the table")


def statistics_not_found(name: TableName, column: str) -> EntityNotFoundError:
    """Make the error for column statistics that do not exist."""
    return EntityNotFoundError(EntityKind.COLUMN_STATISTICS, f"of column {column} of {name}")


def function_database(function: UserDefinedFunction) -> DatabaseName:
    """Give the name of the database that holds a function."""
    return DatabaseName(function.catalog_name, function.database_name)


def function_not_found(database: DatabaseName, name: str) -> EntityNotFoundError:
    """Make the error for a function that does not exist."""
    return EntityNotFoundError(EntityKind.USER_DEFINED_FUNCTION, f"{database}.{name}")


def function_exists(function: UserDefinedFunction) -> AlreadyExistsError:
    """Make the error for a function that exists already."""
    name = f"{function.database_name}.{function.function_name}"
    return AlreadyExistsError(EntityKind.USER_DEFINED_FUNCTION, name)
