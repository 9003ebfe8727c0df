"""What the machine has run out of: one table from the system's error to ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError

_RESOURCES: Final = {
    errno.ENOSPC: "disk space",
    errno.EDQUOT: "disk quota",
    errno.EMFILE: "file descriptors",
    errno.ENFILE: "file descriptors of the machine",
}


def exhausted(error: BaseException) -> QueryServiceError | None:
    """The error to tell when it, or what it came from, means that a resource ran out."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _RESOURCES:
            return _told(cause.errno)
    return None


def exhausted_by_text(message: str) -> QueryServiceError | None:
    """The same, for libraries that hand on nothing but the system's text."""
    number = next((n for n in _RESOURCES if os.strerror(n) in message), None)
    return None if number is None else _told(number)


def _told(number: int) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.GENERIC_INSUFFICIENT_RESOURCES,
        f"The service has run out of {_RESOURCES[number]}; try again later.",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
