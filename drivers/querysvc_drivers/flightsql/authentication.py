"""Who calls: Basic or Bearer in every call's headers, checked as on the other wires."""

from __future__ import annotations

from typing import Any, Final

from pyarrow import flight

from querysvc.errors import QueryServiceError
from querysvc.model import Principal
from querysvc_drivers.flightsql.errors import flight_error
from querysvc_drivers.trino.authentication import Authenticate, credentials_of

__all__ = ["MIDDLEWARE", "Authenticate", "AuthenticationFactory", "NoHandshake"]

MIDDLEWARE: Final = "authentication"
_HEADER: Final = "authorization"


class NoHandshake(flight.ServerAuthHandler):  # type: ignore[misc]  # pyarrow is untyped
    """Flight's own handshake does nothing: headers authenticate."""

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """The call of the handshake carries the headers that the middleware checks."""

    def is_valid(self, token: Any) -> str:
        """Every call was checked already."""
        return ""


class _Authentication(flight.ServerMiddleware):  # type: ignore[misc]  # pyarrow is untyped
    """The principal of one call; clients that sent Basic get a bearer token for the next ones."""

    def __init__(self, principal: Principal, secret: str | None) -> None:
        self.principal = principal
        self._secret = secret

    def sending_headers(self) -> dict[str, str]:
        """The header that `authenticate_basic_token` waits for."""
        return {} if self._secret is None else {_HEADER: f"Bearer {self._secret}"}


class AuthenticationFactory(flight.ServerMiddlewareFactory):  # type: ignore[misc]  # pyarrow is untyped
    """Checks the Authorization header of every call."""

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate

    def start_call(self, info: Any, headers: dict[str, list[str]]) -> _Authentication:
        """The principal; FlightUnauthenticatedError when there is none."""
        sent = {name.lower(): values for name, values in headers.items()}.get(_HEADER)
        try:
            credentials = credentials_of(sent[0] if sent else None)
            principal = self._authenticate(credentials)
        except QueryServiceError as error:
            raise flight_error(error) from None
        is_basic = credentials is not None and credentials.user is not None
        return _Authentication(principal, credentials.secret if credentials and is_basic else None)
