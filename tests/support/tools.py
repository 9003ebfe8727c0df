"""Tools that tests/install-tools.sh installs: a missing one skips its tests, and fails in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / ".tools"


def require_tool(name: str) -> Path:
    """The path of a program under .tools, such as `dbt/bin/dbt`."""
    path = TOOLS / name
    if not path.exists():
        unavailable(f"{name} is not installed (tests/install-tools.sh installs it)")
    return path


def unavailable(reason: str) -> None:
    """Skip, loudly; in CI nothing may be missing."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
