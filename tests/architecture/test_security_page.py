"""SECURITY.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "| threat |" not in line]


def test_every_threat_has_a_test_that_exists() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        _, threat, _, tests, _ = row.split("|")
        named = re.findall(r"`(tests/[^`]+)`", tests)
        assert named, f"no test: {threat}"
        assert [name for name in named if not (ROOT / name).is_file()] == [], threat
