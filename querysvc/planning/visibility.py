"""Objects that a reader must not see yet: those of writes that have not committed.

S3 has no transaction over several objects: the objects of an INSERT come to exist one after the
other. Their names begin with the id of the query that writes them (after a bucket's number), and
the state knows which queries' writes are committed. A reader takes the count of commits before it
looks for partitions and objects; what was not committed by then it hides, however much of it the
listing shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from querysvc.plan import StoredObject
from querysvc.storage.locations import Location

_WRITER: Final = re.compile(
    r"(?:[0-9]{6}_0_)?"
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?=[_.-]|$)"
)


class CommittedWrites(Protocol):
    """Knows which writes are committed (state.repository.WriteRepository)."""

    def committed_writes(self) -> int:
        """How many writes were committed so far."""
        ...

    def hidden_writes(self, committed: int) -> frozenset[str]:
        """The queries whose data a reader that began at that count must not see."""
        ...


def without_hidden(
    listed: Mapping[Location, tuple[StoredObject, ...]], hidden: frozenset[str]
) -> Mapping[Location, tuple[StoredObject, ...]]:
    """The listed objects that no hidden write made."""
    if not hidden:
        return listed
    return {location: tuple(_seen(objects, hidden)) for location, objects in listed.items()}


def _seen(objects: Iterable[StoredObject], hidden: frozenset[str]) -> Iterable[StoredObject]:
    return (one for one in objects if writer_of(one.key) not in hidden)


def writer_of(key: str) -> str | None:
    """The id of the query that wrote an object of ours; None where the name tells none."""
    found = _WRITER.match(key.rpartition("/")[2])
    return found[1] if found is not None else None
