"""Regular expressions that find a JSON key's other spellings in the bytes of a file.

Keys are looked up by one spelling; a second one in the same object, which differs by case alone,
would win in Trino. One pass of RE2 over the bytes costs less than looking at each row's keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_ .$@:#&+=~-]+")
_ESCAPED_LETTER: Final = r"\\u(?:00[4-7]|212[aA])"
"""A letter that is written as an escape may spell any key; U+212A is another capital of k."""
_NULL_LINE: Final = r"(?:^|\n)[ \t\r]*null"


def is_plain(key: str) -> bool:
    """Whether `other_spellings` can find every other spelling of a key."""
    return _PLAIN_KEY.fullmatch(key) is not None


def other_spellings(keys: Iterable[str]) -> tuple[str, ...]:
    """Expressions of which one matches wherever an object has a key in another spelling."""
    found = [other for key in keys if (other := _other(key)) is not None]
    return (f'"(?:{"|".join(found)})"\\s*:', _ESCAPED_LETTER) if found else ()


def null_lines() -> tuple[str, ...]:
    """An expression that matches wherever a line is the value null."""
    return (_NULL_LINE,)


def _other(key: str) -> str | None:
    """All spellings but this one; None where there is no other."""
    if not key:
        return None
    first, rest = key[0], key[1:]
    found = []
    if first.isalpha():
        found.append(_flipped(first) + "".join(map(_either, rest)))
    other = _other(rest)
    if other is not None:
        found.append(_literal(first) + other)
    return f"(?:{'|'.join(found)})" if found else None


def _flipped(letter: str) -> str:
    other = letter.swapcase()
    return rf"(?:{other}|\xe2\x84\xaa)" if letter in "kK" else other


def _either(character: str) -> str:
    if not character.isalpha():
        return _literal(character)
    return f"(?:{character}|{_flipped(character)})"


def _literal(character: str) -> str:
    return character if character.isalnum() else re.escape(character)
