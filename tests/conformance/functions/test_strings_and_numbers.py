"""Strings, regular expressions, URLs, binaries and numbers answer as a real Trino did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conformance import run
from tests.support.local_engine import LocalEngine

FOLDER = Path(__file__).parent
FAMILIES = (
    *("addresses", "binary", "chars", "columns", "formats"),
    *("mathematics", "regexps", "strings", "tables", "urls"),
)


@pytest.mark.parametrize("family", FAMILIES)
def test_functions_answer_as_trino_did(family: str) -> None:
    lines = (FOLDER / f"{family}.jsonl").read_text().split("\n")
    _, _, failures, wrong = run([json.loads(line) for line in lines if line])
    assert not failures, "\n".join(failures[:20])
    assert not wrong


@pytest.fixture(name="engine")
def _engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    yield engine
    engine.close()


@pytest.mark.parametrize(
    "call",
    [
        "regexp_like(name, '\\p{InGreek}')",
        "regexp_like(name, '[\\d-z]')",
        "regexp_like(name, '\\x{e9}\\xe9')",
        "regexp_like(name, '(?:a(?i)b|c)')",
        "format('%a', infinity())",
    ],
)
def test_what_is_not_known_to_be_exact_is_refused(engine: LocalEngine, call: str) -> None:
    answer = engine.ask(f"SELECT {call} FROM nation")
    assert answer.get("error_name") == "NOT_SUPPORTED", answer


def test_minus_zero_is_not_taken_for_zero(engine: LocalEngine) -> None:
    sql = "SELECT to_hex(to_ieee754_64(x)) FROM (VALUES 0e0, -0e0) t(x)"
    assert engine.ask(sql)["rows"] == [["0000000000000000"], ["8000000000000000"]]


def test_a_pattern_column_compiles_each_pattern(engine: LocalEngine) -> None:
    sql = "SELECT count(*) FROM nation WHERE regexp_like(name, '^' || substr(name, 1, 2))"
    assert engine.ask(sql)["rows"] == [[25]]
