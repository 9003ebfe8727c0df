"""Operators and predicates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.expressions.arguments import typed_call
from querysvc.sql.expressions.coercion import coerce, coerce_to, coerce_to_common
from querysvc.sql.expressions.errors import fail, located_at, mismatch
from querysvc.sql.functions.operators import resolve_between, resolve_operator
from querysvc.sql.functions.resolve import resolve
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    REAL,
    SMALLINT,
    TINYINT,
    VARCHAR,
    Char,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope

_MERGED_CHAIN_MIN: Final = 64
"""Concatenations of more terms than these become one call, so that the tree stays flat.

Shorter ones stay as written: a grouping key may be a part of one.
"""

_Binary = syntax.ArithmeticBinary | syntax.Concatenation


def apply_operator(
    operator: str, node: syntax.Node, operands: tuple[tree.Expression, ...]
) -> tree.Expression:
    """The operator's call, operands coerced; Trino's error at the node when it has none."""
    with located_at(node):
        resolution = resolve_operator(operator, tuple(operand.type for operand in operands))
    arguments = tuple(map(coerce, operands, resolution.argument_types))
    if resolution.return_type == BOOLEAN:  # a comparison with NULL still says what it is about
        return tree.Call(BOOLEAN, operator, resolution.key, arguments)
    return typed_call(operator, resolution, arguments)


def binary(analyser: Analyser, node: _Binary, scope: Scope) -> tree.Expression:
    """Arithmetic and ||; walks down the left operands in a loop, for chains may be long."""
    chain: list[_Binary] = []
    leftmost: syntax.Expression = node
    while isinstance(leftmost, _Binary):
        chain.append(leftmost)
        leftmost = leftmost.left
    result = analyser.analyse(leftmost, scope)
    for link in reversed(chain):
        right = analyser.analyse(link.right, scope)
        symbol = link.operator if isinstance(link, syntax.ArithmeticBinary) else "||"
        whole = apply_operator(symbol, link, (result, right))
        if symbol == "||" and len(chain) > _MERGED_CHAIN_MIN:
            whole = _merged(result, whole)
        result = analyser.context.record(link, whole)
    return result


def _merged(left: tree.Expression, whole: tree.Expression) -> tree.Expression:
    """concat(concat(a, b), c) as concat(a, b, c) where that is the same function."""
    if not isinstance(whole, tree.Call):  # NULL
        return whole
    is_same = isinstance(left, tree.Call) and (left.name, left.key) == (whole.name, whole.key)
    if not is_same or not whole.key.endswith("...)") or left.type != whole.type:
        return whole
    assert isinstance(left, tree.Call)
    arguments = left.arguments + whole.arguments[1:]
    return tree.Call(whole.type, whole.name, whole.key, arguments)


_SIGNED: Final = (TINYINT, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE)


def unary(analyser: Analyser, node: syntax.ArithmeticUnary, scope: Scope) -> tree.Expression:
    """-x, and +x, which Trino has for fewer types."""
    value = analyser.analyse(node.value, scope)
    if node.operator == "-":
        return apply_operator("negate", node, (value,))
    if value.type not in _SIGNED:
        raise mismatch(node, f"Unary '+' operator cannot by applied to {value.type} type")
    return value


def comparison(analyser: Analyser, node: syntax.Comparison, scope: Scope) -> tree.Expression:
    """= <> < <= > >= and IS DISTINCT FROM."""
    left = analyser.analyse(node.left, scope)
    right = analyser.analyse(node.right, scope)
    return apply_operator(node.operator, node, (left, right))


def between(analyser: Analyser, node: syntax.Between, scope: Scope) -> tree.Expression:
    """value BETWEEN low AND high."""
    parts = [analyser.analyse(part, scope) for part in (node.value, node.low, node.high)]
    with located_at(node):
        type_ = resolve_between(*(part.type for part in parts))
    value, low, high = (coerce(part, type_) for part in parts)
    return tree.Between(BOOLEAN, value, low, high)


def in_list(analyser: Analyser, node: syntax.InList, scope: Scope) -> tree.Expression:
    """value IN (items)."""
    nodes = (node.value, *node.items)
    typed = [(part, analyser.analyse(part, scope)) for part in nodes]
    type_, (value, *items) = coerce_to_common(typed, "IN value and list items")
    if not type_.is_comparable:
        message = f"Operator 'INDETERMINATE' cannot be applied to {type_}"
        raise fail(ErrorCode.OPERATOR_NOT_FOUND, node, message)
    return tree.InList(BOOLEAN, value, tuple(items))


def like(analyser: Analyser, node: syntax.Like, scope: Scope) -> tree.Expression:
    """value LIKE pattern [ESCAPE escape]."""
    value = analyser.analyse(node.value, scope)
    if not isinstance(value.type, Varchar | Char):
        value = coerce_to((node.value, value), VARCHAR, "Left side of LIKE expression")
    pattern = _varchar(analyser, node.pattern, scope, "Pattern for LIKE expression")
    escape = None
    if node.escape is not None:
        escape = _varchar(analyser, node.escape, scope, "Escape for LIKE expression")
    return tree.Like(BOOLEAN, value, pattern, escape)


def _varchar(
    analyser: Analyser, node: syntax.Expression, scope: Scope, what: str
) -> tree.Expression:
    value = analyser.analyse(node, scope)
    if isinstance(value.type, Varchar):
        return value
    return coerce_to((node, value), VARCHAR, what)


def is_null(analyser: Analyser, node: syntax.IsNull, scope: Scope) -> tree.Expression:
    """value IS NULL."""
    return tree.IsNull(BOOLEAN, analyser.analyse(node.value, scope))


def negation(analyser: Analyser, node: syntax.Not, scope: Scope) -> tree.Expression:
    """NOT value."""
    value = analyser.analyse(node.value, scope)
    what = "Value of logical NOT expression"
    return tree.Not(BOOLEAN, coerce_to((node.value, value), BOOLEAN, what))


def logical(analyser: Analyser, node: syntax.Logical, scope: Scope) -> tree.Expression:
    """Terms joined by AND or OR."""
    terms = tuple(
        coerce_to((term, analyser.analyse(term, scope)), BOOLEAN, "Logical expression term")
        for term in node.terms
    )
    return tree.Logical(BOOLEAN, tree.LogicalOperator(node.operator), terms)


def at_time_zone(analyser: Analyser, node: syntax.AtTimeZone, scope: Scope) -> tree.Expression:
    """value AT TIME ZONE zone: the function at_timezone of a value with a zone."""
    value = analyser.analyse(node.value, scope)
    zone = analyser.analyse(node.zone, scope)
    with_zone = _with_zone(value.type)
    if with_zone is None:
        raise mismatch(
            node.value,
            "Type of value must be a time or timestamp with or without time zone "
            f"(actual {value.type})",
        )
    name = "at_timezone" if isinstance(with_zone, TimestampTz) else "$at_timezone"
    with located_at(node):
        resolution = resolve(name, (with_zone, zone.type))
    arguments = (coerce(value, with_zone), coerce(zone, resolution.argument_types[1]))
    return typed_call(name, resolution, arguments)


def _with_zone(type_: TrinoType) -> TrinoType | None:
    match type_:
        case Timestamp(precision):
            return TimestampTz(precision)
        case Time(precision):
            return TimeTz(precision)
        case TimestampTz() | TimeTz():
            return type_
    return None


HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.ArithmeticBinary: binary,
    syntax.Concatenation: binary,
    syntax.ArithmeticUnary: unary,
    syntax.Comparison: comparison,
    syntax.Between: between,
    syntax.InList: in_list,
    syntax.Like: like,
    syntax.IsNull: is_null,
    syntax.Not: negation,
    syntax.Logical: logical,
    syntax.AtTimeZone: at_time_zone,
}
