"""What trino-python-client shows of ours is what it shows of a real Trino 476.

Where it differs, the recorded line tells ours too, and the reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trino")

from tests.clients.trino.calls import Server, answers
from tests.support.trino_stack import Stack

RECORDED = Path(__file__).parents[2] / "data" / "trino-client-answers.jsonl"
CALLS = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture(scope="module")
def ours(stack: Stack) -> dict[str, str]:
    return dict(answers(Server(stack.url, "tpch")))


@pytest.mark.parametrize("recorded", CALLS, ids=lambda call: call["call"][:60])
def test_a_call_is_answered_as_a_real_trino_answers_it(
    ours: dict[str, str], recorded: dict[str, Any]
) -> None:
    assert ours[recorded["call"]] == recorded.get("ours", recorded["answer"])


def test_every_difference_has_its_reason() -> None:
    assert all(call.get("reason") for call in CALLS if "ours" in call)
    assert not [call["call"] for call in CALLS if call.get("ours") == call["answer"]]
