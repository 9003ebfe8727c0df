"""Partitions found by listing folders: which are gone into, how long a listing is good for."""

from __future__ import annotations

from collections.abc import Sequence

from querysvc.planning.discovery import (
    FoundPartitions,
    RecentDirectories,
    find_partitions,
    key_filters,
)
from querysvc_catalog.partition_values import partition_keys
from tests.support.catalog_world import World


class Folders:
    """A lister over a dictionary that remembers what it was asked."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.asked: list[list[str]] = []

    def directories(self, locations: Sequence[str]) -> list[list[str]]:
        self.asked.append(list(locations))
        return [self.names.get(location, []) for location in locations]


NAMES = {
    "s3://b/t/": ["k=1", "K=2", "k=x%2Fy", "other", "j=3"],
    "s3://b/t/k=1/": ["d=2024-01-01", "d=2024-01-02"],
    "s3://b/t/K=2/": ["d=2024-01-01"],
    "s3://b/t/k=x%2Fy/": [],
}


def test_each_level_is_listed_at_once() -> None:
    folders = Folders(NAMES)
    assert find_partitions("s3://b/t", ["k", "d"], folders) == FoundPartitions(
        (
            (("1", "2024-01-01"), "s3://b/t/k=1/d=2024-01-01"),
            (("1", "2024-01-02"), "s3://b/t/k=1/d=2024-01-02"),
            (("2", "2024-01-01"), "s3://b/t/K=2/d=2024-01-01"),
        ),
        ("s3://b/t/other", "s3://b/t/j=3"),
    )
    assert [len(locations) for locations in folders.asked] == [1, 3]


def test_only_folders_that_a_filter_lets_through_are_gone_into() -> None:
    world = World()
    world.run(
        "CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (k string, d date)"
        " STORED AS PARQUET LOCATION 's3://b/t/'"
    )
    sql = "SELECT a FROM t WHERE k = '1' AND d > DATE '2024-01-01'"
    (reference,) = world.query(sql).tables
    filters = key_filters(reference, partition_keys(reference.table.partition_keys))
    folders = Folders(NAMES)
    found = find_partitions("s3://b/t/", ["k", "d"], folders, filters)
    assert [values for values, _ in found.partitions] == [("1", "2024-01-02")]
    assert folders.asked[1] == ["s3://b/t/k=1/"]


def test_a_listing_answers_again_until_it_is_too_old() -> None:
    folders, now = Folders(NAMES), [100.0]
    recent = RecentDirectories(folders, lambda: now[0], validity_seconds=5)
    assert recent.listed(["s3://b/t/"]) == ([NAMES["s3://b/t/"]], 0)
    now[0] += 4.9
    names, age = recent.listed(["s3://b/t/k=1/", "s3://b/t/"])
    assert (len(names[0]), round(age, 3)) == (2, 4.9)
    assert folders.asked == [["s3://b/t/"], ["s3://b/t/k=1/"]]
    now[0] += 0.1
    assert recent.listed(["s3://b/t/"])[1] == 0
    assert folders.asked[-1] == ["s3://b/t/"]


def test_without_validity_nothing_is_answered_twice() -> None:
    folders = Folders(NAMES)
    recent = RecentDirectories(folders, lambda: 1.0, validity_seconds=0)
    for _ in range(2):
        assert recent.listed(["s3://b/t/"])[1] == 0
    assert len(folders.asked) == 2
