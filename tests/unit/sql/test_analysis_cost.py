"""Checking is cheap, and a large or deep statement ends. `benchmarks/analysis.py` records it."""

import statistics
import time
from pathlib import Path

import pytest

from querysvc.errors import ErrorCode, QueryServiceError
from tests.support.local_engine import DataSet, LocalEngine
from tests.support.tpc import TPCDS

LARGE_BYTES = 256 * 1024
MEDIAN_SECONDS_MAX = 0.060


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(DataSet(TPCDS.name, "tiny", Path("/nowhere"), TPCDS.tables))


def test_a_query_of_tpcds_is_checked_and_lowered_in_the_bars_time(engine: LocalEngine) -> None:
    seconds = []
    for sql in TPCDS.statements().values():
        start = time.process_time()
        engine.lower(engine.analyse(sql))
        seconds.append(time.process_time() - start)
    assert len(seconds) == 99
    assert statistics.median(seconds) < MEDIAN_SECONDS_MAX


def test_a_statement_of_256_kilobytes_is_planned(engine: LocalEngine) -> None:
    head, item, tail = "SELECT 1 WHERE 1 IN (2", ", 12345678", ")"
    count = (LARGE_BYTES - len(head) - len(tail)) // len(item)
    start = time.process_time()
    engine.lower(engine.analyse(head + item * count + tail))
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("opening", "inner", "closing"),
    [
        *[("(", "1", ")"), ("(SELECT ", "1", ")"), ("abs(", "1", ")"), ("ARRAY[", "1", "]")],
        *[
            ("NOT ", "true", ""),
            ("- ", "1", ""),
            ("1 + ", "1", ""),
            ("(", "1", ""),
            ("array(", "1", ")"),
        ],
    ],
)
def test_what_nests_too_deep_is_refused_by_name(
    engine: LocalEngine, opening: str, inner: str, closing: str
) -> None:
    depth = 3_000
    with pytest.raises(QueryServiceError) as refusal:
        engine.lower(engine.analyse(f"SELECT {opening * depth}{inner}{closing * depth}"))
    assert refusal.value.code is ErrorCode.STACK_OVERFLOW
