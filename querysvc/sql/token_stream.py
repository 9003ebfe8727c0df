"""A cursor over tokens: what every part of the parser is built on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.lexer import Kind, Token
from querysvc.sql.positions import Place
from querysvc.sql.syntax import Identifier, Position
from querysvc.types._reserved import RESERVED_WORDS

NESTING_MAX: Final = 100
"""How deep expressions and queries may nest."""
CHAIN_MAX: Final = 500
"""How many operators of one precedence may follow each other (they nest to the left)."""

_IDENTIFIER_ERRORS: Final = {
    Kind.BACKQUOTED: (
        "backquoted identifiers are not supported; use double quotes to quote identifiers"
    ),
    Kind.DIGIT_WORD: (
        "identifiers must not start with a digit; surround the identifier with double quotes"
    ),
}


RECURSION_LIMIT: Final = 10_000
"""Python frames enough for the deepest statement that NESTING_MAX and CHAIN_MAX let through."""


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Room for deep statements; STACK_OVERFLOW instead of a RecursionError should it not do.

    Python's frames are on the heap: the interpreter's limit guards only against runaway recursion,
    and it stays raised, for threads share it.
    """
    if sys.getrecursionlimit() < RECURSION_LIMIT:
        sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        yield
    except RecursionError:
        raise StatementError(
            ErrorCode.STACK_OVERFLOW, "statement is too large (it nests too deep)"
        ) from None


class TokenStream:
    """Looks at, takes and demands tokens; errors are Trino's, at the token that does not fit."""

    def __init__(self, sql: str, tokens: list[Token]) -> None:
        self._sql = sql
        self._tokens = tokens
        self._index = 0
        self._depth = 0
        self.token = tokens[0]

    @property
    def position(self) -> Position:
        """Where the current token stands."""
        return self.token.line, self.token.column

    @property
    def key(self) -> str:
        """The current token's key."""
        return self.token.key

    def advance(self) -> Token:
        """Take the current token, whatever it is."""
        token = self.token
        if token.kind is not Kind.END:
            self._index += 1
            self.token = self._tokens[self._index]
        return token

    def rewind(self, index: int) -> None:
        """Go back to a place that `mark` gave."""
        self._index = index
        self.token = self._tokens[index]

    def mark(self) -> int:
        """The current place."""
        return self._index

    def peek(self, distance: int = 1) -> Token:
        """A token ahead of the current one."""
        index = self._index + distance
        return self._tokens[index] if index < len(self._tokens) else self._tokens[-1]

    def previous(self) -> Token:
        """The token before the current one."""
        return self._tokens[self._index - 1]

    def at(self, *keys: str) -> bool:
        """Whether the coming tokens have these keys."""
        if self.token.key != keys[0]:
            return False
        return all(self.peek(i).key == keys[i] for i in range(1, len(keys)))

    def take(self, *keys: str) -> bool:
        """Take these tokens if they come, else none."""
        if not self.at(*keys):
            return False
        for _ in keys:
            self.advance()
        return True

    def take_any(self, *keys: str) -> str | None:
        """Take one token if its key is among these, and tell which."""
        key = self.token.key
        if key not in keys:
            return None
        self.advance()
        return key

    def expect(self, *keys: str) -> Token:
        """Take these tokens, or fail at the first that does not come."""
        token = self.token
        for key in keys:
            if self.token.key != key:
                self.mismatched(_expected(key))
            self.advance()
        return token

    def mismatched(self, *expecting: str) -> NoReturn:
        """Raise SYNTAX_ERROR at the current token."""
        raise self.mismatch(*expecting)

    def mismatch(self, *expecting: str) -> StatementError:
        """SYNTAX_ERROR at the current token, to be raised."""
        text = f"mismatched input '{self.token.text}'"
        if expecting:
            text += f". Expecting: {', '.join(expecting)}"
        return self.error(text)

    def error(self, message: str, position: Position | None = None) -> StatementError:
        """A SYNTAX_ERROR to be raised, by default at the current token."""
        line, column = position or self.position
        return StatementError(ErrorCode.SYNTAX_ERROR, message, line=line, column=column)

    def end(self) -> None:
        """Nothing may follow."""
        if self.token.kind is not Kind.END:
            self.mismatched("<EOF>")

    def rest(self) -> tuple[str, Place]:
        """Take the text from here to the end of the statement, and tell where it begins."""
        token = self.token
        last = self._tokens[-2] if len(self._tokens) > 1 else token
        while self.token.kind is not Kind.END:
            self.advance()
        return self._sql[token.start : max(last.end, token.start)], Place(token.line, token.column)

    def unsupported(self, construct: str) -> StatementError:
        """NOT_SUPPORTED at the current token, to be raised."""
        line, column = self.position
        return StatementError(
            ErrorCode.NOT_SUPPORTED, f"{construct} is not supported", line=line, column=column
        )

    def enter(self) -> None:
        """One level of nesting more; STACK_OVERFLOW beyond the limit."""
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise self.too_deep()

    def leave(self) -> None:
        """One level of nesting less."""
        self._depth -= 1

    def too_deep(self) -> StatementError:
        """The statement nests deeper than any analysis should follow."""
        line, column = self.position
        return StatementError(
            ErrorCode.STACK_OVERFLOW,
            "statement is too large (it nests too deep)",
            line=line,
            column=column,
        )

    def at_identifier(self, distance: int = 0) -> bool:
        """Whether an identifier can be read there."""
        token = self.peek(distance) if distance else self.token
        if token.kind is Kind.WORD:
            return token.key not in RESERVED_WORDS
        return token.kind is Kind.DELIMITED or token.kind in _IDENTIFIER_ERRORS

    def identifier(self) -> Identifier:
        """An identifier: a word that is not reserved, or a delimited one."""
        token = self.token
        position = self.position
        if token.kind is Kind.WORD and token.key not in RESERVED_WORDS:
            self.advance()
            return Identifier(position, token.text)
        if token.kind is Kind.DELIMITED:
            name = token.text[1:-1].replace('""', '"')
            if not name:
                raise self.error("Zero-length delimited identifier not allowed")
            self.advance()
            return Identifier(position, name, is_delimited=True)
        message = _IDENTIFIER_ERRORS.get(token.kind)
        if message is not None:
            raise self.error(message)
        raise self.mismatch("<identifier>")

    def identifiers(self) -> tuple[Identifier, ...]:
        """'(' identifier (',' identifier)* ')'."""
        self.expect("(")
        names = [self.identifier()]
        while self.take(","):
            names.append(self.identifier())
        self.expect(")")
        return tuple(names)

    def qualified_name(self) -> tuple[Identifier, ...]:
        """identifier ('.' identifier)*."""
        parts = [self.identifier()]
        while self.take("."):
            parts.append(self.identifier())
        return tuple(parts)


def _expected(key: str) -> str:
    return f"'{key}'"
