"""Every function that Trino lists is in our tables, and calls of it resolve as Trino's do."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from querysvc.errors import StatementError
from querysvc.sql.functions.binding import Argument, LambdaArgument
from querysvc.sql.functions.operators import resolve_operator
from querysvc.sql.functions.registry import (
    ALL_FAMILIES,
    BUILTIN_FAMILIES,
    load_registry,
)
from querysvc.sql.functions.resolve import Resolution, resolve
from querysvc.types.algebra import UNKNOWN, TrinoType
from querysvc.types.parse import parse_type

DATA = Path(__file__).parent / "data"
ALL = load_registry(ALL_FAMILIES)
BUILTIN = load_registry(BUILTIN_FAMILIES)


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def test_show_functions_lists_what_trino_lists() -> None:
    expected = {
        (line["function"], line["returns"], line["arguments"], line["kind"], line["deterministic"])
        for line in _lines("trino-functions.jsonl")
    }
    actual = {
        (row.name, row.return_type, row.argument_types, row.kind.value, row.is_deterministic)
        for row in ALL.listing()
    }
    assert len(_lines("trino-functions.jsonl")) == 751
    assert actual == expected


def _calls() -> dict[str, list[dict[str, Any]]]:
    calls = defaultdict(list)
    for call in _lines("trino-calls.jsonl"):
        calls[call.get("name") or call["operator"]].append(call)
    return calls


CALLS = _calls()


def _type(text: str) -> TrinoType:
    return UNKNOWN if text == "unknown" else parse_type(text)


def _argument(text: str) -> Argument:
    if not text.startswith("lambda:"):
        return _type(text)
    _, count, result = text.split(":", 2)

    def infer(parameters: tuple[TrinoType, ...]) -> TrinoType:
        return parameters[int(result[1:])] if result.startswith("$") else _type(result)

    return LambdaArgument(int(count), infer)


def _resolve(call: dict[str, Any]) -> Resolution:
    arguments = [_argument(text) for text in call["arguments"]]
    if "operator" in call:
        return resolve_operator(call["operator"], arguments)
    return resolve(call["name"], arguments, registry=BUILTIN)


def test_every_callable_builtin_has_recorded_calls() -> None:
    callable_names = {name for name in BUILTIN.lines if BUILTIN.calls(name)}
    assert {name for name in callable_names if not name.startswith("$")} <= CALLS.keys()


@pytest.mark.parametrize("name", sorted(CALLS))
def test_calls_resolve_as_trino_resolves_them(name: str) -> None:
    differences = []
    for call in CALLS[name]:
        try:
            resolution = _resolve(call)
        except StatementError as error:
            # An operator that no types fit is «function not found» to Trino's resolver; the
            # analyser says TYPE_MISMATCH, which the recorded type facts check.
            code = error.code.name
            actual = (
                "FUNCTION_NOT_FOUND" if "operator" in call and code == "TYPE_MISMATCH" else code
            )
            if actual != call.get("error"):
                differences.append((call, actual))
            continue
        result = (
            resolution.return_type.signature_text,
            [type_.signature_text for type_ in resolution.argument_types],
        )
        if result != (call.get("returns"), call.get("coerced")):
            differences.append((call, result))
    assert differences == []
