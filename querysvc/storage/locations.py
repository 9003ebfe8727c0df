"""Locations (`s3://bucket/prefix`) and what Hive and Athena do not see below them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from querysvc.errors import ErrorCode, QueryServiceError

_LOCATION = re.compile(r"s3[an]?://([^/]+)(?:/(.*))?", re.IGNORECASE | re.DOTALL)
_FOLDER_MARKER = "_$folder$"


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a prefix that is empty or ends with a slash: keys are opaque beyond that."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        """The location as DDL writes it."""
        return f"s3://{self.bucket}/{self.prefix}"


def parse_location(text: str) -> Location:
    """Read a LOCATION; `s3://b/p` means the keys under `p/`, never `p-other/` or `p` itself."""
    match = _LOCATION.fullmatch(text)
    if match is None:
        raise QueryServiceError(
            ErrorCode.INVALID_TABLE_PROPERTY, f"location {text!r} is not s3://bucket/prefix"
        )
    prefix = match[2] or ""
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    return Location(match[1], prefix)


def is_hidden(key: str, prefix: str) -> bool:
    """Whether tables do not see this key below their prefix.

    Directory markers, and any part of the path below the location that starts with `_` or `.`.
    """
    relative = key[len(prefix) :]
    if not relative or relative.endswith(("/", _FOLDER_MARKER)):
        return True
    if relative[0] in "_.":
        return True
    return "/_" in relative or "/." in relative


def split_address(address: str) -> tuple[str, str]:
    """Read `s3://bucket/key`, the key as it is."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() not in ("s3", "s3a", "s3n") or not bucket or not key:
        raise QueryServiceError(
            ErrorCode.INVALID_REQUEST, f"{address!r} is not the address of an object (s3://b/k)"
        )
    return bucket, key
