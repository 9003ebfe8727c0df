"""The tokens of a statement that the wire reads itself, and places inside of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from querysvc.errors import QueryServiceError
from querysvc.sql.lexer import Kind, tokenize
from querysvc.sql.token_stream import TokenStream

_BEFORE: Final = re.compile(r"(?:[ \r\n\t]+|--[^\r\n]*\r?\n?|/\*(?s:.*?)\*/)*")
_WORD: Final = re.compile(r"[A-Za-z_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement inside of another begins; positions in it are told from there."""

    line: int = 1
    column: int = 1

    def moved(self, error: QueryServiceError) -> QueryServiceError:
        """The error with its position in the whole statement."""
        if error.line is None or error.column is None or self == START:
            return error
        is_first_line = error.line == 1
        column = error.column + self.column - 1 if is_first_line else error.column
        return type(error)(
            error.code, error.message, line=error.line + self.line - 1, column=column
        )


START: Final = Place()
"""Where a statement begins that is in no other."""


@contextmanager
def errors_moved(place: Place) -> Iterator[None]:
    """Errors raised inside get their positions in the whole statement."""
    try:
        yield
    except QueryServiceError as error:
        raise place.moved(error) from error.__cause__


def first_word(sql: str) -> str:
    """The statement's first word in upper case, comments skipped; empty when it is none."""
    before = _BEFORE.match(sql)
    word = _WORD.match(sql, before.end() if before else 0)
    return word[0].upper() if word else ""


class StatementTokens(TokenStream):
    """A cursor over one statement's tokens, without trailing semicolons."""

    def __init__(self, sql: str) -> None:
        tokens = tokenize(sql)
        while len(tokens) > 1 and tokens[-2].key == ";":
            del tokens[-2]
        super().__init__(sql, tokens)

    def end(self) -> None:
        """Nothing may follow."""
        if self.token.kind is not Kind.END:
            self.mismatched("<EOF>")

    def string(self) -> str:
        """A string literal's value."""
        token = self.token
        if token.kind is not Kind.STRING:
            self.mismatched("<string>")
        self.advance()
        return token.text[1:-1].replace("''", "'")

    def rest(self) -> tuple[str, Place]:
        """The text from here to the end, and where it begins."""
        token = self.token
        end = self._tokens[-2].end if len(self._tokens) > 1 else token.end
        return self._sql[token.start : end], Place(token.line, token.column)

    def expressions(self) -> tuple[str, ...]:
        """The texts of expressions separated by commas, up to the end of the statement."""
        texts: list[str] = []
        depth, start = 0, self.token.start
        while True:
            is_end = self.token.kind is Kind.END
            if is_end or (self.token.key == "," and depth == 0):
                text = self._sql[start : self.token.start].strip().rstrip(";").strip()
                if not text:
                    raise self.mismatch("<expression>")
                texts.append(text)
                start = self.token.end
            if is_end:
                return tuple(texts)
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(self.advance().key, 0)
