"""Pages and their opaque tokens.

A token holds the key of the last item returned (a keyset), so a listing stays complete and free of
repeats while others write.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import orjson

from querysvc_catalog.errors import InvalidInputError

PAGE_SIZE_MAX: Final = 10_000
_TOKEN_LENGTH_MAX: Final = 16_384

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a listing, and the token of the next page if there is one."""

    items: tuple[T, ...]
    next_token: str | None = None


def encode_token(kind: str, key: str | int) -> str:
    """Make the token that continues a listing of `kind` after `key`."""
    return base64.urlsafe_b64encode(orjson.dumps([kind, key])).decode("ascii").rstrip("=")


def decode_text_token(kind: str, token: str | None) -> str | None:
    """Read a token of `encode_token` whose key is a text, or raise InvalidInputError."""
    key = _decode(kind, token)
    if key is not None and not isinstance(key, str):
        raise InvalidInputError("the next token is not valid")
    return key


def decode_number_token(kind: str, token: str | None) -> int | None:
    """Read a token of `encode_token` whose key is a number, or raise InvalidInputError."""
    key = _decode(kind, token)
    if key is not None and (isinstance(key, bool) or not isinstance(key, int)):
        raise InvalidInputError("the next token is not valid")
    return key


def _decode(kind: str, token: str | None) -> object:
    if token is None:
        return None
    try:
        if len(token) > _TOKEN_LENGTH_MAX:
            raise ValueError("the token is too long")
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        found_kind, key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidInputError("the next token is not valid") from error
    # base64 and JSON take more spellings than we write: what is ours comes out as it came in.
    if found_kind != kind or key is None or encode_token(kind, key) != token:
        raise InvalidInputError("the next token is not valid")
    return key


def check_page_size(page_size: int) -> int:
    """Check a requested page size."""
    if not 1 <= page_size <= PAGE_SIZE_MAX:
        raise InvalidInputError(f"the page size must be 1 to {PAGE_SIZE_MAX}, not {page_size}")
    return page_size


def make_page(
    kind: str, items: Sequence[T], page_size: int, key_of: Callable[[T], str | int]
) -> Page[T]:
    """Cut a listing that was read one item too far into a page."""
    if len(items) <= page_size:
        return Page(tuple(items))
    shown = tuple(items[:page_size])
    return Page(shown, encode_token(kind, key_of(shown[-1])))


def all_items(list_page: Callable[[str | None], Page[T]], token: str | None = None) -> Iterator[T]:
    """Walk a listing page by page, from the page of a token on."""
    while True:
        page = list_page(token)
        yield from page.items
        if page.next_token is None:
            return
        token = page.next_token


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut items into lists of at most `size`."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
