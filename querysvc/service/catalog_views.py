"""The catalog and its metadata, each as one principal sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

from querysvc.errors import QueryServiceError
from querysvc.model import Principal
from querysvc.plan import REJECTS, TableVersion
from querysvc.planning.metadata import TOLD_OF_TABLE, table_told_of
from querysvc.service.access import Access, denied
from querysvc.service.audit import AuditLog
from querysvc.service.permitted_catalog import PermittedRepository
from querysvc.service.policies import Policies
from querysvc.service.system_metadata import INFORMATION_SCHEMA, SYSTEM
from querysvc.sql.metadata import MetadataReader, TableInfo, ViewInfo
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import DatabaseName, Table, TableName
from querysvc_catalog.repository import CatalogRepository
from querysvc_catalog.service import CatalogService

_CHANGES: Final = ("create_", "update_", "delete_", "put_")
_SUBJECT_LENGTH_MAX: Final = 512


class CatalogViews:
    """Gives each principal the catalog that its grants show."""

    def __init__(
        self,
        repository: CatalogRepository,
        metadata: MetadataReader,
        policies: Policies,
        audit: AuditLog,
        now: Callable[[], datetime],
    ) -> None:
        self._repository = repository
        self._metadata = metadata
        self._policies = policies
        self._audit = audit
        self._now = now

    def catalog(self, principal: Principal) -> CatalogService:
        """The catalog, to read and to change."""
        access = self._policies.access_of(principal)
        permitted = PermittedRepository(self._repository, access)
        audited = _AuditedRepository(permitted, self._audit, principal)
        return CatalogService(cast(CatalogRepository, audited), self._now)

    def metadata(self, principal: Principal) -> MetadataReader:
        """What statements are analysed against."""
        return PermittedMetadata(self._metadata, self._policies.access_of(principal))


class _AuditedRepository:
    """A CatalogRepository whose changes are told to the audit log, those refused too."""

    def __init__(self, inner: CatalogRepository, audit: AuditLog, principal: Principal) -> None:
        self._inner = inner
        self._audit = audit
        self._principal = principal

    def __getattr__(self, name: str) -> Any:  # a method of the repository's, of any signature
        method = getattr(self._inner, name)
        if not name.startswith(_CHANGES):
            return method

        def change(*arguments: Any, **options: Any) -> Any:
            subject = str(getattr(arguments[0], "full_name", arguments[0]))[:_SUBJECT_LENGTH_MAX]
            details: dict[str, str] = {}
            try:
                return method(*arguments, **options)
            except (CatalogError, QueryServiceError) as error:
                details = {"error": error.message}
                raise
            finally:
                self._audit.record(self._principal, f"catalog.{name}", subject, details=details)

        return change


class PermittedMetadata:
    """A MetadataReader that tells with each relation what may be read of it."""

    def __init__(self, metadata: MetadataReader, access: Access) -> None:
        self._metadata = metadata
        self._access = access

    def catalog_exists(self, catalog: str) -> bool:
        """Whether there is such a catalog."""
        return self._metadata.catalog_exists(catalog)

    def schema_exists(self, catalog: str, database: str) -> bool:
        """Whether there is such a schema, and it may be known."""
        is_virtual = catalog == SYSTEM or database == INFORMATION_SCHEMA
        is_seen = is_virtual or self._access.sees_database(DatabaseName(catalog, database))
        return is_seen and self._metadata.schema_exists(catalog, database)

    def relation(self, catalog: str, database: str, name: str) -> TableInfo | ViewInfo | None:
        """The table or view; one that nothing may be read of is told alike if it does not exist."""
        found = self._metadata.relation(catalog, database, name)
        if catalog == SYSTEM or database == INFORMATION_SCHEMA:
            return found
        base = table_told_of(name)
        visible = self._access.visible(TableName(catalog, database, base or name))
        if isinstance(found, TableInfo) and found.table.table_type in (TOLD_OF_TABLE, REJECTS):
            # What tells of a table is for those who may read all of it.
            return found if visible is None else replace(found, visible=())
        if base is not None and found is not None:  # a table of such a name
            visible = self._access.visible(TableName(catalog, database, name))
        if found is not None:
            return replace(found, visible=visible)
        if visible == ():
            return TableInfo(Table(name, database, catalog), (), visible=())
        return None

    def at_version(
        self, catalog: str, database: str, name: str, version: TableVersion
    ) -> TableInfo:
        """A table as it was; what may be read of it is what may be read of it now."""
        now = self.relation(catalog, database, name)
        if now is None or now.visible == ():
            raise denied(f"Cannot select from table or view {catalog}.{database}.{name}")
        then = self._metadata.at_version(catalog, database, name, version)
        if now.visible is not None and not then.has_names_of_now:
            # Grants tell columns by name: what had a name then may be hidden under another now.
            what = f"Cannot select from an earlier version of {catalog}.{database}.{name}"
            raise denied(f"{what}, whose columns had other names")
        return replace(then, visible=now.visible)

    def relation_names(self, catalog: str, database: str) -> tuple[str, ...]:
        """The tables and views of a database that may be known."""
        names = self._metadata.relation_names(catalog, database)
        if catalog == SYSTEM or database == INFORMATION_SCHEMA:
            return names
        return tuple(
            name
            for name in names
            if self._access.described(TableName(catalog, database, name)) != frozenset()
        )
