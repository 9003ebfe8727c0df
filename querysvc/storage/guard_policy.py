"""The storage guard's policy, which belongs to the work group."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StorageClassScope(StrEnum):
    """Among which objects two storage classes together are looked for."""

    SCAN = "scan"
    """The objects that the query would scan."""
    TABLE = "table"
    """All objects under the locations of the tables that the query reads."""
    BUCKET = "bucket"
    """All objects of the buckets that the query reads."""


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What the guard refuses, skips and lets pass. The defaults are the strict policy."""

    allows_mixed_storage_classes: bool = False
    storage_class_scope: StorageClassScope = StorageClassScope.SCAN
    skips_archived_objects: bool = False
    """Archived objects are left out and reported; otherwise one of them fails the query."""
    read_restored_glacier_objects: bool = False
    """Archived objects with a restored copy are read (one HEAD for each archived object)."""
    allows_requester_pays: bool = False
    allows_encrypted_cross_region: bool = False
    counts_sse_s3_as_unencrypted: bool = False
    """S3 encrypts every new object with SSE-S3 since 2023: with this, those do not count as
    encrypted in a bucket of another region."""

    @classmethod
    def athena(
        cls, *, allows_requester_pays: bool = False, read_restored_glacier_objects: bool = False
    ) -> GuardPolicy:
        """Today's Athena: classes may mix, archived objects are skipped (and reported here)."""
        return cls(
            allows_mixed_storage_classes=True,
            skips_archived_objects=True,
            read_restored_glacier_objects=read_restored_glacier_objects,
            allows_requester_pays=allows_requester_pays,
            counts_sse_s3_as_unencrypted=True,
        )


STRICT = GuardPolicy()
"""The default policy of every work group."""
