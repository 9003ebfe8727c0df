"""Staged objects: nobody sees them until they are completed, and all of a write can be cleared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.storage.publish import ResultPublisher, StagedUpload
from querysvc.storage.s3_connection import S3Connection
from tests.support.s3 import S3Server

PART = 5 << 20


@pytest.fixture
def publisher(s3_server: S3Server) -> Iterator[ResultPublisher]:
    connection = S3Connection(s3_server.configuration())
    yield ResultPublisher(connection, part_bytes=PART)
    connection.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (PART + 1))
    return path


def keys(server: S3Server, bucket: str) -> list[str]:
    listed = server.client().list_objects_v2(Bucket=bucket).get("Contents", [])
    return [entry["Key"] for entry in listed]


def uploads(server: S3Server, bucket: str) -> list[str]:
    listed = server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [entry["Key"] for entry in listed]


def test_a_staged_object_exists_when_it_is_completed(
    publisher: ResultPublisher, s3_server: S3Server, bucket: str, file: Path
) -> None:
    staged = [publisher.stage_file(f"s3://{bucket}/t/q_{n}", file) for n in range(2)]
    assert (keys(s3_server, bucket), len(uploads(s3_server, bucket))) == ([], 2)
    assert publisher.is_empty(f"s3://{bucket}/t")
    publisher.complete(staged)
    assert (keys(s3_server, bucket), uploads(s3_server, bucket)) == (["t/q_0", "t/q_1"], [])
    assert not publisher.is_empty(f"s3://{bucket}/t")
    body = s3_server.client().get_object(Bucket=bucket, Key="t/q_0")["Body"].read()
    assert body == file.read_bytes()


def test_an_aborted_upload_leaves_nothing_and_may_be_aborted_again(
    publisher: ResultPublisher, s3_server: S3Server, bucket: str, file: Path
) -> None:
    staged = publisher.stage_file(f"s3://{bucket}/t/q_0", file)
    publisher.abort([staged])
    publisher.abort([staged])
    assert (keys(s3_server, bucket), uploads(s3_server, bucket)) == ([], [])


def test_one_completion_that_fails_does_not_stop_the_others(
    publisher: ResultPublisher, s3_server: S3Server, bucket: str, file: Path
) -> None:
    unknown = StagedUpload(bucket, "t/none", "no-such-upload")
    staged = publisher.stage_file(f"s3://{bucket}/t/q_0", file)
    with pytest.raises(QueryServiceError) as caught:
        publisher.complete([unknown, staged])
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert keys(s3_server, bucket) == ["t/q_0"]


def test_clearing_takes_what_names_the_query_and_nothing_else(
    publisher: ResultPublisher, s3_server: S3Server, bucket: str, file: Path
) -> None:
    client = s3_server.client()
    for key in ("t/mine_1", "t/p=1/mine_2", "t/other_1", "u/mine_3"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    publisher.stage_file(f"s3://{bucket}/t/p=2/mine_4", file)
    publisher.stage_file(f"s3://{bucket}/t/other_2", file)
    assert publisher.clear(f"s3://{bucket}/t/", "mine") == 3
    assert keys(s3_server, bucket) == ["t/other_1", "u/mine_3"]
    assert uploads(s3_server, bucket) == ["t/other_2"]
