"""Parts' own settings, made of the service's."""

from __future__ import annotations

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.service.clock import Clock
from querysvc.service.identity_tokens import IdentityProvider, IdentityTokens
from querysvc.settings import Settings


def identity_tokens(settings: Settings, clock: Clock) -> IdentityTokens | None:
    """What checks the tokens of the identity provider, if there is one."""
    if settings.oidc_issuer is None:
        return None
    if settings.auth != "keys":
        message = "oidc_issuer needs auth = keys: without authentication nobody asks for tokens"
        raise QueryServiceError(ErrorCode.CONFIGURATION_INVALID, message)
    provider = IdentityProvider(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience or "",
        keys=settings.oidc_keys or "",
        algorithms=tuple(settings.oidc_algorithms.split()),
        user_claim=settings.oidc_user_claim,
        groups_claim=settings.oidc_groups_claim,
        admin_group=settings.oidc_admin_group,
        clock_skew_seconds=settings.oidc_clock_skew_seconds,
    )
    return IdentityTokens(provider, clock)
