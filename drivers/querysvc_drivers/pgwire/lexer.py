"""PostgreSQL's tokens: what splits a text into statements, and finds its spellings in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from querysvc.errors import ErrorCode, StatementError


class Kind(Enum):
    """What a token is."""

    SPACE = auto()
    COMMENT = auto()
    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    ESCAPED = auto()
    DOLLAR = auto()
    PARAMETER = auto()
    NUMBER = auto()
    SYMBOL = auto()


class Token(NamedTuple):
    """`key` is a word in upper case or a symbol, '' for the rest."""

    kind: Kind
    text: str
    key: str
    start: int

    @property
    def is_significant(self) -> bool:
        """Whether it is more than space."""
        return self.kind not in _BLANK

    @property
    def name(self) -> str:
        """An identifier's name: in lower case unless quoted."""
        if self.kind is Kind.QUOTED:
            return self.text[1:-1].replace('""', '"')
        return self.text.lower()


_BLANK: Final = frozenset({Kind.SPACE, Kind.COMMENT})
_TOKEN: Final = re.compile(
    r"""
      (?P<SPACE>\s+)
    | (?P<COMMENT>--[^\r\n]*|/\*)
    | (?P<ESCAPED>[eE]'(?:[^'\\]|''|\\(?s:.))*')
    | (?P<STRING>(?:[xXbBnN]|[uU]&)?'(?:[^']|'')*')
    | (?P<QUOTED>(?:[uU]&)?"(?:[^"]|"")*")
    | (?P<DOLLAR>\$(?P<tag>(?:[A-Za-z_\x80-\uffff][A-Za-z0-9_\x80-\uffff]*)?)\$(?s:.*?)\$(?P=tag)\$)
    | (?P<PARAMETER>\$[0-9]+)
    | (?P<WORD>[A-Za-z_\x80-\uffff][A-Za-z0-9_$\x80-\uffff]*)
    | (?P<NUMBER>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<SYMBOL>::|:=|->>|->|\#>>|\#>|<=|>=|<>|!=|=>|\|\||!?~~?\*?|@>|<@|(?s:.))
    """,
    re.VERBOSE,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_KEYED: Final = frozenset({Kind.WORD, Kind.SYMBOL})


def tokenize(sql: str) -> list[Token]:
    """The text's tokens, space and comments too: joined they give the text again."""
    tokens: list[Token] = []
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match is not None, "any character is a symbol"
        kind = next(kind for kind in Kind if match.group(kind.name) is not None)
        text = match[0]
        if text == "/*":
            text = sql[at : _comment_end(sql, at)]
        key = text.upper() if kind in _KEYED else ""
        tokens.append(Token(kind, text, key, at))
        at += len(text)
    return tokens


def _comment_end(sql: str, start: int) -> int:
    """Where a comment ends; PostgreSQL's nest."""
    depth, at = 1, start + 2
    while depth:
        edge = _COMMENT_EDGE.search(sql, at)
        if edge is None:
            raise StatementError(ErrorCode.SYNTAX_ERROR, "unterminated /* comment")
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


def split(sql: str) -> list[tuple[int, list[Token]]]:
    """The statements of a text, each with where it begins; empty ones are left out."""
    statements: list[tuple[int, list[Token]]] = []
    current: list[Token] = []
    for token in (*tokenize(sql), Token(Kind.SYMBOL, "", ";", len(sql))):
        if token.key != ";":
            current.append(token)
            continue
        if any(piece.is_significant for piece in current):
            statements.append((current[0].start, current))
        current = []
    return statements


def text_of(tokens: list[Token]) -> str:
    """The text that the tokens were cut from."""
    return "".join(token.text for token in tokens)


class Cursor:
    """Looks at and takes the significant ones among tokens."""

    def __init__(self, tokens: Sequence[Token], at: int = 0) -> None:
        self.tokens = tokens
        self.at = at

    def peek(self) -> Token | None:
        """The next token; None at the end."""
        index = self._next()
        return self.tokens[index] if index < len(self.tokens) else None

    def take_any(self) -> Token | None:
        """The next token, taken; None at the end."""
        token = self.peek()
        self.at = self._next() + (token is not None)
        return token

    def take(self, *keys: str) -> bool:
        """Take these tokens if they come, else none."""
        mark = self.at
        for key in keys:
            token = self.take_any()
            if token is None or token.key != key:
                self.at = mark
                return False
        return True

    def take_one(self, *keys: str) -> str | None:
        """Take one token if its key is among these, and tell which."""
        token = self.peek()
        if token is None or token.key not in keys:
            return None
        self.take_any()
        return token.key

    def take_name(self) -> str | None:
        """Take an identifier if one comes."""
        token = self.peek()
        if token is None or token.kind not in (Kind.WORD, Kind.QUOTED):
            return None
        self.take_any()
        return token.name

    def name(self) -> str:
        """An identifier, or SYNTAX_ERROR."""
        name = self.take_name()
        if name is None:
            raise self.wrong()
        return name

    def until(self, key: str) -> str:
        """The texts up to a symbol, which is taken."""
        texts: list[str] = []
        while (token := self.take_any()) is not None:
            if token.key == key:
                return "".join(texts)
            texts.append(token.text)
        raise self.wrong()

    def within(self) -> list[Token]:
        """The tokens up to the parenthesis that closes the one just taken; it is taken too."""
        start, depth = self.at, 1
        while (token := self.take_any()) is not None:
            depth += {"(": 1, ")": -1}.get(token.key, 0)
            if depth == 0:
                return list(self.tokens[start : self.at - 1])
        raise self.wrong()

    def rest(self) -> list[Token]:
        """All tokens that are left, taken."""
        start, self.at = self.at, len(self.tokens)
        return list(self.tokens[start:])

    def end(self) -> None:
        """Nothing may follow."""
        if self.peek() is not None:
            raise self.wrong()

    def wrong(self) -> StatementError:
        """SYNTAX_ERROR at the next token, to be raised."""
        token = self.peek()
        where = "end of input" if token is None else f'or near "{token.text}"'
        return StatementError(ErrorCode.SYNTAX_ERROR, f"syntax error at {where}")

    def _next(self) -> int:
        index = self.at
        while index < len(self.tokens) and not self.tokens[index].is_significant:
            index += 1
        return index


_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{1,3})|((?s:.)))|''"
)


def string_value(token: Token) -> str:
    """The text that a string literal means."""
    if token.kind is Kind.DOLLAR:
        tag = token.text.index("$", 1) + 1
        return token.text[tag:-tag]
    if token.kind is Kind.ESCAPED:
        return _ESCAPE.sub(_escaped, token.text[2:-1])
    return token.text[1:-1].replace("''", "'")


def _escaped(match: re.Match[str]) -> str:
    if match[0] == "''":
        return "'"
    hexadecimal = match[1] or match[2] or match[3]
    if hexadecimal is None and match[4] is None:
        return _ESCAPES.get(match[5], match[5])
    code = int(hexadecimal, 16) if hexadecimal else int(match[4], 8)
    if (match[1] or match[4]) and code >= 0x80:
        # A byte of a character: whether the bytes make one is not decided here.
        raise StatementError(
            ErrorCode.NOT_SUPPORTED, f"Bytes above 0x7F in E'…' ({match[0]}) are not supported"
        )
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise StatementError(ErrorCode.SYNTAX_ERROR, f"invalid Unicode escape {match[0]}")
    return chr(code)


def quoted_literal(value: str) -> str:
    """A text as a string literal of ours."""
    return "'" + value.replace("'", "''") + "'"
