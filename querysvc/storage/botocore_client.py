"""aiobotocore clients for metadata, odd keys and results."""

from __future__ import annotations

from typing import Any

from aiobotocore.config import AioConfig

from querysvc.storage.configuration import Endpoint, StorageConfiguration
from querysvc.storage.credentials import CredentialChain


def open_client(
    configuration: StorageConfiguration,
    endpoint: Endpoint,
    chain: CredentialChain,
    *,
    attempts: int,
) -> Any:  # an asynchronous context manager; aiobotocore is untyped
    """Make a client for one endpoint; enter it to connect. `attempts` counts the first try."""
    from botocore import UNSIGNED

    options: dict[str, Any] = {
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
    if endpoint.anonymous:
        options["signature_version"] = UNSIGNED
    verify: bool | str = configuration.tls_verify
    if verify and configuration.ca_bundle is not None:
        verify = configuration.ca_bundle
    keys = endpoint.credentials
    return chain.session.create_client(
        "s3",
        region_name=endpoint.region,
        endpoint_url=endpoint.endpoint_url,
        verify=verify,
        config=AioConfig(**options),
        aws_access_key_id=keys.access_key_id if keys else None,
        aws_secret_access_key=keys.secret_access_key if keys else None,
        aws_session_token=keys.session_token if keys else None,
    )
