"""Listing the objects of many partitions: one by one, or the table's prefix in one pass.

Either way a partition has exactly the objects under its own location, as `is_hidden` sees them
from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from querysvc.plan import StoredObject
from querysvc.planning.partitions import PartitionSelection
from querysvc.storage.locations import Location, is_hidden, parse_location
from querysvc_catalog.paging import chunked

ONE_PASS_LOCATIONS_MIN = 16
_LISTED_AT_ONCE = 4096
"""With fewer locations, listing each of them costs no more requests than one pass may."""


class Lister(Protocol):
    """Lists objects (storage.client.StorageClient)."""

    def list_locations(
        self, locations: Sequence[str], *, includes_hidden: bool = False
    ) -> list[list[StoredObject]]:
        """The objects under each location, concurrently."""
        ...


def list_selections(
    lister: Lister,
    selections: Sequence[PartitionSelection],
    go_on: Callable[[], None] = lambda: None,
) -> dict[Location, tuple[StoredObject, ...]]:
    """The objects of every location of the selections, each location listed once.

    `go_on` raises when there is no time for more.
    """
    listed: dict[Location, tuple[StoredObject, ...]] = {}
    singly: dict[Location, None] = {}
    passes: dict[Location, set[Location]] = {}
    for selection in selections:
        base, locations = _one_pass(selection)
        if base is not None:
            passes.setdefault(base, set()).update(locations)
        else:
            singly.update(dict.fromkeys(locations))
    wanted = [location for location in singly if not _covered(location, passes)]
    for some in chunked(wanted, _LISTED_AT_ONCE):
        go_on()
        found = lister.list_locations([str(one) for one in some])
        listed.update(zip(some, map(tuple, found), strict=True))
    for base, own in passes.items():
        go_on()
        (below,) = lister.list_locations([str(base)], includes_hidden=True)
        listed.update(distribute(below, own))
    return listed


def distribute(
    objects: Iterable[StoredObject], locations: Iterable[Location]
) -> Mapping[Location, tuple[StoredObject, ...]]:
    """Give each location its objects out of one listing; one object may belong to several."""
    found: dict[Location, list[StoredObject]] = {location: [] for location in locations}
    by_prefix = {location.prefix: location for location in found}
    for one in objects:
        for prefix in _prefixes(one.key):
            location = by_prefix.get(prefix)
            if location is not None and not is_hidden(one.key, prefix):
                found[location].append(one)
    return {location: tuple(own) for location, own in found.items()}


def _one_pass(selection: PartitionSelection) -> tuple[Location | None, tuple[Location, ...]]:
    """The prefix whose one listing serves the selection, if that is the cheaper way."""
    locations = tuple(
        dict.fromkeys(parse_location(partition.location) for partition in selection.partitions)
    )
    table_location = selection.reference.table.location
    if (
        len(locations) < ONE_PASS_LOCATIONS_MIN
        or not selection.survives_mostly
        or table_location is None
    ):
        return None, locations
    base = parse_location(table_location)
    inside = all(_is_within(location, base) for location in locations)
    return (base if inside else None), locations


def _covered(location: Location, passes: Mapping[Location, set[Location]]) -> bool:
    """Whether a pass lists this location too (a table that is read twice)."""
    return any(location in locations for locations in passes.values())


def _is_within(location: Location, base: Location) -> bool:
    return location.bucket == base.bucket and location.prefix.startswith(base.prefix)


def _prefixes(key: str) -> Iterator[str]:
    """Every prefix of the key that ends with a slash, and the empty one."""
    yield ""
    at = key.find("/")
    while at >= 0:
        yield key[: at + 1]
        at = key.find("/", at + 1)
