"""Trino's expression grammar, as a recursive descent.

The precedence is the grammar's: OR, AND, NOT, one predicate, ||, + -, * / %, sign, AT TIME ZONE,
then primary expressions with their subscripts and fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from querysvc.errors import StatementError
from querysvc.sql import syntax
from querysvc.sql.call_parser import CallParser
from querysvc.sql.lexer import Kind, Token
from querysvc.sql.syntax import Expression, Position
from querysvc.sql.token_stream import CHAIN_MAX

if TYPE_CHECKING:
    from querysvc.sql.query_syntax import Query

_COMPARISONS: Final = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_QUANTIFIERS: Final = {"ALL": "ALL", "ANY": "ANY", "SOME": "ANY"}
_QUERY_STARTS: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})
_INTERVAL_FIELDS: Final = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
_STRINGS: Final = (Kind.STRING, Kind.UNICODE_STRING)
_NUMBERS: Final = (Kind.INTEGER, Kind.DECIMAL, Kind.DOUBLE)
_BIGINT_MAX: Final = 2**63 - 1
_UNICODE_DIGITS: Final = re.compile(r"\+[0-9A-Fa-f]{6}|[0-9A-Fa-f]{4}")


class ExpressionParser(CallParser):
    """Reads expressions; queries inside them are read by the subclass's `query`."""

    def expression(self) -> Expression:
        self.enter()
        try:
            return self._or()
        finally:
            self.leave()

    def expressions(self) -> tuple[Expression, ...]:
        """expression (',' expression)*."""
        items = [self.expression()]
        while self.take(","):
            items.append(self.expression())
        return tuple(items)

    def value_expression(self) -> Expression:
        self.enter()
        try:
            return self._concatenation()
        finally:
            self.leave()

    # Boolean expressions.

    def _or(self) -> Expression:
        return self._logical("OR", self._and)

    def _and(self) -> Expression:
        return self._logical("AND", self._not)

    def _logical(self, operator: str, term: Callable[[], Expression]) -> Expression:
        start = self.position
        first = term()
        if self.token.key != operator:
            return first
        terms = [first]
        while self.take(operator):
            terms.append(term())
        return syntax.Logical(start, operator, tuple(terms))

    def _not(self) -> Expression:
        start = self.position
        if not self.take("NOT"):
            return self._predicated()
        self.enter()
        value = self._not()
        self.leave()
        return syntax.Not(start, value)

    def _predicated(self) -> Expression:
        value = self._concatenation()
        start = self.position
        key = self.token.key
        operator = _COMPARISONS.get(key)
        if operator is not None:
            return self._comparison(operator, value, start)
        if key == "NOT":
            rule = self._predicate_rules.get(self.peek().key)
            if rule is None:
                return value
            self.advance()
            self.advance()
            return syntax.Not(start, rule(self, value, start))
        rule = self._predicate_rules.get(key)
        if rule is not None:
            self.advance()
            return rule(self, value, start)
        if key == "IS":
            return self._is(value, start)
        return value

    def _comparison(self, operator: str, value: Expression, start: Position) -> Expression:
        self.advance()
        quantifier = _QUANTIFIERS.get(self.token.key)
        if quantifier is not None and self.peek().key == "(" and self._at_query(1):
            self.advance()
            query = self.parenthesized_query()
            return syntax.QuantifiedComparison(start, operator, quantifier, value, query)
        return syntax.Comparison(start, operator, value, self._concatenation())

    def _between(self, value: Expression, start: Position) -> Expression:
        low = self._concatenation()
        self.expect("AND")
        return syntax.Between(start, value, low, self._concatenation())

    def _in(self, value: Expression, start: Position) -> Expression:
        query = self.try_parenthesized_query()
        if query is not None:
            return syntax.InSubquery(start, value, query)
        self.expect("(")
        items = self.expressions()
        self.expect(")")
        return syntax.InList(start, value, items)

    def _like(self, value: Expression, start: Position) -> Expression:
        pattern = self._concatenation()
        escape = self._concatenation() if self.take("ESCAPE") else None
        return syntax.Like(start, value, pattern, escape)

    def _is(self, value: Expression, start: Position) -> Expression:
        self.advance()
        is_negated = self.take("NOT")
        result: Expression
        if self.take("NULL"):
            result = syntax.IsNull(start, value)
        elif self.take("DISTINCT"):
            self.expect("FROM")
            right = self._concatenation()
            result = syntax.Comparison(start, "IS DISTINCT FROM", value, right)
        else:
            self.mismatched("'DISTINCT'", "'NOT'", "'NULL'")
        return syntax.Not(start, result) if is_negated else result

    _predicate_rules: ClassVar[
        dict[str, Callable[[ExpressionParser, Expression, Position], Expression]]
    ] = {"BETWEEN": _between, "IN": _in, "LIKE": _like}

    # Value expressions.

    def _concatenation(self) -> Expression:
        left = self._additive()
        for _ in range(CHAIN_MAX):
            start = self.position
            if not self.take("||"):
                return left
            left = syntax.Concatenation(start, left, self._additive())
        raise self.too_deep()

    def _additive(self) -> Expression:
        return self._binary(("+", "-"), self._multiplicative)

    def _multiplicative(self) -> Expression:
        return self._binary(("*", "/", "%"), self._signed)

    def _binary(self, operators: tuple[str, ...], operand: Callable[[], Expression]) -> Expression:
        left = operand()
        for _ in range(CHAIN_MAX):
            start = self.position
            operator = self.take_any(*operators)
            if operator is None:
                return left
            left = syntax.ArithmeticBinary(start, operator, left, operand())
        raise self.too_deep()

    def _signed(self) -> Expression:
        key = self.token.key
        if (key != "-" and key != "+") or (key == "-" and self.peek().kind in _NUMBERS):
            return self._in_time_zone()
        start = self.position
        self.advance()
        self.enter()
        value = self._signed()
        self.leave()
        return syntax.ArithmeticUnary(start, key, value)

    def _in_time_zone(self) -> Expression:
        value = self.primary()
        while self.at("AT", "TIME", "ZONE"):
            start = self.position
            for _ in range(3):
                self.advance()
            zone = self._interval() if self.at("INTERVAL") else self.string_literal()
            value = syntax.AtTimeZone(start, value, zone)
        return value

    # Primary expressions.

    def primary(self) -> Expression:
        """A primary expression with its subscripts and fields (but not a final `.*`)."""
        start = self.position
        value = self._atom()
        for _ in range(CHAIN_MAX):
            if self.token.key == "." and self.peek().key != "*":
                self.advance()
                value = syntax.Dereference(start, value, self.identifier())
            elif self.token.key == "[":
                self.advance()
                value = syntax.Subscript(start, value, self.value_expression())
                self.expect("]")
            else:
                return value
        raise self.too_deep()

    def _atom(self) -> Expression:
        token = self.token
        if token.kind is Kind.WORD:
            form = self.special_form()
            return form if form is not None else self._word()
        if token.kind is Kind.SYMBOL:
            return self._symbol(token)
        if token.kind in _NUMBERS:
            return self._number("")
        if token.kind in _STRINGS:
            return self.string_literal()
        if token.kind is Kind.BINARY:
            return self._binary_literal()
        if self.at_identifier():
            return self._named()
        raise self.mismatch("<expression>")

    def _symbol(self, token: Token) -> Expression:
        if token.key == "(":
            return self._parenthesized()
        if token.key == "[":
            return self.array_items(self.position)
        start = self.position
        if token.key == "?":
            self.advance()
            return syntax.Parameter(start, self.next_parameter())
        if token.key == "-" and self.peek().kind in _NUMBERS:
            self.advance()
            return self._number("-", start)
        raise self.mismatch("<expression>")

    def _word(self) -> Expression:
        key = self.token.key
        start = self.position
        if key == "NULL":
            self.advance()
            return syntax.NullLiteral(start)
        if key in ("TRUE", "FALSE"):
            self.advance()
            return syntax.BooleanLiteral(start, key == "TRUE")
        if key == "INTERVAL" and self._at_interval():
            return self._interval()
        if key == "DOUBLE" and self.peek().key == "PRECISION" and self.peek(2).kind in _STRINGS:
            self.advance()
            self.advance()
            return syntax.GenericLiteral(start, "double", self.string_literal().value)
        if not self.at_identifier():
            self.mismatched("<expression>")
        return self._named()

    def _named(self) -> Expression:
        """What starts with an identifier: a literal, a lambda, a call, a column."""
        start = self.position
        name = self.identifier()
        if self.token.kind in _STRINGS:
            return syntax.GenericLiteral(start, name.name, self.string_literal().value)
        if self.take("->"):
            return syntax.Lambda(start, (name,), self.expression())
        call = self._qualified_call(start, name)
        return call if call is not None else name

    def _qualified_call(self, start: Position, name: syntax.Identifier) -> Expression | None:
        distance = 0
        while self.peek(distance).key == "." and self.at_identifier(distance + 1):
            distance += 2
        if self.peek(distance).key != "(":
            return None
        parts = [name.name]
        while self.take("."):
            parts.append(self.identifier().name)
        return self.function_call(start, tuple(parts))

    def _parenthesized(self) -> Expression:
        start = self.position
        if self._at_lambda():
            return self._lambda(start)
        query = self.try_parenthesized_query()
        if query is not None:
            return syntax.SubqueryExpression(start, query)
        self.advance()
        items = self.expressions()
        self.expect(")")
        if len(items) == 1:
            return items[0]
        return syntax.RowConstructor(start, items)

    def _at_lambda(self) -> bool:
        if self.peek().key == ")":
            return True
        distance = 1
        while self.at_identifier(distance):
            distance += 1
            if self.peek(distance).key != ",":
                return self.peek(distance).key == ")" and self.peek(distance + 1).key == "->"
            distance += 1
        return False

    def _lambda(self, start: Position) -> Expression:
        parameters: tuple[syntax.Identifier, ...] = ()
        if self.peek().key == ")":
            self.advance()
            self.advance()
        else:
            parameters = self.identifiers()
        self.expect("->")
        return syntax.Lambda(start, parameters, self.expression())

    # Queries inside expressions.

    def _at_query(self, distance: int = 0) -> bool:
        """Whether a query can start at the parenthesis there."""
        while self.peek(distance).key == "(":
            distance += 1
        return self.peek(distance).key in _QUERY_STARTS

    def try_parenthesized_query(self) -> Query | None:
        """'(' query ')' if that is what comes and nothing follows inside, else None."""
        if self.token.key != "(" or not self._at_query():
            return None
        if self.peek().key in _QUERY_STARTS:
            return self.parenthesized_query()
        place, depth, parameters = self.mark(), self._depth, self._parameters
        try:
            return self.parenthesized_query()
        except StatementError:
            self.rewind(place)
            self._depth, self._parameters = depth, parameters
            return None

    def parenthesized_query(self) -> Query:
        """'(' query ')'."""
        self.expect("(")
        query = self.query()
        self.expect(")")
        return query

    # Literals.

    def string_literal(self) -> syntax.StringLiteral:
        token, start = self.token, self.position
        if token.kind is Kind.STRING:
            self.advance()
            return syntax.StringLiteral(start, token.text[1:-1].replace("''", "'"))
        if token.kind is not Kind.UNICODE_STRING:
            self.mismatched("<string>")
        self.advance()
        escape = "\\"
        if self.take("UESCAPE"):
            escape = self.string_literal().value
            if len(escape) != 1:
                raise self.error("Unicode escape must be a single character", start)
            if escape in "+'\" \t" or escape in "0123456789abcdefABCDEF" or not escape.isascii():
                raise self.error("Invalid Unicode escape character", start)
        text = token.text[3:-1].replace("''", "'")
        return syntax.StringLiteral(start, self._decode_unicode(text, escape, start))

    def _decode_unicode(self, text: str, escape: str, start: Position) -> str:
        parts: list[str] = []
        index = 0
        while index < len(text):
            if text[index] != escape:
                parts.append(text[index])
                index += 1
            elif text[index + 1 : index + 2] == escape:
                parts.append(escape)
                index += 2
            else:
                digits = _UNICODE_DIGITS.match(text, index + 1)
                if digits is None:
                    raise self.error(_unicode_error(text[index + 1 :]), start)
                code = int(digits[0].lstrip("+"), 16)
                if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                    raise self.error(f"Invalid escaped character: {digits[0]}", start)
                parts.append(chr(code))
                index = digits.end()
        return "".join(parts)

    def _binary_literal(self) -> Expression:
        start = self.position
        text = re.sub("[ \r\n\t]", "", self.advance().text[2:-1]).upper()
        if not re.fullmatch("[0-9A-F]*", text):
            raise self.error("Binary literal can only contain hexadecimal digits", start)
        if len(text) % 2:
            raise self.error("Binary literal must contain an even number of digits", start)
        return syntax.BinaryLiteral(start, bytes.fromhex(text))

    def _number(self, sign: str, start: Position | None = None) -> Expression:
        start = start or self.position
        if self.token.kind is Kind.INTEGER:
            return syntax.IntegerLiteral(start, self.integer(sign, start))
        token = self.advance()
        text = token.text.replace("_", "")
        if token.kind is Kind.DECIMAL:
            return syntax.DecimalLiteral(start, sign + text)
        return syntax.DoubleLiteral(start, float(sign + text))

    def integer(self, sign: str = "", start: Position | None = None) -> int:
        """INTEGER_VALUE, which must be a bigint."""
        token, start = self.token, start or self.position
        self.advance()
        text = token.text.replace("_", "")
        number = int(sign + text, _base(text))
        if not -_BIGINT_MAX - 1 <= number <= _BIGINT_MAX:
            raise self.error(f"Invalid numeric literal: {sign}{token.text}", start)
        return number

    def _at_interval(self) -> bool:
        following = self.peek()
        if following.key in ("+", "-"):
            return self.peek(2).kind in _STRINGS
        if following.kind not in _STRINGS:
            return False
        after = self.peek(2)
        return after.key in _INTERVAL_FIELDS or after.key == "UESCAPE"

    def _interval(self) -> Expression:
        start = self.position
        self.expect("INTERVAL")
        sign = -1 if self.take_any("+", "-") == "-" else 1
        value = self.string_literal().value
        first = self._interval_field()
        last = self._interval_field() if self.take("TO") else None
        return syntax.IntervalLiteral(start, value, sign, first, last)

    def _interval_field(self) -> str:
        field = self.take_any(*_INTERVAL_FIELDS)
        if field is None:
            self.mismatched("'DAY'", "'HOUR'", "'MINUTE'", "'MONTH'", "'SECOND'", "'YEAR'")
        return field


def _base(text: str) -> int:
    return {"0X": 16, "0O": 8, "0B": 2}.get(text[:2].upper(), 10)


def _unicode_error(rest: str) -> str:
    digits = rest[1:7] if rest.startswith("+") else rest[:4]
    wrong = next((c for c in digits if c not in "0123456789abcdefABCDEF"), None)
    if wrong is not None:
        return f"Invalid hexadecimal digit: {wrong}"
    return "Incomplete escape sequence: " + digits
