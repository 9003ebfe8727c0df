"""The routes of spooled segments.

GET    /v1/spooled/download/{segment}  the encoded rows
GET    /v1/spooled/ack/{segment}       the client has them: they are deleted (DELETE does, too)

They ask for no credentials, as clients send none: see `segments`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Response

from querysvc_drivers.trino.encoding import Spool, SpooledAddress
from querysvc_drivers.trino.segments import SegmentStore

_DOWNLOAD: Final = "/v1/spooled/download/{segment}"
_ACKNOWLEDGE: Final = "/v1/spooled/ack/{segment}"
_CHECK_SECONDS_MAX: Final = 30.0
_NEVER_CACHED: Final = {"Cache-Control": "no-store"}


class Spooling:
    """Puts segments into the store and serves them."""

    def __init__(self, store: SegmentStore) -> None:
        self._store = store
        self._sweeper: asyncio.Task[None] | None = None

    def add_routes(self, routes: APIRouter) -> None:
        """Serve segments."""
        routes.add_api_route(_DOWNLOAD, self._download, methods=["GET"])
        routes.add_api_route(_ACKNOWLEDGE, self._acknowledge, methods=["GET", "DELETE"])

    def spool(self, base_address: str) -> Spool:
        """What takes a statement's segments; their addresses begin with the server's."""

        def put(body: bytes, /) -> SpooledAddress | None:
            segment = self._store.put(body)
            if segment is None:
                return None
            ends_at = datetime.now(UTC) + timedelta(seconds=self._store.lifetime_seconds)
            return SpooledAddress(
                base_address + _DOWNLOAD.format(segment=segment),
                base_address + _ACKNOWLEDGE.format(segment=segment),
                ends_at.replace(tzinfo=None).isoformat(timespec="milliseconds"),
            )

        return put

    def watch(self) -> None:
        """See to it that segments which nobody acknowledges end: called in the event loop."""
        if len(self._store) and (self._sweeper is None or self._sweeper.done()):
            self._sweeper = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        pause = min(self._store.lifetime_seconds, _CHECK_SECONDS_MAX)
        while len(self._store):
            await asyncio.sleep(pause)
            await asyncio.to_thread(self._store.expire)

    async def _download(self, segment: str) -> Response:
        body = await asyncio.to_thread(self._store.get, segment)
        if body is None:
            return _gone()
        return Response(body, media_type="application/octet-stream", headers=_NEVER_CACHED)

    async def _acknowledge(self, segment: str) -> Response:
        is_known = await asyncio.to_thread(self._store.acknowledge, segment)
        return Response(status_code=HTTPStatus.OK) if is_known else _gone()


def _gone() -> Response:
    return Response("Segment not found", HTTPStatus.NOT_FOUND, media_type="text/plain")
