"""SQL/JSON paths as trees: tuples of a kind and operands. The analyser has checked the grammar."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeAlias

from querysvc.engines.duckdb.functions.json_numbers import Numeric, decimal_number, whole_number

Node: TypeAlias = tuple[Any, ...]

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<string>"(?:[^"]|"")*")'
    r"|(?P<name>\$?[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\.\.|==|<>|!=|<=|>=|&&|\|\||[$@.*\[\],()?!<>+\-/%]))",
    re.ASCII,
)
_COMPARISONS: Final = ("==", "<>", "!=", "<=", ">=", "<", ">")
_METHODS: Final = frozenset({"abs", "ceiling", "double", "floor", "keyvalue", "size", "type"})
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


@lru_cache(maxsize=256)
def parse_path(text: str) -> tuple[bool, Node]:
    """Whether the path is lax, and its tree."""
    parser = _Parser(text)
    mode = parser.next()[1]
    return mode == "lax", parser.expression()


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position, end)
        assert match is not None, text
        assert match.lastgroup is not None, text
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return [*found, ("end", "")]


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.position = 0

    @property
    def current(self) -> tuple[str, str]:
        return self.tokens[self.position]

    def next(self) -> tuple[str, str]:
        token = self.current
        self.position += 1
        return token

    def take(self, *texts: str) -> str:
        """The token's text if it is one of these symbols or words."""
        kind, text = self.current
        if kind in ("string", "number", "end") or text not in texts:
            return ""
        self.position += 1
        return text

    def expression(self) -> Node:
        left = self.term()
        while operator := self.take("+", "-"):
            left = ("arithmetic", operator, left, self.term())
        return left

    def term(self) -> Node:
        left = self.signed()
        while operator := self.take("*", "/", "%"):
            left = ("arithmetic", operator, left, self.signed())
        return left

    def signed(self) -> Node:
        sign = self.take("+", "-")
        return ("sign", sign, self.signed()) if sign else self.accessors()

    def accessors(self) -> Node:
        node = self.primary()
        while True:
            if self.take(".."):
                node = ("descendants", node, self.name())
            elif self.take("."):
                node = self.member(node)
            elif self.take("["):
                node = self.subscripts(node)
            elif self.take("?"):
                self.take("(")
                node = ("filter", node, self.disjunction())
                self.take(")")
            else:
                return node

    def primary(self) -> Node:
        kind, text = self.next()
        if kind == "number":
            return ("literal", _number(text))
        if kind == "string":
            return ("literal", _unquoted(text))
        if text == "(":
            node = self.expression()
            self.take(")")
            return node
        if text in _CONSTANTS:
            return ("literal", _CONSTANTS[text])
        if text.startswith("$") and len(text) > 1:
            return ("variable", text[1:])
        return ({"$": "root", "@": "current", "last": "last"}[text],)

    def name(self) -> str:
        kind, text = self.next()
        return _unquoted(text) if kind == "string" else text

    def member(self, node: Node) -> Node:
        if self.take("*"):
            return ("member", node, None)
        is_name = self.current[0] == "name"
        name = self.name()
        if is_name and name in _METHODS and self.take("("):
            self.take(")")
            return ("method", name, node)
        return ("member", node, name)

    def subscripts(self, node: Node) -> Node:
        if self.take("*"):
            self.take("]")
            return ("items", node, ())
        ranges = []
        while True:
            start = self.expression()
            ranges.append((start, self.expression() if self.take("to") else None))
            if not self.take(","):
                break
        self.take("]")
        return ("items", node, tuple(ranges))

    def disjunction(self) -> Node:
        left = self.conjunction()
        while self.take("||"):
            left = ("or", left, self.conjunction())
        return left

    def conjunction(self) -> Node:
        left = self.negation()
        while self.take("&&"):
            left = ("and", left, self.negation())
        return left

    def negation(self) -> Node:
        if self.take("!"):
            return ("not", self.delimited())
        return self.delimited()

    def delimited(self) -> Node:
        if self.take("exists"):
            self.take("(")
            node: Node = ("exists", self.expression())
            self.take(")")
            return node
        start = self.position
        if self.take("("):
            inner = self.try_predicate()
            if inner is not None:
                if self.take("is"):
                    self.take("unknown")
                    return ("is unknown", inner)
                return inner
            self.position = start
        return self.comparison()

    def try_predicate(self) -> Node | None:
        """A predicate in parentheses; None when they hold an operand of a comparison."""
        try:
            node = self.disjunction()
        except (KeyError, IndexError):
            return None
        return node if self.take(")") else None

    def comparison(self) -> Node:
        left = self.expression()
        if self.take("starts"):
            self.take("with")
            return ("starts with", left, self.primary())
        operator = self.take(*_COMPARISONS)
        if not operator:
            raise KeyError(self.current[1])
        return ("compare", "<>" if operator == "!=" else operator, left, self.expression())


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"')


def _number(text: str) -> Numeric:
    if "e" in text.lower():
        return Numeric("double", float(text))
    if "." in text:
        return decimal_number(Decimal(text))
    return whole_number(int(text))
