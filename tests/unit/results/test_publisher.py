"""Publishing: Athena's layout, the result last, nothing left after a failure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import ResultColumn, ResultConfiguration
from querysvc.results.metadata import encode_metadata
from querysvc.results.publisher import Publication, Publisher
from querysvc.types.parse import parse_type


class Objects:
    """A store of objects in memory that fails at one address."""

    def __init__(self, failing: str | None = None) -> None:
        self.held: dict[str, bytes] = {}
        self.failing = failing

    def put_file(self, address: str, path: Path, options: ResultConfiguration) -> None:
        self.put_bytes(address, path.read_bytes(), options)

    def put_bytes(self, address: str, data: bytes, options: ResultConfiguration) -> None:
        if address == self.failing:
            raise QueryServiceError(ErrorCode.ACCESS_DENIED, address)
        self.held[address] = data

    def delete(self, addresses: Sequence[str]) -> None:
        for address in addresses:
            self.held.pop(address, None)


COLUMNS = (ResultColumn("a", parse_type("varchar")), ResultColumn("b", parse_type("decimal(5,2)")))


def publication(tmp_path: Path, suffix: str, written: list[str] | None = None) -> Publication:
    text = tmp_path / f"q{suffix}"
    text.write_text("text")
    return Publication("q", COLUMNS, text, ResultConfiguration(), written)


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
@pytest.mark.parametrize("location", ["s3://b/p", "s3://b/p/"])
def test_a_result_has_its_metadata_beside_it(tmp_path: Path, suffix: str, location: str) -> None:
    objects = Objects()
    published = Publisher(objects).publish(publication(tmp_path, suffix), location)
    assert published.output_location == f"s3://b/p/q{suffix}"
    assert published.manifest_location is None
    assert objects.held == {
        f"s3://b/p/q{suffix}.metadata": encode_metadata("q", COLUMNS),
        f"s3://b/p/q{suffix}": b"text",
    }


def test_a_write_has_a_manifest_of_its_objects(tmp_path: Path) -> None:
    objects = Objects()
    written = ["s3://b/t/1", "s3://b/t/2"]
    published = Publisher(objects).publish(publication(tmp_path, ".csv", written), "s3://b/p")
    assert published.manifest_location == "s3://b/p/q-manifest.csv"
    assert objects.held["s3://b/p/q-manifest.csv"] == b"s3://b/t/1\ns3://b/t/2\n"
    assert set(objects.held) == {"s3://b/p/q.csv", "s3://b/p/q.metadata", "s3://b/p/q-manifest.csv"}


@pytest.mark.parametrize("failing", ["q.csv", "q.metadata", "q-manifest.csv"])
def test_after_a_failure_nothing_is_left(tmp_path: Path, failing: str) -> None:
    objects = Objects(f"s3://b/p/{failing}")
    with pytest.raises(QueryServiceError):
        Publisher(objects).publish(publication(tmp_path, ".csv", []), "s3://b/p")
    assert objects.held == {}


def fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Decode one protobuf message, independently of the encoder."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                return value, at

    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        key, at = varint(at)
        value, at = varint(at)
        if key & 7 == 2:
            found.append((key >> 3, data[at : at + value]))
            at += value
        else:
            found.append((key >> 3, value))
    return found


def test_metadata_is_the_protobuf_that_drivers_read() -> None:
    (number, query_id), *columns = fields(encode_metadata("id-1", COLUMNS))
    assert (number, query_id) == (1, b"id-1")
    decoded = [dict(fields(message)) for field, message in columns if field == 4]  # type: ignore[arg-type]
    assert decoded == [
        {
            1: b"hive",
            2: b"",
            3: b"",
            4: b"a",
            5: b"a",
            6: b"varchar",
            7: 2147483647,
            8: 0,
            9: 3,
            10: 1,
        },
        {1: b"hive", 2: b"", 3: b"", 4: b"b", 5: b"b", 6: b"decimal", 7: 5, 8: 2, 9: 3, 10: 0},
    ]
