"""In CI nothing may be missing: there a skip that is not expected is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

IS_CI = os.environ.get("CI") == "true"
EXPECTED = (
    "Trino's command line needs Java 24 or newer",
    "a small file system cannot be mounted here",
)
"""Why a test may be skipped in CI too: what pip, apt, go and Maven cannot give."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """A skipped test."""
    return _judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """A module that skips itself, as `pytest.importorskip` does."""
    return _judged((yield))


def _judged(report: Any) -> Any:
    is_skip = report.outcome == "skipped" and not hasattr(report, "wasxfail")
    if IS_CI and is_skip and not any(reason in str(report.longrepr) for reason in EXPECTED):
        report.outcome = "failed"
        report.longrepr = f"Skipped in CI, where nothing may be missing: {report.longrepr}"
    return report
