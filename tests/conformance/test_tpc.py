"""TPC-H and TPC-DS at scale factor 0.01: every statement's answer is Trino's."""

from __future__ import annotations

import pytest

from tests.support.answers import difference, levels
from tests.support.local_engine import LocalEngine
from tests.support.tpc import TPCDS, TPCH, Benchmark

BENCHMARKS = pytest.mark.parametrize(
    ("benchmark", "count", "with_rows"), [(TPCH, 22, 22), (TPCDS, 99, 72)], ids=["tpch", "tpcds"]
)


@BENCHMARKS
def test_every_answer_is_trinos(
    tmp_path_factory: pytest.TempPathFactory, benchmark: Benchmark, count: int, with_rows: int
) -> None:
    answers, statements = benchmark.answers(), benchmark.statements()
    assert len(statements) == len(answers) == count
    assert sum(bool(answer["rows"]) for answer in answers.values()) == with_rows
    engine = LocalEngine(benchmark.generate(tmp_path_factory.mktemp(benchmark.name)))
    try:
        differences = {}
        for number, sql in statements.items():
            actual = engine.ask(sql)
            why = difference(answers[number], actual)
            if why or not all(levels(answers[number], actual).values()):
                differences[number] = why or "types or names"
        assert differences == {}
    finally:
        engine.close()
