"""Builds the HTTP application over the core's services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI

from querysvc.model import Principal
from querysvc.rest import catalog, crawl, grants, health, problems, queries, work_groups
from querysvc.rest.security import Authenticate
from querysvc.service.crawl import Crawler
from querysvc.service.policies import Policies
from querysvc.service.queries import QueryService
from querysvc.service.table_checkup import TableCheckup
from querysvc.service.work_groups import WorkGroupService
from querysvc_catalog.service import CatalogService

DESCRIPTION = """\
SQL over objects in S3, in place. Submit a statement (`POST /v1/queries`, with `?wait=` seconds for
small ones), watch it (`GET /v1/queries/{id}` or `/events`), read its rows (`/results`: JSON pages,
or NDJSON, CSV, Arrow or Parquet by `Accept`), cancel it (`DELETE`). Every error is a problem
document whose `code` is stable.
"""


@dataclass(frozen=True, slots=True)
class RestServices:
    """What the API needs of the core; `readiness` tells what is wrong by part, empty when ready."""

    queries: QueryService
    work_groups: WorkGroupService
    catalog_of: Callable[[Principal], CatalogService]
    policies: Policies
    crawler: Crawler
    checkup: TableCheckup
    authenticate: Authenticate
    readiness: Callable[[], dict[str, str]]
    metrics: Callable[[], bytes]
    version: str


def create_app(services: RestServices) -> FastAPI:
    """The ASGI application; it starts and stops nothing of the core."""
    app = FastAPI(
        title="querysvc",
        version=services.version,
        description=DESCRIPTION,
        docs_url="/docs",
        redoc_url=None,
        responses={
            "4XX": {
                "model": problems.Problem,
                "description": "The request or the statement is at fault.",
                "content": {problems.MEDIA_TYPE: {}},
            },
            "5XX": {
                "model": problems.Problem,
                "description": "The service or its storage is.",
                "content": {problems.MEDIA_TYPE: {}},
            },
        },
    )
    app.state.authenticate = services.authenticate
    problems.install(app)
    app.include_router(health.router(services.readiness, services.metrics))
    app.include_router(queries.router(services.queries))
    app.include_router(catalog.router(services.catalog_of))
    app.include_router(work_groups.router(services.work_groups))
    app.include_router(grants.router(services.policies))
    app.include_router(crawl.router(services.crawler, services.checkup))
    return app
