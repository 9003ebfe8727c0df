"""Joda-Time's patterns, and MySQL's, as lists of elements; and printing by them.

An element is a name, and numbers that depend on it: ("number", field, least digits, most digits),
("year", field, least, most), ("short year", field, pivot, 1 if lenient), ("text", field, is short),
("fraction", least, most), ("literal", text), ("offset", with colon), ("zone",), ("zone name",
is short). Joda's own rules are those of DateTimeFormat and DateTimeFormatterBuilder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from querysvc.engines.duckdb.functions.clock_fields import Clock
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.engines.duckdb.functions.zone_names import display_name
from querysvc.errors import ErrorCode

Element: TypeAlias = tuple[Any, ...]

_YEAR_DIGITS_MAX: Final = 9
_ANSI_DATE: Final = "%Y-%m-%d"
_MYSQL_PIVOT: Final = 2020

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HALVES: Final = ("AM", "PM")
ERAS: Final = ("BC", "AD")

# letter: field, and the digits that its parser takes at most
_NUMBERS: Final[Mapping[str, tuple[str, int]]] = {
    "d": ("day", 2),
    "h": ("clock hour of half", 2),
    "H": ("hour", 2),
    "k": ("clock hour", 2),
    "K": ("hour of half", 2),
    "m": ("minute", 2),
    "s": ("second", 2),
    "e": ("day of week", 1),
    "D": ("day of year", 3),
    "w": ("week", 2),
}
_YEARS: Final[Mapping[str, str]] = {"x": "week year", "y": "year", "Y": "year of era"}
_NUMERIC: Final = frozenset("cCxyYdhHmsSeDFwWkK")


def _number(field: str, least: int, most: int) -> Element:
    return ("number", field, least, max(least, most))


_MYSQL: Final[Mapping[str, tuple[Element, ...]]] = {
    "a": (("text", "day of week", True),),
    "b": (("text", "month", True),),
    "c": (_number("month", 1, 2),),
    "d": (_number("day", 2, 2),),
    "e": (_number("day", 1, 2),),
    "f": (("fraction", 6, 9),),
    "H": (_number("hour", 2, 2),),
    "h": (_number("clock hour of half", 2, 2),),
    "I": (_number("clock hour of half", 2, 2),),
    "i": (_number("minute", 2, 2),),
    "j": (_number("day of year", 3, 3),),
    "k": (_number("hour", 1, 2),),
    "l": (_number("clock hour of half", 1, 2),),
    "M": (("text", "month", False),),
    "m": (_number("month", 2, 2),),
    "p": (("text", "half", False),),
    "r": (
        _number("clock hour of half", 2, 2),
        ("literal", ":"),
        _number("minute", 2, 2),
        ("literal", ":"),
        _number("second", 2, 2),
        ("literal", " "),
        ("text", "half", False),
    ),
    "S": (_number("second", 2, 2),),
    "s": (_number("second", 2, 2),),
    "T": (
        _number("hour", 2, 2),
        ("literal", ":"),
        _number("minute", 2, 2),
        ("literal", ":"),
        _number("second", 2, 2),
    ),
    "v": (_number("week", 2, 2),),
    "W": (("text", "day of week", False),),
    "x": (("year", "week year", 4, 4),),
    "Y": (("year", "year", 4, 4),),
    "y": (("short year", "year", _MYSQL_PIVOT, 0),),
}
_MYSQL_REFUSED: Final = "wUuVXD"


def _wrong(message: str) -> Exception:
    return failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)


@lru_cache(maxsize=512)
def mysql_elements(pattern: str) -> tuple[Element, ...]:
    """The elements of a format of date_format and date_parse."""
    elements: list[Element] = []
    escaped = False
    for character in pattern:
        if not escaped and character == "%":
            escaped = True
        elif escaped:
            escaped = False
            if character in _MYSQL_REFUSED:
                raise _wrong(f"%{character} not supported in date format string")
            elements += _MYSQL.get(character, (("literal", character),))
        else:
            elements.append(("literal", character))
    if not elements:
        raise _wrong("Both printing and parsing not supported")
    if pattern == _ANSI_DATE:  # Trino reads this one as it reads dates
        elements[0] = ("year", "year", 4, _YEAR_DIGITS_MAX)
    return tuple(elements)


@lru_cache(maxsize=512)
def joda_elements(pattern: str, this_year: int) -> tuple[Element, ...]:
    """The elements of a pattern of format_datetime and parse_datetime."""
    if not pattern:
        raise _wrong("Invalid pattern specification: Pattern is null or empty")
    tokens = _tokens(pattern)
    elements = []
    for i, token in enumerate(tokens):
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        elements.append(_joda_element(token, following, this_year))
    elements = [element for element in elements if element != ("literal", "")]
    if not elements:
        raise _wrong("Both printing and parsing not supported")
    return tuple(elements)


def _tokens(pattern: str) -> list[str]:
    """Runs of one letter, and literals behind a quote."""
    tokens: list[str] = []
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        if _is_letter(letter):
            end = position
            while end < len(pattern) and pattern[end] == letter:
                end += 1
            tokens.append(pattern[position:end])
            position = end
        else:
            literal, position = _literal(pattern, position)
            tokens.append("'" + literal)
    return tokens


def _literal(pattern: str, position: int) -> tuple[str, int]:
    text = ""
    quoted = False
    while position < len(pattern):
        character = pattern[position]
        if character == "'":
            if pattern[position + 1 : position + 2] == "'":
                text += "'"
                position += 1
            else:
                quoted = not quoted
        elif not quoted and _is_letter(character):
            break
        else:
            text += character
        position += 1
    return text, position


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _is_numeric(token: str) -> bool:
    return token[:1] in _NUMERIC or token in ("M", "MM")


def _joda_element(token: str, following: str, this_year: int) -> Element:
    letter, size = token[0], len(token)
    if letter == "'":
        return ("literal", token[1:])
    if letter in _YEARS:
        return _year_element(letter, size, following, this_year)
    if letter in _NUMBERS:
        field, most = _NUMBERS[letter]
        return _number(field, size, most)
    build = _SPECIAL.get(letter)
    if build is None:
        raise _wrong(f"Illegal pattern component: {token}")
    return build(size)


def _year_element(letter: str, size: int, following: str, this_year: int) -> Element:
    field = _YEARS[letter]
    if size == 2:
        # The short form of both years is the year itself.
        named = "year" if letter == "Y" else field
        return ("short year", named, this_year - 30, 0 if _is_numeric(following) else 1)
    most = size if _is_numeric(following) else _YEAR_DIGITS_MAX
    if letter == "Y":
        return _number(field, size, most)
    return ("year", field, size, max(size, most))


def _month_element(size: int) -> Element:
    return _number("month", size, 2) if size < 3 else ("text", "month", size == 3)


_SPECIAL: Final[Mapping[str, Callable[[int], Element]]] = {
    "G": lambda size: ("text", "era", False),
    "C": lambda size: ("year", "century", size, size),
    "M": _month_element,
    "a": lambda size: ("text", "half", False),
    "S": lambda size: ("fraction", size, size),
    "E": lambda size: ("text", "day of week", size < 4),
    "z": lambda size: ("zone name", size < 4),
    "Z": lambda size: ("offset", size == 2) if size < 3 else ("zone",),
}


def has_zone(elements: tuple[Element, ...]) -> bool:
    """Whether the elements tell a zone."""
    return any(element[0] in ("offset", "zone", "zone name") for element in elements)


# Printing.


def print_clock(elements: tuple[Element, ...], clock: Clock) -> str:
    """The text of a moment."""
    return "".join(_PRINTERS[element[0]](element, clock) for element in elements)


def _print_number(element: Element, clock: Clock) -> str:
    value, least = clock.field(element[1]), element[2]
    digits = str(abs(value)).rjust(least, "0")
    return f"-{digits}" if value < 0 else digits


def _print_short_year(element: Element, clock: Clock) -> str:
    return f"{abs(clock.field(element[1])) % 100:02}"


def _print_text(element: Element, clock: Clock) -> str:
    _, field, is_short = element
    if field == "month":
        text = MONTHS[clock.field("month") - 1]
    elif field == "day of week":
        text = DAYS[clock.field("day of week") - 1]
    elif field == "half":
        return HALVES[clock.field("hour") // 12]
    else:
        return ERAS[clock.field("year") > 0]
    return text[:3] if is_short else text


_FRACTION_DIGITS_MAX: Final = 15


def _print_fraction(element: Element, clock: Clock) -> str:
    _, least, most = element
    milliseconds = clock.field("millisecond")
    if milliseconds == 0:
        return "0" * int(least)
    digits = f"{milliseconds:03}".ljust(most, "0")[: min(most, _FRACTION_DIGITS_MAX)]
    while len(digits) > least and digits.endswith("0"):
        digits = digits[:-1]
    return digits


def _print_offset(element: Element, clock: Clock) -> str:
    sign = "-" if clock.offset_seconds < 0 else "+"
    minutes = abs(clock.offset_seconds) // 60
    return f"{sign}{minutes // 60:02}{':' if element[1] else ''}{minutes % 60:02}"


def _print_zone_name(element: Element, clock: Clock) -> str:
    if clock.zone == "UTC":
        return "UTC" if element[1] else "Coordinated Universal Time"
    if clock.zone[0] in "+-":
        return clock.zone
    seconds = clock.days * 86_400 + clock.milliseconds // 1000 - clock.offset_seconds
    name = display_name(clock.zone, seconds, is_short=element[1])
    if name is not None:
        return name
    message = f"the name of time zone {clock.zone} in format_datetime is not supported"
    raise failure(ErrorCode.NOT_SUPPORTED, message)


_PRINTERS: Final[Mapping[str, Callable[[Element, Clock], str]]] = {
    "literal": lambda element, clock: str(element[1]),
    "number": _print_number,
    "year": _print_number,
    "short year": _print_short_year,
    "text": _print_text,
    "fraction": _print_fraction,
    "offset": _print_offset,
    "zone": lambda element, clock: clock.zone,
    "zone name": _print_zone_name,
}
