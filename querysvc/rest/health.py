"""/healthz, /readyz and /metrics: open to all who can connect, without secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel


class Health(BaseModel):
    """The process answers."""

    status: str = "ok"


class Readiness(BaseModel):
    """Whether queries can run; `problems` names what is wrong by part."""

    status: str
    problems: dict[str, str] = {}


def router(readiness: Callable[[], dict[str, str]], metrics: Callable[[], bytes]) -> APIRouter:
    """The routes that watchers ask."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/healthz", operation_id="getHealth")
    async def healthz() -> Health:
        """The process is alive; asks nothing of anybody else."""
        return Health()

    @routes.get("/readyz", operation_id="getReadiness", responses={503: {"model": Readiness}})
    async def readyz() -> Response:
        """Whether state, engine and storage answer; 503 with what does not."""
        found = await asyncio.to_thread(readiness)
        body = Readiness(status="unready" if found else "ready", problems=found)
        return JSONResponse(body.model_dump(), 503 if found else 200)

    @routes.get("/metrics", operation_id="getMetrics", response_class=Response)
    async def scrape() -> Response:
        """Prometheus metrics."""
        return Response(await asyncio.to_thread(metrics), media_type=CONTENT_TYPE_LATEST)

    return routes
