"""Work groups, keys, saved statements, tags and the audit log in this process."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from querysvc.state.repository import UsageCap
from querysvc.state.rules import decode_sequence_token, encode_sequence_token, in_order
from querysvc.state.values import (
    ApiKey,
    AuditEntry,
    Grant,
    KeyPair,
    NamedQuery,
    PreparedStatement,
    StoredCrawler,
    WorkGroup,
)


class MemoryRecords:
    """The repositories of everything but query executions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work_groups: dict[str, WorkGroup] = {}
        self._api_keys: dict[str, ApiKey] = {}
        self._key_pairs: dict[str, KeyPair] = {}
        self._grants: dict[str, Grant] = {}
        self._usage: dict[tuple[str, datetime], int] = {}
        self._named_queries: dict[str, NamedQuery] = {}
        self._prepared: dict[tuple[str, str], PreparedStatement] = {}
        self._crawlers: dict[str, StoredCrawler] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._audit: list[AuditEntry] = []

    def get_work_group(self, name: str) -> WorkGroup | None:
        return self._work_groups.get(name)

    def list_work_groups(self) -> tuple[WorkGroup, ...]:
        with self._lock:
            return tuple(group for _, group in sorted(self._work_groups.items()))

    def add_work_group(self, work_group: WorkGroup) -> bool:
        with self._lock:
            if work_group.name in self._work_groups:
                return False
            self._work_groups[work_group.name] = work_group
            return True

    def replace_work_group(self, expected: WorkGroup, work_group: WorkGroup) -> bool:
        with self._lock:
            if self._work_groups.get(expected.name) != expected:
                return False
            self._work_groups[expected.name] = work_group
            return True

    def delete_work_group(self, name: str) -> bool:
        with self._lock:
            return self._work_groups.pop(name, None) is not None

    def get_api_key(self, key_id: str) -> ApiKey | None:
        return self._api_keys.get(key_id)

    def list_api_keys(self) -> tuple[ApiKey, ...]:
        with self._lock:
            return tuple(key for _, key in sorted(self._api_keys.items()))

    def add_api_key(self, key: ApiKey) -> None:
        with self._lock:
            self._api_keys[key.id] = key

    def revoke_api_key(self, key_id: str, *, revoked_at: datetime) -> bool:
        with self._lock:
            key = self._api_keys.get(key_id)
            if key is not None:
                revoked = dataclasses.replace(key, revoked_at=key.revoked_at or revoked_at)
                self._api_keys[key_id] = revoked
            return key is not None

    def get_key_pair(self, access_key_id: str) -> KeyPair | None:
        return self._key_pairs.get(access_key_id)

    def list_key_pairs(self) -> tuple[KeyPair, ...]:
        with self._lock:
            return tuple(pair for _, pair in sorted(self._key_pairs.items()))

    def add_key_pair(self, pair: KeyPair) -> None:
        with self._lock:
            self._key_pairs[pair.access_key_id] = pair

    def revoke_key_pair(self, access_key_id: str, *, revoked_at: datetime) -> bool:
        with self._lock:
            pair = self._key_pairs.get(access_key_id)
            if pair is not None:
                revoked = dataclasses.replace(pair, revoked_at=pair.revoked_at or revoked_at)
                self._key_pairs[access_key_id] = revoked
            return pair is not None

    def add_grant(self, grant: Grant) -> None:
        self._grants[grant.id] = grant

    def list_grants(self) -> tuple[Grant, ...]:
        with self._lock:
            return in_order(self._grants.values())

    def revoke_grant(self, grant_id: str, *, revoked_at: datetime) -> bool:
        with self._lock:
            grant = self._grants.get(grant_id)
            if grant is None or grant.revoked_at is not None:
                return False
            self._grants[grant_id] = dataclasses.replace(grant, revoked_at=revoked_at)
            return True

    def grants_of(self, grantees: Collection[str]) -> tuple[frozenset[str], tuple[Grant, ...]]:
        grants = self.list_grants()
        kinds = frozenset(grant.kind for grant in grants)
        return kinds, tuple(
            grant for grant in grants if grant.revoked_at is None and grant.grantee in grantees
        )

    def add_usage(
        self, scope: str, hour: datetime, scanned_bytes: int, caps: Sequence[UsageCap]
    ) -> UsageCap | None:
        with self._lock:
            for cap in caps if scanned_bytes > 0 else ():
                if self._used(scope, cap.since) + scanned_bytes > cap.scanned_bytes_max:
                    return cap
            self._usage[scope, hour] = self._usage.get((scope, hour), 0) + scanned_bytes
            return None

    def usage_since(self, scope: str, since: datetime) -> int:
        with self._lock:
            return self._used(scope, since)

    def _used(self, scope: str, since: datetime) -> int:
        return sum(
            used for (own, hour), used in self._usage.items() if own == scope and hour >= since
        )

    def get_named_query(self, query_id: str) -> NamedQuery | None:
        return self._named_queries.get(query_id)

    def list_named_queries(self, work_group: str) -> tuple[NamedQuery, ...]:
        with self._lock:
            queries = self._named_queries.values()
            return tuple(query for query in queries if query.work_group == work_group)

    def add_named_query(self, query: NamedQuery) -> None:
        with self._lock:
            self._named_queries[query.id] = query

    def replace_named_query(self, query: NamedQuery) -> bool:
        with self._lock:
            if query.id not in self._named_queries:
                return False
            self._named_queries[query.id] = query
            return True

    def delete_named_query(self, query_id: str) -> bool:
        with self._lock:
            return self._named_queries.pop(query_id, None) is not None

    def get_prepared_statement(self, work_group: str, name: str) -> PreparedStatement | None:
        return self._prepared.get((work_group, name))

    def list_prepared_statements(self, work_group: str) -> tuple[PreparedStatement, ...]:
        with self._lock:
            statements = sorted(self._prepared.items())
        return tuple(statement for key, statement in statements if key[0] == work_group)

    def add_prepared_statement(self, statement: PreparedStatement) -> bool:
        with self._lock:
            key = (statement.work_group, statement.name)
            if key in self._prepared:
                return False
            self._prepared[key] = statement
            return True

    def replace_prepared_statement(self, statement: PreparedStatement) -> bool:
        with self._lock:
            key = (statement.work_group, statement.name)
            if key not in self._prepared:
                return False
            self._prepared[key] = statement
            return True

    def delete_prepared_statement(self, work_group: str, name: str) -> bool:
        with self._lock:
            return self._prepared.pop((work_group, name), None) is not None

    def delete_saved(self, work_group: str) -> None:
        with self._lock:
            for query in list(self._named_queries.values()):
                if query.work_group == work_group:
                    del self._named_queries[query.id]
            for key in [key for key in self._prepared if key[0] == work_group]:
                del self._prepared[key]

    def get_crawler(self, name: str) -> StoredCrawler | None:
        return self._crawlers.get(name)

    def list_crawlers(self) -> tuple[StoredCrawler, ...]:
        with self._lock:
            return tuple(crawler for _, crawler in sorted(self._crawlers.items()))

    def add_crawler(self, crawler: StoredCrawler) -> bool:
        with self._lock:
            return self._crawlers.setdefault(crawler.name, crawler) is crawler

    def replace_crawler(self, expected: StoredCrawler, crawler: StoredCrawler) -> bool:
        with self._lock:
            if self._crawlers.get(expected.name) != expected:
                return False
            self._crawlers[expected.name] = crawler
            return True

    def delete_crawler(self, expected: StoredCrawler) -> bool:
        with self._lock:
            if self._crawlers.get(expected.name) != expected:
                return False
            del self._crawlers[expected.name]
            return True

    def tags(self, resource: str) -> Mapping[str, str]:
        with self._lock:
            return dict(sorted(self._tags.get(resource, {}).items()))

    def set_tags(self, resource: str, tags: Mapping[str, str]) -> None:
        with self._lock:
            self._tags.setdefault(resource, {}).update(tags)

    def remove_tags(self, resource: str, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._tags.get(resource, {}).pop(key, None)

    def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        with self._lock:
            self._audit.extend(entries)

    def list_audit(
        self, *, principal: str | None = None, page_token: str | None = None, limit: int = 100
    ) -> tuple[tuple[AuditEntry, ...], str | None]:
        below = None if page_token is None else decode_sequence_token(page_token)
        with self._lock:
            numbered = list(enumerate(self._audit, start=1))
        found = [
            (sequence, entry)
            for sequence, entry in reversed(numbered)
            if principal in (None, entry.principal) and (below is None or sequence < below)
        ]
        page = found[:limit]
        token = encode_sequence_token(page[-1][0]) if len(found) > limit else None
        return tuple(entry for _, entry in page), token
