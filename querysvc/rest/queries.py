"""/v1/queries: submit, watch, read, cancel; and /v1/estimate, /v1/validate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, QueryExecution, QueryState
from querysvc.rest import schemas
from querysvc.rest.security import Caller
from querysvc.results.pages import ResultFormat
from querysvc.service.queries import QueryService
from querysvc.service.watch import Callback
from querysvc.state.values import HistoryFilter

WAIT_SECONDS_MAX = 60.0
SUBMISSIONS_MAX = 4
"""At once: they wait for the gate's few processes and for commits, which they share. More threads
would only take turns at the interpreter; and calls that take long cannot hold these up."""
EVENT_SECONDS_MAX = 15.0
"""A comment is sent this often on a quiet event stream, so that proxies keep it open."""

MEDIA_TYPES = {
    "application/json": ResultFormat.JSON,
    "application/x-ndjson": ResultFormat.NDJSON,
    "text/csv": ResultFormat.CSV,
    "application/vnd.apache.arrow.stream": ResultFormat.ARROW,
    "application/vnd.apache.parquet": ResultFormat.PARQUET,
}
_STREAMED: dict[str, dict[str, str]] = {kind: {} for kind in MEDIA_TYPES}

PageToken = Annotated[str | None, Query(description="From the page before.")]


def router(service: QueryService) -> APIRouter:
    """The routes over a query service."""
    routes = APIRouter(prefix="/v1", tags=["queries"])
    _add_submission(routes, service)
    _add_lookup(routes, service)
    _add_results(routes, service)
    return routes


def _add_submission(routes: APIRouter, service: QueryService) -> None:
    submitting = ThreadPoolExecutor(SUBMISSIONS_MAX, thread_name_prefix="submit")

    @routes.post("/queries", status_code=201, operation_id="submitQuery")
    async def submit(
        request: schemas.QueryRequest,
        caller: Caller,
        response: Response,
        wait: Annotated[
            float, Query(ge=0, le=WAIT_SECONDS_MAX, description="Seconds to wait for the end.")
        ] = 0.0,
    ) -> schemas.Query:
        """Run a statement; with `wait` the answer may already be final."""
        submission = request.submission()
        if wait:
            watch = partial(service.submit_watched, submission, caller)
            execution = await _ended(service, watch, caller, wait, submitting)
        else:
            store = partial(service.submit, submission, caller)
            execution = await asyncio.get_running_loop().run_in_executor(submitting, store)
        response.headers["Location"] = f"/v1/queries/{execution.id}"
        return schemas.Query.of(execution)

    @routes.post("/estimate", operation_id="estimateQuery")
    async def estimate(request: schemas.QueryRequest, caller: Caller) -> schemas.Estimate:
        """Tell what a statement would read, without running it."""
        found = await asyncio.to_thread(service.estimate, request.submission(), caller)
        return schemas.Estimate.of(found)

    @routes.post("/validate", operation_id="validateQuery")
    async def validate(request: schemas.QueryRequest, caller: Caller) -> schemas.Description:
        """Check names and types of a statement without planning or running it."""
        found = await asyncio.to_thread(service.validate, request.submission(), caller)
        return schemas.Description(
            statement_type=found.statement_type,
            substatement_type=found.substatement_type,
            columns=[schemas.Column.of(column) for column in found.columns],
            tables=list(found.tables),
            warnings=list(found.warnings),
            advice=list(found.advice),
        )


def _add_lookup(routes: APIRouter, service: QueryService) -> None:
    @routes.get("/queries", operation_id="listQueries")
    async def history(
        caller: Caller,
        work_group: str | None = None,
        state: Annotated[list[QueryState] | None, Query()] = None,
        principal: str | None = None,
        submitted_after: AwareDatetime | None = None,
        submitted_before: AwareDatetime | None = None,
        page_token: PageToken = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> schemas.QueryList:
        """List queries, newest first."""
        wanted = HistoryFilter(
            work_group=work_group,
            states=frozenset(state) if state else None,
            principal=principal,
            submitted_after=submitted_after,
            submitted_before=submitted_before,
        )
        page = await asyncio.to_thread(
            service.history, wanted, caller, page_token=page_token, limit=limit
        )
        queries = [schemas.Query.of(execution) for execution in page.queries]
        return schemas.QueryList(queries=queries, next_page_token=page.next_token)

    @routes.get("/queries/{query_id}", operation_id="getQuery")
    async def get(
        query_id: str,
        caller: Caller,
        wait: Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX)] = 0.0,
    ) -> schemas.Query:
        """A query's state, statistics, progress and error."""
        execution = await asyncio.to_thread(service.get, query_id, caller)
        if wait and not execution.state.is_terminal:
            watch = partial(_watched, service, execution, caller)
            execution = await _ended(service, watch, caller, wait)
        return schemas.Query.of(execution)

    @routes.delete("/queries/{query_id}", operation_id="cancelQuery")
    async def cancel(query_id: str, caller: Caller) -> schemas.Query:
        """Cancel a query; a finished one stays as it is."""
        return schemas.Query.of(await asyncio.to_thread(service.cancel, query_id, caller))

    @routes.get(
        "/queries/{query_id}/events",
        operation_id="watchQuery",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def events(query_id: str, caller: Caller) -> StreamingResponse:
        """Server-sent events `query`, one for each change, until the query has ended."""
        await asyncio.to_thread(service.get, query_id, caller)  # 404 before the stream starts
        return StreamingResponse(
            _events(service, query_id, caller),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache"},
        )


def _add_results(routes: APIRouter, service: QueryService) -> None:
    @routes.get(
        "/queries/{query_id}/results",
        operation_id="getResults",
        response_model=schemas.ResultRows,
        responses={200: {"content": _STREAMED}},
    )
    async def results(
        query_id: str,
        request: Request,
        caller: Caller,
        page_token: PageToken = None,
        max_rows: Annotated[int, Query(ge=1, le=10_000)] = 1000,
        accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
    ) -> Response:
        """Rows of a succeeded query: JSON pages, or by Accept the whole of it as a stream."""
        result_format, media_type = _negotiate(accept)
        if result_format is not ResultFormat.JSON:
            chunks = await asyncio.to_thread(service.stream, query_id, caller, result_format)
            return StreamingResponse(chunks, media_type=media_type)
        page = await asyncio.to_thread(
            service.results, query_id, caller, page_token=page_token, rows_max=max_rows
        )
        columns = [schemas.Column.of(column).model_dump() for column in page.columns]
        rows = await asyncio.to_thread(list, page.json_rows())
        body = {"columns": columns, "rows": rows, "next_page_token": page.next_token}
        return Response(orjson.dumps(body), media_type="application/json")


def _negotiate(accept: str) -> tuple[ResultFormat, str]:
    """The first media type of Accept that we have; anything goes for `*/*`."""
    for item in accept.split(","):
        name = item.partition(";")[0].strip().lower()
        if name in MEDIA_TYPES:
            return MEDIA_TYPES[name], name
        if name in ("*/*", "application/*", ""):
            return ResultFormat.JSON, "application/json"
    raise QueryServiceError(
        ErrorCode.INVALID_REQUEST,
        f"Accept names no known format; results come as {', '.join(MEDIA_TYPES)}.",
    )


def _watched(
    service: QueryService, execution: QueryExecution, caller: Principal, callback: Callback
) -> tuple[QueryExecution, Callable[[], None]]:
    return execution, service.subscribe(execution.id, caller, callback)


async def _ended(
    service: QueryService,
    watch: Callable[[Callback], tuple[QueryExecution, Callable[[], None]]],
    caller: Principal,
    seconds: float,
    executor: Executor | None = None,
) -> QueryExecution:
    """The watched query when it has ended, or as it is when the time is up."""
    loop = asyncio.get_running_loop()
    last: asyncio.Future[QueryExecution] = loop.create_future()

    def settle(execution: QueryExecution) -> None:
        if not last.done():  # the end may be told twice
            last.set_result(execution)

    def notice(execution: QueryExecution) -> None:
        if execution.state.is_terminal:
            loop.call_soon_threadsafe(settle, execution)

    execution, unsubscribe = await loop.run_in_executor(executor, watch, notice)
    try:
        return await asyncio.wait_for(last, seconds)
    except TimeoutError:
        return await asyncio.to_thread(service.get, execution.id, caller)
    finally:
        unsubscribe()


async def _changes(
    service: QueryService, query_id: str, caller: Principal
) -> AsyncGenerator[QueryExecution]:
    """Every change of a query, bridged from the service's threads; the last one is terminal."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[QueryExecution] = asyncio.Queue()

    def push(execution: QueryExecution) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, execution)

    unsubscribe = await asyncio.to_thread(service.subscribe, query_id, caller, push)
    try:
        while True:
            execution = await queue.get()
            yield execution
            if execution.state.is_terminal:
                return
    finally:
        unsubscribe()


async def _events(service: QueryService, query_id: str, caller: Principal) -> AsyncIterator[bytes]:
    changes = _changes(service, query_id, caller)
    pending: asyncio.Task[QueryExecution] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(changes))
            done, _ = await asyncio.wait({pending}, timeout=EVENT_SECONDS_MAX)
            if not done:
                yield b": still here\n\n"
                continue
            try:
                execution = pending.result()
            except StopAsyncIteration:
                return
            pending = None
            body = schemas.Query.of(execution).model_dump_json()
            yield f"event: query\ndata: {body}\n\n".encode()
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})  # a generator closes only once it no longer runs
        await changes.aclose()
