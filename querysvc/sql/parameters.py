"""Parameters without values: the types that they take from where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from querysvc import tree
from querysvc.sql.query_syntax import Query, RowCount
from querysvc.sql.syntax import Parameter
from querysvc.types.algebra import BIGINT, UNKNOWN, TrinoType


@dataclass(frozen=True, slots=True)
class Placeholder(tree.Expression):
    """A `?` that no value is given for; of type unknown, it coerces to any."""

    index: int


def inferred_types(parsed: Query, typed: tree.Query, count: int) -> tuple[TrinoType | None, ...]:
    """The type that each `?` is coerced or cast to first; None where nothing asks for one."""
    found: dict[int, TrinoType] = {}
    for node in _nodes(typed):
        if isinstance(node, tree.Cast) and isinstance(node.value, Placeholder):
            found.setdefault(node.value.index, node.type)
    # What LIMIT and OFFSET count by is a number already in the typed tree.
    found |= dict.fromkeys(row_counts(parsed), BIGINT)
    return tuple(found.get(index) for index in range(count))


def row_counts(parsed: Query) -> frozenset[int]:
    """The `?` that LIMIT, OFFSET and FETCH FIRST count by."""
    return frozenset(
        node.value.index
        for node in _nodes(parsed)
        if isinstance(node, RowCount) and isinstance(node.value, Parameter)
    )


def _nodes(root: tree.Query | Query) -> Iterator[Any]:  # every kind of node
    pending: list[Any] = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending.extend(reversed(node))
        elif is_dataclass(node) and not isinstance(node, TrinoType):
            yield node
            pending.extend(getattr(node, field.name) for field in reversed(fields(node)))


def placeholder(index: int) -> Placeholder:
    """The typed form of a `?` without a value."""
    return Placeholder(UNKNOWN, index)
