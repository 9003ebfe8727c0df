"""What the guard found out about buckets, handed to the fetcher when the plan's run begins."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from querysvc.plan import ResourceLimits, StoredObject
from querysvc.storage.configuration import BucketAccess
from querysvc.storage.fetcher import Attachment, FetchAccounting, Fetcher

_REMEMBERED_MAX = 10_000


class GuardedFetcher:
    """The engine's gateway: the fetcher, told of each query how its buckets are reached."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._lock = threading.Lock()
        self._access: OrderedDict[str, Mapping[str, BucketAccess]] = OrderedDict()

    def expect(self, query_id: str, access: Mapping[str, BucketAccess]) -> None:
        """Remember how a planned query's buckets are reached."""
        with self._lock:
            self._access[query_id] = access
            while len(self._access) > _REMEMBERED_MAX:  # plans that were never run
                self._access.popitem(last=False)

    def attach(
        self, query_id: str, objects: Sequence[StoredObject], limits: ResourceLimits
    ) -> Attachment:
        """Open a query's plan."""
        with self._lock:
            access = self._access.pop(query_id, {})
        return self._fetcher.attach(query_id, objects, limits, buckets=access)

    def accounting(self, query_id: str) -> FetchAccounting:
        """What a running query was given so far."""
        return self._fetcher.accounting(query_id)

    def cancel(self, query_id: str) -> None:
        """Drop the query's requests in flight."""
        self._fetcher.cancel(query_id)

    def detach(self, query_id: str) -> FetchAccounting:
        """Close a query's plan and tell what it was given."""
        return self._fetcher.detach(query_id)
