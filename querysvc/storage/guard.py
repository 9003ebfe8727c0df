"""The storage guard: refuses a query before any byte of data is read.

It needs the listing, and cached bucket facts; it asks HEADs only of objects in buckets of another
region (where encryption matters), and of archived ones where restored copies may be read.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from querysvc.errors import ErrorCode, StorageRuleError
from querysvc.plan import StoredObject
from querysvc.storage import guard_rules
from querysvc.storage.bucket_facts import BucketFacts, BucketFactsCache
from querysvc.storage.client import ObjectHead, StorageClient
from querysvc.storage.configuration import BucketAccess
from querysvc.storage.guard_policy import GuardPolicy, StorageClassScope
from querysvc.storage.locations import parse_location

_HEADS_MAX = 200_000
"""HEADs that are kept, by address and ETag."""
_SUMMARIES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class GuardedTable:
    """A table of the query: where it lies, and the objects of its surviving partitions."""

    name: str
    locations: tuple[str, ...]
    """All its locations, partitions with their own included (for `storage_class_scope = table`)."""
    objects: tuple[StoredObject, ...]


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What may be read, by table in the order asked, and what was left out."""

    objects: tuple[tuple[StoredObject, ...], ...]
    buckets: Mapping[str, BucketAccess]
    """What the fetcher needs to know of each bucket."""
    skipped_archived_objects: int = 0
    skipped_archived_bytes: int = 0


class StorageGuard:
    """Applies a work group's policy to the objects of one query. Thread-safe."""

    def __init__(
        self,
        client: StorageClient,
        facts: BucketFactsCache,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._facts = facts
        self._clock = clock
        self._lock = threading.Lock()
        self._heads: OrderedDict[tuple[str, str], ObjectHead] = OrderedDict()
        self._summaries: dict[tuple[str, bool], tuple[float, guard_rules.ClassSummary]] = {}

    def check(self, tables: Sequence[GuardedTable], policy: GuardPolicy) -> GuardReport:
        """Refuse the query with a StorageRuleError, or tell what it may read."""
        objects = [one for table in tables for one in table.objects]
        buckets = sorted({one.bucket for one in objects})
        facts = self._facts.get(buckets)
        passes = frozenset(
            name for name in buckets if self._client.configuration.passes_unanswered_facts(name)
        )
        guard_rules.check_payment(facts.values(), policy, passes)
        guard_rules.check_instruction_files(objects)
        restored = self._restored(objects, facts, policy)
        _, archived = guard_rules.split_archived(objects, restored)
        if archived and not policy.skips_archived_objects:
            raise guard_rules.archived_error(archived, len(objects))
        kept = [tuple(guard_rules.split_archived(table.objects, restored)[0]) for table in tables]
        readable = [one for part in kept for one in part]
        self._check_classes(tables, readable, policy)
        self._check_regions(readable, facts, passes, policy)
        return GuardReport(
            objects=tuple(kept),
            buckets={name: _access(facts[name], policy) for name in buckets},
            skipped_archived_objects=len(archived),
            skipped_archived_bytes=sum(one.size for one in archived),
        )

    def _restored(
        self, objects: Sequence[StoredObject], facts: Mapping[str, BucketFacts], policy: GuardPolicy
    ) -> frozenset[str]:
        if not policy.read_restored_glacier_objects:
            return frozenset()
        _, archived = guard_rules.split_archived(objects, frozenset())
        # Not cached: a restored copy expires without a change of the ETag.
        heads = self._client.heads(archived, region=_regions(facts))
        pairs = zip(archived, heads, strict=True)
        return frozenset(one.address for one, head in pairs if head.is_restored)

    def _check_classes(
        self, tables: Sequence[GuardedTable], readable: Sequence[StoredObject], policy: GuardPolicy
    ) -> None:
        if policy.allows_mixed_storage_classes:
            return
        scope = policy.storage_class_scope
        summary = guard_rules.ClassSummary()
        if scope is StorageClassScope.SCAN:
            summary.add(readable)
        else:
            includes_hidden = scope is StorageClassScope.BUCKET
            for location in _scope_locations(tables, readable, scope):
                summary.join(self._summarised(location, includes_hidden=includes_hidden))
        guard_rules.check_storage_classes(summary, scope)

    def _summarised(self, location: str, *, includes_hidden: bool) -> guard_rules.ClassSummary:
        """List a scope, or take what was found some minutes ago: scopes are wide."""
        name = (location, includes_hidden)
        limit = self._client.configuration.bucket_facts_ttl_seconds
        with self._lock:
            known = self._summaries.get(name)
        if known is not None and self._clock() - known[0] < limit:
            return known[1]
        objects = self._client.list_objects(location, includes_hidden=includes_hidden)
        summary = guard_rules.ClassSummary().add(objects)
        with self._lock:
            self._summaries[name] = (self._clock(), summary)
            while len(self._summaries) > _SUMMARIES_MAX:
                self._summaries.pop(next(iter(self._summaries)))
        return summary

    def _check_regions(
        self,
        objects: Sequence[StoredObject],
        facts: Mapping[str, BucketFacts],
        passes: frozenset[str],
        policy: GuardPolicy,
    ) -> None:
        home = self._client.configuration.region
        for one in facts.values():
            if one.region is None and one.bucket not in passes:
                raise StorageRuleError(
                    ErrorCode.ENCRYPTED_CROSS_REGION,
                    f"the region of bucket {one.bucket} cannot be told ({one.unanswered}); grant "
                    "s3:ListBucket and s3:GetBucketLocation, or set s3_unanswered_bucket_facts = "
                    "pass",
                )
        foreign = [one for one in objects if facts[one.bucket].region not in (None, home)]
        heads = self._head_all(foreign, facts)
        guard_rules.check_cross_region(objects, heads, facts, home, policy)

    def _head_all(
        self, objects: Sequence[StoredObject], facts: Mapping[str, BucketFacts]
    ) -> dict[str, ObjectHead]:
        with self._lock:
            known = {
                one.address: self._heads[one.address, one.etag]
                for one in objects
                if (one.address, one.etag) in self._heads
            }
        missing = [one for one in objects if one.address not in known]
        heads = self._client.heads(missing, region=_regions(facts))
        with self._lock:
            for one, head in zip(missing, heads, strict=True):
                known[one.address] = head
                self._heads[one.address, one.etag] = head
            while len(self._heads) > _HEADS_MAX:
                self._heads.popitem(last=False)
        return known


def _scope_locations(
    tables: Sequence[GuardedTable], readable: Sequence[StoredObject], scope: StorageClassScope
) -> list[str]:
    """The locations to list, without those that lie inside another."""
    if scope is StorageClassScope.BUCKET:
        return sorted({f"s3://{one.bucket}/" for one in readable})
    found: list[str] = []
    for location in sorted({str(parse_location(a)) for table in tables for a in table.locations}):
        if not found or not location.startswith(found[-1]):
            found.append(location)
    return found


def _regions(facts: Mapping[str, BucketFacts]) -> dict[str, str]:
    return {name: one.region for name, one in facts.items() if one.region is not None}


def _access(facts: BucketFacts, policy: GuardPolicy) -> BucketAccess:
    pays = bool(facts.requester_pays) and policy.allows_requester_pays
    return BucketAccess(region=facts.region, requester_pays=pays)
