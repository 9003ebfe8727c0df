"""/v1/crawl: what tables lie under a location; a table's checkup."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from querysvc.rest.catalog import TableResource
from querysvc.rest.security import Caller
from querysvc.service.crawl import CrawledTable, Crawler, CrawlRequest
from querysvc.service.table_checkup import TableCheckup
from querysvc_catalog.model import TableName


class Crawl(BaseModel):
    """Where to look."""

    model_config = ConfigDict(extra="forbid")

    location: str = Field(description="`s3://bucket/prefix/`; its folders may be tables each.")
    database: str = "default"
    table: str | None = Field(None, description="Makes all under the location one table.")
    apply: bool = Field(False, description="Make the tables and register their partitions.")


class FoundTable(BaseModel):
    """A table that would be, or now is."""

    table: TableResource
    statement: str = Field(description="The CREATE EXTERNAL TABLE that makes it.")
    partitions: int
    objects: int
    bytes: int
    disagreements: list[str] = Field(description="Where the sampled objects differ.")
    projection: dict[str, str] = Field(
        description="Table properties that would spare registering the partitions."
    )

    @classmethod
    def of(cls, found: CrawledTable) -> FoundTable:
        """From the core's value."""
        return cls(
            table=TableResource.of(found.table),
            statement=found.statement,
            partitions=len(found.partitions),
            objects=found.objects,
            bytes=found.bytes,
            disagreements=list(found.disagreements),
            projection=dict(found.projection),
        )


class CrawlResult(BaseModel):
    """The tables under the location."""

    tables: list[FoundTable]
    is_applied: bool


class TableFinding(BaseModel):
    """One thing that is wrong with a table."""

    problem: str
    detail: str
    statement: str | None = Field(description="What mends it, where a statement can.")


class Checkup(BaseModel):
    """What is wrong with a table; nothing for one that is well."""

    findings: list[TableFinding]


def router(crawler: Crawler, checkup: TableCheckup) -> APIRouter:
    """The routes over the crawler and the checkup."""
    routes = APIRouter(prefix="/v1", tags=["catalog"])

    @routes.post("/crawl", operation_id="crawl")
    async def crawl(request: Crawl, caller: Caller) -> CrawlResult:
        """Infer the tables under a location; with `apply`, make them."""
        wanted = CrawlRequest(request.location, request.database, request.table)
        found = await asyncio.to_thread(crawler.crawl, wanted, caller)
        if request.apply:
            await asyncio.to_thread(crawler.apply, found, caller)
        return CrawlResult(tables=[FoundTable.of(one) for one in found], is_applied=request.apply)

    @routes.get(
        "/catalogs/{catalog}/databases/{database}/tables/{table}/checkup", operation_id="checkTable"
    )
    async def check(catalog: str, database: str, table: str, caller: Caller) -> Checkup:
        """Tell what is wrong with a table, and the statements that mend it."""
        name = TableName(catalog, database, table)
        found = await asyncio.to_thread(checkup.check, name, caller)
        return Checkup(
            findings=[
                TableFinding(problem=one.problem, detail=one.detail, statement=one.statement)
                for one in found
            ]
        )

    return routes
