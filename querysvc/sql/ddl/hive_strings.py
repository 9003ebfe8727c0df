"""Hive's string literals: what a backslash means in them, and how a text is written as one."""

from __future__ import annotations

import re
from typing import Final

_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|[0-3][0-7]{2}|(?s:.))")
# BaseSemanticAnalyzer.unescapeSQLString; `\%` and `\_` keep their backslash.
_MEANINGS: Final = {
    "0": "\0",
    "b": "\b",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "Z": "\x1a",
    "%": "\\%",
    "_": "\\_",
}
_WRITTEN: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "'": "\\'", "\\": "\\\\"}


def unescape(text: str) -> str:
    """What stands between the quotes of a Hive string, without its escapes."""
    return _ESCAPE.sub(_meaning, text) if "\\" in text else text


def quote(text: str) -> str:
    """The text as a Hive string literal, in single quotes."""
    return f"'{''.join(map(_write, text))}'"


def _meaning(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 5:
        return chr(int(code[1:], 16))
    if len(code) == 3:
        return chr(int(code, 8))
    return _MEANINGS.get(code, code)


def _write(character: str) -> str:
    escaped = _WRITTEN.get(character)
    if escaped is not None:
        return escaped
    return f"\\u{ord(character):04x}" if character < " " or character == "\x7f" else character
