"""Filters on table names, as Glue's GetTables and Athena's ListTableMetadata take them.

Clients send Hive patterns (`*sales*`, `pre*|post*`) and simple regular expressions (`sales_.*`) to
the same member. Both are read: `*` after anything but `.` or `[…]` is a run of any characters. The
match is simulated state by state, so that no pattern can take more than length times length steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from querysvc_catalog.errors import InvalidInputError

PATTERN_LENGTH_MAX: Final = 2048

_IN_CLASS: Final = re.compile(r"\\.|[\[&~|]|--")
"""What Python may come to read as an operation on sets."""
_TOKEN: Final = re.compile(r"\\(.)|(\[\^?\]?[^\]]*\])|(.)", re.DOTALL)
_UNSUPPORTED: Final = frozenset("(){}")

CharacterTest: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Step:
    accepts: CharacterTest
    is_optional: bool = False
    repeats: bool = False


def compile_name_pattern(pattern: str) -> Callable[[str], bool]:
    """Return the test whether a whole name, in lower case, fits the pattern."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise InvalidInputError(f"the expression is longer than {PATTERN_LENGTH_MAX} characters")
    alternatives = [_parse(text) for text in _split_alternatives(pattern.lower())]

    def matches(name: str) -> bool:
        return any(_simulate(steps, name) for steps in alternatives)

    return matches


def _split_alternatives(pattern: str) -> list[str]:
    parts = [""]
    for match in _TOKEN.finditer(pattern):
        if match[3] == "|":
            parts.append("")
        else:
            parts[-1] += match[0]
    return parts


def _parse(pattern: str) -> list[_Step]:
    steps: list[_Step] = []
    can_repeat = False
    for match in _TOKEN.finditer(pattern.removeprefix("^")):
        escaped, group, character = match.groups()
        if character in ("*", "+", "?") and can_repeat:
            steps[-1] = _Step(
                steps[-1].accepts, is_optional=character != "+", repeats=character != "?"
            )
            can_repeat = False
        elif character == "*":
            steps.append(_Step(_anything, is_optional=True, repeats=True))
            can_repeat = False
        elif character == "$" and match.end() == len(pattern.removeprefix("^")):
            break
        else:
            if character is not None and character in _UNSUPPORTED:
                raise InvalidInputError(
                    f"the expression {pattern!r} uses {character!r}, which is not supported: "
                    "use *, |, ., [] and ?"
                )
            steps.append(_Step(_character_test(pattern, escaped, group, character)))
            can_repeat = group is not None or character == "."
    return steps


def _character_test(
    pattern: str, escaped: str | None, group: str | None, character: str | None
) -> CharacterTest:
    if group is not None:
        try:
            expression = re.compile(f"[{_IN_CLASS.sub(_literal, group[1:-1])}]")
        except re.error as error:
            raise InvalidInputError(
                f"the expression {pattern!r} holds a wrong character class: {error}"
            ) from error
        return lambda candidate: expression.fullmatch(candidate) is not None
    if character == ".":
        return _anything
    wanted = escaped if escaped is not None else character
    return lambda candidate: candidate == wanted


def _literal(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith("\\") else match[0][:-1] + "\\" + match[0][-1]


def _anything(_candidate: str) -> bool:
    return True


def _simulate(steps: list[_Step], name: str) -> bool:
    states = _skip_optional(steps, {0})
    for character in name:
        reached: set[int] = set()
        for state in states:
            if state < len(steps) and steps[state].accepts(character):
                reached.add(state + 1)
                if steps[state].repeats:
                    reached.add(state)
        states = _skip_optional(steps, reached)
        if not states:
            return False
    return len(steps) in states


def _skip_optional(steps: list[_Step], states: set[int]) -> set[int]:
    closed = set(states)
    for state in sorted(states):
        following = state
        while following < len(steps) and steps[following].is_optional:
            following += 1
            closed.add(following)
    return closed
