"""Type texts, as Trino's CAST and DDL read them.

A text is parsed with Trino's grammar and errors (TYPE_MISMATCH «Unknown type: …», NOT_SUPPORTED
for the intervals that Trino has not). A `type.wire_name` parses back to its type, as long as its
field names have no capitals (Trino writes those without quotes, and folds them when it reads). The
errors carry no position: whoever knows where the text stands in the statement adds it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from querysvc.errors import ErrorCode, StatementError
from querysvc.types._reserved import RESERVED_WORDS
from querysvc.types.algebra import (
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    UNKNOWN,
    Row,
    RowField,
    TrinoType,
    delimited,
)
from querysvc.types.build import TypeParameter, build_type

NESTING_MAX: Final = 100

_INTERVAL_FIELDS: Final = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
_INTERVALS: Final = {
    ("YEAR", "MONTH"): INTERVAL_YEAR_TO_MONTH,
    ("DAY", "SECOND"): INTERVAL_DAY_TO_SECOND,
}
_TOKEN: Final = re.compile(r'\s*(?:(\d+)|([A-Za-z_][\w@:$]*)|("(?:[^"]|"")+")|([(),<>\[\]]))')


@lru_cache(maxsize=1024)
def parse_type(text: str) -> TrinoType:
    """The type that the text names; StatementError with Trino's error name otherwise."""
    tree = _Parser(text).whole()
    if isinstance(tree, _Named) and tree.base.lower() == UNKNOWN.name and not tree.parameters:
        raise StatementError(ErrorCode.TYPE_MISMATCH, "UNKNOWN is not a valid type")
    type_ = _resolve(tree)
    if type_ is None:
        raise StatementError(ErrorCode.TYPE_MISMATCH, f"Unknown type: {tree}")
    return type_


@dataclass(frozen=True, slots=True)
class _Named:
    """A type expression: a name and what stands in its parentheses, not yet looked up."""

    base: str
    parameters: tuple["int | _Named | _Fields", ...] = ()
    is_delimited: bool = False

    def __str__(self) -> str:
        kind, zone, _ = self.base.partition(" with time zone")
        inside = ", ".join(map(str, self.parameters))
        name = delimited(kind) if self.is_delimited else kind
        return f"{name}({inside}){zone}" if inside else f"{name}{zone}"


@dataclass(frozen=True, slots=True)
class _Fields:
    """A row's type expression: field names, as written and as kept, with their types."""

    fields: tuple[tuple[str | None, str | None, "_Named | _Fields"], ...]

    def __str__(self) -> str:
        texts = (
            f"{type_}" if name is None else f"{name} {type_}" for name, _, type_ in self.fields
        )
        return f"ROW({', '.join(texts)})"


_Tree = _Named | _Fields


def _resolve(tree: _Tree) -> TrinoType | None:
    if isinstance(tree, _Fields):
        fields = []
        for _, name, field in tree.fields:
            type_ = _resolve(field)
            if type_ is None:
                return None
            fields.append(RowField(name, type_))
        return Row(tuple(fields))
    parameters: list[TypeParameter] = []
    for item in tree.parameters:
        parameter = item if isinstance(item, int) else _resolve(item)
        if parameter is None:
            return None
        parameters.append(parameter)
    return build_type(tree.base, tuple(parameters))


class _Parser:
    """A recursive descent over one type text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._tokenize(text)
        self._position = 0
        self._depth = 0

    def whole(self) -> _Tree:
        tree = self._type()
        if self._position != len(self._tokens):
            raise self._mismatched()
        return tree

    def _tokenize(self, text: str) -> list[str]:
        tokens = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position, end)
            if match is None:
                raise self._syntax_error(text[position:].split()[0])
            tokens.append(match[match.lastindex or 0])
            position = match.end()
        return tokens

    def _type(self) -> _Tree:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise StatementError(
                ErrorCode.STACK_OVERFLOW, f"a type nests more than {NESTING_MAX} levels deep"
            )
        tree = self._primary()
        while self._take("ARRAY"):
            if self._take("["):
                raise StatementError(
                    ErrorCode.GENERIC_INTERNAL_ERROR, "Explicit array size not supported"
                )
            tree = _Named("array", (tree,))
        self._depth -= 1
        return tree

    def _primary(self) -> _Tree:
        word = self._word()
        upper = word.upper()
        if upper == "ROW" and self._peek() == "(":
            return self._row()
        if upper == "INTERVAL" and self._peek().upper() in _INTERVAL_FIELDS:
            return self._interval()
        if upper in ("TIMESTAMP", "TIME"):
            return self._datetime(upper)
        if upper == "DOUBLE" and self._take("PRECISION"):
            return _Named("double")
        if upper in ("ARRAY", "MAP") and self._take("<"):
            return _Named(word.lower(), self._list(until=">"))
        parameters = self._list(until=")") if self._take("(") else ()
        if word.startswith('"'):
            return _Named(word[1:-1].replace('""', '"'), parameters, is_delimited=True)
        return _Named(word, parameters)

    def _row(self) -> _Tree:
        self._expect("(")
        fields = [self._field()]
        while self._take(","):
            fields.append(self._field())
        self._expect(")")
        return _Fields(tuple(fields))

    def _field(self) -> tuple[str | None, str | None, _Tree]:
        # A field is a type alone if that reads to its end, as in Trino's grammar; else `name type`.
        start, depth = self._position, self._depth
        try:
            tree = self._type()
        except StatementError as error:
            if error.code is not ErrorCode.SYNTAX_ERROR:
                raise
        else:
            if self._peek() in (",", ")"):
                return None, None, tree
        self._position, self._depth = start, depth
        written = self._word()
        name = written[1:-1].replace('""', '"') if written.startswith('"') else written.lower()
        return written, name, self._type()

    def _interval(self) -> _Tree:
        first = self._word().upper()
        last = self._word().upper() if self._take("TO") else first
        if last not in _INTERVAL_FIELDS:
            raise self._syntax_error(last.lower())
        interval = _INTERVALS.get((first, last))
        if interval is None:
            raise StatementError(
                ErrorCode.NOT_SUPPORTED, f"INTERVAL {first} TO {last} type not supported"
            )
        return _Named(interval.name)

    def _datetime(self, word: str) -> _Tree:
        parameters: tuple[int | _Tree, ...] = ()
        if self._take("("):
            parameters = self._list(until=")")
            if len(parameters) != 1:
                return _Named(word.lower(), parameters)
            if not isinstance(parameters[0], int):
                raise StatementError(
                    ErrorCode.GENERIC_INTERNAL_ERROR,
                    "Parameter to datetime type must be either a number or a type variable: "
                    f"{parameters[0]}",
                )
        start = self._position
        zone = self._take("WITH") or self._take("WITHOUT")
        if zone and not (self._take("TIME") and self._take("ZONE")):
            self._position, zone = start, ""
        suffix = " with time zone" if zone.upper() == "WITH" else ""
        return _Named(word.lower() + suffix, parameters)

    def _list(self, *, until: str) -> tuple[int | _Tree, ...]:
        items = [self._parameter()]
        while self._take(","):
            items.append(self._parameter())
        self._expect(until)
        return tuple(items)

    def _parameter(self) -> int | _Tree:
        if self._peek().isdigit():
            self._position += 1
            return int(self._tokens[self._position - 1])
        return self._type()

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self, token: str) -> str:
        found = self._peek()
        if found.upper() != token:
            return ""
        self._position += 1
        return found

    def _word(self) -> str:
        word = self._peek()
        if not word or word.isdigit() or word in "(),<>[]" or word.upper() in RESERVED_WORDS:
            raise self._mismatched()
        self._position += 1
        return word

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._mismatched()

    def _mismatched(self) -> StatementError:
        return self._syntax_error(self._peek() or "<EOF>")

    @staticmethod
    def _syntax_error(token: str) -> StatementError:
        return StatementError(ErrorCode.SYNTAX_ERROR, f"mismatched input '{token}' in a type")
