"""Writing results: whole objects appear at once or not at all, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any  # botocore's arguments are untyped

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultConfiguration
from querysvc.storage.listing import PAGE, ListingPage
from querysvc.storage.locations import Location, parse_location, split_address
from querysvc.storage.s3_connection import S3Connection, S3RefusalError

_PART_BYTES = 16 << 20
_PARTS_MAX = 10_000
_PARTS_IN_FLIGHT = 4
_DELETES_PER_REQUEST = 1000
_ENCRYPTIONS = {"SSE_S3": "AES256", "SSE_KMS": "aws:kms"}
_NO_OPTIONS = ResultConfiguration()
_ACLS = {"BUCKET_OWNER_FULL_CONTROL": "bucket-owner-full-control"}


@dataclass(frozen=True, slots=True)
class _Target:
    bucket: str
    key: str
    content_type: str
    headers: dict[str, Any]
    """Encryption, owner and ACL, as PutObject takes them."""

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def owner(self) -> dict[str, Any]:
        """The one header that every request of an upload repeats."""
        name = "ExpectedBucketOwner"
        return {name: self.headers[name]} if name in self.headers else {}


@dataclass(frozen=True, slots=True)
class StagedUpload:
    """An object whose bytes are in S3 and which does not exist yet: an open multipart upload."""

    bucket: str
    key: str
    upload_id: str
    parts: tuple[dict[str, Any], ...] = ()
    owner: dict[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def request(self) -> dict[str, Any]:
        """What every request about it names."""
        return {"Key": self.key, "UploadId": self.upload_id, **self.owner}


class ResultPublisher:
    """Puts, stages and deletes objects of ours. Thread-safe; the service's alone."""

    def __init__(self, connection: S3Connection, *, part_bytes: int = _PART_BYTES) -> None:
        self._connection = connection
        self._part_bytes = part_bytes

    def put_bytes(
        self,
        address: str,
        data: bytes,
        options: ResultConfiguration = _NO_OPTIONS,
        *,
        content_type: str = "application/octet-stream",
    ) -> None:
        """Write a small object."""
        self._connection.run(self._put(_target(address, options, content_type), data))

    def put_file(
        self,
        address: str,
        path: Path,
        options: ResultConfiguration = _NO_OPTIONS,
        *,
        content_type: str = "application/octet-stream",
    ) -> None:
        """Write a file's bytes, in parts if it is large; a failed upload is aborted."""
        target = _target(address, options, content_type)
        if path.stat().st_size <= self._part_bytes:
            self._connection.run(self._put(target, path.read_bytes()))
        else:
            self._connection.run(self._upload(target, path))

    def stage_file(
        self, address: str, path: Path, options: ResultConfiguration = _NO_OPTIONS
    ) -> StagedUpload:
        """Upload a file's bytes; the object does not exist until `complete`."""
        target = _target(address, options, "application/octet-stream")
        return self._connection.run(self._stage(target, path))

    def complete(self, uploads: Sequence[StagedUpload]) -> None:
        """Make staged objects exist; when one fails, the others may or may not."""
        self._connection.run(self._each(self._complete, uploads))

    def abort(self, uploads: Sequence[StagedUpload]) -> None:
        """Give up staged objects; those that exist already stay."""
        self._connection.run(self._each(self._abort, uploads))

    def clear(self, location: str, name: str) -> int:
        """Abort the uploads and delete the objects under a location whose key holds `name`.

        Tells how many there were.
        """
        return self._connection.run(self._clear(parse_location(location), name))

    def is_empty(self, location: str) -> bool:
        """Whether there is no object under a location."""
        return self._connection.run(self._is_empty(parse_location(location)))

    def delete(self, addresses: Sequence[str]) -> None:
        """Delete objects; those that do not exist are no error."""
        by_bucket: dict[str, list[str]] = {}
        for address in addresses:
            bucket, key = split_address(address)
            by_bucket.setdefault(bucket, []).append(key)
        for bucket, keys in by_bucket.items():
            for at in range(0, len(keys), _DELETES_PER_REQUEST):
                self._connection.run(self._delete(bucket, keys[at : at + _DELETES_PER_REQUEST]))

    async def _put(self, target: _Target, data: bytes) -> None:
        await self._connection.call(
            "put_object",
            bucket=target.bucket,
            what=target.address,
            Key=target.key,
            Body=data,
            ContentType=target.content_type,
            **target.headers,
        )

    async def _upload(self, target: _Target, path: Path) -> None:
        upload = await self._stage(target, path)
        try:
            await self._complete(upload)
        except BaseException:
            await self._abort_quietly(upload)
            raise

    async def _stage(self, target: _Target, path: Path) -> StagedUpload:
        created = await self._connection.call(
            "create_multipart_upload",
            bucket=target.bucket,
            what=target.address,
            Key=target.key,
            ContentType=target.content_type,
            **target.headers,
        )
        begun = StagedUpload(target.bucket, target.key, created["UploadId"], (), target.owner)
        try:
            parts = await self._upload_parts(target, path, begun.request)
        except BaseException:
            await self._abort_quietly(begun)
            raise
        return replace(begun, parts=tuple(parts))

    async def _complete(self, upload: StagedUpload) -> None:
        await self._connection.call(
            "complete_multipart_upload",
            bucket=upload.bucket,
            what=upload.address,
            MultipartUpload={"Parts": list(upload.parts)},
            **upload.request,
        )

    async def _abort_quietly(self, upload: StagedUpload) -> None:
        """Parts of an upload that nobody ends are invisible, and cost money for ever."""
        with contextlib.suppress(QueryServiceError):  # the first failure is the one to tell
            await asyncio.shield(self._abort(upload))

    async def _abort(self, upload: StagedUpload) -> None:
        try:
            await self._connection.call(
                "abort_multipart_upload",
                bucket=upload.bucket,
                what=upload.address,
                **upload.request,
            )
        except S3RefusalError as error:
            if error.s3_code != "NoSuchUpload":  # it was completed, or aborted before
                raise

    async def _upload_parts(
        self, target: _Target, path: Path, upload: dict[str, Any]
    ) -> list[dict[str, Any]]:
        size = path.stat().st_size
        part_bytes = max(self._part_bytes, -(-size // _PARTS_MAX))
        slots = asyncio.Semaphore(_PARTS_IN_FLIGHT)

        async def one(number: int, offset: int) -> dict[str, Any]:
            async with slots:
                data = await asyncio.to_thread(_read, path, offset, part_bytes)
                answer = await self._connection.call(
                    "upload_part",
                    bucket=target.bucket,
                    what=target.address,
                    PartNumber=number,
                    Body=data,
                    **upload,
                )
            return {"PartNumber": number, "ETag": answer["ETag"]}

        return await self._connection.gather(
            one(number, offset) for number, offset in enumerate(range(0, size, part_bytes), 1)
        )

    async def _each(
        self, work: Callable[[StagedUpload], Awaitable[None]], uploads: Sequence[StagedUpload]
    ) -> None:
        """Do all of them; none is given up for another's failure, for S3 may do it nevertheless."""
        answers = await asyncio.gather(*map(work, uploads), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def _is_empty(self, location: Location) -> bool:
        page = await self._list(location, {"MaxKeys": 1})
        return not page.rows

    async def _clear(self, location: Location, name: str) -> int:
        uploads = [
            StagedUpload(location.bucket, each["Key"], each["UploadId"])
            async for each in self._uploads(location)
            if name in each["Key"]
        ]
        await self._each(self._abort, uploads)
        keys = [key async for key in self._keys(location) if name in key]
        for at in range(0, len(keys), _DELETES_PER_REQUEST):
            await self._delete(location.bucket, keys[at : at + _DELETES_PER_REQUEST])
        return len(uploads) + len(keys)

    async def _uploads(self, location: Location) -> AsyncIterator[dict[str, str]]:
        markers: dict[str, str] = {}
        while True:
            answer = await self._connection.call(
                "list_multipart_uploads",
                bucket=location.bucket,
                what=str(location),
                Prefix=location.prefix,
                **markers,
            )
            for each in answer.get("Uploads") or ():
                yield each
            if not answer.get("IsTruncated"):
                return
            markers = {
                "KeyMarker": answer["NextKeyMarker"],
                "UploadIdMarker": answer["NextUploadIdMarker"],
            }

    async def _keys(self, location: Location) -> AsyncIterator[str]:
        token: str | None = None
        while True:
            page = await self._list(location, {"ContinuationToken": token} if token else {})
            for row in page.rows:
                yield row[0]
            token = page.next_token
            if not page.is_truncated or token is None:
                return

    async def _list(self, location: Location, arguments: dict[str, Any]) -> ListingPage:
        answer = await self._connection.call(
            "list_objects_v2",
            bucket=location.bucket,
            what=str(location),
            Prefix=location.prefix,
            EncodingType="url",
            **arguments,
        )
        page = answer[PAGE]
        if not isinstance(page, ListingPage):
            raise QueryServiceError(
                ErrorCode.STORAGE_UNAVAILABLE, f"the listing of {location} is broken: {page}"
            )
        return page

    async def _delete(self, bucket: str, keys: Sequence[str]) -> None:
        answer = await self._connection.call(
            "delete_objects",
            bucket=bucket,
            Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
        )
        failed = answer.get("Errors") or []
        if failed:
            first = failed[0]
            raise QueryServiceError(
                ErrorCode.ACCESS_DENIED
                if first.get("Code") == "AccessDenied"
                else ErrorCode.STORAGE_UNAVAILABLE,
                f"{len(failed)} of {len(keys)} objects of bucket {bucket} were not deleted; "
                f"{first.get('Key')}: {first.get('Code')} {first.get('Message')}",
            )


def _read(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _target(address: str, options: ResultConfiguration, content_type: str) -> _Target:
    bucket, key = split_address(address)
    headers: dict[str, Any] = {}
    if options.encryption_option is not None:
        algorithm = _ENCRYPTIONS.get(options.encryption_option)
        if algorithm is None:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED,
                f"result encryption {options.encryption_option} is not supported; "
                f"use one of {', '.join(_ENCRYPTIONS)}",
            )
        headers["ServerSideEncryption"] = algorithm
        if algorithm == "aws:kms" and options.kms_key is not None:
            headers["SSEKMSKeyId"] = options.kms_key
    if options.expected_bucket_owner is not None:
        headers["ExpectedBucketOwner"] = options.expected_bucket_owner
    if options.acl_option is not None:
        if options.acl_option not in _ACLS:
            raise QueryServiceError(
                ErrorCode.NOT_SUPPORTED, f"result ACL {options.acl_option} is not supported"
            )
        headers["ACL"] = _ACLS[options.acl_option]
    return _Target(bucket, key, content_type, headers)
