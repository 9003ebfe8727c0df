"""Pages of lists that the core gives whole: a token holds the last item's key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from querysvc_catalog.paging import Page, decode_text_token, make_page

T = TypeVar("T")
Document = dict[str, Any]

PAGE_DEFAULT: Final = 50


def paged(
    kind: str,
    items: Iterable[T],
    key_of: Callable[[T], str],
    request: Document,
    default: int = PAGE_DEFAULT,
) -> Page[T]:
    """The page that a request asks for, by NextToken and MaxResults, in the order of keys."""
    after = decode_text_token(kind, request.get("NextToken"))
    rest = sorted((i for i in items if after is None or key_of(i) > after), key=key_of)
    return make_page(kind, rest, request.get("MaxResults", default), key_of)


def with_token(document: Document, page: Page[T]) -> Document:
    """The answer with its NextToken, which is absent on the last page."""
    return document if page.next_token is None else {**document, "NextToken": page.next_token}
