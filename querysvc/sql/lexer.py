"""Trino's tokens, with their positions; text that may not be there is refused before anything else.

Outside quotes and comments only printable ASCII, tab, carriage return and line feed may stand;
NUL may stand nowhere.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final, NamedTuple

from querysvc.errors import ErrorCode, StatementError

STATEMENT_BYTES_MAX: Final = 262_144


class Kind(Enum):
    """What a token is; WORD holds keywords and plain identifiers."""

    WORD = auto()
    DELIMITED = auto()
    BACKQUOTED = auto()
    DIGIT_WORD = auto()
    STRING = auto()
    UNICODE_STRING = auto()
    BINARY = auto()
    INTEGER = auto()
    DECIMAL = auto()
    DOUBLE = auto()
    SYMBOL = auto()
    UNRECOGNIZED = auto()
    END = auto()


class Token(NamedTuple):
    """`key` is what grammar rules compare: a word in upper case, a symbol, '' for the rest."""

    kind: Kind
    text: str
    key: str
    line: int
    column: int
    start: int
    end: int


# The longest match wins in Trino's lexer; the order of the alternatives here gives the same.
_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \r\n\t]+)
    | (?P<comment>--[^\r\n]*\r?\n?|/\*(?s:.*?)\*/)
    | (?P<UNICODE_STRING>[Uu]&'(?:[^']|'')*')
    | (?P<BINARY>[Xx]'[^']*')
    | (?P<WORD>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<STRING>'(?:[^']|'')*')
    | (?P<DELIMITED>"(?:[^"]|"")*")
    | (?P<BACKQUOTED>`(?:[^`]|``)*`)
    | (?P<DOUBLE>[0-9]+[Ee][+-]?[0-9]+(?![A-Za-z0-9_])|(?:[0-9]+\.[0-9]*|\.[0-9]+)[Ee][+-]?[0-9]+)
    | (?P<DECIMAL>[0-9](?:_?[0-9])*\.(?:[0-9](?:_?[0-9])*)?|\.[0-9](?:_?[0-9])*)
    | (?P<INTEGER>(?:0[Xx](?:_?[0-9A-Fa-f])+|0[Oo](?:_?[0-7])+|0[Bb](?:_?[01])+
        |[0-9](?:_?[0-9])*)(?![A-Za-z0-9_]))
    | (?P<DIGIT_WORD>[0-9][A-Za-z0-9_]+)
    | (?P<SYMBOL><>|!=|<=|>=|\|\||->|=>|[-=<>+*/%?;(),.\[\]:|^${}])
    | (?P<UNRECOGNIZED>(?s:.))
    """,
    re.VERBOSE,
)
# Hive's strings stand in either quotes, and a backslash escapes (the quote, most of all).
_HIVE_TOKEN: Final = re.compile(
    _TOKEN.pattern.replace(
        "(?P<STRING>'(?:[^']|'')*')", r"(?P<STRING>'(?:[^'\\]|\\(?s:.))*')"
    ).replace('(?P<DELIMITED>"(?:[^"]|"")*")', r'(?P<DELIMITED>"(?:[^"\\]|\\(?s:.))*")'),
    re.VERBOSE,
)
_KINDS: Final = {kind.name: kind for kind in Kind}
_KEYED: Final = frozenset({Kind.WORD, Kind.SYMBOL})


def check_text(sql: str) -> None:
    """Refuse a statement that is too large, or holds NUL or lone surrogates."""
    try:
        size = len(sql.encode())
    except UnicodeEncodeError as error:
        raise StatementError(
            ErrorCode.SYNTAX_ERROR, "the statement is not valid Unicode text"
        ) from error
    if size > STATEMENT_BYTES_MAX:
        raise StatementError(
            ErrorCode.QUERY_TEXT_TOO_LARGE,
            f"Query text length ({size}) exceeds the maximum length ({STATEMENT_BYTES_MAX})",
        )
    zero = sql.find("\0")
    if zero >= 0:
        line, column = sql.count("\n", 0, zero) + 1, zero - sql.rfind("\n", 0, zero)
        raise StatementError(
            ErrorCode.SYNTAX_ERROR,
            "the statement holds a NUL character",
            line=line,
            column=column,
        )


def tokenize(sql: str, *, is_hive: bool = False) -> list[Token]:
    """The statement's tokens, ended by an END token; what no rule knows is UNRECOGNIZED."""
    check_text(sql)
    pattern = _HIVE_TOKEN if is_hive else _TOKEN
    tokens: list[Token] = []
    line, line_start = 1, 0
    for match in pattern.finditer(sql):
        group = match.lastgroup or ""
        start, end = match.span()
        text = match[0]
        kind = _KINDS.get(group)
        if kind is not None:
            key = text.upper() if kind in _KEYED else ""
            tokens.append(Token(kind, text, key, line, start - line_start + 1, start, end))
        if "\n" in text:
            line += text.count("\n")
            line_start = start + text.rindex("\n") + 1
    size = len(sql)
    tokens.append(Token(Kind.END, "<EOF>", "", line, size - line_start + 1, size, size))
    return tokens
