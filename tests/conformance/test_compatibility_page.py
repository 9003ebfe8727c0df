"""docs/compatibility.md tells what the tables decide."""

from __future__ import annotations

from pathlib import Path

from tests.support.compatibility_page import page

DOCUMENT = Path(__file__).parents[2] / "docs" / "compatibility.md"


def test_the_page_is_current() -> None:
    assert DOCUMENT.read_text() == page(), "python -m tests.support.compatibility_page > " + str(
        DOCUMENT.relative_to(DOCUMENT.parents[1])
    )
