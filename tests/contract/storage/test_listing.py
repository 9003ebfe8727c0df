"""Listing over real servers: what tables see, in pages, with faults."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage.configuration import Credentials
from tests.support.fault_proxy import Fault, Rule
from tests.support.s3 import free_port

QUICK: dict[str, Any] = {
    "metadata_attempts_max": 3,
    "stall_timeout_seconds": 1.0,
    "connect_timeout_seconds": 1.0,
    "backoff_seconds": 0.01,
}


@pytest.fixture(params=["versitygw", "moto"])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("s3_server" if request.param == "versitygw" else "moto")


@pytest.fixture
def own_bucket(server: Any) -> str:
    name = f"list-{uuid.uuid4().hex[:20]}"
    server.client().create_bucket(Bucket=name)
    return name


def test_visible_objects_under_the_location_are_listed_with_what_the_plan_needs(
    server: Any, own_bucket: str, open_storage: Any
) -> None:
    shown = ["t/a.csv", "t/y=1/b c+%20ü[1]?.csv", "t/y=2/z"]
    for key in [*shown, "t/_SUCCESS", "t/.hidden/x", "t-other/c", "u/d", "t/y=1/_tmp"]:
        server.put(own_bucket, key, b"12345")
    storage = open_storage(server.configuration())
    for location in (f"s3://{own_bucket}/t", f"s3a://{own_bucket}/t/"):
        objects = storage.client.list_objects(location)
        assert sorted(one.key for one in objects) == shown
    expected = server.stored(own_bucket, "t/a.csv")
    found = next(one for one in objects if one.key == "t/a.csv")
    assert (found.size, found.etag, found.storage_class) == (5, expected.etag, "STANDARD")
    assert abs((found.last_modified - expected.last_modified).total_seconds()) <= 1
    assert len(storage.client.list_objects(f"s3://{own_bucket}", includes_hidden=True)) == 8
    assert storage.client.list_objects(f"s3://{own_bucket}/nothing") == []


def test_folders_are_listed_for_partition_discovery(
    server: Any, own_bucket: str, open_storage: Any
) -> None:
    for key in ("t/y=1/m=1/a", "t/y=1/m=2/a", "t/y=2/m=1/a", "t/_x/a", "t/file"):
        server.put(own_bucket, key, b"1")
    storage = open_storage(server.configuration())
    root = f"s3://{own_bucket}/t/"
    assert storage.client.list_prefixes([root, root + "y=1/"]) == [
        ["t/y=1/", "t/y=2/"],
        ["t/y=1/m=1/", "t/y=1/m=2/"],
    ]


def test_many_locations_and_many_pages_come_together(
    server: Any, own_bucket: str, open_storage: Any
) -> None:
    for n in range(25):
        server.client().put_object(Bucket=own_bucket, Key=f"big/{n:05d}", Body=b"x")
    server.client().put_object(Bucket=own_bucket, Key="small/1", Body=b"x")
    storage = open_storage(server.configuration(listing_page_keys=10))
    big, small = storage.client.list_locations([f"s3://{own_bucket}/{p}" for p in ("big", "small")])
    assert [one.key for one in big] == [f"big/{n:05d}" for n in range(25)]
    assert [one.key for one in small] == ["small/1"]


def test_missing_bucket_is_named(server: Any, open_storage: Any) -> None:
    storage = open_storage(server.configuration())
    for call, argument in (
        (storage.client.list_objects, "s3://no-such-bucket-here/t"),
        (storage.facts.get, ["no-such-bucket-here"]),
    ):
        with pytest.raises(QueryServiceError, match="no-such-bucket-here") as caught:
            call(argument)
        assert caught.value.code is ErrorCode.BUCKET_NOT_FOUND


def test_wrong_credentials_are_told_as_such(s3_server: Any, bucket: str, open_storage: Any) -> None:
    for keys in (Credentials("testaccess", "wrong"), Credentials("nobody", "testsecretkey")):
        storage = open_storage(s3_server.configuration(credentials=keys))
        with pytest.raises(QueryServiceError, match="credentials") as caught:
            storage.client.list_objects(f"s3://{bucket}/t")
        assert caught.value.code is ErrorCode.INVALID_CREDENTIALS


def test_nobody_listening_is_told_with_the_endpoint(s3_server: Any, open_storage: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    storage = open_storage(s3_server.configuration(endpoint_url=url, **QUICK))
    with pytest.raises(QueryServiceError, match=url) as caught:
        storage.client.list_objects("s3://bucket/t")
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE


@pytest.mark.parametrize(
    "fault",
    [
        Fault.STATUS,
        Fault.RESET,
        Fault.TRUNCATE,
        Fault.STALL_HEAD,
        Fault.STALL_BODY,
        Fault.HTML,
        Fault.SHORT,
    ],
)
def test_passing_fault_of_a_listing_is_survived(
    s3_server: Any, bucket: str, open_storage: Any, proxy: Any, fault: Fault
) -> None:
    s3_server.put(bucket, "t/a", b"1")
    proxy.add(Rule(fault, times=1))
    storage = open_storage(s3_server.configuration(endpoint_url=proxy.url, **QUICK))
    assert [one.key for one in storage.client.list_objects(f"s3://{bucket}/t")] == ["t/a"]
    assert len(proxy.requests) == 2


@pytest.mark.parametrize("fault", [Fault.STATUS, Fault.RESET, Fault.HTML, Fault.SHORT])
def test_lasting_fault_of_a_listing_fails_and_never_lists_less(
    s3_server: Any, bucket: str, open_storage: Any, proxy: Any, fault: Fault
) -> None:
    s3_server.put(bucket, "t/a", b"1")
    proxy.add(Rule(fault, times=None))
    storage = open_storage(s3_server.configuration(endpoint_url=proxy.url, **QUICK))
    with pytest.raises(QueryServiceError) as caught:
        storage.client.list_objects(f"s3://{bucket}/t")
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE


def test_head_of_a_replaced_or_deleted_object_is_a_change(
    s3_server: Any, bucket: str, open_storage: Any
) -> None:
    storage = open_storage(s3_server.configuration())
    stored = s3_server.put(bucket, "a", b"1")
    assert storage.client.heads([stored])[0].etag == stored.etag
    s3_server.put(bucket, "a", b"2")
    with pytest.raises(QueryServiceError, match="changed") as caught:
        storage.client.heads([stored])
    assert caught.value.code is ErrorCode.OBJECT_CHANGED
    s3_server.client().delete_object(Bucket=bucket, Key="a")
    with pytest.raises(QueryServiceError, match="deleted") as caught:
        storage.client.heads([stored])
    assert caught.value.code is ErrorCode.OBJECT_CHANGED
