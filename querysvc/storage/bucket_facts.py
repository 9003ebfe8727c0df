"""What the guard must know of a bucket, asked once and kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any  # aiobotocore is untyped

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage.s3_connection import S3Connection, S3RefusalError

_NO_ANSWER = frozenset({400, 403, 404, 405, 501})
"""Statuses that mean «not here» or «not to you»; any other is a failure, and fails the query."""


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """A bucket's standing; None where the endpoint does not answer (or not to us)."""

    bucket: str
    region: str | None = None
    requester_pays: bool | None = None
    versioning: str | None = None
    """`Enabled`, `Suspended` or `Disabled`."""
    default_encryption: str | None = None
    """The algorithm, `none`, or None if unanswered."""
    unanswered: str = ""
    """Why `requester_pays` or `region` is None."""


class BucketFactsCache:
    """Facts by bucket, for so many seconds. Thread-safe."""

    def __init__(
        self, connection: S3Connection, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, BucketFacts]] = {}

    def get(self, buckets: Sequence[str]) -> dict[str, BucketFacts]:
        """Tell the facts of some buckets, asking S3 for what is not known or too old."""
        now = self._clock()
        limit = self._connection.configuration.bucket_facts_ttl_seconds
        with self._lock:
            facts = {
                name: self._known[name][1]
                for name in buckets
                if name in self._known and now - self._known[name][0] < limit
            }
        missing = [name for name in dict.fromkeys(buckets) if name not in facts]
        if missing:
            fresh = self._connection.run(self._connection.gather(map(self._ask, missing)))
            with self._lock:
                for one in fresh:
                    self._known[one.bucket] = (now, one)
                    facts[one.bucket] = one
        return facts

    def forget(self, bucket: str) -> None:
        """Ask again next time."""
        with self._lock:
            self._known.pop(bucket, None)

    async def _ask(self, bucket: str) -> BucketFacts:
        region, region_problem = await self._region(bucket)
        payment, versioning, encryption = await self._connection.gather(
            self._answer(operation, bucket, region)
            for operation in (
                "get_bucket_request_payment",
                "get_bucket_versioning",
                "get_bucket_encryption",
            )
        )
        payer = None if isinstance(payment, str) else payment.get("Payer")
        problem = payment if isinstance(payment, str) else "the answer names no payer"
        return BucketFacts(
            bucket=bucket,
            region=region,
            requester_pays=None if payer is None else payer == "Requester",
            versioning=None if isinstance(versioning, str) else _versioning(versioning),
            default_encryption=_algorithm(encryption),
            unanswered=region_problem or (problem if payer is None else ""),
        )

    async def _region(self, bucket: str) -> tuple[str | None, str]:
        """HEAD tells the region in a header; some stores only answer GetBucketLocation."""
        try:
            response = await self._connection.call("head_bucket", bucket=bucket)
        except S3RefusalError as error:
            if error.status != 404:
                raise
            # HEAD has no body that could name NoSuchBucket.
            raise QueryServiceError(
                ErrorCode.BUCKET_NOT_FOUND, f"bucket {bucket} does not exist"
            ) from error
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        told = response.get("BucketRegion") or headers.get("x-amz-bucket-region")
        if told:
            return told, ""
        answer = await self._answer("get_bucket_location", bucket, None)
        if isinstance(answer, str):
            return None, answer
        constraint = answer.get("LocationConstraint")
        # The oldest region has no constraint, and Ireland's may be told as «EU».
        return {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}.get(
            constraint, constraint
        ), ""

    async def _answer(self, operation: str, bucket: str, region: str | None) -> Any:
        """The response, or as a string why there is none."""
        try:
            return await self._connection.call(operation, bucket=bucket, region=region)
        except S3RefusalError as error:
            if error.s3_code == "ServerSideEncryptionConfigurationNotFoundError":
                return {}
            if error.code is ErrorCode.INVALID_CREDENTIALS or error.status not in _NO_ANSWER:
                raise
            return error.message


def _versioning(answer: dict[str, Any]) -> str:
    return str(answer.get("Status") or "Disabled")


def _algorithm(answer: Any) -> str | None:
    if isinstance(answer, str):
        return None
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    for rule in rules:
        told = rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm")
        if told:
            return str(told)
    return "none"
