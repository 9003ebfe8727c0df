"""Work groups, keys, saved statements, crawlers, tags and the audit log in SQL."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, Delete, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from querysvc.state.codec import Document, Value, dumps, from_document, loads, to_document
from querysvc.state.database import Database
from querysvc.state.rules import decode_sequence_token, encode_sequence_token, in_order
from querysvc.state.tables import (
    api_keys,
    audit_entries,
    crawlers,
    grants,
    key_pairs,
    named_queries,
    prepared_statements,
    work_groups,
)
from querysvc.state.tables import tags as tags_table
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


class _Documents:
    """Tables of JSON documents beside the columns that identify them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _one(self, table: Table, kind: type[Value], *where: ColumnElement[bool]) -> Value | None:
        statement = select(table.c.document).where(*where)
        with self._database.read() as connection:
            document = connection.scalar(statement)
        return None if document is None else from_document(kind, loads(document))

    def _all(
        self,
        table: Table,
        kind: type[Value],
        order_by: ColumnElement[object],
        *where: ColumnElement[bool],
    ) -> tuple[Value, ...]:
        statement = select(table.c.document).where(*where).order_by(order_by)
        with self._database.read() as connection:
            documents = connection.scalars(statement).all()
        return tuple(from_document(kind, loads(document)) for document in documents)

    def _add(self, table: Table, values: Document) -> bool:
        try:
            with self._database.write() as connection:
                connection.execute(insert(table).values(values))
        except IntegrityError:
            return False
        return True

    def _replace(self, table: Table, values: Document, *where: ColumnElement[bool]) -> bool:
        with self._database.write() as connection:
            return connection.execute(update(table).where(*where).values(values)).rowcount == 1

    def _delete(self, table: Table, *where: ColumnElement[bool]) -> bool:
        with self._database.write() as connection:
            return connection.execute(delete(table).where(*where)).rowcount > 0


# Asked for twice by every query: built once.
_WORK_GROUP = select(work_groups.c.document).where(work_groups.c.name == bindparam("name"))


class SqlWorkGroups(_Documents):
    """The WorkGroupRepository in SQL."""

    def get_work_group(self, name: str) -> WorkGroup | None:
        with self._database.read() as connection:
            document = connection.scalar(_WORK_GROUP, {"name": name})
        return None if document is None else _work_group(document)

    def list_work_groups(self) -> tuple[WorkGroup, ...]:
        return self._all(work_groups, WorkGroup, work_groups.c.name)

    def add_work_group(self, work_group: WorkGroup) -> bool:
        return self._add(work_groups, {"name": work_group.name, **_work_group_row(work_group)})

    def replace_work_group(self, expected: WorkGroup, work_group: WorkGroup) -> bool:
        return self._replace(
            work_groups,
            _work_group_row(work_group),
            work_groups.c.name == expected.name,
            work_groups.c.document == _work_group_row(expected)["document"],
        )

    def delete_work_group(self, name: str) -> bool:
        return self._delete(work_groups, work_groups.c.name == name)


@lru_cache(maxsize=64)
def _work_group(document: str) -> WorkGroup:
    return from_document(WorkGroup, loads(document))


def _work_group_row(work_group: WorkGroup) -> Document:
    return {
        "running_max": work_group.limits.running_max,
        "document": dumps(to_document(work_group)),
    }


class SqlKeys(_Documents):
    """The KeyRepository in SQL."""

    def get_api_key(self, key_id: str) -> ApiKey | None:
        return self._one(api_keys, ApiKey, api_keys.c.id == key_id)

    def list_api_keys(self) -> tuple[ApiKey, ...]:
        return self._all(api_keys, ApiKey, api_keys.c.id)

    def add_api_key(self, key: ApiKey) -> None:
        added = self._add(api_keys, {"id": key.id, "document": dumps(to_document(key))})
        assert added, "key ids are random"

    def revoke_api_key(self, key_id: str, *, revoked_at: datetime) -> bool:
        key = self.get_api_key(key_id)
        if key is None:
            return False
        revoked = dataclasses.replace(key, revoked_at=key.revoked_at or revoked_at)
        values = {"document": dumps(to_document(revoked))}
        return self._replace(api_keys, values, api_keys.c.id == key_id)

    def get_key_pair(self, access_key_id: str) -> KeyPair | None:
        found = self._pairs(key_pairs.c.access_key_id == access_key_id)
        return found[0] if found else None

    def list_key_pairs(self) -> tuple[KeyPair, ...]:
        return self._pairs()

    def add_key_pair(self, pair: KeyPair) -> None:
        values = {"access_key_id": pair.access_key_id, **_key_pair_row(pair)}
        added = self._add(key_pairs, values)
        assert added, "key ids are random"

    def revoke_key_pair(self, access_key_id: str, *, revoked_at: datetime) -> bool:
        pair = self.get_key_pair(access_key_id)
        if pair is None:
            return False
        revoked = dataclasses.replace(pair, revoked_at=pair.revoked_at or revoked_at)
        return self._replace(
            key_pairs, _key_pair_row(revoked), key_pairs.c.access_key_id == access_key_id
        )

    def _pairs(self, *where: ColumnElement[bool]) -> tuple[KeyPair, ...]:
        statement = select(key_pairs).where(*where).order_by(key_pairs.c.access_key_id)
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        return tuple(
            from_document(
                KeyPair, loads(row.document), encrypted_secret=bytes(row.encrypted_secret)
            )
            for row in rows
        )


def _key_pair_row(pair: KeyPair) -> Document:
    document: Document = to_document(dataclasses.replace(pair, encrypted_secret=b""))
    del document["encrypted_secret"]
    return {"encrypted_secret": pair.encrypted_secret, "document": dumps(document)}


class SqlGrants(_Documents):
    """The GrantRepository in SQL."""

    def add_grant(self, grant: Grant) -> None:
        added = self._add(grants, {"id": grant.id, "kind": grant.kind, **_grant_row(grant)})
        assert added, "grant ids are random"

    def list_grants(self) -> tuple[Grant, ...]:
        return in_order(self._all(grants, Grant, grants.c.id))

    def revoke_grant(self, grant_id: str, *, revoked_at: datetime) -> bool:
        grant = self._one(grants, Grant, grants.c.id == grant_id)
        if grant is None:
            return False
        revoked = dataclasses.replace(grant, revoked_at=revoked_at)
        is_valid = grants.c.is_revoked.is_(False)
        return self._replace(grants, _grant_row(revoked), grants.c.id == grant_id, is_valid)

    def grants_of(self, grantees: Collection[str]) -> tuple[frozenset[str], tuple[Grant, ...]]:
        theirs = (grants.c.grantee.in_(grantees), grants.c.is_revoked.is_(False))
        with self._database.read() as connection:
            kinds = frozenset(connection.scalars(select(grants.c.kind).distinct()))
            documents = connection.scalars(select(grants.c.document).where(*theirs)).all()
        return kinds, in_order(from_document(Grant, loads(text)) for text in documents)


def _grant_row(grant: Grant) -> Document:
    return {
        "grantee": grant.grantee,
        "is_revoked": grant.revoked_at is not None,
        "document": dumps(to_document(grant)),
    }


class SqlSaved(_Documents):
    """The SavedRepository in SQL."""

    def get_named_query(self, query_id: str) -> NamedQuery | None:
        return self._one(named_queries, NamedQuery, named_queries.c.id == query_id)

    def list_named_queries(self, work_group: str) -> tuple[NamedQuery, ...]:
        return self._all(
            named_queries,
            NamedQuery,
            named_queries.c.sequence,
            named_queries.c.work_group == work_group,
        )

    def add_named_query(self, query: NamedQuery) -> None:
        document = dumps(to_document(query))
        values = {"id": query.id, "work_group": query.work_group, "document": document}
        added = self._add(named_queries, values)
        assert added, "query ids are random"

    def replace_named_query(self, query: NamedQuery) -> bool:
        values = {"document": dumps(to_document(query))}
        return self._replace(named_queries, values, named_queries.c.id == query.id)

    def delete_named_query(self, query_id: str) -> bool:
        return self._delete(named_queries, named_queries.c.id == query_id)

    def get_prepared_statement(self, work_group: str, name: str) -> PreparedStatement | None:
        return self._one(prepared_statements, PreparedStatement, *_prepared(work_group, name))

    def list_prepared_statements(self, work_group: str) -> tuple[PreparedStatement, ...]:
        return self._all(
            prepared_statements,
            PreparedStatement,
            prepared_statements.c.name,
            prepared_statements.c.work_group == work_group,
        )

    def add_prepared_statement(self, statement: PreparedStatement) -> bool:
        return self._add(
            prepared_statements,
            {
                "work_group": statement.work_group,
                "name": statement.name,
                "document": dumps(to_document(statement)),
            },
        )

    def replace_prepared_statement(self, statement: PreparedStatement) -> bool:
        return self._replace(
            prepared_statements,
            {"document": dumps(to_document(statement))},
            *_prepared(statement.work_group, statement.name),
        )

    def delete_prepared_statement(self, work_group: str, name: str) -> bool:
        return self._delete(prepared_statements, *_prepared(work_group, name))

    def delete_saved(self, work_group: str) -> None:
        with self._database.write() as connection:
            for table in (named_queries, prepared_statements):
                connection.execute(delete(table).where(table.c.work_group == work_group))


def _prepared(work_group: str, name: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    columns = prepared_statements.c
    return columns.work_group == work_group, columns.name == name


class SqlCrawlers(_Documents):
    """The CrawlerRepository in SQL."""

    def get_crawler(self, name: str) -> StoredCrawler | None:
        return self._one(crawlers, StoredCrawler, crawlers.c.name == name)

    def list_crawlers(self) -> tuple[StoredCrawler, ...]:
        return self._all(crawlers, StoredCrawler, crawlers.c.name)

    def add_crawler(self, crawler: StoredCrawler) -> bool:
        return self._add(crawlers, {"name": crawler.name, "document": dumps(to_document(crawler))})

    def replace_crawler(self, expected: StoredCrawler, crawler: StoredCrawler) -> bool:
        values = {"document": dumps(to_document(crawler))}
        return self._replace(crawlers, values, *_unchanged(expected))

    def delete_crawler(self, expected: StoredCrawler) -> bool:
        return self._delete(crawlers, *_unchanged(expected))


def _unchanged(crawler: StoredCrawler) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    document = dumps(to_document(crawler))
    return crawlers.c.name == crawler.name, crawlers.c.document == document


class SqlTags:
    """The TagRepository in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tags(self, resource: str) -> Mapping[str, str]:
        statement = select(tags_table.c.key, tags_table.c.value).where(
            tags_table.c.resource == resource
        )
        with self._database.read() as connection:
            return {row.key: row.value for row in connection.execute(statement.order_by("key"))}

    def set_tags(self, resource: str, tags: Mapping[str, str]) -> None:
        if not tags:
            return
        rows = [{"resource": resource, "key": key, "value": value} for key, value in tags.items()]
        with self._database.write() as connection:
            connection.execute(_of_resource(resource, tags))
            connection.execute(insert(tags_table), rows)

    def remove_tags(self, resource: str, keys: Iterable[str]) -> None:
        with self._database.write() as connection:
            connection.execute(_of_resource(resource, keys))


def _of_resource(resource: str, keys: Iterable[str]) -> Delete:
    return delete(tags_table).where(
        tags_table.c.resource == resource, tags_table.c.key.in_(list(keys))
    )


class SqlAudit:
    """The AuditRepository in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        if not entries:
            return
        rows = [
            {
                "occurred_at": entry.occurred_at,
                "principal": entry.principal,
                "action": entry.action,
                "subject": entry.subject,
                "work_group": entry.work_group,
                "details": dumps(to_document(entry.details)),
            }
            for entry in entries
        ]
        with self._database.write() as connection:
            connection.execute(insert(audit_entries), rows)

    def list_audit(
        self, *, principal: str | None = None, page_token: str | None = None, limit: int = 100
    ) -> tuple[tuple[AuditEntry, ...], str | None]:
        columns = audit_entries.c
        statement = select(audit_entries).order_by(columns.sequence.desc()).limit(limit + 1)
        if principal is not None:
            statement = statement.where(columns.principal == principal)
        if page_token is not None:
            statement = statement.where(columns.sequence < decode_sequence_token(page_token))
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        has_more = len(rows) > limit
        rows = rows[:limit]
        entries = tuple(
            AuditEntry(
                occurred_at=row.occurred_at,
                principal=row.principal,
                action=row.action,
                subject=row.subject,
                work_group=row.work_group,
                details=loads(row.details),
            )
            for row in rows
        )
        return entries, encode_sequence_token(rows[-1].sequence) if has_more else None
