"""PREPARE, EXECUTE, DEALLOCATE PREPARE and DESCRIBE INPUT | OUTPUT: read once for every wire.

Where the statements are kept is the wire's affair: in the work group, or in the client's session.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.lexer import Kind, tokenize
from querysvc.sql.positions import START, Place
from querysvc.sql.syntax import Identifier
from querysvc.sql.token_stream import TokenStream

_BEFORE: Final = re.compile(r"(?:[ \r\n\t]+|--[^\r\n]*\r?\n?|/\*(?s:.*?)\*/)*")
_WORD: Final = re.compile(r"[A-Za-z_]+")
WRITE_WORDS: Final = frozenset(
    {
        *("ALTER", "ANALYZE", "CREATE", "DELETE", "DROP", "INSERT", "MERGE", "MSCK", "OPTIMIZE"),
        *("TRUNCATE", "UNLOAD", "UPDATE", "VACUUM"),
    }
)
"""The first words of statements that change something: no transaction can undo them."""
_NOT_PREPARED: Final = frozenset({"PREPARE", "EXECUTE", "DEALLOCATE"})


@dataclass(frozen=True, slots=True)
class Prepare:
    """PREPARE name FROM statement; the statement begins at `place`."""

    name: Identifier
    sql: str
    place: Place


@dataclass(frozen=True, slots=True)
class Execute:
    """EXECUTE name, or EXECUTE IMMEDIATE 'statement', with the texts given by USING."""

    name: Identifier | None
    sql: str | None
    place: Place
    parameters: tuple[str, ...] | None
    """None without USING."""


@dataclass(frozen=True, slots=True)
class Deallocate:
    """DEALLOCATE PREPARE name."""

    name: Identifier


@dataclass(frozen=True, slots=True)
class DescribePrepared:
    """DESCRIBE INPUT | OUTPUT name."""

    name: Identifier
    is_input: bool


class StatementTokens(TokenStream):
    """A cursor over one statement's tokens, without trailing semicolons."""

    def __init__(self, sql: str) -> None:
        tokens = tokenize(sql)
        while len(tokens) > 1 and tokens[-2].key == ";":
            del tokens[-2]
        super().__init__(sql, tokens)

    def string(self) -> str:
        """A string literal's value."""
        token = self.token
        if token.kind is not Kind.STRING:
            self.mismatched("<string>")
        self.advance()
        return token.text[1:-1].replace("''", "'")

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


def first_word(sql: str) -> str:
    """The statement's first word in upper case, comments skipped; empty when it is none."""
    before = _BEFORE.match(sql)
    word = _WORD.match(sql, before.end() if before else 0)
    return word[0].upper() if word else ""


def read_prepare(sql: str) -> Prepare:
    """Read a PREPARE; whether what it prepares is a statement is not looked at."""
    stream = StatementTokens(sql)
    stream.expect("PREPARE")
    name = stream.identifier()
    stream.expect("FROM")
    if stream.key in _NOT_PREPARED:
        _not_prepared(stream.key)
    if stream.token.kind is Kind.END:
        stream.mismatched("<statement>")
    return Prepare(name, *stream.rest())


def read_execute(sql: str) -> Execute:
    """Read an EXECUTE."""
    stream = StatementTokens(sql)
    stream.expect("EXECUTE")
    if stream.at("IMMEDIATE") and stream.peek().kind is Kind.STRING:
        stream.advance()
        token = stream.token
        # The first character after the quote is where the statement's own text begins.
        place = Place(token.line, token.column + 1)
        name, text = None, stream.string()
        check_prepared(text)
    else:
        name, text, place = stream.identifier(), None, START
    parameters = stream.expressions() if stream.take("USING") else None
    stream.end()
    return Execute(name, text, place, parameters)


def read_deallocate(sql: str) -> Deallocate:
    """Read a DEALLOCATE PREPARE."""
    stream = StatementTokens(sql)
    stream.expect("DEALLOCATE", "PREPARE")
    name = stream.identifier()
    stream.end()
    return Deallocate(name)


def read_describe(sql: str) -> DescribePrepared | None:
    """Read a DESCRIBE INPUT | OUTPUT; None when it is another DESCRIBE."""
    stream = StatementTokens(sql)
    if stream.key not in ("DESCRIBE", "DESC") or not stream.at_identifier(2):
        return None
    stream.advance()
    what = stream.take_any("INPUT", "OUTPUT")
    if what is None:
        return None
    name = stream.identifier()
    stream.end()
    return DescribePrepared(name, is_input=what == "INPUT")


def check_prepared(sql: str) -> None:
    """NOT_SUPPORTED when the text is itself a statement about prepared statements."""
    word = first_word(sql)
    if word in _NOT_PREPARED:
        _not_prepared(word)


def parameter_count(sql: str) -> int:
    """How many `?` a statement has."""
    return sum(token.key == "?" for token in tokenize(sql))


def _not_prepared(word: str) -> NoReturn:
    raise StatementError(
        ErrorCode.NOT_SUPPORTED, f"Invalid statement type for prepared statement: {word}"
    )
