"""Patterns that RE2 matches answer as the general way does, whatever the pattern and the text."""

import random
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from querysvc.engines.duckdb.functions import regexps
from querysvc.engines.duckdb.functions.native_regexps import native_pattern
from querysvc.engines.duckdb.functions.vectorised import FunctionError

_ATOMS = ("a", "b", "1", " ", "-", ",", r"\.", r"\d", r"\w", r"\s", r"\S", ".", r"\n", "é")
_CLASSES = ("[ab]", "[^a]", "[a-c1]", r"[\d,]", r"[^\s]", "[-]", "[a-]", r"[^a-c\w]", "[.]")
_REPEATS = ("*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?", "??")
_REPLACEMENTS = ("", "#", "$1-", "<$0>", r"\$", r"\\", "$2$1")


class Chance:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def atom(self, depth: int) -> str:
        kind = self.random.random()
        if depth and kind > 0.8:
            return f"{self.random.choice(('(', '(?:'))}{self.alternatives(depth - 1)})"
        return self.random.choice(_ATOMS if kind < 0.5 else _CLASSES)

    def alternatives(self, depth: int) -> str:
        def repeated() -> str:
            return self.atom(depth) + (
                self.random.choice(_REPEATS) if self.random.random() < 0.35 else ""
            )

        return "|".join(
            "".join(repeated() for _ in range(self.random.choice((1, 1, 2, 3))))
            for _ in range(self.random.choice((1, 1, 1, 2)))
        )

    def pattern(self) -> str:
        start = "^" if self.random.random() < 0.15 else ""
        return start + self.alternatives(2) + ("$" if self.random.random() < 0.15 else "")

    def text(self) -> str:
        return "".join(
            self.random.choice("abc1 -,.\nx\té😀") for _ in range(self.random.randrange(9))
        )


class Site:
    """A call with constants behind the column."""

    def __init__(self, *constants: Any) -> None:
        self.arguments = ('"s"', *(["?"] * len(constants)))
        self.constants = constants

    def is_constant(self, index: int) -> bool:
        return index > 0

    def constant(self, index: int) -> Any:
        return self.constants[index - 1]


def _expected(function: Callable[..., Any], texts: list[str], *rest: Any) -> Any:
    try:
        return [function(text, *rest) for text in texts]
    except FunctionError:
        return "an error"


@pytest.mark.parametrize("seed", range(4))
def test_native_matches_are_pythons(seed: int) -> None:
    chance = Chance(seed)
    texts = ["", "\n", "a\n", "b\na\n", "aab", *(chance.text() for _ in range(40))]
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT unnest(?::VARCHAR[]) AS s", [texts])
    compared = 0
    for pattern in (chance.pattern() for _ in range(60)):
        group, new = chance.random.choice((0, 1, 2)), chance.random.choice(_REPLACEMENTS)
        for native, python, constants in (
            (regexps._native_like, regexps._like, (pattern,)),
            (regexps._native_count, regexps._count, (pattern,)),
            (regexps._native_all, regexps._extract_all, (pattern,)),
            (regexps._native_split, regexps._split, (pattern,)),
            (regexps._native_extract, regexps._extract, (pattern, group)),
            (regexps._native_replace, regexps._replace, (pattern, new)),
        ):
            sql = native(Site(*constants))  # type: ignore[arg-type]  # what it reads of a call
            if sql is not None:
                rows = connection.execute(f"SELECT {sql} FROM t").fetchall()
                expected = _expected(python, texts, *constants)
                assert [row[0] for row in rows] == expected, (pattern, constants)
                compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"a(?=b)", r"(a)\1", r"\bword\b", "(?i)abc", "(?m)^a", "a|^b$", "(a*)*", "a++", "a**"),
        *(r"\p{L}", "[a&&b]", "é", "a{1000}", "(a{30}){30}", r"\x41", "(a|(b))+", "[[:alpha:]]"),
    ],
)
def test_what_may_mean_another_thing_is_left_to_python(pattern: str) -> None:
    assert native_pattern(pattern) is None
