"""What the planner asks of S3: listings, partition folders, HEADs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # botocore's arguments are untyped

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import StoredObject
from querysvc.storage.configuration import StorageConfiguration
from querysvc.storage.listing import PAGE, Listing, ListingError, ListingPage
from querysvc.storage.locations import Location, is_hidden, parse_location, split_address
from querysvc.storage.s3_connection import S3Connection, S3RefusalError
from querysvc.storage.s3_errors import is_client_side_encrypted


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """What HEAD tells and a listing does not."""

    etag: str
    encryption: str | None = None
    """`AES256`, `aws:kms`, `aws:kms:dsse`, `SSE-C`; None when S3 tells none."""
    kms_key: str | None = None
    is_client_side_encrypted: bool = False
    is_restored: bool = False
    """An archived object with a readable copy."""


_HEADS_AT_ONCE = 4096
_WHOLE_BYTES_MAX = 256 << 20
"""Of an object that is held in memory: Iceberg's largest metadata files."""


class StorageClient:
    """Lists and inspects objects. Thread-safe; runs many requests at a time."""

    def __init__(self, connection: S3Connection) -> None:
        self._connection = connection

    @property
    def configuration(self) -> StorageConfiguration:
        """The configuration behind the connection."""
        return self._connection.configuration

    def warm_up(self) -> None:
        """Make the first listing as quick as the others, in the background."""
        self._connection.warm_up()

    def list_objects(self, location: str, *, includes_hidden: bool = False) -> list[StoredObject]:
        """List the objects under a location, as tables see them."""
        return self.list_locations([location], includes_hidden=includes_hidden)[0]

    def list_locations(
        self, locations: Sequence[str], *, includes_hidden: bool = False
    ) -> list[list[StoredObject]]:
        """List many locations concurrently; answers are in the order of `locations`."""
        parsed = [parse_location(one) for one in locations]

        async def work() -> list[list[StoredObject]]:
            return await self._connection.gather(
                self._objects(one, includes_hidden=includes_hidden) for one in parsed
            )

        return self._connection.run(work())

    def list_prefixes(self, locations: Sequence[str]) -> list[list[str]]:
        """List the folders directly under each location, with their closing slash, visible ones."""
        parsed = [parse_location(one) for one in locations]

        async def work() -> list[list[str]]:
            return await self._connection.gather(self._folders(one) for one in parsed)

        return self._connection.run(work())

    def heads(
        self, objects: Sequence[StoredObject], *, region: Mapping[str, str] | None = None
    ) -> list[ObjectHead]:
        """HEAD many objects concurrently; each must still be the listed one."""
        regions = region or {}

        async def work(part: Sequence[StoredObject]) -> list[ObjectHead]:
            return await self._connection.gather(
                self._head(one, regions.get(one.bucket)) for one in part
            )

        heads: list[ObjectHead] = []
        for at in range(0, len(objects), _HEADS_AT_ONCE):
            heads += self._connection.run(work(objects[at : at + _HEADS_AT_ONCE]))
        return heads

    def read_object(self, address: str) -> bytes:
        """The whole of a small object, as it is now; HIVE_BAD_DATA of one that is not small."""
        bucket, key = split_address(address)
        return self._connection.run(self._whole(bucket, key, address))

    def describe(self, addresses: Sequence[str]) -> list[StoredObject | None]:
        """What S3 tells of objects that are named one by one; None of those that do not exist."""

        async def work(part: Sequence[str]) -> list[StoredObject | None]:
            return await self._connection.gather(self._described(one) for one in part)

        found: list[StoredObject | None] = []
        for at in range(0, len(addresses), _HEADS_AT_ONCE):
            found += self._connection.run(work(addresses[at : at + _HEADS_AT_ONCE]))
        return found

    def read_ranges(self, ranges: Sequence[tuple[StoredObject, int, int]]) -> list[bytes]:
        """Read (object, offset, length) concurrently; each must still be the listed object."""

        async def work() -> list[bytes]:
            return await self._connection.gather(self._range(*one) for one in ranges)

        return self._connection.run(work())

    async def _range(self, target: StoredObject, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""
        response = await self._connection.call(
            "get_object",
            bucket=target.bucket,
            what=target.address,
            Key=target.key,
            Range=f"bytes={offset}-{offset + length - 1}",
            IfMatch=target.etag,
        )
        async with response["Body"] as body:
            data: bytes = await body.read()
        return data

    async def _whole(self, bucket: str, key: str, address: str) -> bytes:
        response = await self._connection.call("get_object", bucket=bucket, what=address, Key=key)
        async with response["Body"] as body:
            if response["ContentLength"] > _WHOLE_BYTES_MAX:
                raise QueryServiceError(
                    ErrorCode.HIVE_BAD_DATA,
                    f"{address} has {response['ContentLength']} bytes; at most {_WHOLE_BYTES_MAX}"
                    " of a metadata file are read",
                )
            data: bytes = await body.read()
        return data

    async def _described(self, address: str) -> StoredObject | None:
        bucket, key = split_address(address)
        try:
            head = await self._connection.call("head_object", bucket=bucket, what=address, Key=key)
        except S3RefusalError as error:
            if error.status != 404:
                raise
            return None
        return StoredObject(
            bucket,
            key,
            head["ContentLength"],
            head["ETag"].strip('"'),
            head["LastModified"],
            head.get("StorageClass", "STANDARD"),
        )

    async def _objects(self, location: Location, *, includes_hidden: bool) -> list[StoredObject]:
        listing = await self._pages(location, delimiter=None)
        if includes_hidden:
            return listing.objects
        prefix = location.prefix
        return [one for one in listing.objects if not is_hidden(one.key, prefix)]

    async def _folders(self, location: Location) -> list[str]:
        listing = await self._pages(location, delimiter="/")
        skip = len(location.prefix)
        return [one for one in listing.prefixes if one[skip : skip + 1] not in ("_", ".", "/", "")]

    async def _pages(self, location: Location, *, delimiter: str | None) -> Listing:
        maximum = self.configuration.listing_objects_max
        listing = Listing(location.bucket, location.prefix, maximum)
        arguments: dict[str, str | int] = {
            "Prefix": location.prefix,
            "EncodingType": "url",
            "MaxKeys": self.configuration.listing_page_keys,
        }
        if delimiter is not None:
            arguments["Delimiter"] = delimiter
        token: str | None = None
        while True:
            if token is not None:
                arguments["ContinuationToken"] = token
            try:
                token = listing.add(await self._page(location, arguments))
            except ListingError as error:
                raise _bad_listing(location, error) from error
            if token is None:
                return listing

    async def _page(self, location: Location, arguments: Mapping[str, str | int]) -> ListingPage:
        """Fetch one page; an answer that is not a whole page is asked for again."""
        attempt = 1
        while True:
            response = await self._connection.call(
                "list_objects_v2",
                bucket=location.bucket,
                what=str(location),
                **dict[str, Any](arguments),
            )
            page = response[PAGE]
            if isinstance(page, ListingPage):
                return page
            if attempt >= self.configuration.metadata_attempts:
                raise _bad_listing(location, page)
            await asyncio.sleep(self.configuration.backoff_seconds * attempt * random.random())  # noqa: S311
            attempt += 1

    async def _head(self, target: StoredObject, region: str | None) -> ObjectHead:
        try:
            response = await self._connection.call(
                "head_object",
                bucket=target.bucket,
                region=region,
                what=target.address,
                Key=target.key,
            )
        except S3RefusalError as error:
            if error.status != 404:
                raise
            raise QueryServiceError(
                ErrorCode.OBJECT_CHANGED,
                f"{target.address} was deleted since it was listed; run the query again",
            ) from error
        etag = response.get("ETag", "").strip('"')
        if etag != target.etag:
            raise QueryServiceError(
                ErrorCode.OBJECT_CHANGED,
                f"{target.address} changed since it was listed; run the query again",
            )
        customer = response.get("SSECustomerAlgorithm")
        return ObjectHead(
            etag=etag,
            encryption="SSE-C" if customer else response.get("ServerSideEncryption"),
            kms_key=response.get("SSEKMSKeyId"),
            is_client_side_encrypted=is_client_side_encrypted(response.get("Metadata", {})),
            is_restored='ongoing-request="false"' in response.get("Restore", ""),
        )


def _bad_listing(location: Location, error: Exception) -> QueryServiceError:
    return QueryServiceError(
        ErrorCode.STORAGE_UNAVAILABLE,
        f"the listing of {location} is incomplete or inconsistent: {error}; nothing was read",
    )
