"""Glue's GetPartitions expressions, parsed into predicates over a table's partition keys.

The grammar is what clients send: comparisons, IN, BETWEEN, LIKE and IS NULL of a key with
literals, AND, OR, NOT, parentheses. Literals may be quoted or not; the key's type decides how they
compare. `= '__HIVE_DEFAULT_PARTITION__'` is Trino's spelling of IS NULL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from querysvc_catalog.errors import ExpressionSyntaxError, InvalidInputError
from querysvc_catalog.model import Column
from querysvc_catalog.names import DEFAULT_PARTITION_VALUE
from querysvc_catalog.partition_values import (
    KeyKind,
    PartitionKey,
    TypedValue,
    parse_literal,
    partition_keys,
)
from querysvc_catalog.predicates import (
    And,
    Comparison,
    Like,
    Membership,
    NullTest,
    Operator,
    Or,
    PartitionFilter,
    Predicate,
    negate,
)

EXPRESSION_LENGTH_MAX: Final = 2048  # Glue's PredicateString
NESTING_LEVELS_MAX: Final = 100

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
      | (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9A-Za-z_]))
      | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![0-9A-Za-z_]))
      | (?P<word>[^\W\d]\w*)
      | (?P<symbol><=|>=|<>|!=|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_OPERATORS: Final = {operator.value: operator for operator in Operator} | {"!=": Operator.NOT_EQUAL}
_FLIPPED: Final = {
    Operator.EQUAL: Operator.EQUAL,
    Operator.NOT_EQUAL: Operator.NOT_EQUAL,
    Operator.LESS: Operator.GREATER,
    Operator.LESS_OR_EQUAL: Operator.GREATER_OR_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_OR_EQUAL: Operator.LESS_OR_EQUAL,
}
_RESERVED: Final = frozenset({"and", "or", "not", "in", "between", "like", "is", "null", "escape"})
_TYPE_WORDS: Final = frozenset({"date", "timestamp"})
_BOOLEAN_WORDS: Final = frozenset({"true", "false"})


def parse_expression(text: str, columns: Sequence[Column]) -> PartitionFilter:
    """Parse an expression over a table's partition keys, or raise InvalidInputError."""
    if len(text) > EXPRESSION_LENGTH_MAX:
        raise InvalidInputError(
            f"the expression has {len(text)} characters, more than {EXPRESSION_LENGTH_MAX}"
        )
    keys = partition_keys(columns)
    return PartitionFilter(keys, _Parser(text, keys).parse())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    offset: int


def _tokenize(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    offset = 0
    end = len(text.rstrip())
    while offset < end:
        match = _TOKEN.match(text, offset)
        if match is None or match.lastgroup is None:
            start = offset + len(text[offset:]) - len(text[offset:].lstrip())
            raise _syntax_error(text, start, f"{text[start]!r} cannot be read")
        kind = match.lastgroup
        value = match[kind]
        if kind in ("text", "quoted"):
            quote = value[0]
            value = value[1:-1].replace(quote * 2, quote)
        tokens.append(_Token(kind, value, match.start(kind)))
        offset = match.end()
    tokens.append(_Token("end", "", len(text)))
    return tokens


def _syntax_error(text: str, offset: int, reason: str) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(
        f"invalid partition expression: at position {offset + 1}, {reason}", text, offset + 1
    )


class _Parser:
    """A recursive-descent parser over the tokens of one expression."""

    def __init__(self, text: str, keys: Sequence[PartitionKey]) -> None:
        self._text = text
        self._keys = keys
        self._indices = {key.name.lower(): index for index, key in enumerate(keys)}
        self._tokens = _tokenize(text)
        self._at = 0
        self._levels = 0

    def parse(self) -> Predicate:
        predicate = self._disjunction()
        if self._peek().kind != "end":
            self._fail(f"{self._peek().value!r} is not expected")
        return predicate

    def _disjunction(self) -> Predicate:
        operands = [self._conjunction()]
        while self._accept_word("or"):
            operands.append(self._conjunction())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _conjunction(self) -> Predicate:
        operands = [self._negation()]
        while self._accept_word("and"):
            operands.append(self._negation())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _negation(self) -> Predicate:
        is_negated = False
        while self._accept_word("not"):
            is_negated = not is_negated
        predicate = self._group() if self._accept_symbol("(") else self._leaf()
        return negate(predicate) if is_negated else predicate

    def _group(self) -> Predicate:
        self._levels += 1
        if self._levels > NESTING_LEVELS_MAX:
            self._fail(f"parentheses nest deeper than {NESTING_LEVELS_MAX} levels")
        predicate = self._disjunction()
        self._levels -= 1
        self._expect_symbol(")")
        return predicate

    def _leaf(self) -> Predicate:
        if self._is_literal():
            literal = self._literal_text()
            operator = _FLIPPED[self._operator()]
            return self._comparison(self._key(), operator, literal)
        index = self._key()
        if self._accept_word("is"):
            is_negated = self._accept_word("not")
            self._expect_word("null")
            return NullTest(index, is_negated=is_negated)
        is_negated = self._accept_word("not")
        for word, parse in (
            ("in", self._membership),
            ("between", self._between),
            ("like", self._like),
        ):
            if self._accept_word(word):
                predicate = parse(index)
                return negate(predicate) if is_negated else predicate
        if is_negated:
            self._fail("IN, BETWEEN or LIKE is expected")
        return self._comparison(index, self._operator(), self._literal_text())

    def _membership(self, index: int) -> Predicate:
        self._expect_symbol("(")
        texts = [self._literal_text()]
        while self._accept_symbol(","):
            texts.append(self._literal_text())
        self._expect_symbol(")")
        return Membership(
            index,
            frozenset(
                self._typed(index, text) for text in texts if text != DEFAULT_PARTITION_VALUE
            ),
            includes_null=DEFAULT_PARTITION_VALUE in texts,
        )

    def _between(self, index: int) -> Predicate:
        low = self._typed(index, self._literal_text())
        self._expect_word("and")
        high = self._typed(index, self._literal_text())
        return And(
            (
                Comparison(index, Operator.GREATER_OR_EQUAL, low),
                Comparison(index, Operator.LESS_OR_EQUAL, high),
            )
        )

    def _like(self, index: int) -> Predicate:
        if self._keys[index].kind not in (KeyKind.TEXT, KeyKind.CHAR):
            self._fail(f"LIKE needs a textual key, but {self._keys[index].name} is not")
        pattern = self._text_token()
        escape = self._text_token() if self._accept_word("escape") else None
        if escape is not None and len(escape) != 1:
            self._fail("ESCAPE needs one character")
        if escape is not None:
            self._check_escapes(pattern, escape)
        return Like(index, pattern, escape)

    def _check_escapes(self, pattern: str, escape: str) -> None:
        characters = iter(pattern)
        for character in characters:
            if character == escape and next(characters, "") not in ("%", "_", escape):
                self._fail("the escape character must be followed by %, _ or itself")

    def _comparison(self, index: int, operator: Operator, text: str) -> Predicate:
        if text == DEFAULT_PARTITION_VALUE and operator in (Operator.EQUAL, Operator.NOT_EQUAL):
            return NullTest(index, is_negated=operator is Operator.NOT_EQUAL)
        return Comparison(index, operator, self._typed(index, text))

    def _typed(self, index: int, text: str) -> TypedValue:
        return parse_literal(self._keys[index], text)

    def _key(self) -> int:
        token = self._peek()
        is_name = token.kind == "quoted" or (
            token.kind == "word" and token.value.lower() not in _RESERVED
        )
        if not is_name:
            self._fail("a partition key is expected")
        index = self._indices.get(token.value.lower())
        if index is None:
            self._fail(f"{token.value!r} is not a partition key")
        self._at += 1
        return index

    def _operator(self) -> Operator:
        token = self._peek()
        if token.kind != "symbol" or token.value not in _OPERATORS:
            self._fail("a comparison is expected")
        self._at += 1
        return _OPERATORS[token.value]

    def _is_literal(self) -> bool:
        token = self._peek()
        if token.kind in ("text", "number", "date"):
            return True
        return self._is_typed_literal()

    def _is_typed_literal(self) -> bool:
        token = self._peek()
        return (
            token.kind == "word"
            and token.value.lower() in _TYPE_WORDS
            and self._tokens[self._at + 1].kind == "text"
        )

    def _literal_text(self) -> str:
        if self._is_typed_literal():
            self._at += 1
        token = self._peek()
        is_literal = (
            token.kind in ("text", "number", "date")
            or (token.kind == "word" and token.value.lower() in _BOOLEAN_WORDS)
            # Spark's metastore client quotes texts with double quotes.
            or (token.kind == "quoted" and token.value.lower() not in self._indices)
        )
        if not is_literal:
            self._fail("a literal is expected")
        self._at += 1
        return token.value

    def _text_token(self) -> str:
        token = self._peek()
        if token.kind not in ("text", "quoted"):
            self._fail("a quoted text is expected")
        self._at += 1
        return token.value

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _accept_word(self, word: str) -> bool:
        token = self._peek()
        if token.kind != "word" or token.value.lower() != word:
            return False
        self._at += 1
        return True

    def _expect_word(self, word: str) -> None:
        if not self._accept_word(word):
            self._fail(f"{word.upper()} is expected")

    def _accept_symbol(self, symbol: str) -> bool:
        token = self._peek()
        if token.kind != "symbol" or token.value != symbol:
            return False
        self._at += 1
        return True

    def _expect_symbol(self, symbol: str) -> None:
        if not self._accept_symbol(symbol):
            self._fail(f"{symbol!r} is expected")

    def _fail(self, reason: str) -> NoReturn:
        raise _syntax_error(self._text, self._peek().offset, reason)
