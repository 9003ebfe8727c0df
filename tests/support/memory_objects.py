"""Objects in memory, as Iceberg's metadata and DDL need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from querysvc.plan import StoredObject
from querysvc.storage.locations import split_address

_MADE = datetime(2024, 1, 1, tzinfo=UTC)


class MemoryObjects(dict[str, bytes]):
    """Objects by address."""

    def read_object(self, address: str) -> bytes:
        """The whole object."""
        return self[address]

    def put_bytes(self, address: str, data: bytes) -> None:
        """Write an object."""
        self[address] = data

    def delete(self, addresses: Sequence[str]) -> None:
        """Delete objects."""
        for address in addresses:
            self.pop(address, None)

    def describe(self, addresses: Sequence[str]) -> list[StoredObject | None]:
        """What is stored at addresses."""
        return [self._stored(one) if one in self else None for one in addresses]

    def list_locations(
        self, locations: Sequence[str], *, includes_hidden: bool = False
    ) -> list[list[StoredObject]]:
        """What lies under locations."""
        return [
            [self._stored(address) for address in sorted(self) if address.startswith(location)]
            for location in locations
        ]

    def _stored(self, address: str) -> StoredObject:
        bucket, key = split_address(address)
        return StoredObject(bucket, key, len(self[address]), "e", _MADE)
