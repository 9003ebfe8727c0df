"""Statements like recorded ones: their literals, types, functions and operators are exchanged."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from typing import Any, Final

from tests.support.fuzz.values import LITERALS

_TOKEN: Final = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z_][A-Za-z_0-9]*"
    r"|<>|<=|>=|\|\||->|=>|\s+|.",
    re.DOTALL,
)
_TYPES: Final = (
    *("boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "varchar", "date"),
    *("json", "varbinary", "uuid", "ipaddress", "time", "timestamp"),
)
_SIZED: Final = (
    *("decimal(10,2)", "decimal(38,0)", "decimal(5,1)", "varchar(3)", "char(5)", "timestamp(6)"),
    *("time(6)", "timestamp(3) with time zone", "timestamp(0)", "decimal(18,6)", "array(integer)"),
)
_WORDS: Final[tuple[tuple[str, ...], ...]] = (
    ("AND", "OR"),
    ("UNION", "INTERSECT", "EXCEPT"),
    ("ASC", "DESC"),
    ("FIRST", "LAST"),
    ("ROWS", "RANGE", "GROUPS"),
    ("PRECEDING", "FOLLOWING"),
    ("LEFT", "RIGHT", "FULL"),
    ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"),
    ("ANY", "ALL", "SOME"),
    ("ROLLUP", "CUBE"),
    ("EXISTS", "NOT EXISTS"),
)
_OPERATORS: Final = (("=", "<>", "<", "<=", ">", ">="), ("+", "-", "*", "/", "%"))
_EXCHANGES: Final = {
    **{word: group for group in _WORDS for word in group},
    **{symbol: group for group in _OPERATORS for symbol in group},
}
_CALL: Final = re.compile(r"[a-z_][a-z_0-9]*")
_FRESH: Final = tuple(text for group in LITERALS.values() for text in group)


class Mutations:
    """Variations of recorded statements, from one source of chance."""

    def __init__(self, chance: random.Random, cases: list[dict[str, Any]]) -> None:
        self.chance = chance
        self.cases = [case for case in cases if len(case["sql"]) < 600]
        self.texts: dict[str, list[str]] = defaultdict(list)
        self.calls: dict[str, list[str]] = defaultdict(list)
        for case in self.cases:
            tokens = _TOKEN.findall(case["sql"])
            for index, token in enumerate(tokens):
                group = case["category"]
                if token[0] == "'":
                    self.texts[group].append(token)
                elif _is_call(tokens, index):
                    self.calls[group].append(token)

    def any(self) -> tuple[str, str]:
        """The category and text of a statement with one to three exchanges."""
        while True:
            case = self.chance.choice(self.cases)
            tokens = _TOKEN.findall(case["sql"])
            for _ in range(self.chance.choice((1, 1, 2, 3))):
                self._exchange(tokens, case["category"])
            sql = "".join(tokens)
            if sql != case["sql"]:
                return f"like/{case['category']}", sql

    def _exchange(self, tokens: list[str], group: str) -> None:
        places = [i for i, token in enumerate(tokens) if self._others(tokens, i, token, group)]
        if places:
            place = self.chance.choice(places)
            others = self._others(tokens, place, tokens[place], group)
            tokens[place] = self.chance.choice(others)

    def _others(
        self, tokens: list[str], index: int, token: str, group: str
    ) -> tuple[str, ...] | list[str]:
        if token[0] == "'":
            return self.texts[group]
        if token[0].isdigit():
            if "e" in token.lower():
                return ("0e0", "-1e0", "2.5e0", "1e10", "nan()", "1e-5", "NULL", "3")
            if "." in token:
                return ("0.0", "-1.5", "2.25", "99.99", "0.005", "NULL", "1e0", "7")
            return ("0", "-1", "2", "3", "NULL", "10", "100", "5", "2147483647", "1.5")
        if token.lower() in _TYPES and index > 1 and tokens[index - 2].upper() == "AS":
            return (*_TYPES, *_SIZED)
        if _is_call(tokens, index):
            return self.calls[group]
        return _EXCHANGES.get(token.upper(), ())


def _is_call(tokens: list[str], index: int) -> bool:
    following = tokens[index + 1] if index + 1 < len(tokens) else ""
    return following == "(" and _CALL.fullmatch(tokens[index]) is not None
