"""The one route of AWS's JSON services: POST /."""

from __future__ import annotations

import asyncio
import uuid
from typing import Final

from fastapi import APIRouter, Request, Response

from querysvc_drivers.aws_json.dispatch import Answer, AwsWire, too_large
from querysvc_drivers.aws_json.sigv4 import SignedRequest

BODY_BYTES_MAX: Final = 8 << 20
"""More than a full BatchCreatePartition of wide tables takes."""


def router(wire: AwsWire) -> APIRouter:
    """The route, to be mounted at the server's root."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/")
    async def call(request: Request) -> Response:
        request_id = str(uuid.uuid4())
        body = await _body(request)
        if body is None:
            return _response(too_large(BODY_BYTES_MAX), request_id)
        signed = SignedRequest(
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers=_headers(request),
            body=body,
        )
        return _response(await asyncio.to_thread(wire.answer, signed, request_id), request_id)

    return routes


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _headers(request: Request) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _response(answer: Answer, request_id: str) -> Response:
    headers = {"x-amzn-RequestId": request_id}
    if answer.error is not None:
        headers["x-amzn-ErrorType"] = answer.error
    return Response(answer.body, answer.status, headers, media_type=answer.media_type)
