"""Who calls: Basic (the password is an API key), or Bearer (an API key or a JWT)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the Authorization header holds; `user` is only told by Basic."""

    secret: str = field(repr=False)
    user: str | None = None


Authenticate: TypeAlias = Callable[[Credentials | None], Principal]
"""Takes what was sent, or None; raises AUTHENTICATION_FAILED."""


def credentials_of(header: str | None) -> Credentials | None:
    """Read an Authorization header; AUTHENTICATION_FAILED when it is malformed."""
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return Credentials(value.strip())
    if scheme.lower() == "basic":
        return _basic(value.strip())
    raise _failed("Authorization must be Basic (user and API key) or Bearer")


def _basic(value: str) -> Credentials | None:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _failed("Malformed credentials") from None
    user, separator, password = text.partition(":")
    if not separator:
        raise _failed("Malformed credentials")
    # Without a password only the user is told, as clients do on servers without authentication.
    return Credentials(password, user) if password else None


def challenge() -> str:
    """The WWW-Authenticate header of a 401."""
    return 'Basic realm="Trino"'


def with_api_keys(authenticate: Callable[[str | None], Principal]) -> Authenticate:
    """Authentication by API keys: the key alone tells who calls, whatever user Basic names."""
    return lambda credentials: authenticate(None if credentials is None else credentials.secret)


def _failed(message: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.AUTHENTICATION_FAILED, message)
