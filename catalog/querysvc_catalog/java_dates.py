"""Java's DateTimeFormatter patterns, as far as partition projection uses them.

Letters: y u M L d D H k K h m s S a E, quoted text, and literals. Anything else that Java knows
(zones, weeks, quarters, optional sections) is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Precision(IntEnum):
    """The smallest unit that a pattern prints."""

    YEAR = 0
    MONTH = 1
    DAY = 2
    HOUR = 3
    MINUTE = 4
    SECOND = 5
    FRACTION = 6


@dataclass(frozen=True, slots=True)
class _Letter:
    precision: Precision
    number: Callable[[datetime], int]
    width_max: int


_LETTERS: Final[Mapping[str, _Letter]] = {
    "y": _Letter(Precision.YEAR, lambda time: time.year, 4),
    "u": _Letter(Precision.YEAR, lambda time: time.year, 4),
    "M": _Letter(Precision.MONTH, lambda time: time.month, 2),
    "L": _Letter(Precision.MONTH, lambda time: time.month, 2),
    "d": _Letter(Precision.DAY, lambda time: time.day, 2),
    "D": _Letter(Precision.DAY, lambda time: time.timetuple().tm_yday, 3),
    "E": _Letter(Precision.DAY, lambda time: time.weekday(), 1),
    "H": _Letter(Precision.HOUR, lambda time: time.hour, 2),
    "k": _Letter(Precision.HOUR, lambda time: time.hour or 24, 2),
    "K": _Letter(Precision.HOUR, lambda time: time.hour % 12, 2),
    "h": _Letter(Precision.HOUR, lambda time: time.hour % 12 or 12, 2),
    "a": _Letter(Precision.HOUR, lambda time: time.hour // 12, 1),
    "m": _Letter(Precision.MINUTE, lambda time: time.minute, 2),
    "s": _Letter(Precision.SECOND, lambda time: time.second, 2),
    "S": _Letter(Precision.FRACTION, lambda time: time.microsecond, 6),
}
_NAMES: Final[Mapping[tuple[str, bool], tuple[str, ...]]] = {
    ("M", True): _MONTHS,
    ("L", True): _MONTHS,
    ("M", False): tuple(name[:3] for name in _MONTHS),
    ("L", False): tuple(name[:3] for name in _MONTHS),
    ("E", True): _DAYS,
    ("E", False): tuple(name[:3] for name in _DAYS),
    ("a", False): ("AM", "PM"),
}
_TOKEN: Final = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|.", re.DOTALL)
_SORTABLE: Final = ("yMdHmsS", "uMdHmsS", "yDHmsS", "uDHmsS")


class DatePatternError(ValueError):
    """A pattern, or a text that should follow one, cannot be read."""


@dataclass(frozen=True, slots=True)
class _Field:
    letter: str
    count: int

    @property
    def names(self) -> tuple[str, ...] | None:
        if self.letter == "a":
            return _NAMES["a", False]
        is_text = self.letter == "E" or (self.letter in "ML" and self.count >= 3)
        return _NAMES[self.letter, self.count == 4] if is_text else None

    @property
    def width(self) -> int | None:
        """The fixed number of digits, if it is fixed."""
        if self.letter == "S" or (self.letter in "yu" and self.count == 2):
            return self.count
        return self.count if self.count == _LETTERS[self.letter].width_max else None

    def format(self, time: datetime) -> str:
        number = _LETTERS[self.letter].number(time)
        names = self.names
        if names is not None:
            return names[number - 1 if self.letter in "ML" else number]
        if self.letter == "S":
            return f"{number:06d}".ljust(9, "0")[: self.count]
        if self.letter in "yu" and self.count == 2:
            return f"{number % 100:02d}"
        return f"{number:0{self.count}d}"

    def expression(self) -> str:
        names = self.names
        if names is not None:
            return "(" + "|".join(names) + ")"
        if self.width is not None:
            return f"([0-9]{{{self.width}}})"
        return f"([0-9]{{{self.count},{_LETTERS[self.letter].width_max}}})"

    def read(self, text: str) -> int:
        names = self.names
        if names is not None:
            return names.index(text) + (1 if self.letter in "ML" else 0)
        if self.letter == "S":
            return int(text.ljust(6, "0")[:6])
        if self.letter in "yu" and self.count == 2:
            return 2000 + int(text)
        return int(text)


class DatePattern:
    """A compiled pattern that prints and reads UTC times without zone."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._elements = _parse_pattern(pattern)
        self._fields = [element for element in self._elements if isinstance(element, _Field)]
        letters = {field.letter for field in self._fields}
        if not letters & {"y", "u"}:
            raise DatePatternError(f"the date format {pattern!r} has no year")
        if letters & {"h", "K"} and "a" not in letters:
            raise DatePatternError(f"the date format {pattern!r} has a 12-hour clock without AM/PM")
        self._expression = re.compile(
            "".join(
                element.expression() if isinstance(element, _Field) else re.escape(element)
                for element in self._elements
            )
        )
        self.precision = max(_LETTERS[letter].precision for letter in letters)

    @property
    def is_sortable(self) -> bool:
        """Whether texts order as the times do: year first, each field of fixed width."""
        letters = "".join(field.letter for field in self._fields)
        return any(order.startswith(letters) for order in _SORTABLE) and all(
            field.width is not None and field.names is None and field.count != 2
            if field.letter in "yu"
            else field.width is not None and field.names is None
            for field in self._fields
        )

    def format(self, time: datetime) -> str:
        """Print a time."""
        return "".join(
            element.format(time) if isinstance(element, _Field) else element
            for element in self._elements
        )

    def parse(self, text: str) -> datetime:
        """Read a time; what the pattern lacks is the first month, the first day, midnight."""
        match = self._expression.fullmatch(text)
        if match is None:
            raise DatePatternError(f"{text!r} does not follow the date format {self.pattern!r}")
        found = {
            field.letter: field.read(part)
            for field, part in zip(self._fields, match.groups(), strict=True)
        }
        try:
            time = _assemble(found)
        except ValueError as error:
            raise DatePatternError(f"{text!r} is no date: {error}") from error
        if self.format(time) != text:
            raise DatePatternError(f"{text!r} contradicts itself as a date")
        return time

    def truncate(self, time: datetime) -> datetime:
        """Give the earliest time that prints alike."""
        return self.parse(self.format(time))


def _assemble(found: Mapping[str, int]) -> datetime:
    time = datetime(
        found.get("y", found.get("u", 1)),
        found.get("M", found.get("L", 1)),
        found.get("d", 1),
        _hour(found),
        found.get("m", 0),
        found.get("s", 0),
        found.get("S", 0),
    )
    return time + timedelta(days=found["D"] - 1) if "D" in found else time


def _hour(found: Mapping[str, int]) -> int:
    if "H" in found:
        return found["H"]
    if "k" in found:
        return found["k"] % 24
    return found.get("h", found.get("K", 0)) % 12 + 12 * found.get("a", 0)


def _parse_pattern(pattern: str) -> list[_Field | str]:
    elements: list[_Field | str] = []
    for match in _TOKEN.finditer(pattern):
        text = match[0]
        if text == "'" or text in "[]{}#":
            raise DatePatternError(f"the date format {pattern!r} uses {text!r}: not supported")
        if text[0] == "'":
            elements.append(text[1:-1].replace("''", "'") or "'")
        elif match[1] is None:
            elements.append(text)
        else:
            elements.append(_field(pattern, text))
    return elements


def _field(pattern: str, text: str) -> _Field:
    letter, count = text[0], len(text)
    known = _LETTERS.get(letter)
    is_text = letter in "MLE" and count <= 4
    fits = known is not None and (
        is_text or (letter == "S" and count <= 9) or count <= known.width_max
    )
    if not fits:
        raise DatePatternError(f"the date format {pattern!r} uses {text!r}: not supported")
    return _Field(letter, count)
