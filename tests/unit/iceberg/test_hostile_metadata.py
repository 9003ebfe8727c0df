"""Metadata that somebody else wrote: it may not name, nor cost, what it should not."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import fastavro
import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.iceberg import unpacked
from querysvc.iceberg.scan import data_files
from querysvc.iceberg.unpacked import check_unpacked
from querysvc.types.algebra import BIGINT
from tests.support.iceberg_lake import Lake

SCHEMA = {"type": "record", "name": "r", "fields": [{"name": "s", "type": "string"}]}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake("s3://lake", tmp_path)


def avro(codec: str, *texts: str) -> bytes:
    sink = io.BytesIO()
    fastavro.writer(sink, SCHEMA, [{"s": text} for text in texts], codec=codec)
    return sink.getvalue()


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_manifest_may_unpack_to_its_limit_and_no_further(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = avro(codec, "x" * 4000)
    check_unpacked(data, "m")
    monkeypatch.setattr(unpacked, "UNPACKED_BYTES_MAX", 4002)  # the length takes two bytes
    check_unpacked(data, "m")
    monkeypatch.setattr(unpacked, "UNPACKED_BYTES_MAX", 4001)
    with pytest.raises(QueryServiceError, match="unpacks to more"):
        check_unpacked(data, "m")


def test_a_packed_metadata_file_may_not_be_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "UNPACKED_BYTES_MAX", 1 << 20)
    with pytest.raises(QueryServiceError, match="unpacks to more"):
        check_unpacked(gzip.compress(b" " * (8 << 20)), "v1.gz.metadata.json")


@pytest.mark.parametrize(
    "data",
    [
        b"Obj\x01",
        b"Obj\x01\x02\x14avro.codec",
        avro("deflate", "x" * 100)[:-30],
        avro("null", "x").replace(b"null", b"rot1"),
        b"Obj\x01\x00" + b"s" * 16 + b"\xff" * 20,
    ],
)
def test_a_damaged_manifest_is_told(data: bytes) -> None:
    with pytest.raises(QueryServiceError) as caught:
        check_unpacked(data, "m")
    assert caught.value.code is ErrorCode.ICEBERG_INVALID_METADATA


@pytest.mark.parametrize(
    "path",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "/etc/passwd",
        "s3://other/t/data/x.parquet",
        "s3://lake/t-secret/x.parquet",
        "gs://lake/t/data/x.parquet",
    ],
)
def test_no_object_outside_of_the_tables_folders_is_opened(lake: Lake, path: str) -> None:
    table = lake.create("t", {"id": BIGINT})
    for open_ in (table.io.new_input, table.io.new_output, table.io.require):
        with pytest.raises(QueryServiceError) as caught:
            open_(path)
        assert caught.value.code is ErrorCode.PERMISSION_DENIED


def test_metadata_that_are_none_are_told(lake: Lake) -> None:
    table = lake.create("t", {"id": BIGINT})
    for text in (b"{}", b"[1, 2", b"\xff\xfe", b'{"format-version": 99}'):
        lake.objects[table.metadata_location] = text
        fresh = Lake("s3://lake", Path())
        fresh.tables.objects = lake.objects
        with pytest.raises(QueryServiceError) as caught:
            fresh.tables.load(table.entry)
        assert caught.value.code is ErrorCode.ICEBERG_INVALID_METADATA


def test_a_manifest_list_that_is_gone_is_told(lake: Lake) -> None:
    lake.create("t", {"id": BIGINT})
    table = lake.append("t", lake.data_file("t", [{"id": 1}]))
    snapshot = table.snapshot()
    assert snapshot is not None
    lake.objects[snapshot.manifest_list] = b"Obj\x01"
    with pytest.raises(QueryServiceError) as caught:
        data_files(table)
    assert caught.value.code is ErrorCode.ICEBERG_INVALID_METADATA
