"""Who calls: the API key of the Authorization header becomes a Principal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from querysvc.model import Principal

Authenticate = Callable[[str | None], Principal]
"""Takes the API key, or None when none was sent; raises AUTHENTICATION_FAILED."""

_bearer = HTTPBearer(auto_error=False, description="An API key (`querysvc keys create`).")


async def _caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Principal:
    authenticate: Authenticate = request.app.state.authenticate
    if credentials is None:
        return authenticate(None)  # nothing is looked up for it
    return await asyncio.to_thread(authenticate, credentials.credentials)


Caller = Annotated[Principal, Depends(_caller)]
