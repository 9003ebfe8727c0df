"""The partitions that a table reference may need: registered, projected, or the whole table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import compress

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Session
from querysvc.plan import TableReference
from querysvc.planning.discovery import PartitionDiscovery, is_discovered, key_filters
from querysvc.planning.partition_predicates import PredicateEvaluator, surviving
from querysvc.planning.partition_values import literal_of, predicate_of
from querysvc.tree import LiteralValue
from querysvc.types.algebra import TrinoType
from querysvc_catalog.errors import CatalogError, EntityNotFoundError, ProjectionError
from querysvc_catalog.model import Partition, StorageDescriptor, Table
from querysvc_catalog.names import partition_path
from querysvc_catalog.paging import chunked
from querysvc_catalog.partition_values import PartitionKey, partition_keys
from querysvc_catalog.predicates import And, PartitionFilter
from querysvc_catalog.projection import projection_of
from querysvc_catalog.service import CatalogService


@dataclass(frozen=True, slots=True)
class SelectedPartition:
    """A surviving partition: its typed values, and where and how it is stored."""

    values: tuple[LiteralValue, ...]
    storage_descriptor: StorageDescriptor
    location: str


_CHECKED_EVERY = 1024
"""Partitions: so often is asked whether there is time for more."""


@dataclass(frozen=True, slots=True)
class PartitionSelection:
    """The surviving partitions of a reference, and of how many."""

    reference: TableReference
    partitions: tuple[SelectedPartition, ...]
    total: int
    """Of a projection, which need not be computed whole, those that survived."""
    survives_mostly: bool = True
    """Whether at least half of the partitions are left, as far as that is known."""
    warnings: tuple[str, ...] = ()


class PartitionSelector:
    """Finds partitions through the catalog, with the filters pushed into its store."""

    def __init__(
        self,
        catalog: CatalogService,
        evaluator: PredicateEvaluator | None = None,
        discovery: PartitionDiscovery | None = None,
    ) -> None:
        self._catalog = catalog
        self._evaluator = evaluator
        self._discovery = discovery

    def select(
        self,
        reference: TableReference,
        now: datetime,
        session: Session | None = None,
        go_on: Callable[[], None] = lambda: None,
    ) -> PartitionSelection:
        """The partitions that the reference's filters leave; raises QueryServiceErrors.

        `go_on` raises when there is no time for more.
        """
        table = reference.table
        _check_supported(table)
        try:
            if not table.partition_keys:
                return PartitionSelection(reference, (_whole(table),), 1)
            return self._filtered(self._partitioned(reference, now, go_on), session)
        except ProjectionError as error:
            code = ErrorCode.__members__.get(error.code, ErrorCode.INVALID_TABLE_PROPERTY)
            raise QueryServiceError(code, error.message) from error
        except EntityNotFoundError as error:
            raise QueryServiceError(ErrorCode.TABLE_NOT_FOUND, error.message) from error
        except CatalogError as error:
            raise QueryServiceError(ErrorCode.HIVE_METASTORE_ERROR, error.message) from error

    def locations(self, reference: TableReference) -> tuple[str, ...]:
        """All locations of the table, whether or not its partitions survive."""
        table = reference.table
        registered = (
            partition.location or _default_location(table, partition)
            for partition in self._catalog.iter_partitions(table.full_name)
        )
        own = (table.location,) if table.location else ()
        return tuple(dict.fromkeys((*own, *registered)))

    def _filtered(
        self, selection: PartitionSelection, session: Session | None
    ) -> PartitionSelection:
        """The selection without the partitions that its predicate over the keys excludes."""
        if self._evaluator is None or session is None:
            return selection
        values = [partition.values for partition in selection.partitions]
        kept = surviving(selection.reference, values, self._evaluator, session)
        if kept is None or all(kept):
            return selection
        left = tuple(compress(selection.partitions, kept))
        is_most = selection.survives_mostly and len(left) * 2 >= len(values)
        return replace(selection, partitions=left, survives_mostly=is_most)

    def _partitioned(
        self, reference: TableReference, now: datetime, go_on: Callable[[], None]
    ) -> PartitionSelection:
        table = reference.table
        keys = partition_keys(table.partition_keys)
        types = _key_types(reference)
        partition_filter = filter_of(reference, keys)
        projection = projection_of(table, now)
        found: Iterable[Partition]
        if projection is not None:
            found = projection.partitions(partition_filter)
        else:
            found = self._catalog.iter_partitions(table.full_name, partition_filter)
            if is_discovered(table) and self._discovery is not None:
                return self._discovered(reference, keys, list(found), self._discovery)
        selected = tuple(_selected(table, keys, types, _paced(found, go_on)))
        count = len(selected)
        if projection is not None or partition_filter is None:
            return PartitionSelection(reference, selected, count, partition_filter is None)
        total = max(count, self._catalog.count_partitions(table.full_name))
        return PartitionSelection(reference, selected, total, count * 2 >= total)

    def _discovered(
        self,
        reference: TableReference,
        keys: tuple[PartitionKey, ...],
        registered: list[Partition],
        discovery: PartitionDiscovery,
    ) -> PartitionSelection:
        """Registered partitions, and those that lie under the table's location beside them."""
        table = reference.table
        descriptor = table.storage_descriptor
        assert descriptor is not None, "the table was checked to have one"
        filters = key_filters(reference, keys)
        found, warnings = discovery.partitions(
            table,
            replace(descriptor, location=_location(table)),
            filters,
            [partition.values for partition in registered],
        )
        types = _key_types(reference)
        selected = tuple(_selected(table, keys, types, (*registered, *found)))
        return PartitionSelection(
            reference, selected, len(selected), not filters, warnings=warnings
        )


def _paced(found: Iterable[Partition], go_on: Callable[[], None]) -> Iterator[Partition]:
    for some in chunked(found, _CHECKED_EVERY):
        go_on()
        yield from some


def filter_of(reference: TableReference, keys: tuple[PartitionKey, ...]) -> PartitionFilter | None:
    """The domains of the partition keys as the catalog's filter; None admits everything."""
    indexes = [i for i, column in enumerate(reference.columns) if column.is_partition_key]
    predicates = [
        predicate
        for key_index, column_index in enumerate(indexes)
        if (domain := reference.domains.get(column_index)) is not None
        and (predicate := predicate_of(keys[key_index], key_index, domain)) is not None
    ]
    return PartitionFilter(keys, And(tuple(predicates))) if predicates else None


def _key_types(reference: TableReference) -> tuple[TrinoType, ...]:
    return tuple(column.type for column in reference.columns if column.is_partition_key)


def _selected(
    table: Table,
    keys: tuple[PartitionKey, ...],
    types: tuple[TrinoType, ...],
    found: Iterable[Partition],
) -> Iterator[SelectedPartition]:
    for partition in found:
        values = tuple(
            literal_of(key, type_, text)
            for key, type_, text in zip(keys, types, partition.values, strict=True)
        )
        location = partition.location or _default_location(table, partition)
        descriptor = partition.storage_descriptor or table.storage_descriptor
        assert descriptor is not None, "the table was checked to have one"
        yield SelectedPartition(values, replace(descriptor, location=location), location)


def _whole(table: Table) -> SelectedPartition:
    assert table.storage_descriptor is not None, "the table was checked to have one"
    return SelectedPartition((), table.storage_descriptor, _location(table))


def _location(table: Table) -> str:
    if not table.location:
        raise QueryServiceError(
            ErrorCode.HIVE_INVALID_METADATA, f"Table {table.full_name} has no location"
        )
    return table.location


def _default_location(table: Table, partition: Partition) -> str:
    names = [column.name for column in table.partition_keys]
    return f"{_location(table).rstrip('/')}/{partition_path(names, partition.values)}/"


def _check_supported(table: Table) -> None:
    if table.is_iceberg:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"Iceberg tables are not supported: {table.full_name}"
        )
    if table.parameters.get("transactional", "").strip().lower() == "true":
        # Its objects are Hive's deltas: rows would come twice, deleted ones too.
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"Hive ACID tables are not supported: {table.full_name}"
        )
    if table.storage_descriptor is None:
        raise QueryServiceError(
            ErrorCode.HIVE_INVALID_METADATA,
            f"Table {table.full_name} has no storage descriptor",
        )
