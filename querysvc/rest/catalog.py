"""/v1/catalogs: what there is to query. Changes are made by DDL statements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from querysvc.model import Principal
from querysvc.rest.security import Caller
from querysvc.service.catalog_errors import catalog_errors
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import Column, Database, DatabaseName, Partition, Table, TableName
from querysvc_catalog.paging import Page
from querysvc_catalog.serdes import resolve_format
from querysvc_catalog.service import CatalogService

PageToken = Annotated[str | None, Query(description="From the page before.")]
PageSize = Annotated[int, Query(ge=1, le=1000)]


class DatabaseResource(BaseModel):
    """A database."""

    name: str
    description: str | None
    location: str | None
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, database: Database) -> DatabaseResource:
        """From the catalog's value."""
        return cls(
            name=database.name,
            description=database.description,
            location=database.location_uri,
            parameters=database.parameters,
        )


class DatabaseList(BaseModel):
    """A page of databases."""

    databases: list[DatabaseResource]
    next_page_token: str | None = None


class ColumnResource(BaseModel):
    """A column or partition key with its Hive type."""

    name: str
    type: str
    comment: str | None

    @classmethod
    def of(cls, column: Column) -> ColumnResource:
        """From the catalog's value."""
        return cls(name=column.name, type=column.type or "", comment=column.comment)


class TableResource(BaseModel):
    """A table or view."""

    name: str
    database: str
    type: str | None
    description: str | None
    owner: str | None
    format: str
    location: str | None
    columns: list[ColumnResource]
    partition_keys: list[ColumnResource]
    parameters: Mapping[str, str]
    version: int
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, table: Table) -> TableResource:
        """From the catalog's value."""
        descriptor = table.storage_descriptor
        return cls(
            name=table.name,
            database=table.database_name,
            type=table.table_type,
            description=table.description,
            owner=table.owner,
            format=_format(table),
            location=descriptor.location if descriptor else None,
            columns=[ColumnResource.of(c) for c in (descriptor.columns if descriptor else ())],
            partition_keys=[ColumnResource.of(c) for c in table.partition_keys],
            parameters=table.parameters,
            version=table.version_id,
            created_at=table.create_time,
            updated_at=table.update_time,
        )


class TableList(BaseModel):
    """A page of tables."""

    tables: list[TableResource]
    next_page_token: str | None = None


class PartitionResource(BaseModel):
    """A registered partition; values are in the order of the table's partition keys."""

    values: list[str]
    location: str | None
    created_at: datetime | None

    @classmethod
    def of(cls, partition: Partition) -> PartitionResource:
        """From the catalog's value."""
        return cls(
            values=list(partition.values),
            location=partition.location,
            created_at=partition.creation_time,
        )


class PartitionList(BaseModel):
    """A page of partitions."""

    partitions: list[PartitionResource]
    next_page_token: str | None = None


CatalogOf = Callable[[Principal], CatalogService]
"""The catalog as a principal may see it."""


def router(catalog_of: CatalogOf) -> APIRouter:
    """The routes over the catalog."""
    routes = APIRouter(prefix="/v1/catalogs", tags=["catalog"])
    _add_databases(routes, catalog_of)
    _add_tables(routes, catalog_of)
    _add_partitions(routes, catalog_of)
    return routes


def _add_databases(routes: APIRouter, catalog_of: CatalogOf) -> None:
    @routes.get("/{catalog}/databases", operation_id="listDatabases")
    async def databases(
        catalog: str, caller: Caller, page_token: PageToken = None, limit: PageSize = 1000
    ) -> DatabaseList:
        """List the databases of a data catalog."""

        def read() -> Page[Database]:
            with catalog_errors():
                return catalog_of(caller).list_databases(catalog, page_size=limit, token=page_token)

        page = await asyncio.to_thread(read)
        items = [DatabaseResource.of(database) for database in page.items]
        return DatabaseList(databases=items, next_page_token=page.next_token)


def _add_tables(routes: APIRouter, catalog_of: CatalogOf) -> None:
    @routes.get("/{catalog}/databases/{database}/tables", operation_id="listTables")
    async def tables(
        catalog: str,
        database: str,
        caller: Caller,
        pattern: Annotated[str | None, Query(description="As `sales*|*_2024`.")] = None,
        page_token: PageToken = None,
        limit: PageSize = 100,
    ) -> TableList:
        """List the tables of a database."""

        def read() -> Page[Table]:
            with catalog_errors():
                return catalog_of(caller).list_tables(
                    DatabaseName(catalog, database),
                    expression=pattern,
                    page_size=limit,
                    token=page_token,
                )

        page = await asyncio.to_thread(read)
        items = [TableResource.of(table) for table in page.items]
        return TableList(tables=items, next_page_token=page.next_token)

    @routes.get("/{catalog}/databases/{database}/tables/{table}", operation_id="getTable")
    async def table(catalog: str, database: str, table: str, caller: Caller) -> TableResource:
        """One table."""

        def read() -> Table:
            with catalog_errors():
                return catalog_of(caller).get_table(TableName(catalog, database, table))

        return TableResource.of(await asyncio.to_thread(read))


def _add_partitions(routes: APIRouter, catalog_of: CatalogOf) -> None:
    @routes.get(
        "/{catalog}/databases/{database}/tables/{table}/partitions", operation_id="listPartitions"
    )
    async def partitions(
        catalog: str,
        database: str,
        table: str,
        caller: Caller,
        expression: Annotated[
            str | None, Query(description="Glue's partition expression, as `dt >= '2024-01-01'`.")
        ] = None,
        page_token: PageToken = None,
        limit: PageSize = 1000,
    ) -> PartitionList:
        """List the registered partitions of a table."""

        def read() -> Page[Partition]:
            with catalog_errors():
                return catalog_of(caller).list_partitions(
                    TableName(catalog, database, table),
                    partition_filter=expression,
                    page_size=limit,
                    token=page_token,
                )

        page = await asyncio.to_thread(read)
        items = [PartitionResource.of(partition) for partition in page.items]
        return PartitionList(partitions=items, next_page_token=page.next_token)


def _format(table: Table) -> str:
    """The storage format's name; views and what we cannot read tell so."""
    if table.table_type == "VIRTUAL_VIEW":
        return "view"
    if table.storage_descriptor is None:
        return "unknown"
    try:
        return resolve_format(table.storage_descriptor).storage_format.value
    except CatalogError:
        return "unsupported"
