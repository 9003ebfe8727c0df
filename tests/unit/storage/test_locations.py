"""Locations, hidden names, endpoints."""

from __future__ import annotations

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage.configuration import BucketOverride, StorageConfiguration
from querysvc.storage.locations import Location, is_hidden, parse_location
from querysvc.storage.object_source import is_plain_key


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://b", "b", ""),
        ("s3://b/", "b", ""),
        ("s3://b/p", "b", "p/"),
        ("s3://b/p/", "b", "p/"),
        ("s3a://b/p//q", "b", "p//q/"),
        ("S3N://b/ü x/[1]*?", "b", "ü x/[1]*?/"),
        ("s3://b//", "b", "/"),
        ("s3://b/a\nb", "b", "a\nb/"),
    ],
)
def test_location_is_a_bucket_and_a_prefix_that_ends_with_a_slash(
    text: str, bucket: str, prefix: str
) -> None:
    assert parse_location(text) == Location(bucket, prefix)


@pytest.mark.parametrize("text", ["", "b/p", "s3://", "s3:///p", "http://b/p", "file:///etc"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(QueryServiceError) as caught:
        parse_location(text)
    assert caught.value.code is ErrorCode.INVALID_TABLE_PROPERTY


@pytest.mark.parametrize(
    ("key", "hidden"),
    [
        ("t/a.parquet", False),
        ("t/y=1/a", False),
        ("t/a_b.c", False),
        ("t/_SUCCESS", True),
        ("t/.crc", True),
        ("t/_tmp/a", True),
        ("t/y=1/.a", True),
        ("t/y=1/", True),
        ("t/", True),
        ("t/y=1_$folder$", True),
    ],
)
def test_hidden_names_are_those_of_hive(key: str, hidden: bool) -> None:
    assert is_hidden(key, "t/") is hidden


def test_underscore_above_the_location_hides_nothing() -> None:
    assert not is_hidden("_landing/t/a", "_landing/t/")


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("a/b", True),
        ("b[1]?x=%20+ü", True),
        ("a..b/...", True),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        ("a/./b", False),
        ("..", False),
        ("a\tb", False),
        ("a\x7f", False),
    ],
)
def test_keys_that_obstore_would_rename_are_known(key: str, plain: bool) -> None:
    assert is_plain_key(key) is plain


@pytest.mark.parametrize(
    ("url", "is_aws"),
    [
        (None, True),
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn/", True),
        ("http://127.0.0.1:9000", False),
        ("https://amazonaws.com.evil.example", False),
    ],
)
def test_unanswered_facts_fail_on_aws_and_pass_elsewhere_unless_told(
    url: str | None, is_aws: bool
) -> None:
    assert StorageConfiguration(endpoint_url=url).passes_unanswered_facts("b") is not is_aws
    for choice in ("fail", "pass"):
        told = StorageConfiguration(endpoint_url=url, unanswered_bucket_facts=choice)
        assert told.passes_unanswered_facts("b") is (choice == "pass")


def test_override_of_a_bucket_wins_over_what_is_general() -> None:
    configuration = StorageConfiguration(
        endpoint_url="http://general",
        buckets={"own": BucketOverride(endpoint_url="http://own", region="eu-west-1")},
    )
    assert configuration.endpoint("own", "us-east-2").region == "eu-west-1"
    assert configuration.endpoint("own").endpoint_url == "http://own"
    assert configuration.endpoint("other", "us-east-2").region == "us-east-2"
    assert configuration.endpoint("other").path_style


def test_secrets_do_not_show_in_the_representation() -> None:
    from querysvc.storage.configuration import Credentials

    text = repr(StorageConfiguration(credentials=Credentials("AKIA", "secret!", "token!")))
    assert "secret!" not in text
    assert "token!" not in text
