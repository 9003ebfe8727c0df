"""Hive-style partitions found by listing: `key=value/` folders under a table's location.

MSCK REPAIR TABLE registers what is found; a table with `partition_discovery` = `auto` needs no
registration. Each level of keys is listed with a delimiter, its folders at once, and only those
that a filter lets through are gone into. A registered partition always wins over a found one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from querysvc.plan import TableReference
from querysvc.planning.partition_values import predicate_of
from querysvc_catalog.model import Partition, PartitionValues, StorageDescriptor, Table
from querysvc_catalog.names import parse_partition_path
from querysvc_catalog.partition_values import PartitionKey
from querysvc_catalog.predicates import PartitionFilter

PROPERTY: Final = "partition_discovery"
_ENTRIES_MAX: Final = 10_000


class DirectoryLister(Protocol):
    """Lists what lies directly under s3:// prefixes, one level deep."""

    def directories(self, locations: Sequence[str]) -> list[list[str]]:
        """The names of each location's «directories» (common prefixes), without slashes."""
        ...


KeyFilters = Mapping[int, PartitionFilter]
"""What the values of a key must satisfy, by the key's index; the filter's own key is its first."""


@dataclass(frozen=True, slots=True)
class FoundPartitions:
    """Partitions by their values and locations, and the folders that are none."""

    partitions: tuple[tuple[PartitionValues, str], ...]
    others: tuple[str, ...] = ()


def is_discovered(table: Table) -> bool:
    """Whether the table's partitions are found by listing."""
    return table.parameters.get(PROPERTY, "").lower() == "auto"


def find_partitions(
    location: str,
    keys: Sequence[str],
    lister: DirectoryLister,
    filters: KeyFilters | None = None,
) -> FoundPartitions:
    """Go down from a table's location, one level for each key."""
    level: list[tuple[PartitionValues, str]] = [((), location.rstrip("/"))]
    others: list[str] = []
    for index, key in enumerate(keys):
        following: list[tuple[PartitionValues, str]] = []
        wanted = (filters or {}).get(index)
        names = lister.directories([f"{path}/" for _, path in level]) if level else []
        for (values, path), directories in zip(level, names, strict=True):
            for directory in directories:
                pairs = parse_partition_path(directory)
                if pairs is None or pairs[0][0] != key:
                    others.append(f"{path}/{directory}")
                elif wanted is None or wanted.matches((pairs[0][1],)):
                    following.append(((*values, pairs[0][1]), f"{path}/{directory}"))
        level = following
    return FoundPartitions(tuple(level), tuple(others))


def key_filters(reference: TableReference, keys: Sequence[PartitionKey]) -> KeyFilters:
    """What the reference's domains say of single keys."""
    columns = [i for i, column in enumerate(reference.columns) if column.is_partition_key]
    filters = {}
    for index, (key, column) in enumerate(zip(keys, columns, strict=True)):
        domain = reference.domains.get(column)
        predicate = None if domain is None else predicate_of(key, 0, domain)
        if predicate is not None:
            filters[index] = PartitionFilter((key,), predicate)
    return filters


class RecentDirectories:
    """A lister that answers again from a listing that is not older than its validity."""

    def __init__(
        self, lister: DirectoryLister, seconds: Callable[[], float], *, validity_seconds: float
    ) -> None:
        self._lister = lister
        self._seconds = seconds
        self.validity_seconds = validity_seconds
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()

    def listed(self, locations: Sequence[str]) -> tuple[list[list[str]], float]:
        """The directories, and how old the oldest of the answers is, in seconds."""
        now = self._seconds()
        with self._lock:
            known = {one: self._known[one] for one in locations if self._is_valid(one, now)}
        missing = [one for one in dict.fromkeys(locations) if one not in known]
        if missing:
            for one, names in zip(missing, self._lister.directories(missing), strict=True):
                known[one] = (now, names)
            self._keep({one: known[one] for one in missing})
        oldest = min((listed_at for listed_at, _ in known.values()), default=now)
        return [known[one][1] for one in locations], now - oldest

    def _is_valid(self, location: str, now: float) -> bool:
        found = self._known.get(location)
        return found is not None and now - found[0] < self.validity_seconds

    def _keep(self, listed: Mapping[str, tuple[float, list[str]]]) -> None:
        with self._lock:
            for location, entry in listed.items():
                self._known[location] = entry
                self._known.move_to_end(location)
            while len(self._known) > _ENTRIES_MAX:
                self._known.popitem(last=False)


class PartitionDiscovery:
    """Finds the partitions of tables that want it, from recent listings."""

    def __init__(self, recent: RecentDirectories) -> None:
        self._recent = recent

    def partitions(
        self,
        table: Table,
        descriptor: StorageDescriptor,
        filters: KeyFilters,
        registered: Iterable[PartitionValues],
    ) -> tuple[list[Partition], tuple[str, ...]]:
        """The partitions that are not registered, and what is to be said of the listing's age."""
        aged = _Aged(self._recent)
        keys = [key.name for key in table.partition_keys]
        found = find_partitions(descriptor.location or "", keys, aged, filters)
        known = set(registered)
        partitions = [
            Partition(values, replace(descriptor, location=f"{location}/"))
            for values, location in found.partitions
            if values not in known
        ]
        if not aged.seconds:
            return partitions, ()
        return partitions, (
            (
                f"partitions of {table.full_name} are as listed {aged.seconds:.1f} s ago"
                f" ({PROPERTY} = auto; a listing is valid for {self._recent.validity_seconds:g} s)"
            ),
        )


class _Aged:
    """A lister that remembers how old its oldest answer was."""

    def __init__(self, recent: RecentDirectories) -> None:
        self._recent = recent
        self.seconds = 0.0

    def directories(self, locations: Sequence[str]) -> list[list[str]]:
        names, age = self._recent.listed(locations)
        self.seconds = max(self.seconds, age)
        return names
