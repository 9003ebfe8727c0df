"""Walks over the typed tree: children of any node, and rebuilding with columns replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, Final

from querysvc import tree
from querysvc.tree import Expression
from querysvc.types.algebra import TrinoType

_PARTS: Final = (
    *(Expression, tree.SortItem, tree.Window, tree.Frame, tree.FrameBound, tree.Query),
)
_SLOTS: Final[dict[type[Any], tuple[str, ...]]] = {}


def _slots(kind: type[Any]) -> tuple[str, ...]:
    names = _SLOTS.get(kind)
    if names is None:
        names = tuple(item.name for item in fields(kind) if item.name != "type")
        _SLOTS[kind] = names
    return names


def parts_in(node: Any) -> Iterator[Any]:  # expressions, sort items, windows and their like
    """An expression's (or sort item's, or window's) parts and all below, but not into queries."""
    pending = [node]
    while pending:
        current = pending.pop()
        if type(current) is tuple:
            pending.extend(current)
        elif isinstance(current, _PARTS):
            yield current
            if not isinstance(current, tree.Query):
                pending.extend(getattr(current, name) for name in _slots(type(current)))


def columns_in(node: Expression) -> set[tree.ColumnReference] | None:
    """The columns that the expression reads; None when it holds a query."""
    found = set()
    for part in parts_in(node):
        if isinstance(part, tree.Query):
            return None
        if isinstance(part, tree.ColumnReference):
            found.add(part)
    return found


def with_columns(
    node: Expression, change: Callable[[tree.ColumnReference], Expression]
) -> Expression:
    """The expression with its columns replaced; it holds no query."""
    result: Expression = _rebuilt(node, change)
    return result


def _rebuilt(node: Any, change: Callable[[tree.ColumnReference], Expression]) -> Any:
    if isinstance(node, tree.ColumnReference):
        return change(node)
    if type(node) is tuple:
        return tuple(_rebuilt(item, change) for item in node)
    if not isinstance(node, _PARTS) or isinstance(node, TrinoType):
        return node
    values = {name: getattr(node, name) for name in _slots(type(node))}
    changed = {name: _rebuilt(value, change) for name, value in values.items()}
    if all(changed[name] is value for name, value in values.items()):
        return node
    return replace(node, **changed)
