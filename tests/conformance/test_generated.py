"""Generated statements answer as a live Trino did; the generator makes the same ones of a seed.

`generated.jsonl` was made by `python -m tests.support.fuzz.live --record`: statements of chance,
and the ones by which differences were found and mended. `hunted.jsonl` are corners that were asked
by hand or by generators of one domain.
"""

import json
from pathlib import Path

import pytest

from tests.support.conformance import run
from tests.support.fuzz.live import KINDS, generate

CASES = [
    json.loads(line)
    for name in ("generated", "hunted")
    for line in (Path(__file__).parent / f"data/{name}.jsonl").read_text().split("\n")
    if line
]
BATCH = 400


@pytest.mark.parametrize("start", range(0, len(CASES), BATCH))
def test_generated_statements_answer_as_trino_did(start: int) -> None:
    _, _, failures, wrong = run(CASES[start : start + BATCH])
    assert not failures, "\n".join(failures[:20])
    assert not wrong


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_always_makes_the_same_statements(kind: str) -> None:
    first, again, other = (generate([kind], seed, 1, 1) for seed in (7, 7, 8))
    assert first == again
    assert {case["sql"] for case in first} != {case["sql"] for case in other}
