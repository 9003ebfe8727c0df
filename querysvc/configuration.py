"""Parts' own settings, made of the service's."""

from __future__ import annotations

import dataclasses

from pydantic import SecretStr

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultConfiguration
from querysvc.plan import ResourceLimits
from querysvc.service.admission import AdmissionLimits
from querysvc.service.clock import Clock
from querysvc.service.identity_tokens import IdentityProvider, IdentityTokens
from querysvc.service.work_groups import PRIMARY
from querysvc.settings import BucketSettings, Settings
from querysvc.state.values import GuardPolicy, GuardPolicyName, WorkGroup
from querysvc.storage.configuration import BucketOverride, Credentials, StorageConfiguration


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


def resource_limits(settings: Settings) -> ResourceLimits:
    """What one query may take, where its work group sets nothing."""
    return ResourceLimits(
        memory_bytes=settings.query_memory_bytes,
        spill_bytes=settings.query_spill_bytes,
        timeout_seconds=settings.query_timeout_seconds,
        scanned_bytes_max=settings.query_scanned_bytes_max,
        result_bytes_max=settings.query_result_bytes_max,
        threads=settings.query_threads,
        fetch_window_bytes=settings.query_fetch_window_bytes,
    )


def admission_limits(settings: Settings) -> AdmissionLimits:
    """What is taken into the queue."""
    return AdmissionLimits(
        sql_bytes_max=settings.sql_bytes_max,
        queued_max=settings.queued_queries_max,
        queued_total_max=settings.queued_queries_total_max,
        submissions_per_second=settings.submissions_per_second_max,
        submissions_burst=settings.submissions_burst_max,
    )


def primary_work_group(settings: Settings) -> WorkGroup:
    """The work group that a new service begins with."""
    return WorkGroup(
        PRIMARY,
        enforces_configuration=False,
        result_configuration=ResultConfiguration(output_location=settings.output_location),
        guard=GuardPolicy(GuardPolicyName(settings.guard_policy)),
    )


def storage_configuration(settings: Settings) -> StorageConfiguration:
    """Where S3 is and how it is used."""
    bundle = settings.s3_ca_bundle_file
    token = settings.s3_session_token
    credentials = _credentials(settings.s3_access_key_id, settings.s3_secret_access_key)
    if credentials is not None and token is not None:
        credentials = dataclasses.replace(credentials, session_token=token.get_secret_value())
    return StorageConfiguration(
        endpoint_url=settings.s3_endpoint,
        region=settings.s3_region,
        path_style=settings.s3_path_style,
        tls_verify=settings.s3_tls_verify,
        ca_bundle=None if bundle is None else str(bundle),
        credentials=credentials,
        anonymous=settings.s3_anonymous,
        buckets={name: _override(bucket) for name, bucket in settings.s3_buckets.items()},
        request_concurrency=settings.s3_requests_max,
        query_request_concurrency=settings.s3_query_requests_max,
        range_cache_bytes=settings.s3_range_cache_bytes,
        connect_timeout_seconds=settings.s3_connect_timeout_seconds,
        stall_timeout_seconds=settings.s3_stall_timeout_seconds,
        attempts_max=settings.s3_attempts_max,
        retry_timeout_seconds=settings.s3_retry_timeout_seconds,
        listing_concurrency=settings.s3_listing_requests_max,
        bucket_facts_ttl_seconds=settings.s3_bucket_facts_ttl_seconds,
        unanswered_bucket_facts=settings.s3_unanswered_bucket_facts,
    )


def _override(bucket: BucketSettings) -> BucketOverride:
    return BucketOverride(
        endpoint_url=bucket.endpoint,
        region=bucket.region,
        path_style=bucket.path_style,
        credentials=_credentials(bucket.access_key_id, bucket.secret_access_key),
    )


def _credentials(key_id: SecretStr | None, secret: SecretStr | None) -> Credentials | None:
    if key_id is None and secret is None:
        return None
    if key_id is None or secret is None:
        raise QueryServiceError(
            ErrorCode.CONFIGURATION_INVALID,
            "an S3 access key id and its secret must be set together",
        )
    return Credentials(key_id.get_secret_value(), secret.get_secret_value())
