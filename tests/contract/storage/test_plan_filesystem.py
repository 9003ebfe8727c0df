"""DuckDB over the plan's file system: the same answers under any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from querysvc.plan import ResourceLimits
from querysvc.storage.plan_filesystem import PlanFileSystem

ROWS = 200_000
NUMBERS = f"SELECT i AS a, i * 7 % 1000 AS b, 'text ' || i AS c FROM range({ROWS}) t(i)"
EXPECTED = (ROWS, ROWS * (ROWS - 1) // 2, f"text {99999}")
COLUMNS = "{'a': 'BIGINT', 'b': 'BIGINT', 'c': 'VARCHAR'}"
READERS = {
    ".parquet": "read_parquet(?)",
    ".csv": f"read_csv(?, header = true, auto_detect = false, columns = {COLUMNS})",
    ".csv.gz": f"read_csv(?, header = true, auto_detect = false, columns = {COLUMNS})",
    ".json": f"read_json(?, format = 'newline_delimited', columns = {COLUMNS})",
    ".json.gz": f"read_json(?, format = 'newline_delimited', columns = {COLUMNS})",
}
OPTIONS = {
    ".parquet": "(FORMAT parquet, ROW_GROUP_SIZE 10000)",
    ".csv": "(FORMAT csv, HEADER)",
    ".csv.gz": "(FORMAT csv, HEADER, COMPRESSION gzip)",
    ".json": "(FORMAT json)",
    ".json.gz": "(FORMAT json, COMPRESSION gzip)",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("files")
    connection = duckdb.connect()
    for suffix, options in OPTIONS.items():
        connection.execute(f"COPY ({NUMBERS}) TO '{folder}/x{suffix}' {options}")
    return {suffix: Path(f"{folder}/x{suffix}").read_bytes() for suffix in OPTIONS}


def connect(filesystem: PlanFileSystem, paths: list[str], threads: int) -> Any:
    connection = duckdb.connect(config={"threads": threads})
    connection.register_filesystem(filesystem)
    connection.execute(f"SET allowed_paths = {paths!r}")
    connection.execute("SET enable_external_file_cache = false")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


@pytest.fixture
def open_files(
    s3_server: Any, bucket: str, open_reader: Any, files: dict[str, bytes]
) -> Callable[..., Any]:
    def open_them(window: int = 64 << 20, **changes: Any) -> tuple[Any, PlanFileSystem, Any]:
        objects = [s3_server.put(bucket, f"x{suffix}", data) for suffix, data in files.items()]
        limits = ResourceLimits(fetch_window_bytes=window)
        reader = open_reader(objects, limits=limits, **changes)
        return reader, PlanFileSystem(reader.client), objects

    return open_them


SUFFIXES = list(READERS)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("threads", [1, 4, 16])
@pytest.mark.parametrize("is_planned", [True, False])
def test_sums_are_equal_for_every_format_and_number_of_threads(
    open_files: Any, suffix: str, threads: int, is_planned: bool
) -> None:
    reader, filesystem, objects = open_files()
    n = SUFFIXES.index(suffix)
    path = filesystem.path(n, suffix)
    connection = connect(filesystem, [path], threads)
    for _ in range(3):
        if is_planned:
            reader.client.prefetch([(n, 0, objects[n].size)])
        got = connection.execute(
            f"SELECT count(*), sum(a), max(c) FROM {READERS[suffix]}",
            [path],
        ).fetchone()
        assert got == EXPECTED
    connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_five_hundred_reads_of_one_file_by_sixteen_threads_are_all_equal(
    open_files: Any, suffix: str
) -> None:
    reader, filesystem, objects = open_files(window=4 << 20, segment_bytes=256 << 10)
    n = SUFFIXES.index(suffix)
    path = filesystem.path(n, suffix)
    connection = connect(filesystem, [path], 16)
    reading = READERS[suffix]
    if suffix == ".csv":
        reading = reading.replace("header", "buffer_size = 300000, header")
    wrong = []
    for turn in range(500):
        if turn % 2:
            reader.client.prefetch([(n, 0, objects[n].size)])
        got = connection.execute(
            f"SELECT count(*), sum(a), max(c) FROM {reading}",
            [path],
        ).fetchone()
        if got != EXPECTED:
            wrong.append((turn, got))
    connection.close()
    assert wrong == []


def test_paths_of_one_object_under_many_indexes_stay_apart(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    objects = [s3_server.put(bucket, f"{n}.csv", b"a\n%d\n" % n) for n in range(20)]
    reader = open_reader(objects)
    filesystem = PlanFileSystem(reader.client)
    paths = [filesystem.path(n, ".csv") for n in range(20)]
    connection = connect(filesystem, paths, 4)
    got = connection.execute("SELECT list_sort(list(a)) FROM read_csv(?)", [paths]).fetchone()
    assert got == (list(range(20)),)


def test_error_of_a_read_reaches_the_engine_with_its_code(
    s3_server: Any, bucket: str, open_reader: Any
) -> None:
    reader = open_reader([s3_server.put(bucket, "a.csv", b"a\n1\n")])
    s3_server.put(bucket, "a.csv", b"a\n2\n")
    filesystem = PlanFileSystem(reader.client)
    connection = connect(filesystem, [filesystem.path(0, ".csv")], 2)
    with pytest.raises(Exception, match="changed"):
        connection.execute("SELECT * FROM read_csv(?)", [filesystem.path(0, ".csv")])
    assert reader.client.failure.code.name == "OBJECT_CHANGED"
