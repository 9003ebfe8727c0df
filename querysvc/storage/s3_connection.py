"""aiobotocore clients on an event loop in a thread of their own, for plain synchronous callers."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar  # aiobotocore is untyped

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage import listing
from querysvc.storage.configuration import Endpoint, StorageConfiguration
from querysvc.storage.credentials import CredentialChain
from querysvc.storage.s3_errors import denied, names_bad_credentials, untrusted

T = TypeVar("T")


class S3Connection:
    """Connections to every endpoint of the configuration. Thread-safe; `close` ends its thread."""

    def __init__(self, configuration: StorageConfiguration) -> None:
        self.configuration = configuration
        self._chain = CredentialChain()
        self._clients: dict[Endpoint, Any] = {}
        self._opened = contextlib.AsyncExitStack()
        self._opening = asyncio.Lock()
        self._slots = asyncio.Semaphore(configuration.listing_concurrency)
        self._loop = asyncio.new_event_loop()
        self._warming: Future[None] | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="s3", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the connection's loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def call(
        self,
        operation: str,
        *,
        bucket: str | None,
        what: str | None = None,
        region: str | None = None,
        **arguments: Any,
    ) -> Any:
        """Call one S3 operation on a bucket (None: on none); failures are QueryServiceErrors.

        They name `what`.
        """
        from aiohttp import ClientError as HttpError
        from botocore.exceptions import BotoCoreError, ClientError

        endpoint = self.configuration.endpoint(bucket or "", region)
        target = {} if bucket is None else {"Bucket": bucket}
        named = what or f"bucket {bucket}"
        try:
            async with self._slots:
                client = await self._client(endpoint)
                return await getattr(client, operation)(**target, **arguments)
        except ClientError as error:
            raise translated(error.response, bucket or "", named, endpoint.label) from error
        except (BotoCoreError, HttpError, OSError) as error:
            raise translated_transport(error, named, endpoint.label) from error
        except RecursionError as error:
            # botocore asks where a bucket is that answers 301, and asks again when that does too.
            raise QueryServiceError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"{endpoint.label} redirects (301) requests for {named} and does not tell where to",
            ) from error

    async def gather(self, works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        """Run many coroutines together; the first failure cancels the others."""
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    def warm_up(self) -> None:
        """Load the AWS libraries and open the endpoint's client meanwhile, before a query waits."""
        self._warming = asyncio.run_coroutine_threadsafe(self._warm_up(), self._loop)

    def close(self) -> None:
        """Close connections and end the thread."""
        if self._loop.is_closed():
            return
        if self._warming is not None:
            self._warming.cancel()
        self.run(self._close_clients())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    async def _warm_up(self) -> None:
        await asyncio.to_thread(importlib.import_module, "s3fs")
        # Without credentials there is nothing to open: who asks first is told why.
        with contextlib.suppress(Exception):
            client = await self._client(self.configuration.endpoint(""))
            # Nothing is sent: botocore builds at its first request what all others use (25 ms).
            await client.generate_presigned_url("list_objects_v2", Params={"Bucket": "warm-up"})

    async def _client(self, endpoint: Endpoint) -> Any:
        if endpoint in self._clients:
            return self._clients[endpoint]
        from querysvc.storage.botocore_client import open_client

        async with self._opening:
            if endpoint not in self._clients:
                attempts = self.configuration.metadata_attempts
                opened = open_client(self.configuration, endpoint, self._chain, attempts=attempts)
                client = await self._opened.enter_async_context(opened)
                # First: botocore's own handler would parse the whole body to look for errors.
                client.meta.events.register_first(
                    "before-parse.s3.ListObjectsV2", listing.replace_parser
                )
                self._clients[endpoint] = client
        return self._clients[endpoint]

    async def _close_clients(self) -> None:
        self._clients.clear()
        await self._opened.aclose()


_MISSING_BUCKET = frozenset({"NoSuchBucket", "NoSuchBucketException"})


def translated(
    response: Mapping[str, Any], bucket: str, what: str, endpoint: str
) -> QueryServiceError:
    """S3's error answer as an error of ours."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    told = response.get("Error", {})
    code, text = str(told.get("Code", "")), str(told.get("Message", ""))
    if code in _MISSING_BUCKET:
        message = f"bucket {bucket} does not exist at {endpoint}"
        return S3RefusalError(ErrorCode.BUCKET_NOT_FOUND, message, status=status, s3_code=code)
    if status in (401, 403) or names_bad_credentials(code):
        known = denied(f"{code} <Message>{text}</Message>", what, endpoint)
        return S3RefusalError(known.code, known.message, status=status, s3_code=code)
    return S3RefusalError(
        ErrorCode.STORAGE_UNAVAILABLE,
        f"{endpoint} answered {status} {code} for {what}: {text}",
        status=status,
        s3_code=code,
    )


def translated_transport(error: Exception, what: str, endpoint: str) -> QueryServiceError:
    """No answer came: wrong credentials on this side, or nobody there."""
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
        return QueryServiceError(
            ErrorCode.INVALID_CREDENTIALS, f"no usable AWS credentials for {what}: {error}"
        )
    if name in ("ParamValidationError", "InvalidBucketName"):
        return QueryServiceError(ErrorCode.BUCKET_NOT_FOUND, f"{what}: {error}")
    return untrusted(str(error), endpoint) or QueryServiceError(
        ErrorCode.STORAGE_UNAVAILABLE, f"{endpoint} cannot be reached for {what}: {error}"
    )


class S3RefusalError(QueryServiceError):
    """S3 answered with an error; `status` and `s3_code` are S3's own."""

    def __init__(self, code: ErrorCode, message: str, *, status: int, s3_code: str) -> None:
        super().__init__(code, message)
        self.status = status
        self.s3_code = s3_code

    def __reduce__(self) -> tuple[object, ...]:
        return (QueryServiceError, (self.code, self.message))
