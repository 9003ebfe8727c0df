"""The grammar of SQL/JSON paths, as far as an analysis needs it: is a path right, what does it use.

Trino's JsonPath.g4 as a recursive descent that builds nothing; what Trino has no evaluation for
(datetime(), like_regex) is found, too. Evaluating a path is the engine's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<string>"(?:[^"]|"")*")'
    r"|(?P<name>\$?[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\.\.|==|<>|!=|<=|>=|&&|\|\||[$@.*\[\],()?!<>+\-/%]))",
    re.ASCII,
)
_COMPARISONS: Final = ("==", "<>", "!=", "<", "<=", ">", ">=")
_METHODS: Final = frozenset({"abs", "ceiling", "double", "floor", "keyvalue", "size", "type"})
_MODES: Final = ("lax", "strict")
_BIGINT_MAX: Final = 2**63 - 1
_BIGINT_DIGITS: Final = 19
DEPTH_MAX: Final = 100


class PathError(ValueError):
    """The text is no path; `offset` is where it stops to be one."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class PathUse:
    """The variables that a path names, and what it uses that Trino does not evaluate."""

    variables: tuple[str, ...]
    unsupported: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


def read_path(text: str) -> PathUse:
    """What the path uses; PathError when it is none."""
    parser = _Parser(_tokens(text))
    if parser.current.text not in _MODES:
        raise parser.unexpected("{'lax', 'strict'}")
    parser.advance()
    parser.expression()
    if parser.current.kind != "end":
        raise parser.unexpected("<EOF>")
    return PathUse(tuple(parser.variables), tuple(parser.unsupported))


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position, end)
        if match is None or match.lastgroup is None:
            rest = text[position:].lstrip()[:1]
            raise PathError(position, f"mismatched input '{rest}'")
        kind = match.lastgroup
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        position = match.end()
    tokens.append(_Token("end", "<EOF>", end))
    return tokens


@dataclass(slots=True)
class _Parser:
    tokens: list[_Token]
    position: int = 0
    depth: int = 0
    variables: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    not_predicates: set[int] = field(default_factory=set)
    """Where an opening parenthesis is known to hold no predicate: nothing is tried twice."""

    @property
    def current(self) -> _Token:
        return self.tokens[self.position]

    def advance(self) -> _Token:
        token = self.current
        if token.kind != "end":
            self.position += 1
        return token

    def unexpected(self, expecting: str) -> PathError:
        message = f"mismatched input '{self.current.text}' expecting {expecting}"
        return PathError(self.current.start, message)

    def take(self, *texts: str) -> bool:
        if self.current.kind in ("string", "end") or self.current.text not in texts:
            return False
        self.position += 1
        return True

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise self.unexpected(f"'{text}'")

    def expression(self) -> None:
        """accessor expressions joined by arithmetic, with signs."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise PathError(self.current.start, "the path is nested too deeply")
        while True:
            while self.take("+", "-"):
                pass
            self._accessors()
            if not self.take("+", "-", "*", "/", "%"):
                break
        self.depth -= 1

    def _accessors(self) -> None:
        self._primary()
        while True:
            if self.take("."):
                self._member()
            elif self.take(".."):
                self._key()
            elif self.take("["):
                self._subscripts()
            elif self.take("?"):
                self.expect("(")
                self._predicate()
                self.expect(")")
            else:
                return

    def _primary(self) -> None:
        token = self.current
        if token.kind == "number":
            digits = token.text.lstrip("0") if token.text.isdigit() else ""
            if len(digits) > _BIGINT_DIGITS or int(digits or 0) > _BIGINT_MAX:
                raise PathError(token.start, f"Invalid numeric literal: {token.text}")
            self.advance()
        elif token.kind == "string":
            self.advance()
        elif token.kind == "name" and token.text.startswith("$"):
            self.variables.append(self.advance().text[1:])
        elif self.take("("):
            self.expression()
            self.expect(")")
        elif not self.take("$", "@", "last", "true", "false", "null"):
            raise self.unexpected("a path")

    def _member(self) -> None:
        if self.take("*"):
            return
        name = self.current
        self._key()
        if name.kind != "name" or self.current.text != "(":
            return
        if name.text == "datetime":
            self.unsupported.append("datetime method")
            self.advance()
            if self.current.kind == "string":
                self.advance()
            self.expect(")")
        elif name.text in _METHODS:
            self.advance()
            self.expect(")")

    def _key(self) -> None:
        token = self.current
        if token.kind != "string" and (token.kind != "name" or token.text.startswith("$")):
            raise self.unexpected("a member name")
        self.advance()

    def _subscripts(self) -> None:
        if not self.take("*"):
            self._subscript()
            while self.take(","):
                self._subscript()
        self.expect("]")

    def _subscript(self) -> None:
        self.expression()
        if self.take("to"):
            self.expression()

    def _predicate(self) -> None:
        while True:
            if self.take("!"):
                if not self._delimited():
                    raise self.unexpected("{'(', 'exists'}")
            elif not self._delimited():
                self._comparison()
            if not self.take("&&", "||"):
                return

    def _delimited(self) -> bool:
        """exists (path), or (predicate) [is unknown]; False, and nothing read, if neither."""
        if self.take("exists"):
            self.expect("(")
            self.expression()
            self.expect(")")
            return True
        start = self.position
        if self.current.text != "(" or start in self.not_predicates:
            return False
        state = (self.depth, len(self.variables), len(self.unsupported))
        self.advance()
        self.depth += 1
        try:
            if self.depth > DEPTH_MAX:
                raise PathError(self.current.start, "the path is nested too deeply")
            self._predicate()
            self.expect(")")
        except PathError:
            self.not_predicates.add(start)
            self.position = start
            self.depth = state[0]
            del self.variables[state[1] :], self.unsupported[state[2] :]
            return False
        self.depth = state[0]
        if self.take("is"):
            self.expect("unknown")
        return True

    def _comparison(self) -> None:
        self.expression()
        if self.take("starts"):
            self.expect("with")
            if self.current.kind != "string" and not self.current.text.startswith("$"):
                raise self.unexpected("a string or a variable")
            self._primary()
        elif self.take("like_regex"):
            self.unsupported.append("like_regex predicate")
            self._string()
            if self.take("flag"):
                self._string()
        elif self.take(*_COMPARISONS):
            self.expression()
        else:
            raise self.unexpected("a comparison")

    def _string(self) -> None:
        if self.current.kind != "string":
            raise self.unexpected("a string")
        self.advance()
