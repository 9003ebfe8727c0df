"""ORDER BY keys and row counts."""

from __future__ import annotations

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import query_syntax as qs
from querysvc.sql import syntax
from querysvc.sql.context import ExpressionAnalyser
from querysvc.sql.expressions.printing import printed
from querysvc.sql.parameters import Placeholder
from querysvc.sql.scope import Scope, fail
from querysvc.types.algebra import BIGINT
from querysvc.types.coercion import can_coerce


def sort_items(
    expressions: ExpressionAnalyser,
    items: tuple[syntax.SortItem, ...],
    scope: Scope,
    outputs: tuple[tree.Expression, ...],
    place: syntax.Node,
) -> tuple[tree.SortItem, ...]:
    """Typed sort keys; what equals an output is a reference to it. `place` is the query."""
    positions: dict[tree.Expression, int] = {}
    for index, output in enumerate(outputs):
        positions.setdefault(output, index)
    keys = []
    for item in items:
        value = _value(expressions, item.value, scope, outputs)
        if not value.type.is_orderable:
            message = (
                f"Type {value.type} is not orderable, and therefore cannot be used in ORDER BY: "
                f"{printed(item.value)}"
            )
            raise fail(ErrorCode.TYPE_MISMATCH, place, message)
        position = positions.get(value)
        if position is not None:
            value = tree.OutputReference(value.type, position)
        keys.append(tree.SortItem(value, item.is_descending, bool(item.nulls_first)))
    return tuple(keys)


def _value(
    expressions: ExpressionAnalyser,
    node: syntax.Expression,
    scope: Scope,
    outputs: tuple[tree.Expression, ...],
) -> tree.Expression:
    if not isinstance(node, syntax.IntegerLiteral):
        return expressions.analyse(node, scope)
    if not 1 <= node.value <= len(outputs):
        message = f"ORDER BY position {node.value} is not in select list"
        raise fail(ErrorCode.INVALID_COLUMN_REFERENCE, node, message)
    return tree.OutputReference(outputs[node.value - 1].type, node.value - 1)


def row_count(expressions: ExpressionAnalyser, node: qs.RowCount | None, clause: str) -> int | None:
    """The rows that OFFSET, LIMIT or FETCH FIRST ask for; None for all."""
    if node is None or node.value is None:
        return None
    count = node.value
    if isinstance(count, syntax.Parameter):
        value = _parameter(expressions, count, clause)
        if value is None:
            return None
        count = value
    if clause == "FETCH FIRST" and count <= 0:
        message = f"{clause} row count must be positive (actual value: {count})"
        raise fail(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, node, message)
    if count < 0:
        message = f"{clause} row count must be greater or equal to 0 (actual value: {count})"
        raise fail(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, node, message)
    return count


def _parameter(expressions: ExpressionAnalyser, node: syntax.Parameter, clause: str) -> int | None:
    typed = expressions.analyse(node, Scope())
    if isinstance(typed, Placeholder):
        return None
    if not isinstance(typed, tree.Literal) or not can_coerce(typed.type, BIGINT):
        message = f"Non constant parameter value for {clause}"
        raise fail(ErrorCode.INVALID_PARAMETER_USAGE, node, message)
    if not isinstance(typed.value, int):
        message = f"Parameter value provided for {clause} is NULL"
        raise fail(ErrorCode.INVALID_PARAMETER_USAGE, node, message)
    return typed.value
