"""Predicates over partition values as SQL over the store's ordering texts.

A leaf that SQL cannot express exactly is weakened, never strengthened: the store may return too
much, and the caller evaluates the predicate exactly on what it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, and_, not_, or_

from querysvc_catalog.partition_values import (
    ORDERING_TEXT_LENGTH_MAX,
    KeyKind,
    PartitionKey,
    TypedValue,
    ordering_text,
)
from querysvc_catalog.predicates import (
    And,
    Comparison,
    Leaf,
    Like,
    Membership,
    NullTest,
    Operator,
    Or,
    Predicate,
    like_prefix,
)

OPERANDS_MAX: Final = 200  # SQLite refuses expressions deeper than 1,000, and a chain is as deep
MEMBERS_MAX: Final = 500

Condition: TypeAlias = ColumnElement[bool]

_OPERATORS: Final[Mapping[Operator, Callable[[Any, str], Condition]]] = {
    Operator.EQUAL: lambda column, text: column == text,
    Operator.NOT_EQUAL: lambda column, text: column != text,
    Operator.LESS: lambda column, text: column < text,
    Operator.LESS_OR_EQUAL: lambda column, text: column <= text,
    Operator.GREATER: lambda column, text: column > text,
    Operator.GREATER_OR_EQUAL: lambda column, text: column >= text,
}
# With a literal as long as the stored texts may be, equal texts may stand for different values.
_WEAKENED: Final[Mapping[Operator, Operator]] = {
    Operator.EQUAL: Operator.EQUAL,
    Operator.LESS: Operator.LESS_OR_EQUAL,
    Operator.LESS_OR_EQUAL: Operator.LESS_OR_EQUAL,
    Operator.GREATER: Operator.GREATER_OR_EQUAL,
    Operator.GREATER_OR_EQUAL: Operator.GREATER_OR_EQUAL,
}


class Pushdown:
    """Turns predicates over some keys into conditions over the columns of their texts."""

    def __init__(
        self, keys: Sequence[PartitionKey], columns: Sequence[ColumnElement[str | None]]
    ) -> None:
        self._keys = keys
        self._columns = columns

    def condition(self, predicate: Predicate) -> Condition | None:
        """Give the condition, or None where the store cannot narrow anything."""
        if isinstance(predicate, And):
            return self._conjunction(predicate)
        if isinstance(predicate, Or):
            return self._disjunction(predicate)
        if predicate.key_index >= len(self._columns):
            return None
        return self._leaf(predicate)

    def _conjunction(self, predicate: And) -> Condition | None:
        found = [self.condition(operand) for operand in predicate.operands[:OPERANDS_MAX]]
        conditions = [condition for condition in found if condition is not None]
        return and_(*conditions) if conditions else None

    def _disjunction(self, predicate: Or) -> Condition | None:
        if not 1 <= len(predicate.operands) <= OPERANDS_MAX:
            return None
        conditions: list[Condition] = []
        for operand in predicate.operands:
            condition = self.condition(operand)
            if condition is None:
                return None
            conditions.append(condition)
        return or_(*conditions)

    def _leaf(self, leaf: Leaf) -> Condition | None:
        column = self._columns[leaf.key_index]
        if isinstance(leaf, NullTest):
            return column.is_not(None) if leaf.is_negated else column.is_(None)
        if isinstance(leaf, Comparison):
            return self._comparison(column, leaf)
        if isinstance(leaf, Membership):
            return self._membership(column, leaf)
        return self._like(column, leaf)

    def _comparison(self, column: ColumnElement[str | None], leaf: Comparison) -> Condition | None:
        text = self._text(leaf.key_index, leaf.literal)
        operator: Operator | None = leaf.operator
        if _may_be_cut(text):
            operator = _WEAKENED.get(leaf.operator)
        return None if operator is None else _OPERATORS[operator](column, text)

    def _membership(self, column: ColumnElement[str | None], leaf: Membership) -> Condition | None:
        texts = sorted({self._text(leaf.key_index, literal) for literal in leaf.literals})
        if leaf.is_negated:
            if len(texts) > MEMBERS_MAX:
                return column.is_not(None)
            exact = [text for text in texts if not _may_be_cut(text)]
            return and_(column.is_not(None), not_(column.in_(exact)))
        conditions: list[Condition] = []
        if len(texts) > MEMBERS_MAX:
            conditions.append(column.between(texts[0], texts[-1]))
        elif texts:
            conditions.append(column.in_(texts))
        if leaf.includes_null:
            conditions.append(column.is_(None))
        return or_(*conditions) if conditions else None

    def _like(self, column: ColumnElement[str | None], leaf: Like) -> Condition | None:
        # LIKE itself is no help: SQLite's ignores case. A fixed beginning is a range.
        prefix = like_prefix(leaf)[: ORDERING_TEXT_LENGTH_MAX - 1]
        is_text = self._keys[leaf.key_index].kind is KeyKind.TEXT
        if leaf.is_negated or not prefix or not is_text:
            return column.is_not(None)
        end = text_after_prefix(prefix)
        above = column >= prefix
        return above if end is None else and_(above, column < end)

    def _text(self, key_index: int, literal: TypedValue) -> str:
        return ordering_text(self._keys[key_index].kind, literal)


def _may_be_cut(text: str) -> bool:
    return len(text) >= ORDERING_TEXT_LENGTH_MAX


def text_after_prefix(prefix: str) -> str | None:
    """Give the least text above all texts that begin with a prefix, if there is one."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # surrogates are no characters
        following = 0xE000
    return stem[:-1] + chr(following)
