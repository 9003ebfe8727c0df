"""What a predicate says about each key alone: a set of values, or a range.

A domain is an upper bound: it may hold values that the predicate refuses, never the reverse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from querysvc_catalog.partition_values import TypedValue
from querysvc_catalog.predicates import And, Comparison, Membership, Operator, Or, Predicate


@dataclass(frozen=True, slots=True)
class KeyDomain:
    """Either some values, or all between two bounds that belong to it (None: no bound)."""

    values: frozenset[TypedValue] | None = None
    low: TypedValue | None = None
    high: TypedValue | None = None

    def allows(self, value: TypedValue) -> bool:
        """Tell whether a value lies in the domain."""
        if self.values is not None:
            return value in self.values
        return (self.low is None or not _less(value, self.low)) and (
            self.high is None or not _less(self.high, value)
        )

    def intersect(self, other: KeyDomain) -> KeyDomain:
        """Give what lies in both."""
        if self.values is not None:
            return KeyDomain(frozenset(value for value in self.values if other.allows(value)))
        if other.values is not None:
            return other.intersect(self)
        return KeyDomain(
            low=_outer(self.low, other.low, _greatest), high=_outer(self.high, other.high, _least)
        )

    def unite(self, other: KeyDomain) -> KeyDomain:
        """Give a domain that holds both."""
        if self.values is not None and other.values is not None:
            return KeyDomain(self.values | other.values)
        first, second = self.hull(), other.hull()
        if first is None or second is None:
            return (second or first) or EMPTY
        return KeyDomain(
            low=None if first.low is None or second.low is None else _least(first.low, second.low),
            high=None
            if first.high is None or second.high is None
            else _greatest(first.high, second.high),
        )

    def hull(self) -> KeyDomain | None:
        """Give the range that holds the domain, or None if it is empty."""
        if self.values is None:
            return self
        if not self.values:
            return None
        return KeyDomain(low=reduce(_least, self.values), high=reduce(_greatest, self.values))


EVERYTHING: Final = KeyDomain()
EMPTY: Final = KeyDomain(frozenset())


def domain_of(predicate: Predicate, key_index: int) -> KeyDomain:
    """Give the domain of one key under a predicate."""
    if isinstance(predicate, And):
        parts = (domain_of(operand, key_index) for operand in predicate.operands)
        return reduce(KeyDomain.intersect, parts, EVERYTHING)
    if isinstance(predicate, Or):
        parts = (domain_of(operand, key_index) for operand in predicate.operands)
        return reduce(KeyDomain.unite, parts, EMPTY)
    if predicate.key_index != key_index:
        return EVERYTHING
    if isinstance(predicate, Comparison):
        return _comparison_domain(predicate)
    if isinstance(predicate, Membership) and not (predicate.is_negated or predicate.includes_null):
        return KeyDomain(predicate.literals)
    return EVERYTHING


def _comparison_domain(leaf: Comparison) -> KeyDomain:
    if leaf.operator is Operator.EQUAL:
        return KeyDomain(frozenset({leaf.literal}))
    if leaf.operator in (Operator.LESS, Operator.LESS_OR_EQUAL):
        return KeyDomain(high=leaf.literal)
    if leaf.operator in (Operator.GREATER, Operator.GREATER_OR_EQUAL):
        return KeyDomain(low=leaf.literal)
    return EVERYTHING


def _less(left: Any, right: Any) -> bool:  # values of one key are of one comparable type
    return bool(left < right)


def _least(left: TypedValue, right: TypedValue) -> TypedValue:
    return right if _less(right, left) else left


def _greatest(left: TypedValue, right: TypedValue) -> TypedValue:
    return right if _less(left, right) else left


def _outer(
    left: TypedValue | None,
    right: TypedValue | None,
    choose: Callable[[TypedValue, TypedValue], TypedValue],
) -> TypedValue | None:
    if left is None or right is None:
        return left if right is None else right
    return choose(left, right)
