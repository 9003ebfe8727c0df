"""The ordinary AWS credential chain, asked once and refreshed by botocore itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

_REFRESH = timedelta(minutes=4)
"""How long obstore may keep what it was told; botocore renews well before an expiry."""


class CredentialChain:
    """Environment, shared files, web identity, container and instance roles, in that order."""

    def __init__(self) -> None:
        self._session: Any = None  # aiobotocore is untyped
        self._credentials: Any = None
        self._lock = asyncio.Lock()

    @property
    def session(self) -> Any:
        """The aiobotocore session that resolves the chain."""
        if self._session is None:
            from aiobotocore.session import get_session

            self._session = get_session()
        return self._session

    async def obstore_credential(self) -> dict[str, Any]:
        """The current keys, in obstore's form."""
        async with self._lock:
            if self._credentials is None:
                self._credentials = await self.session.get_credentials()
            if self._credentials is None:
                raise PermissionError("no AWS credentials were found (environment, files, roles)")
            frozen = await self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _REFRESH,
        }
