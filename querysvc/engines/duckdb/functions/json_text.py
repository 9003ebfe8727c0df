"""JSON texts as Jackson reads and writes them: strict grammar, Java's numbers, escapes in UTF-16.

A number keeps its text (`Number`), an object its members in order and repeated (`Members`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]  # the C scanner, not in stubs
from typing import Any, Final

from querysvc.engines.duckdb.lowering.casts.java_text import java_order, json_number, json_string

_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class MalformedError(ValueError):
    """The text is not JSON."""


class Number(str):
    """A number as written."""

    __slots__ = ()

    @property
    def is_whole(self) -> bool:
        """Whether it has neither a fraction nor an exponent."""
        return not any(mark in self for mark in ".eE")


class Members(list[tuple[str, Any]]):
    """An object's members."""

    __slots__ = ()


def _no_constant(name: str) -> Any:
    raise MalformedError(name)


_DECODER: Final = json.JSONDecoder(
    parse_int=Number,
    parse_float=Number,
    parse_constant=_no_constant,
    object_pairs_hook=Members,
)


def skip_space(text: str, position: int) -> int:
    """The next position that is no white space."""
    match = _SPACE.match(text, position)
    return match.end() if match else position


def value_at(text: str, position: int) -> tuple[Any, int]:
    """The value that starts at the position, and where it ends."""
    try:
        value, end = _DECODER.scan_once(text, position)  # type: ignore[attr-defined]  # not in stubs
    except (StopIteration, ValueError, RecursionError) as error:
        raise MalformedError(text) from error
    if isinstance(value, Number) and text[end : end + 1] in tuple("0123456789.eE"):
        raise MalformedError(text)
    return value, end


def whole_value(text: str) -> Any:
    """The value that the whole text is."""
    value, end = value_at(text, skip_space(text, 0))
    if skip_space(text, end) != len(text):
        raise MalformedError(text)
    return value


def string_at(text: str, position: int) -> tuple[str, int]:
    """The string whose quote stands at the position."""
    if text[position : position + 1] != '"':
        raise MalformedError(text)
    try:
        value, end = scanstring(text, position + 1, True)
    except ValueError as error:
        raise MalformedError(text) from error
    return value, end


def items_at(text: str, position: int) -> Iterator[int]:
    """Where each item starts of the array whose bracket stands at the position.

    Items are read one after the other: what is behind the last one asked for is not looked at.
    """
    position = skip_space(text, position + 1)
    if text[position : position + 1] == "]":
        return
    while True:
        yield position
        _, end = value_at(text, position)
        position = _behind_comma(text, end, "]")
        if position < 0:
            return


def members_at(text: str, position: int) -> Iterator[tuple[str, int]]:
    """The names, and where their values start, of the object whose brace stands at the position."""
    position = skip_space(text, position + 1)
    if text[position : position + 1] == "}":
        return
    while True:
        name, end = string_at(text, position)
        colon = skip_space(text, end)
        if text[colon : colon + 1] != ":":
            raise MalformedError(text)
        position = skip_space(text, colon + 1)
        yield name, position
        _, end = value_at(text, position)
        position = _behind_comma(text, end, "}")
        if position < 0:
            return


def _behind_comma(text: str, position: int, closing: str) -> int:
    position = skip_space(text, position)
    mark = text[position : position + 1]
    if mark == closing and mark:
        return -1
    if mark != ",":
        raise MalformedError(text)
    return skip_space(text, position + 1)


# Writing.


def number_text(value: Number) -> str:
    """A number as Jackson writes it: whole ones as they are, others as Java's doubles."""
    if value.is_whole:
        return "0" if value == "-0" else str(value)
    return json_number(float(value), is_real=False)


def copied_text(value: Any) -> str:
    """The value's text, members in their order."""
    if isinstance(value, Members):
        members = (f"{json_string(name)}:{copied_text(item)}" for name, item in value)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(copied_text, value))}]"
    return scalar_text(value)


def sorted_text(value: Any) -> str:
    """The value's text, members sorted by name as Java sorts strings, the last of equals."""
    if isinstance(value, Members):
        named = dict(value)
        members = (
            f"{json_string(name)}:{sorted_text(named[name])}"
            for name in sorted(named, key=java_order)
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(sorted_text, value))}]"
    return scalar_text(value)


def scalar_text(value: Any) -> str:
    """The text of a number, string, boolean or null."""
    if isinstance(value, Number):
        return number_text(value)
    if isinstance(value, str):
        return json_string(value)
    return "null" if value is None else "true" if value else "false"


def varchar_text(value: str) -> str:
    """A string's characters as UTF-8 takes them: half of a surrogate pair is `?`."""
    return _SURROGATE.sub("?", value)
