"""Which folders are tables, which are partitions."""

from __future__ import annotations

from datetime import UTC, datetime

from querysvc.inference.layout import key_types, projection, table_folders
from querysvc.plan import StoredObject


def objects(*keys: str) -> list[StoredObject]:
    return [StoredObject("b", key, 1, "e", datetime(2024, 1, 1, tzinfo=UTC)) for key in keys]


def test_folders_named_key_and_value_are_partitions() -> None:
    (folder,) = table_folders(
        "t/", objects("t/day=2024-01-01/h=00/a", "t/day=2024-01-02/h=07/b", "t/stray")
    )
    assert folder.keys == ("day", "h")
    assert folder.partitions == (
        (("2024-01-01", "00"), "s3://b/t/day=2024-01-01/h=00/"),
        (("2024-01-02", "07"), "s3://b/t/day=2024-01-02/h=07/"),
    )
    assert folder.strays == ("s3://b/t/stray",)
    assert key_types(folder) == (("day", "date"), ("h", "string"))


def test_other_folders_are_tables_each() -> None:
    found = table_folders(
        "lake/", objects("lake/orders/x=1/a", "lake/My Items/a", "lake/My Items/b")
    )
    assert [(one.name, len(one.objects)) for one in found] == [("my_items", 2), ("orders", 1)]


def test_an_object_in_the_folder_itself_makes_it_one_table() -> None:
    (folder,) = table_folders("t/", objects("t/a", "t/sub/b"))
    assert (folder.keys, len(folder.objects)) == ((), 2)


def test_one_table_can_be_asked_for() -> None:
    (folder,) = table_folders("t/", objects("t/x/a", "t/y/b"), is_one_table=True)
    assert len(folder.objects) == 2


def test_projection_is_proposed_for_ranges_dates_and_few_values() -> None:
    keys = [f"t/day=2024-01-{d:02}/n={n}/k={k}/f" for d, n, k in ((1, 9, "a"), (31, 10, "b"))]
    (folder,) = table_folders("t/", objects(*keys))
    assert dict(projection(folder)) == {
        "projection.enabled": "true",
        "projection.day.type": "date",
        "projection.day.range": "2024-01-01,2024-01-31",
        "projection.day.format": "yyyy-MM-dd",
        "projection.n.type": "integer",
        "projection.n.range": "9,10",
        "projection.k.type": "enum",
        "projection.k.values": "a,b",
    }


def test_no_projection_for_many_names() -> None:
    (folder,) = table_folders("t/", objects(*(f"t/k=name{n}/f" for n in range(50))))
    assert projection(folder) == ()
