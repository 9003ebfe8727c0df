"""PostgreSQL's spellings in a statement of our dialect, made Trino's where they mean the same.

    x::type                CAST(x AS type); a type that only PostgreSQL names gets Trino's name
    $1                     ?, with the order in which values are to be given
    LIMIT n OFFSET m       OFFSET m LIMIT n
    E'…', $$…$$            '…'
    extract(epoch from x)  to_unixtime(x)
What Trino does otherwise, or has not, is refused by name and never bent: ILIKE, ~, SIMILAR TO …
"""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc_drivers.pgwire.lexer import Cursor, Kind, Token, quoted_literal, string_value
from querysvc_drivers.pgwire.type_names import read_type

_REFUSED: Final = {
    "ILIKE": "ILIKE (use lower(x) LIKE lower(y))",
    "SIMILAR": "SIMILAR TO (use regexp_like)",
    "~": "the operator ~ (use regexp_like)",
    "~*": "the operator ~* (use regexp_like with (?i))",
    "!~": "the operator !~ (use NOT regexp_like)",
    "!~*": "the operator !~* (use NOT regexp_like with (?i))",
    "~~": "the operator ~~ (use LIKE)",
    "~~*": "the operator ~~* (use lower(x) LIKE lower(y))",
    "!~~": "the operator !~~ (use NOT LIKE)",
    "->>": "the operator ->> (use json_extract_scalar)",
    "#>": "the operator #> (use json_extract)",
    "#>>": "the operator #>> (use json_extract_scalar)",
    "@>": "the operator @>",
    "<@": "the operator <@",
    "RETURNING": "RETURNING",
}
_LITERAL_WORDS: Final = frozenset(
    {
        *("DATE", "TIME", "TIMESTAMP", "INTERVAL", "UUID", "JSON", "DECIMAL", "REAL", "DOUBLE"),
        *("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "CHAR", "VARCHAR", "IPADDRESS"),
    }
)
_NOT_FUNCTIONS: Final = frozenset(
    {
        *("ALL", "AND", "ANY", "AS", "BETWEEN", "BY", "CASE", "DISTINCT", "ELSE", "ESCAPE"),
        *("EXCEPT", "FROM", "HAVING", "IN", "INTERSECT", "IS", "JOIN", "LIKE", "LIMIT", "NOT"),
        *("OFFSET", "ON", "OR", "SELECT", "SOME", "THEN", "UNION", "USING", "VALUES", "WHEN"),
        *("WHERE", "WITH"),
    }
)
"""Words before a parenthesis that is no argument list."""
_ISO_INSTANT: Final = re.compile(r"'(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z'")
"""As Grafana and JSON write an instant: PostgreSQL casts it, Trino wants a space and the zone."""
_COUNTS: Final = ("OFFSET", "LIMIT")
_INTEGER_NAMES: Final = frozenset({"int", "int2", "int4", "int8", "integer", "bigint", "smallint"})
_CALL_TAILS: Final = frozenset({"OVER", "FILTER"})


@dataclass(frozen=True, slots=True)
class _Piece:
    """A token of the result; `start` is where it comes from, None where it was put in."""

    kind: Kind
    text: str
    key: str
    start: int | None


@dataclass(frozen=True, slots=True)
class Translated:
    """A statement of ours: its text, the numbers of the parameters that its `?` stand for."""

    sql: str
    parameters: tuple[int, ...] = ()
    _ends: tuple[int, ...] = ()
    _sources: tuple[int, ...] = ()

    def source_of(self, error: QueryServiceError) -> int | None:
        """Where in the client's text an error is, in characters from 0."""
        if error.line is None or error.column is None:
            return None
        lines = self.sql.split("\n")
        if not 1 <= error.line <= len(lines):
            return None
        offset = sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1
        index = bisect_right(self._ends, offset)
        if index >= len(self._sources):
            return None
        begin = self._ends[index - 1] if index else 0
        return self._sources[index] + offset - begin


def translate(tokens: Sequence[Token]) -> Translated:
    """Translate one statement; NOT_SUPPORTED where a spelling has no equal."""
    translator = _Translator(tokens)
    return translator.run()


class _Translator:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._out: list[_Piece] = []
        self._parameters: list[int] = []
        self._calls: list[str] = []
        """For each open parenthesis, the word before it."""

    def run(self) -> Translated:
        while self._at < len(self._tokens):
            self._one(self._tokens[self._at])
        ends, sources, end, source = [], [], 0, 0
        for piece in self._out:
            end += len(piece.text)
            source = source if piece.start is None else piece.start
            ends.append(end)
            sources.append(source)
        sql = "".join(piece.text for piece in self._out)
        return Translated(sql, tuple(self._parameters), tuple(ends), tuple(sources))

    def _one(self, token: Token) -> None:
        refused = _REFUSED.get(token.key)
        if refused is not None:
            raise StatementError(
                ErrorCode.NOT_SUPPORTED, f"PostgreSQL's {refused} is not supported"
            )
        if token.key == "::":
            self._cast()
        elif token.key == "AS" and self._calls and self._calls[-1] in ("CAST", "TRY_CAST"):
            self._put(token)
            self._type(token, is_postgresql=False)
        elif token.key in _COUNTS:
            self._counts(token)
        elif token.key == "EXTRACT":
            self._extract(token)
        else:
            self._plain(token)

    def _extract(self, token: Token) -> None:
        """Trino has no field EPOCH, but the function."""
        cursor = Cursor(self._tokens, self._at)
        if not cursor.take("EXTRACT", "(", "EPOCH", "FROM"):
            self._plain(token)
            return
        self._emit(token, "to_unixtime")
        self._insert(len(self._out), Kind.SYMBOL, "(")
        self._calls.append("TO_UNIXTIME")
        self._at = cursor.at

    def _plain(self, token: Token) -> None:
        self._at += 1
        if token.key == "(":
            self._calls.append(self._out[self._last()].key if self._last() >= 0 else "")
        elif token.key == ")" and self._calls:
            self._calls.pop()
        if token.kind is Kind.PARAMETER:
            self._parameters.append(int(token.text[1:]))
            self._emit(token, "?")
        elif token.kind in (Kind.ESCAPED, Kind.DOLLAR):
            self._emit(token, quoted_literal(string_value(token)))
        elif token.kind is Kind.COMMENT and "/*" in token.text[2:]:
            self._emit(token, " ")
        else:
            self._emit(token, token.text)

    def _put(self, token: Token) -> None:
        self._at += 1
        self._emit(token, token.text)

    def _emit(self, token: Token, text: str) -> None:
        self._out.append(_Piece(token.kind, text, token.key, token.start))

    def _insert(self, index: int, kind: Kind, text: str) -> None:
        self._out.insert(index, _Piece(kind, text, text.strip().upper(), None))

    def _last(self, before: int | None = None) -> int:
        """The index of the last piece that is more than space, -1 if there is none."""
        index = (len(self._out) if before is None else before) - 1
        while index >= 0 and self._out[index].kind in (Kind.SPACE, Kind.COMMENT):
            index -= 1
        return index

    def _cast(self) -> None:
        token = self._tokens[self._at]
        self._at += 1
        start = self._operand(self._last())
        literal = self._out[start] if start == self._last() else None
        self._insert(start, Kind.WORD, "CAST")
        self._insert(start + 1, Kind.SYMBOL, "(")
        self._insert(len(self._out), Kind.WORD, " AS")
        self._type(token, is_postgresql=True)
        if literal is not None and self._out[-1].text.startswith(" timestamp"):
            text = _ISO_INSTANT.sub(r"'\1 \2 UTC'", literal.text)
            self._out[start + 2] = dataclasses.replace(literal, text=text)
        self._insert(len(self._out), Kind.SYMBOL, ")")

    def _type(self, token: Token, *, is_postgresql: bool) -> None:
        text, self._at = read_type(self._tokens, self._at, is_postgresql=is_postgresql)
        if text:
            # One piece: parentheses of a type are no operand's.
            self._out.append(_Piece(Kind.QUOTED, f" {text}", "", token.start))

    def _counts(self, token: Token) -> None:
        """LIMIT n OFFSET m as OFFSET m LIMIT n; a count's cast to an integer says nothing."""
        cursor = Cursor(self._tokens, self._at)
        clauses: list[tuple[Token, Token]] = []
        while (clause := self._count(cursor)) is not None and len(clauses) < len(_COUNTS):
            clauses.append(clause)
        if not clauses:
            self._plain(token)
            return
        end = cursor.at
        for word, count in sorted(clauses, key=lambda pair: pair[0].key, reverse=True):
            self._plain(word)
            self._insert(len(self._out), Kind.SPACE, " ")
            self._plain(count)
            self._insert(len(self._out), Kind.SPACE, " ")
        self._at = end

    def _count(self, cursor: Cursor) -> tuple[Token, Token] | None:
        """LIMIT or OFFSET with its count, taken; None when something else comes."""
        mark = cursor.at
        word, count = cursor.take_any(), cursor.take_any()
        if word is None or word.key not in _COUNTS or count is None:
            cursor.at = mark
            return None
        if count.kind not in (Kind.PARAMETER, Kind.NUMBER) and count.key != "ALL":
            cursor.at = mark
            return None
        if cursor.take("::") and cursor.take_name() not in _INTEGER_NAMES:
            cursor.at = mark
            return None
        if word.key == "OFFSET":
            cursor.take_one("ROW", "ROWS")
        return word, count

    def _operand(self, last: int) -> int:
        """Where the operand begins that ends at a piece: what `::` binds to."""
        if last < 0:
            raise _misplaced()
        piece = self._out[last]
        if piece.key == ")":
            return self._before_parentheses(self._opening(last, "(", ")"))
        if piece.key == "]":
            opening = self._opening(last, "[", "]")
            before = self._last(opening)
            if before >= 0 and self._out[before].key == "ARRAY":
                return before
            return self._operand(before)
        if piece.key == "END":
            return self._opening(last, "CASE", "END")
        if piece.kind in (Kind.STRING, Kind.ESCAPED, Kind.DOLLAR):
            before = self._last(last)
            is_typed = before >= 0 and self._out[before].key in _LITERAL_WORDS
            return before if is_typed else last
        if piece.kind in (Kind.PARAMETER, Kind.NUMBER):
            return last
        if piece.kind in (Kind.WORD, Kind.QUOTED):
            return self._name(last)
        raise _misplaced()

    def _before_parentheses(self, opening: int) -> int:
        before = self._last(opening)
        if before < 0:
            return opening
        word = self._out[before]
        if word.key in _CALL_TAILS:
            return self._operand(self._last(before))
        is_name = word.kind in (Kind.WORD, Kind.QUOTED) and word.key not in _NOT_FUNCTIONS
        return self._name(before) if is_name else opening

    def _name(self, last: int) -> int:
        """The beginning of a name with dots; what stands before the first dot may be anything."""
        dot = self._last(last)
        if dot < 0 or self._out[dot].key != ".":
            return last
        return self._operand(self._last(dot))

    def _opening(self, last: int, opens: str, closes: str) -> int:
        depth = 0
        for index in range(last, -1, -1):
            key = self._out[index].key
            depth += (key == closes) - (key == opens)
            if depth == 0:
                return index
        raise _misplaced()


def _misplaced() -> StatementError:
    return StatementError(ErrorCode.SYNTAX_ERROR, 'syntax error at or near "::"')
