"""/v1/crawl: what tables lie under a location."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from querysvc.rest.catalog import TableResource
from querysvc.rest.security import Caller
from querysvc.service.crawl import CrawledTable, Crawler, CrawlRequest


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


def router(crawler: Crawler) -> APIRouter:
    """The route over the crawler."""
    routes = APIRouter(prefix="/v1", tags=["catalog"])

    @routes.post("/crawl", operation_id="crawl")
    async def crawl(request: Crawl, caller: Caller) -> CrawlResult:
        """Infer the tables under a location; with `apply`, make them."""
        wanted = CrawlRequest(request.location, request.database, request.table)
        found = await asyncio.to_thread(crawler.crawl, wanted, caller)
        if request.apply:
            await asyncio.to_thread(crawler.apply, found, caller)
        return CrawlResult(tables=[FoundTable.of(one) for one in found], is_applied=request.apply)

    return routes
