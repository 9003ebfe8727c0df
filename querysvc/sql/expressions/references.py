"""Names, row fields, subscripts, constructors and parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce_to_common
from querysvc.sql.expressions.errors import fail, mismatch
from querysvc.sql.expressions.operators import apply_operator
from querysvc.sql.expressions.printing import printed
from querysvc.sql.parameters import placeholder
from querysvc.sql.scope import Scope, name_parts
from querysvc.sql.scope import dereference as field_of
from querysvc.types import algebra
from querysvc.types.algebra import UNKNOWN, Row, RowField

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser

_INTEGER_MAX: Final = 2**31 - 1


def identifier(_: Analyser, node: syntax.Identifier, scope: Scope) -> tree.Expression:
    """A column, or a lambda's parameter."""
    return scope.resolve_column((node.name,), node)


def dereference(analyser: Analyser, node: syntax.Dereference, scope: Scope) -> tree.Expression:
    """A qualified column, or a field of a row."""
    parts = name_parts(node)
    if parts is not None:
        return scope.resolve_column(parts, node)
    base = analyser.analyse(node.base, scope)
    if not isinstance(base.type, Row):
        raise mismatch(node.base, f"Expression {printed(node.base)} is not of type ROW")
    return field_of(base, node.field.name, node, text=node.field.name)


def subscript(analyser: Analyser, node: syntax.Subscript, scope: Scope) -> tree.Expression:
    """array[i], map[key], row[constant]."""
    base = analyser.analyse(node.base, scope)
    if isinstance(base.type, Row):
        return _row_field(base, base.type, node.index)
    index = analyser.analyse(node.index, scope)
    return apply_operator("[]", node, (base, index))


def _row_field(base: tree.Expression, type_: Row, index: syntax.Expression) -> tree.Expression:
    if not isinstance(index, syntax.IntegerLiteral):
        message = "Subscript expression on ROW requires a constant index"
        raise fail(ErrorCode.EXPRESSION_NOT_CONSTANT, index, message)
    number, count = index.value, len(type_.fields)
    if abs(number) > _INTEGER_MAX:
        raise mismatch(index, "Subscript expression on ROW requires integer index, found bigint")
    if number <= 0:
        message = f"Invalid subscript index: {number}. ROW indices start at 1"
        raise fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, index, message)
    if number > count:
        message = f"Subscript index out of bounds: {number}, max value is {count}"
        raise fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, index, message)
    return tree.Dereference(type_.fields[number - 1].type, base, number - 1)


def row(analyser: Analyser, node: syntax.RowConstructor, scope: Scope) -> tree.Expression:
    """ROW(…) and (a, b): fields without names."""
    items = tuple(analyser.analyse(item, scope) for item in node.items)
    type_ = Row(tuple(RowField(None, item.type) for item in items))
    return tree.RowConstructor(type_, items)


def array(analyser: Analyser, node: syntax.ArrayConstructor, scope: Scope) -> tree.Expression:
    """ARRAY[…]."""
    typed = [(item, analyser.analyse(item, scope)) for item in node.items]
    element, items = coerce_to_common(typed, "All ARRAY elements") if typed else (UNKNOWN, [])
    return tree.ArrayConstructor(algebra.Array(element), tuple(items))


def parameter(analyser: Analyser, node: syntax.Parameter, _: Scope) -> tree.Expression:
    """A `?`: the expression given for it, which sees no columns; or none, to infer its type."""
    given = analyser.context.parameters
    if node.index >= len(given):
        message = (
            f"Incorrect number of parameters: expected {node.index + 1} but found {len(given)}"
        )
        raise fail(ErrorCode.INVALID_PARAMETER_USAGE, node, message)
    value = given[node.index]
    return placeholder(node.index) if value is None else analyser.analyse(value, Scope())


def grouping(_: Analyser, node: syntax.Grouping, scope: Scope) -> tree.Expression:
    """GROUPING(columns)."""
    resolve = scope.grouping
    if resolve is None:
        raise fail(
            ErrorCode.MISSING_GROUP_BY,
            node,
            "A GROUPING() operation can only be used with a corresponding "
            "GROUPING SET/CUBE/ROLLUP/GROUP BY clause",
        )
    return resolve(node)


HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.Identifier: identifier,
    syntax.Dereference: dereference,
    syntax.Subscript: subscript,
    syntax.RowConstructor: row,
    syntax.ArrayConstructor: array,
    syntax.Parameter: parameter,
    syntax.Grouping: grouping,
}
