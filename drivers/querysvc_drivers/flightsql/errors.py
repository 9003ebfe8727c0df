"""The core's errors as Flight's: one table, by code where a client acts on it, else by kind.

Only Flight's own errors are raised: pyarrow sends the traceback of any other one to the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from pyarrow import flight

from querysvc.errors import ErrorCode, ErrorType, QueryServiceError

_log = structlog.get_logger(__name__)
_BY_TYPE: Final[dict[ErrorType, Callable[[str], Exception]]] = {
    ErrorType.USER_ERROR: flight.FlightServerError,
    ErrorType.INTERNAL_ERROR: flight.FlightInternalError,
    ErrorType.INSUFFICIENT_RESOURCES: flight.FlightServerError,
    ErrorType.EXTERNAL: flight.FlightServerError,
}
ERRORS: Final[dict[ErrorCode, Callable[[str], Exception]]] = {
    **{code: _BY_TYPE[code.error_type] for code in ErrorCode},
    ErrorCode.AUTHENTICATION_FAILED: flight.FlightUnauthenticatedError,
    ErrorCode.PERMISSION_DENIED: flight.FlightUnauthorizedError,
    ErrorCode.USER_CANCELED: flight.FlightCancelledError,
    ErrorCode.EXCEEDED_TIME_LIMIT: flight.FlightTimedOutError,
    ErrorCode.STATE_UNAVAILABLE: flight.FlightUnavailableError,
    ErrorCode.STORAGE_UNAVAILABLE: flight.FlightUnavailableError,
    ErrorCode.SERVER_SHUTTING_DOWN: flight.FlightUnavailableError,
    ErrorCode.TOO_MANY_REQUESTS: flight.FlightUnavailableError,
    ErrorCode.QUERY_QUEUE_FULL: flight.FlightUnavailableError,
}
"""The Flight error of every code; a test walks all of them."""


def flight_error(error: QueryServiceError) -> Exception:
    """The error as Flight sends it: its text is `CODE: line 1:8: message`."""
    return ERRORS[error.code](str(error))


@contextmanager
def translated() -> Iterator[None]:
    """Raise Flight's errors for the core's; what is unforeseen tells the client nothing."""
    try:
        yield
    except QueryServiceError as error:
        raise flight_error(error) from None
    except flight.FlightError:
        raise
    except Exception:
        _log.exception("flight_request_failed")
        message = "GENERIC_INTERNAL_ERROR: The service failed on this request; its log says why."
        raise flight.FlightInternalError(message) from None
