"""What a crawler found, put into the catalog as Glue's crawlers do it: made, changed, given up.

A table that a crawler made or changed names it in its parameter UPDATED_BY_CRAWLER.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.service.catalog_errors import catalog_errors
from querysvc.service.crawl import CrawledTable
from querysvc.state.values import StoredCrawler
from querysvc_catalog.errors import AlreadyExistsError, EntityNotFoundError
from querysvc_catalog.model import (
    DEFAULT_CATALOG,
    Column,
    Database,
    DatabaseName,
    Partition,
    StorageDescriptor,
    Table,
    TableName,
)
from querysvc_catalog.service import CatalogService

UPDATED_BY: Final = "UPDATED_BY_CRAWLER"
DEPRECATED_BY: Final = "DEPRECATED_BY_CRAWLER"
_BATCH: Final = 1000


@dataclass(slots=True)
class Tally:
    """How many tables were made, changed and given up."""

    created: int = 0
    updated: int = 0
    deleted: int = 0


class CrawlOutput:
    """The catalog as one crawl leaves it."""

    def __init__(self, catalog: CatalogService, crawler: StoredCrawler, tally: Tally) -> None:
        self._catalog = catalog
        self._crawler = crawler
        self._database = DatabaseName(DEFAULT_CATALOG, crawler.database)
        self._names: set[str] = set()
        self._tally = tally

    def ensure_database(self) -> None:
        """Make the crawler's database if there is none."""
        with catalog_errors():
            try:
                self._catalog.get_database(self._database)
            except EntityNotFoundError:
                self._catalog.create_database(Database(self._database.name, DEFAULT_CATALOG))

    def put(self, found: CrawledTable) -> None:
        """Make the table, or change the one that is there."""
        with catalog_errors():
            wanted, existing = self._named(self._wanted(found))
            self._names.add(wanted.name.lower())
            if existing is None:
                self._catalog.create_table(wanted)
                self._add_partitions(wanted, found.partitions)
                self._tally.created += 1
            else:
                is_changed = self._change(existing, wanted)
                if self._change_partitions(wanted, found.partitions) or is_changed:
                    self._tally.updated += 1

    def give_up_missing(self) -> None:
        """Delete or mark the crawler's tables that were not found again, as its policy says."""
        behavior = self._crawler.delete_behavior
        if behavior == "LOG":
            return
        with catalog_errors():
            for table in list(self._catalog.iter_tables(self._database)):
                is_own = table.parameters.get(UPDATED_BY) == self._crawler.name
                if table.name in self._names or not is_own:
                    continue
                if behavior == "DELETE_FROM_DATABASE":
                    self._catalog.delete_table(table.full_name)
                elif DEPRECATED_BY in table.parameters:
                    continue
                else:
                    marked = {**table.parameters, DEPRECATED_BY: self._crawler.name}
                    self._catalog.update_table(dataclasses.replace(table, parameters=marked))
                self._tally.deleted += 1

    def _wanted(self, found: CrawledTable) -> Table:
        table = found.table
        own = {
            "CrawlerSchemaDeserializerVersion": "1.0",
            "CrawlerSchemaSerializerVersion": "1.0",
            UPDATED_BY: self._crawler.name,
            "typeOfData": "file",
            "objectCount": str(found.objects),
            "sizeKey": str(found.bytes),
        }
        return dataclasses.replace(
            table,
            name=self._crawler.table_prefix + table.name,
            parameters={**table.parameters, **own},
        )

    def _named(self, wanted: Table) -> tuple[Table, Table | None]:
        """The table under its name, and what has that name; another location makes another name."""
        existing = self._catalog.find_table(wanted.full_name)
        if existing is None or _location(existing) == _location(wanted):
            return wanted, existing
        digest = hashlib.md5(_location(wanted).encode(), usedforsecurity=False).hexdigest()
        other = dataclasses.replace(wanted, name=f"{wanted.name}_{digest}")
        return other, self._catalog.find_table(other.full_name)

    def _change(self, existing: Table, wanted: Table) -> bool:
        if [key.name for key in existing.partition_keys] != [k.name for k in wanted.partition_keys]:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST,
                f"The partition keys of {existing.full_name} are not those of its folders;"
                " drop the table to have it made again",
            )
        if not self._crawler.updates_tables:
            return False
        kept = {k: v for k, v in existing.parameters.items() if k != DEPRECATED_BY}
        changed = dataclasses.replace(
            existing,
            storage_descriptor=self._descriptor(existing, wanted),
            parameters={**kept, **wanted.parameters},
        )
        if changed == existing:
            return False
        self._catalog.update_table(changed, expected_version=existing.version_id)
        return True

    def _descriptor(self, existing: Table, wanted: Table) -> StorageDescriptor:
        found, own = wanted.storage_descriptor, existing.storage_descriptor
        assert found is not None, "a crawled table has objects"
        assert own is not None, "it has the crawled location"
        columns = found.columns
        if self._crawler.merges_columns:
            names = {column.name for column in own.columns}
            columns = (*own.columns, *(one for one in columns if one.name not in names))
        return dataclasses.replace(found, columns=_commented(columns, own), location=own.location)

    def _change_partitions(self, table: Table, found: tuple[Partition, ...]) -> bool:
        existing = set(self._catalog.iter_partition_values(table.full_name))
        new = tuple(one for one in found if one.values not in existing)
        self._add_partitions(table, new)
        gone = sorted(existing.difference(one.values for one in found))
        if self._crawler.delete_behavior != "DELETE_FROM_DATABASE":
            gone = []
        for start in range(0, len(gone), _BATCH):
            self._catalog.delete_partitions(table.full_name, gone[start : start + _BATCH])
        return bool(new or gone)

    def _add_partitions(self, table: Table, partitions: tuple[Partition, ...]) -> None:
        name: TableName = table.full_name
        for start in range(0, len(partitions), _BATCH):
            batch = partitions[start : start + _BATCH]
            for error in self._catalog.create_partitions(name, batch):
                if not isinstance(error.error, AlreadyExistsError):
                    raise error.error


def _commented(columns: tuple[Column, ...], own: StorageDescriptor) -> tuple[Column, ...]:
    """The columns with the comments that people gave them."""
    comments = {column.name: column.comment for column in own.columns}
    return tuple(
        dataclasses.replace(column, comment=comments.get(column.name)) for column in columns
    )


def _location(table: Table) -> str:
    descriptor = table.storage_descriptor
    return "" if descriptor is None else (descriptor.location or "").rstrip("/")
