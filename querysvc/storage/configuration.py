"""What the storage layer is told: where S3 is, how to authenticate, and every limit it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

UnansweredFacts = Literal["auto", "fail", "pass"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A static key pair; without one the ordinary AWS chain is asked."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BucketOverride:
    """What differs for one bucket; None keeps the general value."""

    endpoint_url: str | None = None
    region: str | None = None
    path_style: bool | None = None
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """What the planner learned of a bucket: its region, and whether the requester may pay."""

    region: str | None = None
    requester_pays: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How one bucket is reached: the general configuration with its override applied."""

    endpoint_url: str | None
    region: str
    path_style: bool
    credentials: Credentials | None
    anonymous: bool = False

    @property
    def is_aws(self) -> bool:
        """Whether this is AWS itself (no endpoint of its own, or one of amazonaws.com)."""
        if self.endpoint_url is None:
            return True
        host = self.endpoint_url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0].lower()
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @property
    def label(self) -> str:
        """The endpoint as errors name it."""
        return self.endpoint_url or f"s3.{self.region}.amazonaws.com"


@dataclass(frozen=True, slots=True)
class StorageConfiguration:
    """Where S3 is and how it is used. Times are seconds, sizes are bytes."""

    endpoint_url: str | None = None
    """None is AWS itself."""
    region: str = "us-east-1"
    """The region that queries run in: the guard compares buckets with it."""
    path_style: bool | None = None
    """Bucket in the path, not in the host; None: path style on an endpoint of its own."""
    tls_verify: bool = True
    ca_bundle: str | None = None
    """File of PEM certificates that are trusted beside the system's."""
    credentials: Credentials | None = None
    anonymous: bool = False
    """Requests are not signed (public buckets)."""
    buckets: Mapping[str, BucketOverride] = field(default_factory=dict)

    request_concurrency: int = 192
    """GETs in flight on this node."""
    query_request_concurrency: int = 96
    """GETs in flight for one query."""
    segment_bytes: int = 4 << 20
    """Longest single GET."""
    coalesce_gap_bytes: int = 256 << 10
    """Ranges of one object that lie closer than this are fetched by one GET: the gap arrives in a
    fraction of a request's latency (TPC-H, against 64 KiB: a third of the requests less)."""
    range_cache_bytes: int = 512 << 20
    """Memory for fetched ranges that later queries may share; 0 is none."""

    connect_timeout_seconds: float = 5.0
    stall_timeout_seconds: float = 20.0
    """A GET that delivers nothing for this long is given up and tried again."""
    throughput_min_bytes: int = 64 << 10
    """A GET that delivers less than this a second is given up and tried again."""
    attempts_max: int = 12
    """Tries of one request."""
    retry_timeout_seconds: float = 120.0
    """From a request's first try to the last time it is tried again."""
    backoff_seconds: float = 0.1
    backoff_seconds_max: float = 10.0

    listing_concurrency: int = 32
    """Listing and HEAD requests in flight."""
    listing_page_keys: int = 1000
    """Keys that one page of a listing holds (S3 gives at most 1000)."""
    listing_objects_max: int = 5_000_000
    """Objects that one location may have."""
    metadata_attempts_max: int = 6
    """Tries of one listing, HEAD or bucket request, where `attempts_max` is not less."""
    bucket_facts_ttl_seconds: float = 300.0
    unanswered_bucket_facts: UnansweredFacts = "auto"
    """When an endpoint does not answer request-payment or encryption calls: `fail` refuses the
    query, `pass` takes the bucket as owner-pays and unencrypted; `auto` fails on AWS and passes
    on a compatible endpoint, whose stores mostly have neither notion."""

    @property
    def metadata_attempts(self) -> int:
        """How often a listing, HEAD or bucket request is tried."""
        return min(self.metadata_attempts_max, self.attempts_max)

    def endpoint(self, bucket: str, region: str | None = None) -> Endpoint:
        """Resolve how `bucket` is reached; `region` is the bucket's own, when known."""
        own = self.buckets.get(bucket, BucketOverride())
        url = own.endpoint_url or self.endpoint_url
        style = own.path_style if own.path_style is not None else self.path_style
        return Endpoint(
            endpoint_url=url,
            region=own.region or region or self.region,
            # A dot in the name breaks the wildcard certificate of virtual-hosted addresses.
            path_style=style if style is not None else (url is not None or "." in bucket),
            credentials=own.credentials or self.credentials,
            anonymous=self.anonymous,
        )

    def passes_unanswered_facts(self, bucket: str) -> bool:
        """Whether a bucket fact that the endpoint does not answer is taken as harmless."""
        if self.unanswered_bucket_facts == "auto":
            return not self.endpoint(bucket).is_aws
        return self.unanswered_bucket_facts == "pass"
