"""Partitions: add, drop, and register what lies under a table's location."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.planning.discovery import FoundPartitions, find_partitions, is_discovered
from querysvc.service.ddl_context import (
    DdlContext,
    StatementResult,
    error,
    one_column,
    text_columns,
)
from querysvc.sql.ddl import statements as ddl
from querysvc_catalog.model import Partition, PartitionValues, Table
from querysvc_catalog.names import partition_path

_BATCH: Final = 1000


def add_partitions(statement: ddl.AddPartitions, context: DdlContext) -> StatementResult:
    """ALTER TABLE ADD PARTITION."""
    table = context.table(statement.table)
    partitions = [
        _partition(table, spec_values(table, spec), spec.location) for spec in statement.partitions
    ]
    if not statement.if_not_exists:
        for partition in partitions:  # all or none: find the first that exists before adding
            if context.catalog.get_partitions(table.full_name, [partition.values]):
                raise StatementError(
                    ErrorCode.ALREADY_EXISTS,
                    f"Partition already exists: {path_of(table, partition.values)}",
                )
    _create(table, partitions, context)
    return StatementResult()


def drop_partitions(statement: ddl.DropPartitions, context: DdlContext) -> StatementResult:
    """ALTER TABLE DROP PARTITION: the catalog's entries; the objects stay."""
    table = context.table(statement.table)
    values = [spec_values(table, spec) for spec in statement.partitions]
    found = {p.values for p in context.catalog.get_partitions(table.full_name, values)}
    missing = [v for v in values if v not in found]
    if missing and not statement.if_exists:
        raise StatementError(
            ErrorCode.NOT_FOUND, f"Partition not found: {path_of(table, missing[0])}"
        )
    context.catalog.delete_partitions(table.full_name, [v for v in values if v in found])
    return StatementResult()


def repair_table(statement: ddl.RepairTable, context: DdlContext) -> StatementResult:
    """MSCK REPAIR TABLE: registers what lies under the location and is not registered."""
    table = context.table(statement.table)
    require_partitioned(table)
    known = set(context.catalog.iter_partition_values(table.full_name))
    found = _found(table, context)
    new = [one for one in found.partitions if one[0] not in known]
    _create(table, [_partition(table, values, location) for values, location in new], context)
    return StatementResult(
        text_columns("result"), _repair_report(table, [v for v, _ in new], found.others)
    )


def show_partitions(statement: ddl.ShowPartitions, context: DdlContext) -> StatementResult:
    """SHOW PARTITIONS: `key=value/…`, by name, and those that are found by their folders."""
    table = context.table(statement.table)
    require_partitioned(table)
    values = set(context.catalog.iter_partition_values(table.full_name))
    if is_discovered(table):
        values.update(found for found, _ in _found(table, context).partitions)
    return one_column("partition", sorted(path_of(table, v) for v in values))


def require_partitioned(table: Table) -> None:
    """An error when the table has no partition keys."""
    if not table.partition_keys:
        raise StatementError(
            ErrorCode.GENERIC_USER_ERROR, f"Table {table.name} is not a partitioned table"
        )


def path_of(table: Table, values: PartitionValues) -> str:
    """The partition's name: `key=value/…`."""
    return partition_path([key.name for key in table.partition_keys], values)


def spec_values(table: Table, spec: ddl.PartitionSpec) -> PartitionValues:
    """The spec's values in the order of the table's keys; each key once, none missing."""
    given = dict(spec.values)
    keys = [key.name for key in table.partition_keys]
    if len(given) != len(spec.values) or set(given) != set(keys):
        raise StatementError(
            ErrorCode.INVALID_ARGUMENTS,
            f"the partition specification names ({', '.join(k for k, _ in spec.values)}); the"
            f" partition keys of {table.name} are ({', '.join(keys)})",
        )
    return tuple(given[key] for key in keys)


def find_partition(table: Table, spec: ddl.PartitionSpec, context: DdlContext) -> Partition:
    """The registered partition; NOT_FOUND when there is none."""
    values = spec_values(table, spec)
    found = context.catalog.get_partitions(table.full_name, [values])
    if not found:
        raise error(ErrorCode.NOT_FOUND, f"Partition not found: {path_of(table, values)}")
    return found[0]


def location_of(table: Table) -> str:
    """The table's location; HIVE_INVALID_METADATA when it has none."""
    if not table.location:
        raise StatementError(ErrorCode.HIVE_INVALID_METADATA, f"Table {table.name} has no location")
    return table.location


def _found(table: Table, context: DdlContext) -> FoundPartitions:
    keys = [key.name for key in table.partition_keys]
    return find_partitions(location_of(table), keys, context.lister)


def _create(table: Table, partitions: list[Partition], context: DdlContext) -> None:
    for start in range(0, len(partitions), _BATCH):
        # One that another writer registered meanwhile is as wanted as ours.
        context.catalog.create_partitions(table.full_name, partitions[start : start + _BATCH])


def _partition(table: Table, values: PartitionValues, location: str | None) -> Partition:
    """A partition with the table's storage descriptor at its own location."""
    place = location or f"{location_of(table).rstrip('/')}/{path_of(table, values)}"
    descriptor = table.storage_descriptor
    assert descriptor is not None, "a table without a location was refused above"
    return Partition(values=values, storage_descriptor=replace(descriptor, location=place))


def _repair_report(
    table: Table, added: list[PartitionValues], strange: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Hive's report: what was not in the metastore, what was added, what is no partition."""
    paths = [f"{table.name}:{path_of(table, values)}" for values in added]
    lines = []
    if paths:
        lines.append("Partitions not in metastore:\t" + "\t".join(paths))
    lines += [f"Repair: Added partition to metastore {path}" for path in paths]
    lines += [f"Not a partition of {table.name}, left alone: {path}" for path in strange]
    return tuple((line,) for line in lines)
