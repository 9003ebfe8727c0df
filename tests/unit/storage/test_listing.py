"""Pages of listings: what is read, and what is no whole listing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage.listing import Listing, ListingError, parse_page

SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def entry(key: str, size: int = 1, storage_class: str | None = "STANDARD") -> str:
    told = f"<StorageClass>{storage_class}</StorageClass>" if storage_class else ""
    return (
        f"<Contents><Key>{key}</Key><LastModified>2024-05-01T12:34:56.789Z</LastModified>"
        f"<ETag>&quot;abc-2&quot;</ETag><Size>{size}</Size>{told}</Contents>"
    )


def page(*parts: str, space: str = SPACE) -> bytes:
    return f"<ListBucketResult {space}>{''.join(parts)}</ListBucketResult>".encode()


@pytest.mark.parametrize("space", [SPACE, ""])
def test_rows_carry_key_size_etag_and_class(space: str) -> None:
    got = parse_page(page(entry("p/a", 7, "GLACIER"), entry("p/b", 8, None), space=space))
    assert got.rows == [
        ("p/a", 7, "abc-2", "2024-05-01T12:34:56.789Z", "GLACIER"),
        ("p/b", 8, "abc-2", "2024-05-01T12:34:56.789Z", "STANDARD"),
    ]
    assert not got.is_truncated


def test_encoded_keys_are_decoded_only_when_the_page_says_so() -> None:
    encoded = "<EncodingType>url</EncodingType>"
    assert parse_page(page(encoded, entry("a%2Bb+c%01"))).rows[0][0] == "a+b c\x01"
    assert parse_page(page(entry("a%2Bb+c"))).rows[0][0] == "a%2Bb+c"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Please log in</html>",
        b"<ListBucketResult><Contents>",
        page("<KeyCount>2</KeyCount>", entry("a")),
        page("<Contents><Key>a</Key></Contents>"),
        b"<Error><Code>InternalError</Code></Error>",
    ],
)
def test_body_that_is_no_whole_page_is_refused(body: bytes) -> None:
    with pytest.raises(ListingError):
        parse_page(body)


@given(st.binary(max_size=200))
def test_no_bytes_end_in_another_error(body: bytes) -> None:
    with contextlib.suppress(ListingError):
        parse_page(body)


def more(token: str | None) -> str:
    told = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return f"<IsTruncated>true</IsTruncated>{told}"


def test_truncated_page_without_a_token_is_refused() -> None:
    with pytest.raises(ListingError, match="names no next one"):
        Listing("b", "", 10).add(parse_page(page(more(None), entry("a"))))


def test_repeated_token_is_refused() -> None:
    listing = Listing("b", "", 10)
    assert listing.add(parse_page(page(more("t"), entry("a")))) == "t"
    with pytest.raises(ListingError, match="token came twice"):
        listing.add(parse_page(page(more("t"), entry("b"))))


def test_repeated_key_is_refused() -> None:
    listing = Listing("b", "", 10)
    listing.add(parse_page(page(more("t"), entry("a"))))
    with pytest.raises(ListingError, match="'a' came twice"):
        listing.add(parse_page(page(entry("a"))))


def test_key_outside_the_prefix_is_refused() -> None:
    with pytest.raises(ListingError, match="not under the prefix"):
        Listing("b", "p/", 10).add(parse_page(page(entry("q/a"))))


@pytest.mark.parametrize(("count", "is_refused"), [(2, False), (3, False), (4, True)])
def test_location_may_have_so_many_objects(count: int, is_refused: bool) -> None:
    listing = Listing("b", "", 3)
    whole = parse_page(page(*(entry(str(n)) for n in range(count))))
    if not is_refused:
        assert listing.add(whole) is None
        return
    with pytest.raises(QueryServiceError) as caught:
        listing.add(whole)
    assert caught.value.code is ErrorCode.EXCEEDED_SCAN_LIMIT
