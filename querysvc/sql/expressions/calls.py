"""Function calls by name: which kind of function it is decides what becomes of the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.expressions import aggregates, special
from querysvc.sql.expressions.arguments import resolve_call, typed_call
from querysvc.sql.expressions.errors import fail, mismatch
from querysvc.sql.functions.registry import load_registry
from querysvc.sql.functions.resolve import Resolution
from querysvc.sql.functions.signature import FunctionKind
from querysvc.types import algebra
from querysvc.types.algebra import VARCHAR, TrinoType
from querysvc.types.coercion import can_cast

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope

_BUILTIN: Final = ("system", "builtin")
_LISTAGG: Final = "listagg"


def call(analyser: Analyser, node: syntax.FunctionCall, scope: Scope) -> tree.Expression:
    """A call by name: scalar, aggregate or window function."""
    name = function_name(node)
    # The forms of the grammar are not in the schema of functions.
    form = name if len(node.name) == 1 else ""
    if form == "format":
        return special.format_(analyser, node, scope)
    if form == _LISTAGG:
        return aggregates.listagg(analyser, node, scope)
    kind = load_registry().kind(name)
    if node.window is not None:
        return aggregates.windowed(analyser, node, scope, name, kind)
    if kind is FunctionKind.AGGREGATE:
        return aggregates.aggregate(analyser, node, scope, name)
    # The order of the checks is Trino's, for a call may fail several.
    if node.is_distinct:
        message = "DISTINCT is not supported for non-aggregation functions"
        raise fail(ErrorCode.FUNCTION_NOT_AGGREGATE, node, message)
    aggregates.filter_of(analyser, node, scope)
    resolution, arguments = resolve_call(analyser, node, scope, name)
    _refuse_aggregate_clauses(node)
    if kind is FunctionKind.WINDOW:
        message = f"Window function system.builtin.{name} requires an OVER clause"
        raise fail(ErrorCode.MISSING_OVER, node, message)
    return _scalar(analyser, node, resolution, arguments)


def function_name(node: syntax.FunctionCall) -> str:
    """The function's name in lower case; system.builtin may stand before it."""
    name = tuple(part.lower() for part in node.name)
    if len(name) == len(_BUILTIN) + 1 and name[:-1] == _BUILTIN:
        return name[-1]
    return ".".join(name)


def _refuse_aggregate_clauses(node: syntax.FunctionCall) -> None:
    clauses = {
        "ORDER BY is only valid for aggregation functions": bool(node.order_by),
        "Filter is only valid for aggregation functions": node.filter is not None,
    }
    for message, is_present in clauses.items():
        if is_present:
            raise fail(ErrorCode.FUNCTION_NOT_AGGREGATE, node, message)


def _scalar(
    analyser: Analyser,
    node: syntax.FunctionCall,
    resolution: Resolution,
    arguments: tuple[tree.Expression, ...],
) -> tree.Expression:
    constant = special.SESSION_FUNCTIONS.get(resolution.key)
    if constant is not None:
        return constant(analyser)
    name = resolution.signature.name
    if name == "typeof":
        return special.type_text(arguments[0].type)
    if name == "array_join":
        _check_joined(node, arguments[0].type)
    if not resolution.is_deterministic:
        analyser.context.is_deterministic = False
    return typed_call(name, resolution, arguments)


def _check_joined(node: syntax.Node, type_: TrinoType) -> None:
    # The signature takes any array, the function casts its elements to varchar.
    assert isinstance(type_, algebra.Array)
    if not can_cast(type_.element, VARCHAR):
        message = f"Cannot cast {type_.element} to varchar"
        raise fail(ErrorCode.OPERATOR_NOT_FOUND, node, message)


def stray_lambda(_: Analyser, node: syntax.Lambda, __: Scope) -> tree.Expression:
    """A lambda that is no function's argument."""
    raise mismatch(node, "Lambda expression should always be used inside a function")


HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.FunctionCall: call,
    syntax.Lambda: stray_lambda,
}
