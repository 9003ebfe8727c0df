"""Regular expressions that RE2, which DuckDB has, matches just as Joni does, and much faster.

A constant pattern is read by a small grammar: characters, classes, groups, alternatives, repeats,
`^`, and `$` at the end. What is in it means the same to both engines, which also take the leftmost
match and try alternatives and repeats in the same order. All else is left to Python: look-around,
back references, boundaries, options, and whatever matches the empty text where matches are walked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_ESCAPED_MARKS: Final = frozenset(r"\.[]{}()*+?^$|/-")
_PLAIN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-,;:=@#%!~<>/'\""
)
_SHORTHANDS: Final = {"d": "0-9", "w": "a-zA-Z0-9_", "s": r"\t\n\x0B\f\r "}
_CONTROLS: Final = {"t": r"\t", "n": r"\n", "r": r"\r"}
_REPEAT_MAX: Final = 500
"""RE2 refuses repeats of more than 1,000, nested ones multiplied."""
_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class NativePattern:
    """A pattern as RE2 reads it."""

    text: str
    groups: int
    is_empty_possible: bool
    sure_groups: frozenset[int]
    """Groups that take part in every match."""
    empty_groups: frozenset[int]
    """Groups that may match the empty text."""
    has_start: bool
    """Whether it begins with `^`."""
    has_end: bool
    """Whether it ends with `$`: at the end, or before a newline there. The text leaves it out."""


class _OutsideError(Exception):
    """The pattern holds something else."""


@lru_cache(maxsize=1024)
def native_pattern(pattern: str) -> NativePattern | None:
    """The pattern for RE2; None when Python has to match it."""
    if len(pattern) > _LENGTH_MAX:
        return None
    try:
        return _Reader(pattern).whole()
    except _OutsideError:
        return None


def native_replacement(replacement: str, groups: int) -> str | None:
    """Java's replacement as RE2 reads it; None when it is wrong or names a group."""
    pieces, at = [], 0
    while at < len(replacement):
        character = replacement[at]
        at += 1
        if character == "\\":
            if at == len(replacement):
                return None
            character = replacement[at]
            at += 1
        elif character == "$":
            digit = replacement[at : at + 1]
            if digit not in tuple("0123456789") or int(digit) > groups or groups > 9:
                return None
            pieces.append(f"\\{digit}")
            at += 1
            continue
        pieces.append("\\\\" if character == "\\" else character)
    return "".join(pieces)


class _Reader:
    """A recursive descent; each part answers its RE2 text and whether it may match nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0
        self.unsure: set[int] = set()
        self.empty: set[int] = set()
        self.repeats = 1
        self.has_start = False
        self.has_end = False

    def whole(self) -> NativePattern:
        text, is_empty = self._alternatives(depth=0)
        if self.at < len(self.text):
            raise _OutsideError
        sure = frozenset(range(1, self.groups + 1)) - self.unsure
        return NativePattern(
            text=text,
            groups=self.groups,
            is_empty_possible=is_empty,
            sure_groups=sure,
            empty_groups=frozenset(self.empty),
            has_start=self.has_start,
            has_end=self.has_end,
        )

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self) -> str:
        if self.at >= len(self.text):
            raise _OutsideError
        self.at += 1
        return self.text[self.at - 1]

    def _alternatives(self, depth: int) -> tuple[str, bool]:
        if depth > 20:
            raise _OutsideError
        first = self.groups + 1
        branches: list[str] = []
        is_empty = False
        while True:
            text, may_be_empty = self._sequence(depth, is_alone=depth == 0 and not branches)
            branches.append(text)
            is_empty = is_empty or may_be_empty
            if self._peek() != "|":
                break
            self.at += 1
        if len(branches) > 1:
            self.unsure.update(range(first, self.groups + 1))
        return "|".join(branches), is_empty

    def _sequence(self, depth: int, *, is_alone: bool) -> tuple[str, bool]:
        pieces, is_empty = [], True
        if is_alone and self._peek() == "^":
            self.at += 1
            self.has_start = True
            pieces.append(r"\A")
        while self.at < len(self.text) and self._peek() not in "|)":
            if self._peek() == "$" and is_alone and self.at == len(self.text) - 1:
                self.at += 1
                self.has_end = True
                break
            text, may_be_empty = self._quantified(depth)
            pieces.append(text)
            is_empty = is_empty and may_be_empty
        return "".join(pieces), is_empty

    def _quantified(self, depth: int) -> tuple[str, bool]:
        first = self.groups + 1
        text, is_empty = self._atom(depth)
        mark, least = self._quantifier()
        if not mark:
            return text, is_empty
        if is_empty or self._peek() in tuple("*+?{"):  # loops over nothing; repeats of repeats
            raise _OutsideError
        if self.groups >= first:
            if not least:
                self.unsure.update(range(first, self.groups + 1))
            if mark[0] != "?" and self.groups > first:  # which round a group is of may differ
                raise _OutsideError
        return text + mark, is_empty or not least

    def _quantifier(self) -> tuple[str, int]:
        mark = self._peek()
        if not mark or mark not in "*+?{":
            return "", 1
        self.at += 1
        least = int(mark == "+")
        if mark == "{":
            mark, least = self._interval()
        suffix = self._peek()
        if suffix == "+":  # possessive
            raise _OutsideError
        if suffix == "?":
            self.at += 1
            mark += "?"
        return mark, least

    def _interval(self) -> tuple[str, int]:
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at : end].partition(",")
        if end < 0 or not low.isdecimal() or not (high.isdecimal() or not high):
            raise _OutsideError
        if not low.isascii() or not high.isascii() or len(low + high) > 6:
            raise _OutsideError
        if int(low) > int(high or low) or int(high or 1) == 0:
            raise _OutsideError
        self.repeats *= max(int(high or low), 1)
        if self.repeats > _REPEAT_MAX:
            raise _OutsideError
        self.at = end + 1
        return f"{{{low}{comma}{high}}}", int(low)

    def _atom(self, depth: int) -> tuple[str, bool]:
        character = self._take()
        if character == "(":
            return self._group(depth)
        if character == "[":
            return self._class(), False
        if character == ".":
            return r"[^\n]", False
        if character == "\\":
            return self._escape(), False
        if character in _PLAIN:
            return character, False
        raise _OutsideError

    def _group(self, depth: int) -> tuple[str, bool]:
        opening = "(?:"
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self._peek() == "?":
            raise _OutsideError
        else:
            self.groups += 1
            opening = "("
        own = self.groups
        inner, is_empty = self._alternatives(depth + 1)
        if self._peek() != ")":
            raise _OutsideError
        self.at += 1
        if is_empty and opening == "(":
            self.empty.add(own)
        return f"{opening}{inner})", is_empty

    def _escape(self) -> str:
        character = self._take()
        if character in _SHORTHANDS:
            return f"[{_SHORTHANDS[character]}]"
        if character.lower() in _SHORTHANDS:
            return f"[^{_SHORTHANDS[character.lower()]}]"
        return self._escaped(character)

    @staticmethod
    def _escaped(character: str) -> str:
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in _ESCAPED_MARKS:
            return f"\\{character}"
        raise _OutsideError

    def _class(self) -> str:
        negation = ""
        if self._peek() == "^":
            self.at += 1
            negation = "^"
        pieces: list[str] = []
        while self._peek() != "]":
            pieces.append(self._class_item())
        if not pieces:
            raise _OutsideError
        self.at += 1
        return f"[{negation}{''.join(pieces)}]"

    def _class_item(self) -> str:
        """A character, a range of letters or digits, or a shorthand."""
        character = self._take()
        if character == "\\":
            return self._class_escape()
        if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
            self.at += 1
            return self._range(character, self._take())
        if character == "-":
            if self._peek() != "]":
                raise _OutsideError
            return r"\-"
        if character in ".*+?(){}$|":
            return f"\\{character}"
        if character in _PLAIN:
            return character
        raise _OutsideError

    def _class_escape(self) -> str:
        character = self._take()
        if character not in _SHORTHANDS:
            return self._escaped(character)
        if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] != "]":
            raise _OutsideError
        return _SHORTHANDS[character]

    @staticmethod
    def _range(first: str, last: str) -> str:
        if not (first + last).isascii() or not (first.isalnum() and last.isalnum()):
            raise _OutsideError
        if first > last:
            raise _OutsideError
        return f"{first}-{last}"
