"""Errors in the protocol's form."""

from __future__ import annotations

from typing import Final

from querysvc.errors import ErrorCode, ErrorType, QueryServiceError
from querysvc.model import ErrorInfo
from querysvc_drivers.trino.columns import Json

FAILURE_TYPES: Final = {
    ErrorCode.SYNTAX_ERROR: "io.trino.sql.parser.ParsingException",
}
_DEFAULT_FAILURE_TYPE: Final = "io.trino.spi.TrinoException"


def error_document(error: QueryServiceError) -> Json:
    """The `error` of an answer: message with its place, code, name, type, location."""
    line, column = error.line, error.column
    message = error.message if line is None else f"line {line}:{column}: {error.message}"
    document: Json = {
        "message": message,
        "errorCode": error.code.number,
        "errorName": error.code.name,
        "errorType": ErrorType(error.code.error_type).value,
    }
    failure: Json = {
        "type": FAILURE_TYPES.get(error.code, _DEFAULT_FAILURE_TYPE),
        "message": message,
        "suppressed": [],
        "stack": [],
        "errorInfo": {
            "code": error.code.number,
            "name": error.code.name,
            "type": error.code.error_type.value,
        },
    }
    if line is not None and column is not None:
        location = {"lineNumber": line, "columnNumber": column}
        document["errorLocation"] = failure["errorLocation"] = location
    document["failureInfo"] = failure
    return document


def error_of(info: ErrorInfo) -> QueryServiceError:
    """The error that a failed execution tells; unknown codes are internal errors."""
    code = ErrorCode.__members__.get(info.code, ErrorCode.GENERIC_INTERNAL_ERROR)
    return QueryServiceError(code, info.message, line=info.line, column=info.column)
