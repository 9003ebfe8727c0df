"""S3 clients for metadata, odd keys and results: s3fs connects, we call the operations.

s3fs makes the aiobotocore client (credentials, endpoint, options). Its own calls are not used: they
hide the storage classes, ETags and error answers that the rules need (ADR-0013).
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from querysvc.storage.configuration import Endpoint, StorageConfiguration
from querysvc.storage.credentials import CredentialChain


@asynccontextmanager
async def open_client(
    configuration: StorageConfiguration,
    endpoint: Endpoint,
    chain: CredentialChain,
    *,
    attempts: int,
) -> AsyncIterator[Any]:  # aiobotocore's clients are made at run time: no static type
    """A connected client for one endpoint. `attempts` counts the first try."""
    from s3fs import S3FileSystem

    keys = endpoint.credentials
    file_system = S3FileSystem(
        anon=endpoint.anonymous,
        key=keys.access_key_id if keys else None,
        secret=keys.secret_access_key if keys else None,
        token=keys.session_token if keys else None,
        endpoint_url=endpoint.endpoint_url,
        client_kwargs={"region_name": endpoint.region, "verify": _verify(configuration)},
        config_kwargs=_options(configuration, endpoint, attempts),
        session=chain.session,
        asynchronous=True,
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    client = await file_system.set_session()
    client.meta.events.register_first("needs-retry.s3", _give_up_untrusted)
    client.meta.events.register_first("needs-retry.s3", _busy(configuration, attempts))
    try:
        yield client
    finally:
        await client.close()


def _give_up_untrusted(caught_exception: Exception | None, **_: Any) -> None:
    """A certificate that is not trusted now will not be trusted a second later."""
    if caught_exception is not None and "CERTIFICATE_VERIFY_FAILED" in str(caught_exception):
        raise caught_exception


def _busy(configuration: StorageConfiguration, attempts_max: int) -> Callable[..., float | None]:
    """Waits after 429, which botocore knows by the body's code alone; HEAD has no body."""

    def delay(response: Any, attempts: int, **_: Any) -> float | None:
        if (
            response is None
            or response[0].status_code != HTTPStatus.TOO_MANY_REQUESTS
            or attempts >= attempts_max
        ):
            return None
        longest: float = configuration.backoff_seconds * 2**attempts
        longest = min(longest, configuration.backoff_seconds_max)
        return longest * random.random()  # noqa: S311 - for no secret

    return delay


def _verify(configuration: StorageConfiguration) -> bool | str:
    if configuration.tls_verify and configuration.ca_bundle is not None:
        return configuration.ca_bundle
    return configuration.tls_verify


def _options(
    configuration: StorageConfiguration, endpoint: Endpoint, attempts: int
) -> dict[str, Any]:
    options: dict[str, Any] = {
        "user_agent": "querysvc",  # botocore composes its own anew for each request
        "connect_timeout": configuration.connect_timeout_seconds,
        "read_timeout": configuration.stall_timeout_seconds,
        "max_pool_connections": configuration.listing_concurrency,
        "retries": {"mode": "standard", "total_max_attempts": attempts},
        "s3": {"addressing_style": "path" if endpoint.path_style else "virtual"},
    }
    if not endpoint.is_aws:
        # Trailing checksums in aws-chunked bodies are beyond many compatible stores.
        options["request_checksum_calculation"] = "when_required"
        options["response_checksum_validation"] = "when_required"
    return options
