"""Walks over syntax trees: children, and the calls that matter to grouping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from querysvc.errors import ErrorCode
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.expressions.printing import printed
from querysvc.sql.functions.registry import load_registry
from querysvc.sql.functions.signature import FunctionKind
from querysvc.sql.scope import fail

_SLOTS: Final[dict[type[syntax.Node], tuple[str, ...]]] = {}
"""The names of each kind's fields, filled as kinds are met."""


def _slots(kind: type[syntax.Node]) -> tuple[str, ...]:
    names = _SLOTS.get(kind)
    if names is None:
        names = tuple(item.name for item in fields(kind) if item.name != "position")
        _SLOTS[kind] = names
    return names


def children(node: syntax.Node) -> Iterator[syntax.Node]:
    """The nodes directly below, in the order in which they are written."""
    for name in _slots(type(node)):
        value = getattr(node, name)
        if isinstance(value, syntax.Node):
            yield value
        elif type(value) is tuple:
            yield from _in_tuple(value)


def _in_tuple(items: tuple[object, ...]) -> Iterator[syntax.Node]:
    for item in items:
        if isinstance(item, syntax.Node):
            yield item
        elif type(item) is tuple:
            yield from _in_tuple(item)


def expressions_of(node: syntax.Node) -> Iterator[syntax.Node]:
    """The node and all below it, without looking into subqueries."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        if not isinstance(current, qs.Query):
            pending.extend(reversed(list(children(current))))


def everything_in(node: syntax.Node) -> Iterator[syntax.Node]:
    """The node and all below it, subqueries included."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(list(children(current))))


def is_aggregate(node: syntax.Node) -> bool:
    """Whether the node calls an aggregate function as an aggregate."""
    return (
        isinstance(node, syntax.FunctionCall)
        and node.window is None
        and load_registry().kind(node.name[-1]) is FunctionKind.AGGREGATE
    )


def is_windowed(node: syntax.Node) -> bool:
    """Whether the node calls a function over a window."""
    return isinstance(node, syntax.FunctionCall) and node.window is not None


def aggregates_in(node: syntax.Node) -> list[syntax.Expression]:
    """The aggregate calls of this query level, outermost first."""
    return [
        found
        for found in expressions_of(node)
        if isinstance(found, syntax.Expression) and is_aggregate(found)
    ]


def windows_in(node: syntax.Node) -> list[syntax.Expression]:
    """The window calls of this query level, outermost first."""
    return [
        found
        for found in expressions_of(node)
        if isinstance(found, syntax.Expression) and is_windowed(found)
    ]


def check_windows(node: syntax.Node) -> None:
    """NESTED_WINDOW if a window call of this query level holds another one."""
    for outer in windows_in(node):
        assert isinstance(outer, syntax.FunctionCall)  # what windows_in finds
        arguments = [found for item in outer.arguments for found in windows_in(item)]
        if arguments:
            message = "Cannot nest window functions or row pattern measures inside window function"
            raise fail(ErrorCode.NESTED_WINDOW, arguments[0], f"{message} arguments")
        inside = [] if outer.window is None else windows_in(outer.window)
        if inside:
            message = (
                "Cannot nest window functions or row pattern measures inside window specification"
            )
            raise fail(ErrorCode.NESTED_WINDOW, inside[0], message)


def check_scalar(node: syntax.Expression, clause: str) -> None:
    """EXPRESSION_NOT_SCALAR if the clause's expression aggregates, uses a window or GROUPING."""
    found = [
        item
        for item in expressions_of(node)
        if isinstance(item, syntax.Expression)
        and (is_aggregate(item) or is_windowed(item) or isinstance(item, syntax.Grouping))
    ]
    if found:
        listed = ", ".join(map(printed, found))
        message = (
            f"{clause} cannot contain aggregations, window functions or grouping operations: "
            f"[{listed}]"
        )
        raise fail(ErrorCode.EXPRESSION_NOT_SCALAR, node, message)
