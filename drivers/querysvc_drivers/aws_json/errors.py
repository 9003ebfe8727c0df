"""Errors as AWS's JSON services tell them: one table from ErrorCode to exception names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from querysvc.errors import ErrorCode, ErrorType, QueryServiceError
from querysvc_catalog.errors import CatalogError


@dataclass(frozen=True, slots=True)
class Names:
    """What an error code is called by each service."""

    athena: str
    glue: str


class AwsError(Exception):
    """An answer with an exception's name; `details` are further members of its shape."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.details = details or {}


@dataclass(frozen=True, slots=True)
class ErrorStyle:
    """How one service names what is wrong; `invalid` is its error for malformed requests."""

    service: str
    invalid: str
    internal: str
    details: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


ATHENA_STYLE: Final = ErrorStyle(
    "athena",
    "InvalidRequestException",
    "InternalServerException",
    {
        "InvalidRequestException": {"AthenaErrorCode": "INVALID_INPUT"},
        "TooManyRequestsException": {"Reason": "CONCURRENT_QUERY_LIMIT_EXCEEDED"},
    },
)
GLUE_STYLE: Final = ErrorStyle("glue", "InvalidInputException", "InternalServiceException")

_INTERNAL: Final = Names("InternalServerException", "InternalServiceException")
_INVALID: Final = Names("InvalidRequestException", "InvalidInputException")
_NOT_FOUND: Final = Names("InvalidRequestException", "EntityNotFoundException")
_METADATA_NOT_FOUND: Final = Names("MetadataException", "EntityNotFoundException")
_EXISTS: Final = Names("InvalidRequestException", "AlreadyExistsException")
_THROTTLED: Final = Names("ThrottlingException", "ThrottlingException")
_BY_TYPE: Final = {
    ErrorType.USER_ERROR: _INVALID,
    ErrorType.INTERNAL_ERROR: _INTERNAL,
    ErrorType.INSUFFICIENT_RESOURCES: Names(
        "TooManyRequestsException", "ResourceNumberLimitExceededException"
    ),
    # Told when a result is asked for: the storage is at fault, and a retry may help.
    ErrorType.EXTERNAL: _INTERNAL,
}
EXCEPTIONS: Final[Mapping[ErrorCode, Names]] = {
    code: _BY_TYPE[code.error_type] for code in ErrorCode
} | {
    ErrorCode.AUTHENTICATION_FAILED: Names(
        "UnrecognizedClientException", "UnrecognizedClientException"
    ),
    ErrorCode.PERMISSION_DENIED: Names("AccessDeniedException", "AccessDeniedException"),
    ErrorCode.NOT_FOUND: Names("ResourceNotFoundException", "EntityNotFoundException"),
    ErrorCode.QUERY_NOT_FOUND: _NOT_FOUND,
    ErrorCode.WORK_GROUP_NOT_FOUND: _NOT_FOUND,
    ErrorCode.CATALOG_NOT_FOUND: _NOT_FOUND,
    ErrorCode.SCHEMA_NOT_FOUND: _METADATA_NOT_FOUND,
    ErrorCode.TABLE_NOT_FOUND: _METADATA_NOT_FOUND,
    ErrorCode.ALREADY_EXISTS: _EXISTS,
    ErrorCode.SCHEMA_ALREADY_EXISTS: _EXISTS,
    ErrorCode.TABLE_ALREADY_EXISTS: _EXISTS,
    ErrorCode.TRANSACTION_CONFLICT: Names(
        "InvalidRequestException", "ConcurrentModificationException"
    ),
    ErrorCode.TOO_MANY_REQUESTS: _THROTTLED,
    ErrorCode.QUERY_QUEUE_FULL: Names("TooManyRequestsException", "ThrottlingException"),
    # The query's own failures, told again when its results are asked for: no retry mends them.
    ErrorCode.EXCEEDED_SCAN_LIMIT: _INVALID,
    ErrorCode.EXCEEDED_TIME_LIMIT: _INVALID,
    ErrorCode.RESULT_TOO_LARGE: _INVALID,
    ErrorCode.ACCESS_DENIED: Names("AccessDeniedException", "AccessDeniedException"),
    ErrorCode.BUCKET_NOT_FOUND: _INVALID,
    ErrorCode.CRAWLER_RUNNING: Names("InvalidRequestException", "CrawlerRunningException"),
    ErrorCode.CRAWLER_NOT_RUNNING: Names("InvalidRequestException", "CrawlerNotRunningException"),
    ErrorCode.CRAWLER_STOPPING: Names("InvalidRequestException", "CrawlerStoppingException"),
}
"""The exception of every error code; a test walks all of them."""

_SERVER_FAULTS: Final = frozenset({"InternalServerException", "InternalServiceException"})


def translate(error: QueryServiceError, style: ErrorStyle) -> AwsError:
    """The core's error as the service tells it."""
    code: str = getattr(EXCEPTIONS[error.code], style.service)
    message = error.message
    if error.line is not None:
        message = f"line {error.line}:{error.column}: {message}"
    details = dict(style.details.get(code, {}))
    if error.code is ErrorCode.SYNTAX_ERROR and "AthenaErrorCode" in details:
        details["AthenaErrorCode"] = "MALFORMED_QUERY"
    return AwsError(code, message, status=_status(code), details=details)


def translate_catalog(error: CatalogError, style: ErrorStyle, request_id: str) -> AwsError:
    """The catalog's error; Glue's names are the catalog's own, Athena wraps them."""
    code = error.glue_name
    if style.service == "athena":
        if code not in _ATHENA_INVALID:
            return AwsError("MetadataException", _wrapped(error, request_id))
        code = style.invalid
    return AwsError(code, error.message, status=_status(code), details=style.details.get(code, {}))


def _wrapped(error: CatalogError, request_id: str) -> str:
    """Athena's words around an error of its catalog; PyAthena reads the inner code from them."""
    return (
        f"{error.message} (Service: AmazonDataCatalog; Status Code: 400;"
        f" Error Code: {error.glue_name}; Request ID: {request_id}; Proxy: null)"
    )


_ATHENA_INVALID: Final = frozenset({"InvalidInputException", "AlreadyExistsException"})


def invalid(message: str, style: ErrorStyle) -> AwsError:
    """A request that does not fit the service's model."""
    return AwsError(style.invalid, message, details=style.details.get(style.invalid, {}))


def unexpected(style: ErrorStyle) -> AwsError:
    """A failure of ours, without its particulars."""
    message = "The service failed on this request; its log says why."
    return AwsError(style.internal, message, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _status(code: str) -> int:
    if code in _SERVER_FAULTS:
        return HTTPStatus.INTERNAL_SERVER_ERROR
    return HTTPStatus.BAD_REQUEST
