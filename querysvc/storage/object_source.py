"""GETs of ranges with the listed ETag as their condition, tried again while S3 is unwell."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import obstore
from obstore.exceptions import (
    BaseError,
    NotModifiedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage.configuration import BucketAccess, Endpoint, StorageConfiguration
from querysvc.storage.credentials import CredentialChain
from querysvc.storage.s3_errors import (
    denied,
    is_client_side_encrypted,
    names_bad_credentials,
    untrusted,
)


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """An object that a query may read, exactly as it was listed."""

    bucket: str
    key: str
    size: int
    etag: str
    version_id: str | None = None

    @property
    def address(self) -> str:
        """`s3://bucket/key`, for people."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def quoted_etag(self) -> str:
        """The ETag as headers carry it."""
        return '"' + self.etag.strip('"') + '"'


@dataclass(slots=True)
class RequestCounts:
    """What one query asked of S3."""

    requests: int = 0
    retries: int = 0


class _PassingError(Exception):
    """This try failed in a way that another try may mend."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A GET's body with what must agree with the listing."""

    data: Any  # obstore's Bytes or bytes: both are buffers
    start: int
    etag: str | None
    object_size: int
    metadata: Mapping[str, str]
    """User metadata, names without `x-amz-meta-`."""


class RangeGetter(Protocol):
    """One GET of one range; raises _PassingError or a QueryServiceError."""

    async def get(self, target: PlannedObject, offset: int, length: int) -> Answer:
        """Fetch [offset, offset + length)."""
        ...


class ObjectSource:
    """Fetches ranges of planned objects, so many at a time on this node, each until it is right."""

    def __init__(
        self,
        configuration: StorageConfiguration,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._configuration = configuration
        self._slots = asyncio.Semaphore(configuration.request_concurrency)
        self._chain = CredentialChain()
        self._getters: dict[tuple[str, str | None, bool, bool], RangeGetter] = {}
        self._clock = clock
        self._jitter = jitter

    async def warm_up(self) -> None:
        """Load the AWS libraries and ask for credentials, before a query waits for either."""
        endpoint = self._configuration.endpoint("")
        if endpoint.anonymous or endpoint.credentials is not None:
            return
        await asyncio.to_thread(importlib.import_module, "aiobotocore.session")
        with contextlib.suppress(Exception):  # who asks first is told why there are none
            await self._chain.obstore_credential()

    async def fetch(
        self,
        target: PlannedObject,
        offset: int,
        length: int,
        access: BucketAccess,
        counts: RequestCounts,
    ) -> memoryview:
        """Fetch [offset, offset + length) of exactly the listed object."""
        getter = self._getter(target, access)
        started = self._clock()
        attempt = 1
        while True:
            try:
                async with self._slots:
                    counts.requests += 1
                    answer = await self._try(getter, target, offset, length)
                return _checked(answer, target, offset, length)
            except _PassingError as error:
                waited = self._clock() - started
                limit = self._configuration.retry_timeout_seconds
                if attempt >= self._configuration.attempts_max or waited > limit:
                    endpoint = self._configuration.endpoint(target.bucket, access.region)
                    raise QueryServiceError(
                        ErrorCode.STORAGE_UNAVAILABLE,
                        f"{endpoint.label} did not deliver {target.address} in {attempt} tries "
                        f"and {waited:.0f} s: {error}",
                    ) from error
            counts.retries += 1
            await asyncio.sleep(self._backoff(attempt))
            attempt += 1

    async def close(self) -> None:
        """Let go of connections."""
        for getter in self._getters.values():
            if isinstance(getter, OpaqueKeyGetter):
                await getter.close()
        self._getters.clear()

    async def _try(
        self, getter: RangeGetter, target: PlannedObject, offset: int, length: int
    ) -> Answer:
        limits = self._configuration
        seconds = limits.connect_timeout_seconds + limits.stall_timeout_seconds
        seconds += length / limits.throughput_min_bytes
        try:
            async with asyncio.timeout(seconds):
                return await getter.get(target, offset, length)
        except TimeoutError as error:
            raise _PassingError(f"no complete answer within {seconds:.0f} s") from error

    def _backoff(self, attempt: int) -> float:
        """Exponential with full jitter, never less than half of it at once."""
        limits = self._configuration
        ceiling = min(limits.backoff_seconds * 2.0 ** (attempt - 1), limits.backoff_seconds_max)
        return ceiling * (0.5 + self._jitter() / 2)

    def _getter(self, target: PlannedObject, access: BucketAccess) -> RangeGetter:
        is_plain = is_plain_key(target.key)
        name = (target.bucket, access.region, access.requester_pays, is_plain)
        getter = self._getters.get(name)
        if getter is None:
            endpoint = self._configuration.endpoint(target.bucket, access.region)
            kind = ObstoreGetter if is_plain else OpaqueKeyGetter
            getter = kind(self._configuration, endpoint, target.bucket, access, self._chain)
            self._getters[name] = getter
        return getter


def _checked(answer: Answer, target: PlannedObject, offset: int, length: int) -> memoryview:
    """The body, if every word of the answer agrees with the listing."""
    if answer.etag is None or answer.etag.strip('"') != target.etag.strip('"'):
        raise changed(target, "its ETag is another")
    if answer.object_size != target.size:
        raise changed(target, f"it has {answer.object_size} bytes, listed were {target.size}")
    if is_client_side_encrypted(answer.metadata):
        raise QueryServiceError(
            ErrorCode.CLIENT_SIDE_ENCRYPTED,
            f"{target.address} is encrypted by a client (its metadata holds an envelope key); "
            "store it decrypted or with server-side encryption",
        )
    view = memoryview(answer.data)
    if answer.start != offset or len(view) != length:
        raise _PassingError(
            f"asked for {length} bytes at {offset}, got {len(view)} at {answer.start}"
        )
    return view


def changed(target: PlannedObject, how: str) -> QueryServiceError:
    """The object is no longer the one that was listed."""
    return QueryServiceError(
        ErrorCode.OBJECT_CHANGED,
        f"{target.address} changed between listing and reading: {how}; run the query again",
    )


_ODD_KEY = re.compile(r"[\x00-\x1f\x7f]|(?:\A|/)\.{0,2}(?:/|\Z)")
"""A control character, or a segment that is empty, `.` or `..`."""


def is_plain_key(key: str) -> bool:
    """Whether obstore names this key on the wire exactly as it is.

    object_store's paths drop leading and trailing slashes and refuse empty, `.` and `..` segments
    and control characters; such keys go through botocore.
    """
    return _ODD_KEY.search(key) is None


class ObstoreGetter:
    """GETs through obstore: Rust, outside the GIL, its own retries off (ours count and can end)."""

    def __init__(
        self,
        configuration: StorageConfiguration,
        endpoint: Endpoint,
        bucket: str,
        access: BucketAccess,
        chain: CredentialChain,
    ) -> None:
        self._endpoint = endpoint
        options: dict[str, Any] = {
            "region": endpoint.region,
            "virtual_hosted_style_request": not endpoint.path_style,
        }
        if endpoint.endpoint_url is not None:
            options["endpoint"] = _bucket_url(endpoint, bucket)
        if access.requester_pays:
            options["request_payer"] = True
        provider = None
        if endpoint.anonymous:
            options["skip_signature"] = True
        elif endpoint.credentials is not None:
            options["access_key_id"] = endpoint.credentials.access_key_id
            options["secret_access_key"] = endpoint.credentials.secret_access_key
            if endpoint.credentials.session_token is not None:
                options["session_token"] = endpoint.credentials.session_token
        else:
            provider = chain.obstore_credential
        self._store = S3Store(
            bucket,
            config=options,  # type: ignore[arg-type]  # a TypedDict that is built step by step
            client_options=_client_options(configuration),  # type: ignore[arg-type]  # the same
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
            credential_provider=provider,  # type: ignore[arg-type]  # a TypedDict by its keys
        )

    async def get(self, target: PlannedObject, offset: int, length: int) -> Answer:
        """Fetch [offset, offset + length)."""
        options: dict[str, Any] = {
            "range": (offset, offset + length),
            "if_match": target.quoted_etag,
        }
        if target.version_id is not None:
            options["version"] = target.version_id
        try:
            result = await obstore.get_async(self._store, target.key, options=options)  # type: ignore[arg-type]  # a TypedDict built step by step
            data = await result.bytes_async()
        except FileNotFoundError as error:
            raise _gone(target, str(error)) from error
        except (PreconditionError, NotModifiedError) as error:
            raise changed(target, "its ETag is another") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise denied(str(error), target.address, self._endpoint.label) from error
        except BaseError as error:
            raise _classified(str(error), target, self._endpoint.label) from error
        return Answer(
            data,
            result.range[0],
            result.meta["e_tag"],
            result.meta["size"],
            {str(name): str(value) for name, value in result.attributes.items()},
        )


class OpaqueKeyGetter:
    """GETs through botocore, for the keys that obstore cannot name."""

    def __init__(
        self,
        configuration: StorageConfiguration,
        endpoint: Endpoint,
        bucket: str,
        access: BucketAccess,
        chain: CredentialChain,
    ) -> None:
        self._configuration = configuration
        self._endpoint = endpoint
        self._access = access
        self._chain = chain
        self._client: Any = None  # aiobotocore's clients are made at run time
        self._opened = contextlib.AsyncExitStack()
        self._lock = asyncio.Lock()

    async def get(self, target: PlannedObject, offset: int, length: int) -> Answer:
        """Fetch [offset, offset + length)."""
        from aiohttp import ClientError as HttpError
        from botocore.exceptions import BotoCoreError, ClientError

        options: dict[str, Any] = {
            "Bucket": target.bucket,
            "Key": target.key,
            "Range": f"bytes={offset}-{offset + length - 1}",
            "IfMatch": target.quoted_etag,
        }
        if target.version_id is not None:
            options["VersionId"] = target.version_id
        if self._access.requester_pays:
            options["RequestPayer"] = "requester"
        try:
            client = await self._connect()
            response = await client.get_object(**options)
            async with response["Body"] as body:
                data = await body.read()
        except ClientError as error:
            raise _of_botocore(error.response, target, self._endpoint.label) from error
        except (BotoCoreError, HttpError, OSError) as error:
            raise untrusted(str(error), self._endpoint.label) or _PassingError(
                str(error)
            ) from error
        start, size = _content_range(response.get("ContentRange", ""))
        return Answer(data, start, response.get("ETag"), size, response.get("Metadata", {}))

    async def close(self) -> None:
        """Let go of connections."""
        self._client = None
        await self._opened.aclose()

    async def _connect(self) -> Any:
        from querysvc.storage.botocore_client import open_client

        async with self._lock:
            if self._client is None:
                opened = open_client(self._configuration, self._endpoint, self._chain, attempts=1)
                self._client = await self._opened.enter_async_context(opened)
        return self._client


_STATUS = re.compile(
    r"(?:status(?: code)?:? ?|HTTP status (?:server|client) error \()(\d{3})", re.I
)
_PASSING = frozenset({408, 425, 429})


def _classified(text: str, target: PlannedObject, endpoint: str) -> Exception:
    """Tell a passing failure from a lasting one by obstore's text, which names the status."""
    match = _STATUS.search(text)
    status = int(match[1]) if match else 0
    if status == 416:
        return changed(target, "it is shorter than listed")
    if status in (401, 403) or "AccessDenied" in text or names_bad_credentials(text):
        return denied(text, target.address, endpoint)
    if 300 <= status < 500 and status not in _PASSING and "RequestTimeout" not in text:
        return QueryServiceError(
            ErrorCode.STORAGE_UNAVAILABLE, f"{endpoint} refused {target.address}: {_brief(text)}"
        )
    return untrusted(text, endpoint) or _PassingError(_brief(text))


def _gone(target: PlannedObject, text: str) -> QueryServiceError:
    if "NoSuchBucket" in text:
        return QueryServiceError(
            ErrorCode.BUCKET_NOT_FOUND, f"bucket {target.bucket} does not exist"
        )
    return changed(target, "it was deleted")


def _of_botocore(response: Mapping[str, Any], target: PlannedObject, endpoint: str) -> Exception:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    told = response.get("Error", {})
    text = f"{told.get('Code', '')}: {told.get('Message', '')}"
    if status == 404:
        return _gone(target, text)
    if status == 412:
        return changed(target, "its ETag is another")
    return _classified(f"status: {status} {text}", target, endpoint)


def _content_range(header: str) -> tuple[int, int]:
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", header.strip())
    if match is None:
        raise _PassingError(f"answered without a usable Content-Range ({header!r})")
    return int(match[1]), int(match[2])


def _brief(text: str) -> str:
    """obstore's errors end with a dump of their source; the first lines say it all."""
    return " ".join(text.split("Debug source:")[0].split())[:400]


def _bucket_url(endpoint: Endpoint, bucket: str) -> str:
    url = (endpoint.endpoint_url or "").rstrip("/")
    if endpoint.path_style:
        return url
    scheme, _, host = url.partition("://")
    return f"{scheme}://{bucket}.{host}"


def _client_options(configuration: StorageConfiguration) -> dict[str, Any]:
    options: dict[str, Any] = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=configuration.connect_timeout_seconds),
        "read_timeout": timedelta(seconds=configuration.stall_timeout_seconds),
        "timeout": timedelta(days=1),  # ObjectSource bounds each try by its length
        "user_agent": "querysvc",
    }
    if not configuration.tls_verify:
        options["allow_invalid_certificates"] = True
    if configuration.ca_bundle is not None:
        options["root_certificate"] = Path(configuration.ca_bundle).read_bytes()
    return options
