"""Objects of writes that have not committed are told by their names, and hidden."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from querysvc.plan import StoredObject
from querysvc.planning.visibility import without_hidden, writer_of
from querysvc.storage.locations import Location

QUERY = "0b5e3c1e-6f0a-4a53-9c43-6f2f0f1f2a11"


@pytest.mark.parametrize(
    ("key", "writer"),
    [
        (f"t/{QUERY}_f00", QUERY),
        (f"t/p=1/{QUERY}_f00.gz", QUERY),
        (f"{QUERY}.csv", QUERY),
        (f"{QUERY}-manifest.csv", QUERY),
        (QUERY, QUERY),
        (f"{QUERY}/part-0", None),
        (f"t/x{QUERY}_f00", None),
        (f"t/{QUERY}f", None),
        (f"t/{QUERY.upper()}_f00", None),
        ("t/part-00000.parquet", None),
    ],
)
def test_the_writer_is_read_from_an_objects_name(key: str, writer: str | None) -> None:
    assert writer_of(key) == writer


def test_only_hidden_writers_objects_are_left_out() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    place = Location("b", "t/")
    names = (f"t/{QUERY}_1", "t/part-0", f"t/p=1/{QUERY}_2")
    objects = tuple(StoredObject("b", name, 1, "e", time) for name in names)
    listed = {place: objects}
    assert without_hidden(listed, frozenset()) is listed
    assert without_hidden(listed, frozenset({QUERY})) == {place: (objects[1],)}
