"""ListObjectsV2's answers: read with a lean parser, checked for missing or repeated parts.

botocore's own parser takes several times the CPU (benchmarks/listing.py). This one is put in its
place by botocore's `before-parse` event, and so keeps its retries, redirects and signatures.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any  # botocore's event arguments are untyped
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import StoredObject

PAGE = "QuerysvcPage"
_EMPTY = b"<ListBucketResult/>"


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page: rows are (key, size, ETag without quotes, time, storage class)."""

    rows: list[tuple[str, int, str, str, str]]
    prefixes: list[str]
    is_truncated: bool
    next_token: str | None


class ListingError(Exception):
    """An answer that is no whole page of a listing."""


def parse_page(body: bytes) -> ListingPage:
    """Read one answer; raises ListingError for what is not a complete ListBucketResult."""
    try:
        # expat 2.4.1 and later bound entity expansion, and external entities are never read.
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError as error:
        raise ListingError(f"the answer is not XML ({error})") from error
    space, _, name = root.tag.rpartition("}")
    space = space + "}" if space else ""
    if name != "ListBucketResult":
        raise ListingError(f"the answer is a {name}")
    is_encoded = root.findtext(space + "EncodingType") == "url"

    folders: dict[str, str] = {}

    def decode(text: str | None) -> str:
        if not is_encoded or not text:
            return text or ""
        folder, slash, name = text.rpartition("/")
        if folder not in folders:
            folders[folder] = unquote_plus(folder)
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        return folders[folder] + slash + name

    rows = [_row(entry, space, decode) for entry in root.iter(space + "Contents")]
    prefixes = [
        decode(entry.findtext(space + "Prefix")) for entry in root.iter(space + "CommonPrefixes")
    ]
    count = root.findtext(space + "KeyCount")
    if count is not None and int(count) != len(rows) + len(prefixes):
        raise ListingError(f"the page tells {count} keys and has {len(rows) + len(prefixes)}")
    is_truncated = root.findtext(space + "IsTruncated") == "true"
    return ListingPage(rows, prefixes, is_truncated, root.findtext(space + "NextContinuationToken"))


def _row(entry: ElementTree.Element, space: str, decode: Any) -> tuple[str, int, str, str, str]:
    skip = len(space)
    told = {child.tag[skip:]: child.text for child in entry}
    try:
        return (
            decode(told["Key"]),
            int(told["Size"] or 0),
            (told["ETag"] or "").strip('"'),
            told["LastModified"] or "",
            told.get("StorageClass") or "STANDARD",
        )
    except KeyError as error:
        raise ListingError(f"a key without {error}") from error


def replace_parser(
    response_dict: MutableMapping[str, Any],
    customized_response_dict: MutableMapping[str, Any],
    **_: Any,
) -> None:
    """Handle `before-parse.s3.ListObjectsV2`: parse here, and leave botocore an empty document."""
    if response_dict["status_code"] != 200:
        return
    try:
        customized_response_dict[PAGE] = parse_page(response_dict["body"])
    except ListingError as error:
        customized_response_dict[PAGE] = error
    response_dict["body"] = _EMPTY


@dataclass(slots=True)
class Listing:
    """The pages of one prefix put together, with what must hold between them."""

    bucket: str
    prefix: str
    objects_max: int
    objects: list[StoredObject] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)
    _tokens: set[str] = field(default_factory=set)

    def add(self, page: ListingPage) -> str | None:
        """Take a page and return the token of the next one, None at the end."""
        for key, size, etag, modified, storage_class in page.rows:
            if not key.startswith(self.prefix):
                raise ListingError(f"key {key!r} is not under the prefix")
            if key in self._keys:
                raise ListingError(f"key {key!r} came twice")
            self._keys.add(key)
            time = datetime.fromisoformat(modified)
            self.objects.append(StoredObject(self.bucket, key, size, etag, time, storage_class))
        self.prefixes += page.prefixes
        if len(self.objects) > self.objects_max:
            raise QueryServiceError(
                ErrorCode.EXCEEDED_SCAN_LIMIT,
                f"s3://{self.bucket}/{self.prefix} has more than {self.objects_max} objects; "
                "partition the table or raise listing_objects_max",
            )
        if not page.is_truncated:
            return None
        if not page.next_token:
            raise ListingError("the page is truncated and names no next one")
        if page.next_token in self._tokens:
            raise ListingError("the same page token came twice")
        self._tokens.add(page.next_token)
        return page.next_token
