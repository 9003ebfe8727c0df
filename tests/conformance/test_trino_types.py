"""Every recorded fact of Trino's type algebra holds of ours."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.functions.operators import resolve_operator
from querysvc.sql.functions.resolve import resolve
from querysvc.types.algebra import BOOLEAN, UNKNOWN, TrinoType
from querysvc.types.coercion import can_cast, common_super_type
from querysvc.types.parse import parse_type

DATA = Path(__file__).parent / "data" / "trino-types.jsonl"
OPERATORS = {"+", "-", "*", "/", "%", "||", "=", "<", "negate"}


def _facts() -> dict[str, list[dict[str, Any]]]:
    facts = defaultdict(list)
    for line in DATA.read_text().splitlines():
        fact = json.loads(line)
        facts[fact["op"]].append(fact)
    return facts


FACTS = _facts()


def _type(text: str) -> TrinoType:
    return UNKNOWN if text == "unknown" else parse_type(text)


def _mismatch() -> StatementError:
    return StatementError(ErrorCode.TYPE_MISMATCH, "")


def _supertype(left: TrinoType, right: TrinoType) -> TrinoType:
    common = common_super_type(left, right)
    if common is None:
        raise _mismatch()
    return common


def _cast(source: TrinoType, target: TrinoType) -> TrinoType:
    if not can_cast(source, target):
        raise _mismatch()
    return target


def _answer(operation: str) -> Callable[..., TrinoType]:
    if operation == "supertype":
        return _supertype
    if operation == "cast":
        return _cast
    if operation in OPERATORS:
        return lambda *types: resolve_operator(operation, types).return_type
    return lambda *types: resolve(operation, types).return_type


def test_the_recording_is_whole() -> None:
    assert sum(map(len, FACTS.values())) == 12_070


@pytest.mark.parametrize("operation", sorted(FACTS))
def test_types_and_errors_are_trinos(operation: str) -> None:
    answer = _answer(operation)
    differences = []
    for fact in FACTS[operation]:
        types = [_type(fact[side]) for side in ("left", "right") if side in fact]
        try:
            actual = answer(*types).wire_name
        except StatementError as error:
            actual = error.code.name
        if actual != fact.get("type", fact.get("error_name")):
            differences.append((fact, actual))
    assert differences == []


@pytest.mark.parametrize("operation", sorted(FACTS.keys() - {"supertype", "cast"}))
def test_error_messages_are_trinos(operation: str) -> None:
    answer = _answer(operation)
    for fact in FACTS[operation]:
        if "error_name" not in fact:
            continue
        types = [_type(fact[side]) for side in ("left", "right") if side in fact]
        with pytest.raises(StatementError) as caught:
            answer(*types)
        # The recording cuts messages, and has the position in front of most.
        expected = fact["error_message"].partition(": ")[2]
        if not fact["error_message"].startswith("line "):
            expected = fact["error_message"]
        assert caught.value.message.startswith(expected)


def test_ordering_operators_answer_boolean_where_trino_orders() -> None:
    assert resolve_operator("<", (_type("date"), _type("timestamp(3)"))).return_type == BOOLEAN
