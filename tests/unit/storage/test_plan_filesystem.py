"""The plan's file system alone: what exists, and whose position a read takes."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest

from querysvc.storage.plan_filesystem import PlanFile, PlanFileSystem

DATA = bytes(range(256)) * 4


class Client:
    """Stands in for RangeClient: two objects in memory."""

    def __len__(self) -> int:
        return 2

    def size(self, object_index: int) -> int:
        return len(DATA)

    def identity(self, object_index: int) -> str:
        return f"{object_index:032x}"

    def read(self, object_index: int, offset: int, length: int) -> bytes:
        return DATA[offset : offset + length]


@pytest.fixture
def filesystem() -> PlanFileSystem:
    client: Any = Client()
    return PlanFileSystem(client)


@pytest.fixture
def file(filesystem: PlanFileSystem) -> PlanFile:
    return filesystem.open("plan://0")


@pytest.mark.parametrize(
    "path",
    ["plan://0", "plan://1", "plan://0.parquet", "plan://1.csv.gz", f"plan://1-{1:032x}.json"],
)
def test_objects_of_the_plan_exist_under_their_index(filesystem: PlanFileSystem, path: str) -> None:
    assert filesystem.exists(path)
    assert filesystem.glob(path) == [path]
    assert filesystem.size(path) == len(DATA)
    assert filesystem.open(path).read(3) == DATA[:3]


@pytest.mark.parametrize(
    "path",
    [
        "plan://2",
        "plan://-1",
        "plan://",
        "plan://*",
        "plan://0*",
        "plan://[0]",
        "plan://0/../1",
        "plan://0.parquet?x=1",
        f"plan://0-{1:032x}.parquet",
        "plan://0.a.b.c.d",
        "plan://00000000000",
        "plan://٠",
        "plan://0\n",
        "/etc/passwd",
        "file:///etc/passwd",
        "s3://bucket/key",
        "",
    ],
)
def test_nothing_else_exists(filesystem: PlanFileSystem, path: str) -> None:
    assert not filesystem.exists(path)
    assert filesystem.glob(path) == []
    for call in (filesystem.open, filesystem.info, filesystem.size, filesystem.modified):
        with pytest.raises(FileNotFoundError):
            call(path)


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b", "xb", "w"])
def test_no_mode_opens_for_writing(filesystem: PlanFileSystem, mode: str) -> None:
    with pytest.raises(PermissionError):
        filesystem.open("plan://0", mode)


def test_listing_shows_nothing(filesystem: PlanFileSystem) -> None:
    with pytest.raises(FileNotFoundError):
        filesystem.ls("plan://")


def test_seek_of_another_thread_between_seek_and_read_changes_nothing(file: PlanFile) -> None:
    file.seek(100)
    other = threading.Thread(target=lambda: (file.seek(7), file.read(5)))
    other.start()
    other.join()
    assert file.tell() == 100
    assert file.read(4) == DATA[100:104]


def test_sequential_reads_of_many_threads_share_one_position(file: PlanFile) -> None:
    pieces: list[bytes] = []
    for _ in range(4):
        thread = threading.Thread(target=lambda: pieces.append(file.read(10)))
        thread.start()
        thread.join()
    assert b"".join(pieces) == DATA[:40]


def test_sequential_read_goes_on_where_the_last_read_ended(file: PlanFile) -> None:
    file.seek(50)
    assert file.read(10) == DATA[50:60]
    assert file.read(10) == DATA[60:70]
    assert file.tell() == 70


def test_mixing_both_ways_of_reading_is_an_error_and_no_wrong_answer(file: PlanFile) -> None:
    file.seek(50)
    failures: list[OSError] = []

    def read() -> None:
        try:
            file.read(10)
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert len(failures) == 1


def test_seek_to_where_reading_goes_on_anyway_is_no_mixture(file: PlanFile) -> None:
    file.seek(0)  # DuckDB resets a CSV file that it has just opened; another thread may read it
    pieces: list[bytes] = []
    thread = threading.Thread(target=lambda: pieces.append(file.read(10)))
    thread.start()
    thread.join()
    assert pieces == [DATA[:10]]
    assert file.read(10) == DATA[10:20]


def test_file_behaves_as_a_raw_python_file(file: PlanFile) -> None:
    assert file.seek(-4, io.SEEK_END) == len(DATA) - 4
    assert file.read() == DATA[-4:]
    assert file.read(10) == b""
    buffered = io.BufferedReader(file)
    buffered.seek(0)
    assert buffered.read() == DATA
    with pytest.raises(ValueError, match="negative"):
        file.seek(-1)
