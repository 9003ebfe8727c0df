"""What the driver of the state's database raises when it cannot be used, as the core's error."""

from __future__ import annotations

from sqlite3 import SQLITE_ERROR
from typing import Final

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError, InterfaceError, OperationalError

from querysvc.errors import ErrorCode, QueryServiceError

_log = structlog.get_logger(__name__)
_REASONS: Final = {
    "disk is full": "no space is left for it",
    "No space left": "no space is left for it",
    "disk I/O error": "its disk is full or broken",
    "unable to open database file": "its file cannot be opened",
    "is locked": "another process holds it",
    "too many clients": "it has too many connections",
}
"""By a part of the driver's message, which itself may name hosts: that is for the log only."""


def state_unavailable(error: BaseException) -> QueryServiceError:
    """The error to tell while the database cannot be used; it may be usable in a moment."""
    told = str(error)
    reason = next((text for part, text in _REASONS.items() if part in told), "it does not answer")
    return QueryServiceError(
        ErrorCode.STATE_UNAVAILABLE,
        f"The service's database cannot be used now: {reason}. Try again later.",
    )


def tell_failures(engine: Engine) -> None:
    """Make the engine raise errors of ours.

    STATE_UNAVAILABLE where the database, not the statement, fails; INVALID_REQUEST for a value that
    no column takes: a NUL, half a surrogate pair, a number or a name that is too long.
    """
    event.listen(engine, "handle_error", _translate)


def _translate(context: ExceptionContext) -> QueryServiceError | None:
    # A ping that fails is the pool's own business: it connects anew.
    if context.is_pre_ping:
        return None
    is_odd = isinstance(context.original_exception, OverflowError | UnicodeEncodeError)
    if is_odd or isinstance(context.sqlalchemy_exception, DataError):
        return QueryServiceError(
            ErrorCode.INVALID_REQUEST, "A value of the request is too long, or no valid text."
        )
    at_fault = isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError)
    # SQLite calls a wrong statement operational too: that is ours to mend, not a moment's trouble.
    is_wrong = getattr(context.original_exception, "sqlite_errorcode", None) == SQLITE_ERROR
    if is_wrong or not (at_fault or context.is_disconnect):
        return None
    _log.warning("The state's database failed.", error=str(context.original_exception))
    return state_unavailable(context.original_exception)
