"""Tools that tests/install-tools.sh installs; where one is missing its tests skip (fail in CI)."""

from __future__ import annotations

from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / ".tools"


def require_tool(name: str) -> Path:
    """The path of a program under .tools, such as `dbt/bin/dbt`."""
    path = TOOLS / name
    if not path.exists():
        pytest.skip(f"{name} is not installed (tests/install-tools.sh installs it)")
    return path
