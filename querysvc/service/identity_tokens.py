"""Tokens of an identity provider (OIDC): who a signed JWT says to be calling.

Keys come from a JWKS, at an https:// address or in a file. Signatures are asymmetric only, from a
list of algorithms; issuer, audience and expiry are required. Groups become roles of the same names,
except those that mean something here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt
import structlog

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal
from querysvc.service.clock import Clock
from querysvc.service.permissions import ADMIN

_log = structlog.get_logger(__name__)

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""What may be allowed: no secret shared with the provider, and never `none`."""
_KEYS_BYTES_MAX: Final = 1 << 20
_TOKEN_LENGTH_MAX: Final = 16_384
_FETCH_SECONDS_MAX: Final = 5.0
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """Whose tokens are taken, and what their claims mean."""

    issuer: str
    audience: str
    keys: str
    """The JWKS: an https:// address (http:// on loopback), or the path of a file."""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    user_claim: str = "sub"
    groups_claim: str = "groups"
    admin_group: str | None = None
    clock_skew_seconds: float = 30.0
    keys_validity_seconds: float = 300.0
    keys_retry_seconds: float = 10.0
    """A key that is not known is looked for no more often than this."""


class IdentityTokens:
    """Checks tokens of one provider."""

    def __init__(
        self,
        provider: IdentityProvider,
        clock: Clock,
        read_keys: Callable[[str], bytes] | None = None,
    ) -> None:
        check_provider(provider)
        self._provider = provider
        self._keys = _Keys(provider, clock, read_keys or _read_keys)

    def principal(self, token: str) -> Principal:
        """Whom the token stands for; AUTHENTICATION_FAILED when it is not valid."""
        claims = self._claims(token)
        user = claims.get(self._provider.user_claim)
        if not isinstance(user, str) or not user:
            raise _failed(f"it has no claim {self._provider.user_claim}")
        return Principal(user, self._roles(claims))

    def _claims(self, token: str) -> Mapping[str, Any]:
        if len(token) > _TOKEN_LENGTH_MAX:
            raise _failed("it is too long")
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.key(header.get("kid"), header.get("alg"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(self._provider.algorithms),
                audience=self._provider.audience,
                issuer=self._provider.issuer,
                leeway=self._provider.clock_skew_seconds,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise _failed(_REASONS.get(type(error), "its signature or form is wrong")) from None
        return claims

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[str]:
        told = claims.get(self._provider.groups_claim) or ()
        told = [told] if isinstance(told, str) else told
        listed = told if isinstance(told, list) else []
        groups = {group for group in listed if isinstance(group, str) and group}
        # `admin` and what has a colon are roles of ours, that no provider's group may stand for.
        roles = {group for group in groups if group != ADMIN and ":" not in group}
        is_admin = self._provider.admin_group is not None and self._provider.admin_group in groups
        return frozenset(roles | {ADMIN} if is_admin else roles)


class _Keys:
    """The provider's public keys, read anew when they are old or one is not among them."""

    def __init__(
        self, provider: IdentityProvider, clock: Clock, read: Callable[[str], bytes]
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._read = read
        self._lock = threading.Lock()
        self._known: Mapping[str | None, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def key(self, key_id: str | None, algorithm: str | None) -> jwt.PyJWK:
        """The key of that id (without one: the only key); its own algorithm must be the token's."""
        if algorithm not in self._provider.algorithms:
            raise jwt.InvalidAlgorithmError
        with self._lock:
            if self._is_older_than(self._read_at, self._provider.keys_validity_seconds):
                self._refresh()
            if key_id not in self._known:
                self._refresh()
            found = self._known.get(key_id)
        if found is None:
            raise _failed("its key is none of the provider's")
        return found

    def _refresh(self) -> None:
        if not self._is_older_than(self._tried_at, self._provider.keys_retry_seconds):
            return
        self._tried_at = self._clock.steady_seconds()
        try:
            keys = jwt.PyJWKSet.from_json(self._read(self._provider.keys).decode()).keys
        except (OSError, ValueError, httpx.HTTPError, jwt.PyJWTError) as error:
            # The keys known so far stay good for a while: a provider may be away for a moment.
            _log.warning("identity_keys_unreadable", error=type(error).__name__)
            return
        usable = [key for key in keys if key.public_key_use in (None, "sig")]
        self._known = {key.key_id: key for key in usable}
        if len(usable) == 1:
            self._known = {None: usable[0], **self._known}
        self._read_at = self._tried_at

    def _is_older_than(self, moment: float | None, seconds: float) -> bool:
        return moment is None or self._clock.steady_seconds() - moment >= seconds


def check_provider(provider: IdentityProvider) -> None:
    """CONFIGURATION_INVALID for a provider whose tokens could not be trusted."""
    wrong = sorted(set(provider.algorithms) - set(ALGORITHMS))
    address = urlsplit(provider.keys)
    is_open = address.scheme == "http" and address.hostname not in _LOOPBACK
    for is_wrong, message in (
        (not provider.issuer or not provider.audience, "an issuer and an audience are needed"),
        (not provider.keys, "the address or file of the keys (JWKS) is needed"),
        (bool(wrong) or not provider.algorithms, f"algorithms must be of {', '.join(ALGORITHMS)}"),
        (is_open, "keys over http:// could be anybody's: use https://"),
    ):
        if is_wrong:
            raise QueryServiceError(
                ErrorCode.CONFIGURATION_INVALID, f"identity provider: {message}"
            )


def looks_like_token(text: str) -> bool:
    """Whether the text has the form of a JWT, which no API key has."""
    return text.count(".") == 2


def _read_keys(source: str) -> bytes:
    if urlsplit(source).scheme not in ("http", "https"):
        return Path(source).read_bytes()
    with httpx.stream("GET", source, timeout=_FETCH_SECONDS_MAX, trust_env=False) as response:
        response.raise_for_status()
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _KEYS_BYTES_MAX:
                raise ValueError("the JWKS is too large")
    return bytes(body)


_REASONS: Final = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is of another issuer",
    jwt.InvalidAlgorithmError: "its algorithm is not allowed",
    jwt.MissingRequiredClaimError: "it lacks a claim that is required",
}


def _failed(reason: str) -> QueryServiceError:
    return QueryServiceError(ErrorCode.AUTHENTICATION_FAILED, f"The token is not valid: {reason}.")
