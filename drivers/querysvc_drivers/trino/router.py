"""The routes of the Trino client protocol.

POST   /v1/statement                              a statement; answers where to fetch its pages
GET    /v1/statement/{phase}/{id}/{slug}/{token}  a page, after at most a second
HEAD   /v1/statement/{phase}/{id}/{slug}/{token}  the client is there, but busy with its rows
DELETE /v1/statement/{phase}/{id}/{slug}/{token}  cancel
GET    /v1/info, /v1/info/state, /v1/query/{id}   what tools ask beside
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import APIRouter, Request, Response

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.parameter_types import ParameterTypes
from querysvc.service.queries import QueryService
from querysvc.sql.metadata import MetadataReader
from querysvc_drivers.trino.authentication import Authenticate, challenge, credentials_of
from querysvc_drivers.trino.client_request import (
    ClientHeaders,
    ClientRequest,
    client_request,
    data_size,
)
from querysvc_drivers.trino.documents import (
    GZIP_BYTES_MIN,
    Addresses,
    Shape,
    failed_document,
    gzipped,
    page_document,
    queued_document,
)
from querysvc_drivers.trino.query_info import query_info
from querysvc_drivers.trino.registry import (
    LocalStatement,
    OpenStatement,
    StatementRegistry,
    Timeouts,
)
from querysvc_drivers.trino.routing import StatementRouting, Submission
from querysvc_drivers.trino.rows import local_rows
from querysvc_drivers.trino.segments import SegmentStore
from querysvc_drivers.trino.session_properties import duration_seconds
from querysvc_drivers.trino.session_statements import Classify, LocalResult
from querysvc_drivers.trino.spooling import Spooling
from querysvc_drivers.trino.statement import Answered, LiveStatement, Page

TRINO_VERSION: Final = "476"
"""The version whose answers ours equal; clients choose their metadata queries by it."""
_JSON: Final = "application/json"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TrinoSettings:
    """Limits of the wire."""

    client_timeout_seconds: float = 50.0
    """A statement whose client has not fetched for this long is cancelled and forgotten."""
    rows_timeout_seconds: float = 300.0
    """The same for one that has ended, whose rows hold up nobody: clients may take their time."""
    wait_seconds_max: float = 1.0
    """How long a fetch waits for rows or a change of state."""
    statements_max: int = 1000
    statement_bytes_max: int = 1 << 20
    compresses_with_gzip: bool = True


@dataclass(frozen=True, slots=True)
class TrinoServices:
    """What the wire needs of the core."""

    queries: QueryService
    metadata_of: Callable[[Principal], MetadataReader]
    authenticate: Authenticate
    classify: Classify
    parameter_types: ParameterTypes
    segments: SegmentStore | None = None
    """None: rows are always sent inside the pages."""
    settings: TrinoSettings = field(default_factory=TrinoSettings)
    environment: str = "querysvc"
    clock: Callable[[], float] = time.monotonic


def router(services: TrinoServices) -> APIRouter:
    """The routes, to be mounted at the server's root."""
    wire = _Wire(services)
    routes = APIRouter(include_in_schema=False)
    statement = "/v1/statement/{phase}/{query_id}/{slug}/{token}"
    routes.add_api_route("/v1/statement", wire.post, methods=["POST"])
    routes.add_api_route("/v1/statement", wire.greet, methods=["HEAD"])
    routes.add_api_route(statement, wire.fetch, methods=["GET"])
    routes.add_api_route(statement, wire.keep, methods=["HEAD"])
    routes.add_api_route(statement, wire.cancel, methods=["DELETE"])
    routes.add_api_route("/v1/info", wire.info, methods=["GET", "HEAD"])
    routes.add_api_route("/v1/info/state", wire.state, methods=["GET"])
    routes.add_api_route("/v1/query/{query_id}", wire.query, methods=["GET"])
    routes.add_api_route("/v1/query/{query_id}", wire.kill, methods=["DELETE"])
    if wire.spooling is not None:
        wire.spooling.add_routes(routes)
    return routes


class _Wire:
    def __init__(self, services: TrinoServices) -> None:
        self._services = services
        self._settings = services.settings
        self._routing = StatementRouting(
            services.queries, services.metadata_of, services.classify, services.parameter_types
        )
        self._started_at = services.clock()
        self.spooling = None if services.segments is None else Spooling(services.segments)
        self._statements = StatementRegistry(
            self._abandon,
            Timeouts(self._settings.client_timeout_seconds, self._settings.rows_timeout_seconds),
            self._settings.statements_max,
        )

    async def greet(self, request: Request) -> Response:
        """Whether a client may speak here: drivers ask it when they validate a connection."""
        try:
            await self._principal(request)
        except QueryServiceError as error:
            return _refusal(error)
        return Response(media_type=_JSON)

    async def post(self, request: Request) -> Response:
        """Take a statement."""
        try:
            principal = await self._principal(request)
            sql = await self._statement_text(request)
            headers = ClientHeaders(request.headers.items())
            client = client_request(sql, headers)
        except QueryServiceError as error:
            return _refusal(error)
        if not sql.strip():
            return _plain(HTTPStatus.BAD_REQUEST, "SQL statement is empty")
        try:
            self._statements.require_room()
            routed = await asyncio.to_thread(self._routing.route, client, principal)
            statement = await self._opened(routed, principal, client)
        except QueryServiceError as error:
            self._routing.failed(client)
            addresses = _addresses(request, str(uuid.uuid4()))
            return Response(failed_document(addresses, error), media_type=_JSON)
        self._statements.add(statement)
        return Response(
            queued_document(_addresses(request, statement.id, statement, 1)), media_type=_JSON
        )

    async def _statement_text(self, request: Request) -> str:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._settings.statement_bytes_max:
                raise QueryServiceError(
                    ErrorCode.QUERY_TEXT_TOO_LARGE,
                    f"Query text length exceeds {self._settings.statement_bytes_max} bytes",
                )
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, "The statement is not valid UTF-8"
            ) from None

    async def _opened(
        self, routed: Submission | LocalResult, principal: Principal, client: ClientRequest
    ) -> OpenStatement:
        if isinstance(routed, LocalResult):
            page = Page(
                columns=routed.columns,
                rows=local_rows(routed.rows),
                is_last=True,
                update_type=routed.update_type,
                headers=routed.headers,
            )
            return OpenStatement(LocalStatement(str(uuid.uuid4()), page, client, principal))
        try:
            execution = await asyncio.to_thread(
                self._services.queries.submit, routed.query, principal
            )
        except QueryServiceError as error:
            raise routed.place.moved(error) from error
        live = LiveStatement(self._services.queries, execution, principal, client, routed.place)
        await live.watch()
        return OpenStatement(live)

    async def fetch(
        self, request: Request, phase: str, query_id: str, slug: str, token: str
    ) -> Response:
        """Answer the next page, or the last one again."""
        try:
            principal = await self._principal(request)
        except QueryServiceError as error:
            return _refusal(error)
        found = self._find(principal, query_id, slug, token)
        if found is None:
            return _plain(HTTPStatus.NOT_FOUND, "Query not found")
        number = int(token)
        with found:
            async with found.lock:
                if number < found.answered.token:
                    return _plain(HTTPStatus.GONE, "Page is no longer available")
                if number > found.answered.token:
                    page = await found.source.next_page(*self._wishes(request, found))
                    found.answered = await asyncio.to_thread(
                        self._answered, request, found, page, number
                    )
                    if self.spooling is not None:
                        self.spooling.watch()
                return await asyncio.to_thread(self._response, request, found.answered)

    async def keep(
        self, request: Request, phase: str, query_id: str, slug: str, token: str
    ) -> Response:
        """Take note of a client's heartbeat: its statement is not abandoned."""
        try:
            principal = await self._principal(request)
        except QueryServiceError as error:
            return _refusal(error)
        found = self._find(principal, query_id, slug, token)
        if found is None:
            return _plain(HTTPStatus.NOT_FOUND, "Query not found")
        with found:
            return Response(media_type=_JSON)

    def _wishes(self, request: Request, found: OpenStatement) -> tuple[float, int | None]:
        """How long a fetch may wait, and how large its page should be."""
        wait = self._settings.wait_seconds_max
        asked = request.query_params.get("maxWait")
        if asked is not None:
            try:
                wait = min(wait, duration_seconds(asked))
            except ValueError:
                wait = self._settings.wait_seconds_max
        client: ClientRequest = found.source.request
        size = data_size(request.query_params.get("targetResultSize"))
        return wait, size or client.target_bytes

    def _answered(
        self, request: Request, found: OpenStatement, page: Page, number: int
    ) -> Answered:
        client: ClientRequest = found.source.request
        spool = None
        if self.spooling is not None:
            spool = self.spooling.spool(str(request.base_url).rstrip("/"))
        shape = Shape(client.has_parametric_datetime, client.encoding, spool)
        following = None if page.is_last else number + 1
        addresses = _addresses(request, found.id, found, following, page)
        body = page_document(addresses, page, shape)
        if page.error is not None:
            self._routing.failed(client)
        if page.is_last:
            found.is_over = True
            found.source.close()
        # What has been encoded does not become smaller.
        is_compressible = page.rows is None or client.encoding in (None, "json")
        return Answered(number, body, page.headers, is_compressible)

    def _response(self, request: Request, answered: Answered) -> Response:
        body = answered.body
        response = Response(media_type=_JSON)
        accepts_gzip = "gzip" in request.headers.get("accept-encoding", "")
        is_worth_it = answered.is_compressible and len(body) >= GZIP_BYTES_MIN
        if self._settings.compresses_with_gzip and accepts_gzip and is_worth_it:
            body = gzipped(body)
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.body = body
        response.headers["Content-Length"] = str(len(body))
        for name, value in answered.headers:
            response.headers.append(name, value)
        return response

    async def cancel(
        self, request: Request, phase: str, query_id: str, slug: str, token: str
    ) -> Response:
        """End a statement."""
        try:
            principal = await self._principal(request)
            found = self._find(principal, query_id, slug, token)
            if found is None:
                return _plain(HTTPStatus.NOT_FOUND, "Query not found")
            if not found.is_over and isinstance(found.source, LiveStatement):
                found.source.fail(QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled"))
                await asyncio.to_thread(
                    self._services.queries.cancel, found.id, found.source.principal
                )
                found.is_over = True
        except QueryServiceError as error:
            return _refusal(error)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def info(self) -> Response:
        """Which server this is; clients wait until it is not starting."""
        uptime = (self._services.clock() - self._started_at) / 60
        return _json(
            {
                "nodeVersion": {"version": TRINO_VERSION},
                "environment": self._services.environment,
                "coordinator": True,
                "starting": False,
                "uptime": f"{uptime:.2f}m",
            }
        )

    async def state(self) -> Response:
        """The node's state."""
        return _json("ACTIVE")

    async def query(self, request: Request, query_id: str) -> Response:
        """A query's state and statistics."""
        try:
            principal = await self._principal(request)
            execution = await asyncio.to_thread(self._services.queries.get, query_id, principal)
        except QueryServiceError as error:
            return _refusal(error)
        return _json(query_info(execution, str(request.url)))

    async def kill(self, request: Request, query_id: str) -> Response:
        """Cancel a query by its id."""
        try:
            principal = await self._principal(request)
            await asyncio.to_thread(self._services.queries.cancel, query_id, principal)
        except QueryServiceError as error:
            return _refusal(error)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _principal(self, request: Request) -> Principal:
        credentials = credentials_of(request.headers.get("authorization"))
        return await asyncio.to_thread(self._services.authenticate, credentials)

    def _find(
        self, principal: Principal, query_id: str, slug: str, token: str
    ) -> OpenStatement | None:
        """The open statement, if the address is one that we gave to this principal."""
        found = self._statements.get(query_id)
        if found is None or not token.isdecimal() or len(token) > _TOKEN_DIGITS_MAX:
            return None
        is_ours = found.slugs.is_valid(slug, int(token))
        is_theirs = found.source.principal.name == principal.name
        return found if is_ours and is_theirs and int(token) <= found.answered.token + 2 else None

    async def _abandon(self, statement: LiveStatement) -> None:
        message = f"Query {statement.id} has not been accessed by its client and was ended"
        statement.fail(QueryServiceError(ErrorCode.ABANDONED_QUERY, message))
        await asyncio.to_thread(self._services.queries.cancel, statement.id, statement.principal)


_TOKEN_DIGITS_MAX: Final = 18


def _addresses(
    request: Request,
    query_id: str,
    statement: OpenStatement | None = None,
    token: int | None = None,
    page: Page | None = None,
) -> Addresses:
    base = str(request.base_url).rstrip("/")
    info = f"{base}/v1/query/{query_id}"
    if statement is None or token is None:
        return Addresses(query_id, info)
    is_queued = page is None or (page.execution is not None and page.columns is None)
    phase = "queued" if is_queued else "executing"
    slug = statement.slugs.slug(token)
    return Addresses(query_id, info, f"{base}/v1/statement/{phase}/{query_id}/{slug}/{token}")


def _refusal(error: QueryServiceError) -> Response:
    status = _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)
    response = _plain(status, error.message)
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = challenge()
    return response


_STATUS: Final = {
    ErrorCode.AUTHENTICATION_FAILED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    ErrorCode.QUERY_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.QUERY_TEXT_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.GENERIC_INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def _plain(status: HTTPStatus, text: str) -> Response:
    return Response(text, status, media_type="text/plain")


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type=_JSON)
