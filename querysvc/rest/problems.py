"""Errors as problem documents (RFC 9457): one table from ErrorCode to HTTP status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from querysvc.errors import ErrorCode, ErrorType, QueryServiceError
from querysvc.exhaustion import exhausted

MEDIA_TYPE = "application/problem+json"

_BY_TYPE = {
    ErrorType.USER_ERROR: HTTPStatus.BAD_REQUEST,
    ErrorType.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    ErrorType.INSUFFICIENT_RESOURCES: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorType.EXTERNAL: HTTPStatus.BAD_GATEWAY,
}
STATUS = {code: _BY_TYPE[code.error_type] for code in ErrorCode} | {
    ErrorCode.AUTHENTICATION_FAILED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.QUERY_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.WORK_GROUP_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.CATALOG_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.SCHEMA_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.TABLE_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.BUCKET_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    ErrorCode.IDEMPOTENCY_MISMATCH: HTTPStatus.CONFLICT,
    ErrorCode.QUERY_NOT_FINISHED: HTTPStatus.CONFLICT,
    ErrorCode.RESULT_EXPIRED: HTTPStatus.GONE,
    ErrorCode.QUERY_TEXT_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.QUERY_QUEUE_FULL: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.STORAGE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.STATE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.SERVER_SHUTTING_DOWN: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.SERVER_STARTING_UP: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.EXCEEDED_SCAN_LIMIT: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.RESULT_TOO_LARGE: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""The HTTP status of every error code; a test walks all of them."""

_CODE_OF_STATUS = {
    HTTPStatus.NOT_FOUND: ErrorCode.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorCode.INVALID_REQUEST,
}
_log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """A problem document; `code` is the stable name of the error."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    error_type: str
    line: int | None = None
    column: int | None = None
    suggestions: list[str] | None = None


def problem_of(error: QueryServiceError) -> Problem:
    """The problem document for an error."""
    code = error.code
    return Problem(
        type=f"https://querysvc.dev/errors/{code.name}",
        title=code.name.replace("_", " ").capitalize(),
        status=STATUS[code],
        detail=error.message,
        code=code.name,
        error_type=code.error_type.value,
        line=error.line,
        column=error.column,
        suggestions=list(error.suggestions) or None,
    )


def respond(
    error: QueryServiceError,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The HTTP answer for an error."""
    problem = problem_of(error)
    if status is not None:
        problem.status = status
    told = dict(headers or {})
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        told["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        told["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        problem.model_dump(exclude_none=True), problem.status, told, media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""

    @app.exception_handler(QueryServiceError)
    async def _known(_: Request, error: QueryServiceError) -> JSONResponse:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return respond(QueryServiceError(ErrorCode.INVALID_REQUEST, _validation_text(error)))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        code = _CODE_OF_STATUS.get(HTTPStatus(error.status_code), ErrorCode.INVALID_REQUEST)
        return respond(
            QueryServiceError(code, str(error.detail)),
            status=error.status_code,
            headers=error.headers,
        )

    @app.exception_handler(Exception)
    async def _unknown(request: Request, error: Exception) -> JSONResponse:
        _log.error("request_failed", path=request.url.path, exc_info=error)
        lacking = exhausted(error)
        if lacking is not None:
            return respond(lacking)
        message = "The service failed on this request; its log says why."
        return respond(QueryServiceError(ErrorCode.GENERIC_INTERNAL_ERROR, message))


def _validation_text(error: RequestValidationError) -> str:
    parts = []
    for item in error.errors():
        where = ".".join(str(step) for step in item["loc"] if step != "body")
        parts.append(f"{where}: {item['msg']}" if where else str(item["msg"]))
    return "; ".join(parts)
