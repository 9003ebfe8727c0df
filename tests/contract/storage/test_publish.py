"""Publishing results: whole, with the options asked for, and nothing left after a failure."""

from __future__ import annotations

import random
import uuid
from pathlib import Path
from typing import Any

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultConfiguration
from tests.support.fault_proxy import Fault, Rule

MIB = 1 << 20


@pytest.fixture
def moto_bucket(moto: Any) -> str:
    name = f"results-{uuid.uuid4().hex[:20]}"
    moto.client().create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 5 * MIB + 1, 12 * MIB])
def test_file_arrives_whole_at_every_size(
    s3_server: Any, bucket: str, open_storage: Any, tmp_path: Path, size: int
) -> None:
    data = random.Random(size).randbytes(size)
    file = tmp_path / "result.csv"
    file.write_bytes(data)
    storage = open_storage(s3_server.configuration())
    storage.publisher.put_file(f"s3://{bucket}/out/r.csv", file, content_type="text/csv")
    got = s3_server.client().get_object(Bucket=bucket, Key="out/r.csv")
    assert got["Body"].read() == data
    assert got["ContentType"] == "text/csv"


def test_failed_upload_is_aborted_and_leaves_nothing(
    s3_server: Any, bucket: str, open_storage: Any, proxy: Any, tmp_path: Path
) -> None:
    file = tmp_path / "result.csv"
    file.write_bytes(b"x" * 12 * MIB)
    body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    second = Rule(
        Fault.STATUS,
        times=None,
        status=403,
        body=body,
        matches=lambda method, path: method == "PUT" and "partNumber=2" in path,
    )
    proxy.add(second)
    storage = open_storage(s3_server.configuration(endpoint_url=proxy.url))
    with pytest.raises(QueryServiceError, match=f"s3://{bucket}/out/r.csv") as caught:
        storage.publisher.put_file(f"s3://{bucket}/out/r.csv", file)
    assert caught.value.code is ErrorCode.ACCESS_DENIED
    client = s3_server.client()
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("size", [10, 6 * MIB])
def test_encryption_and_acl_are_those_asked_for(
    moto: Any, moto_bucket: str, open_storage: Any, tmp_path: Path, size: int
) -> None:
    file = tmp_path / "r"
    file.write_bytes(b"x" * size)
    storage = open_storage(moto.configuration())
    options = ResultConfiguration(
        encryption_option="SSE_KMS", kms_key="key-1", acl_option="BUCKET_OWNER_FULL_CONTROL"
    )
    storage.publisher.put_file(f"s3://{moto_bucket}/r", file, options)
    head = moto.client().head_object(Bucket=moto_bucket, Key="r")
    assert head["ServerSideEncryption"] == "aws:kms"
    assert head["SSEKMSKeyId"] == "key-1"


@pytest.mark.parametrize(
    "options",
    [ResultConfiguration(encryption_option="CSE_KMS"), ResultConfiguration(acl_option="PUBLIC")],
)
def test_option_that_is_not_supported_is_refused_by_name(
    s3_server: Any, bucket: str, open_storage: Any, options: ResultConfiguration
) -> None:
    storage = open_storage(s3_server.configuration())
    with pytest.raises(QueryServiceError, match=r"CSE_KMS|PUBLIC") as caught:
        storage.publisher.put_bytes(f"s3://{bucket}/r", b"x", options)
    assert caught.value.code is ErrorCode.NOT_SUPPORTED


def test_expected_owner_goes_with_every_request_of_an_upload(
    s3_server: Any, bucket: str, open_storage: Any, tmp_path: Path
) -> None:
    file = tmp_path / "r"
    file.write_bytes(b"x" * 6 * MIB)
    storage = open_storage(s3_server.configuration())
    sent: list[dict[str, Any]] = []
    original = storage.connection.call

    async def call(operation: str, **arguments: Any) -> Any:
        sent.append(arguments)
        arguments.pop("ExpectedBucketOwner")
        return await original(operation, **arguments)

    storage.connection.call = call
    options = ResultConfiguration(expected_bucket_owner="123456789012")
    storage.publisher.put_file(f"s3://{bucket}/r", file, options)
    assert len(sent) == 4


def test_deleting_takes_what_is_there_and_forgives_what_is_not(
    s3_server: Any, bucket: str, open_storage: Any
) -> None:
    storage = open_storage(s3_server.configuration())
    storage.publisher.put_bytes(f"s3://{bucket}/a", b"1")
    storage.publisher.put_bytes(f"s3://{bucket}/b/c", b"1")
    storage.publisher.delete([f"s3://{bucket}/a", f"s3://{bucket}/b/c", f"s3://{bucket}/none"])
    assert s3_server.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("address", ["", "s3://bucket", "s3://bucket/", "http://b/k", "/tmp/x"])
def test_address_that_is_no_object_is_refused(
    s3_server: Any, open_storage: Any, address: str
) -> None:
    storage = open_storage(s3_server.configuration())
    with pytest.raises(QueryServiceError) as caught:
        storage.publisher.put_bytes(address, b"")
    assert caught.value.code is ErrorCode.INVALID_REQUEST
