"""Glob patterns of crawlers' exclusions, as Glue describes them."""

from __future__ import annotations

import pytest

from querysvc.errors import QueryServiceError
from querysvc.inference.exclusions import excluding


@pytest.mark.parametrize(
    ("pattern", "excluded", "kept"),
    [
        ("*.csv", ["a.csv", ".csv"], ["a/b.csv", "a.csvx", "acsv"]),
        ("**.csv", ["a.csv", "a/b/c.csv"], ["a.csv/x"]),
        ("*/*", ["a/b"], ["a", "a/b/c"]),
        ("tmp/**", ["tmp/", "tmp/a/b"], ["tmp", "x/tmp/a"]),
        ("?.{csv,tsv}", ["a.csv", "b.tsv"], ["ab.csv", "a.txt", "/.csv"]),
        ("[a-c]*", ["ax", "c"], ["d", "x/a"]),
        ("[!a-c]x", ["dx"], ["ax"]),
        (r"\*", ["*"], ["a"]),
        ("a+(b)", ["a+(b)"], ["aab"]),
    ],
)
def test_a_pattern_excludes(pattern: str, excluded: list[str], kept: list[str]) -> None:
    is_excluded = excluding([pattern])
    assert [path for path in excluded if not is_excluded(path)] == []
    assert [path for path in kept if is_excluded(path)] == []


def test_any_of_several_patterns_excludes_and_none_keeps_all() -> None:
    assert excluding(["a", "b"])("b")
    assert not excluding([])("b")


def test_what_is_no_pattern_is_told() -> None:
    with pytest.raises(QueryServiceError, match="no glob pattern"):
        excluding(["[z-a]"])
