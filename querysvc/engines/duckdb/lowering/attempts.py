"""TRY: what fails becomes NULL where Trino's TRY says so, else fails the query (ADR-0026).

DuckDB's own TRY catches every error, runs row by row where one fails, takes parts that are there
twice out of itself, and dies of a failure in coalesce(): each of these is dealt with here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from querysvc.engines.duckdb.functions.registry import call_python
from querysvc.engines.duckdb.functions.vectorised import FunctionError
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import FAILURE_MARK, Sql, lambda_
from querysvc.errors import CAUGHT_BY_TRY, ErrorCode
from querysvc.types.algebra import BIGINT, VARCHAR


def attempt(context: Context, value: Sql) -> Sql:
    """The value, NULL where it fails.

    A lambda holds it: DuckDB takes subexpressions that are there twice out of TRY otherwise.
    """
    return Sql(f"list_transform([0], {lambda_(['try'], tried(context, value))})[1]")


def tried(context: Context, value: Sql) -> Sql:
    """The value, NULL where it fails, to stand in a lambda."""
    return Sql(f"TRY({without_coalesce(_with_noted_failures(context, value))})")


# Failures, as `fragments.fail` writes them.

_FAILURE = re.compile(rf"\[NULL\]\[CAST\((concat\('{re.escape(FAILURE_MARK)}([A-Z_]+)\|')")


def without_failures(value: Sql) -> Sql:
    """A cast's fragment with NULL for the failures that TRY catches: they are its last word."""
    text = str(value)
    for found in reversed(list(_FAILURE.finditer(text))):
        if ErrorCode[found[2]] in CAUGHT_BY_TRY:
            _, end = _arguments(text, found.start(1) - len("CAST("))
            text = f"{text[: found.start()]}NULL{text[end:]}"
    if text.startswith("CAST(") and _arguments(text, len("CAST("))[1] == len(text):
        text = f"TRY_{text}"
    return Sql(text)


def _with_noted_failures(context: Context, value: Sql) -> Sql:
    """The failures that TRY lets through are raised by a function that makes a note of them."""
    text = str(value)
    for found in reversed(list(_FAILURE.finditer(text))):
        if ErrorCode[found[2]] not in CAUGHT_BY_TRY:
            _, message_end = _arguments(text, found.start(1) + len("concat("))
            _, end = _arguments(text, found.start(1) - len("CAST("))
            message = Sql(text[found.start(1) : message_end])
            noting = replace(context, hoisted=[])
            raised = call_python(
                noting, uncaught, [(message, VARCHAR)], BIGINT, is_deterministic=False
            )
            # A lambda hides the function, which is volatile so that no plan computes it ahead.
            hidden = f"list_transform([0], {lambda_(['note'], raised)})[1]"
            text = f"{text[: found.start()]}[NULL][{hidden}]{text[end:]}"
    return Sql(text)


def uncaught(messages: Any) -> Any:
    """Fails with the first of the messages."""
    raise FunctionError(messages[0].as_py())


# coalesce().

_QUOTED = r"""'(?:[^']|'')*'|"[^"]*\""""
_QUOTED_OR_COALESCE = re.compile(rf"{_QUOTED}|\bcoalesce\(")
_QUOTED_OR_MARK = re.compile(rf"{_QUOTED}|[(\[{{,)\]}}]")


def without_coalesce(value: Sql) -> Sql:
    """The fragment with CASE for each coalesce(): DuckDB 1.5.5 dies of a failure in one inside TRY.

    No error is worse: the process reads memory that is not its own.
    """
    text = str(value)
    while calls := [one for one in _QUOTED_OR_COALESCE.finditer(text) if one[0][0] == "c"]:
        found = calls[-1]  # which holds no other
        arguments, end = _arguments(text, found.end())
        *choices, last = arguments
        whens = " ".join(f"WHEN ({choice}) IS NOT NULL THEN ({choice})" for choice in choices)
        case_ = f"(CASE {whens} ELSE ({last}) END)" if choices else f"({last})"
        text = text[: found.start()] + case_ + text[end:]
    return Sql(text)


def _arguments(text: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call from behind its parenthesis, and where it ends."""
    arguments, depth = [], 0
    for mark in _QUOTED_OR_MARK.finditer(text, start):
        if mark[0] == "," and depth == 0:
            arguments.append(text[start : mark.start()])
            start = mark.end()
        elif mark[0] in ("(", "[", "{"):
            depth += 1
        elif mark[0] in (")", "]", "}"):
            depth -= 1
            if depth < 0:
                return [*arguments, text[start : mark.start()]], mark.end()
    raise AssertionError(text)
