"""Every SerDe's cases: objects that other programs wrote, read as Trino (or Athena) reads them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.answers import difference
from tests.support.engine_bench import EngineBench
from tests.support.format_cases import Case, all_cases

CASES = all_cases()
ONE_CODE = {"HIVE_CURSOR_ERROR": "HIVE_BAD_DATA", "HIVE_CANNOT_OPEN_SPLIT": "HIVE_BAD_DATA"}
"""Codes that Trino's readers give by where a value fails; ours is always the same."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineBench]:
    bench = EngineBench(tmp_path_factory.mktemp("formats"))
    yield bench
    bench.engine.close()


@pytest.mark.parametrize("case", CASES, ids=[f"{case.format}-{case.name}" for case in CASES])
def test_the_table_reads_as_recorded(bench: EngineBench, case: Case) -> None:
    expected, found = case.expected, case.ask(bench)
    if "error_name" in expected:
        name = expected["error_name"]
        assert found.get("error_name") == ONE_CODE.get(name, name), found
        return
    assert difference({"types": found.get("types"), **expected}, found) == "", found
