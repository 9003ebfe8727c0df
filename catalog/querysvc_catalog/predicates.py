"""Predicates over partition values: the tree, its evaluation, its negation.

NOT is pushed down to the leaves while the tree is built, so a tree is made of AND and OR over
leaves; a NULL value (the default partition) satisfies no leaf but a null test, as in SQL. A store
may therefore weaken any leaf and still return too much, never too little.

A partition whose value cannot be read as its key's type is always a match, so that it is seen and
reported by whoever reads it, not lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, TypeAlias

from querysvc_catalog.partition_values import (
    MalformedPartitionValueError,
    PartitionKey,
    TypedValue,
)


class Operator(StrEnum):
    """A comparison."""

    EQUAL = "="
    NOT_EQUAL = "<>"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


NEGATED: Final[Mapping[Operator, Operator]] = {
    Operator.EQUAL: Operator.NOT_EQUAL,
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.LESS: Operator.GREATER_OR_EQUAL,
    Operator.GREATER_OR_EQUAL: Operator.LESS,
    Operator.GREATER: Operator.LESS_OR_EQUAL,
    Operator.LESS_OR_EQUAL: Operator.GREATER,
}
# The typed values of one key are all of one Python type, which mypy cannot know.
_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUAL: eq,
    Operator.NOT_EQUAL: ne,
    Operator.LESS: lt,
    Operator.LESS_OR_EQUAL: le,
    Operator.GREATER: gt,
    Operator.GREATER_OR_EQUAL: ge,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """key `operator` literal."""

    key_index: int
    operator: Operator
    literal: TypedValue

    def holds(self, values: Mapping[int, TypedValue | None]) -> bool:
        """Tell whether the leaf is true of the typed values."""
        value = values[self.key_index]
        return value is not None and _COMPARE[self.operator](value, self.literal)


@dataclass(frozen=True, slots=True)
class Membership:
    """key [NOT] IN (…); `includes_null` is the default partition standing among the values."""

    key_index: int
    literals: frozenset[TypedValue]
    includes_null: bool = False
    is_negated: bool = False

    def holds(self, values: Mapping[int, TypedValue | None]) -> bool:
        """Tell whether the leaf is true of the typed values."""
        value = values[self.key_index]
        if value is None:
            return self.includes_null and not self.is_negated
        return (value in self.literals) is not self.is_negated


@dataclass(frozen=True, slots=True)
class Like:
    """key [NOT] LIKE pattern, for textual keys."""

    key_index: int
    pattern: str
    escape: str | None = None
    is_negated: bool = False

    def holds(self, values: Mapping[int, TypedValue | None]) -> bool:
        """Tell whether the leaf is true of the typed values."""
        value = values[self.key_index]
        if value is None:
            return False
        return like_matches(self.tokens(), str(value)) is not self.is_negated

    def tokens(self) -> list[tuple[bool, str]]:
        """Give the pattern as (is a wildcard, character) pairs, escapes resolved."""
        tokens: list[tuple[bool, str]] = []
        characters = iter(self.pattern)
        for character in characters:
            if character == self.escape:
                tokens.append((False, next(characters)))
            else:
                tokens.append((character in "%_", character))
        return tokens


@dataclass(frozen=True, slots=True)
class NullTest:
    """key IS [NOT] NULL, which is also how `= '__HIVE_DEFAULT_PARTITION__'` is read."""

    key_index: int
    is_negated: bool = False

    def holds(self, values: Mapping[int, TypedValue | None]) -> bool:
        """Tell whether the leaf is true of the typed values."""
        return (values[self.key_index] is None) is not self.is_negated


@dataclass(frozen=True, slots=True)
class And:
    """All of the operands; true if there is none."""

    operands: tuple[Predicate, ...]

    def holds(self, values: Mapping[int, TypedValue | None]) -> bool:
        """Tell whether all operands are true of the typed values."""
        return all(operand.holds(values) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the operands; false if there is none."""

    operands: tuple[Predicate, ...]

    def holds(self, values: Mapping[int, TypedValue | None]) -> bool:
        """Tell whether any operand is true of the typed values."""
        return any(operand.holds(values) for operand in self.operands)


Leaf: TypeAlias = Comparison | Membership | Like | NullTest
Predicate: TypeAlias = Comparison | Membership | Like | NullTest | And | Or


@dataclass(frozen=True, slots=True)
class PartitionFilter:
    """A predicate with the keys it speaks of."""

    keys: tuple[PartitionKey, ...]
    predicate: Predicate

    def matches(self, values: Sequence[str]) -> bool:
        """Tell whether a partition fits: exactly, but always if a value it needs is malformed."""
        try:
            typed = {index: self.keys[index].parse(values[index]) for index in self.key_indices()}
        except MalformedPartitionValueError:
            return True
        return self.predicate.holds(typed)

    def key_indices(self) -> frozenset[int]:
        """Give the indices of the keys that the predicate names."""
        return frozenset(leaf.key_index for leaf in leaves(self.predicate))


def leaves(predicate: Predicate) -> Iterator[Leaf]:
    """Walk all leaves of a tree."""
    if isinstance(predicate, And | Or):
        for operand in predicate.operands:
            yield from leaves(operand)
    else:
        yield predicate


def pins_key(predicate: Predicate, key_index: int) -> bool:
    """Tell whether only partitions with some listed values of a key can match."""
    if isinstance(predicate, And):
        return any(pins_key(operand, key_index) for operand in predicate.operands)
    if isinstance(predicate, Or):
        return bool(predicate.operands) and all(
            pins_key(operand, key_index) for operand in predicate.operands
        )
    if predicate.key_index != key_index:
        return False
    if isinstance(predicate, Comparison):
        return predicate.operator is Operator.EQUAL
    return isinstance(predicate, Membership | NullTest) and not predicate.is_negated


def negate(predicate: Predicate) -> Predicate:
    """Give the tree that is true where the given one is false (and no value is NULL)."""
    if isinstance(predicate, And):
        return Or(tuple(map(negate, predicate.operands)))
    if isinstance(predicate, Or):
        return And(tuple(map(negate, predicate.operands)))
    if isinstance(predicate, Comparison):
        operator = NEGATED[predicate.operator]
        return Comparison(predicate.key_index, operator, predicate.literal)
    if isinstance(predicate, Membership):
        return Membership(
            predicate.key_index,
            predicate.literals,
            includes_null=predicate.includes_null,
            is_negated=not predicate.is_negated,
        )
    if isinstance(predicate, Like):
        return Like(
            predicate.key_index,
            predicate.pattern,
            predicate.escape,
            is_negated=not predicate.is_negated,
        )
    return NullTest(predicate.key_index, is_negated=not predicate.is_negated)


def like_matches(tokens: Sequence[tuple[bool, str]], text: str) -> bool:
    """Match a LIKE pattern; only the last `%` is ever retried, so time is pattern times text."""
    at_token = at_text = 0
    retry: tuple[int, int] | None = None  # the token after the last `%`, and where it was tried
    while at_text < len(text):
        token = tokens[at_token] if at_token < len(tokens) else None
        if token == (True, "%"):
            at_token += 1
            retry = (at_token, at_text)
        elif token is not None and token in ((True, "_"), (False, text[at_text])):
            at_token, at_text = at_token + 1, at_text + 1
        elif retry is not None:
            retry = (retry[0], retry[1] + 1)
            at_token, at_text = retry
        else:
            return False
    return all(token == (True, "%") for token in tokens[at_token:])


def like_prefix(like: Like) -> str:
    """Give the fixed text that a LIKE pattern begins with."""
    prefix = ""
    for is_wildcard, character in like.tokens():
        if is_wildcard:
            break
        prefix += character
    return prefix
