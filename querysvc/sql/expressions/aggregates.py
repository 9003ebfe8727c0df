"""Aggregates and window functions, with their clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.expressions import windows
from querysvc.sql.expressions.arguments import not_scalar, resolve_call
from querysvc.sql.expressions.coercion import coerce_to
from querysvc.sql.expressions.errors import fail, located_at, mismatch
from querysvc.sql.expressions.printing import printed
from querysvc.sql.functions.resolve import resolve
from querysvc.sql.functions.signature import FunctionKind
from querysvc.types.algebra import BOOLEAN, VARCHAR, Varchar

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope

_NULL_TREATMENT: Final = frozenset({"lag", "lead", "first_value", "last_value", "nth_value"})
_RANKING: Final = frozenset(
    {"row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist"}
)
_OFFSET: Final = frozenset({"lag", "lead"})

_NO_WINDOW_FILTER: Final = "FILTER is not yet supported for window functions"


def aggregate(
    analyser: Analyser, node: syntax.FunctionCall, scope: Scope, name: str
) -> tree.Expression:
    """An aggregate call without OVER."""
    filter_ = filter_of(analyser, node, scope)
    resolution, arguments = resolve_call(analyser, node, scope, name)
    order_by = _order_by(analyser, node, scope)
    _check_distinct(analyser, node, arguments)
    return tree.Aggregate(
        resolution.return_type,
        resolution.signature.name,
        resolution.key,
        arguments,
        node.is_distinct,
        filter_,
        order_by,
    )


def windowed(
    analyser: Analyser,
    node: syntax.FunctionCall,
    scope: Scope,
    name: str,
    kind: FunctionKind | None,
) -> tree.Expression:
    """A window function, or an aggregate, with its OVER clause."""
    assert node.window is not None
    specification = scope.window(node.window)
    window = windows.window(analyser, specification, scope)
    filter_of(analyser, node, scope)
    resolution, arguments = resolve_call(analyser, node, scope, name)
    if kind is FunctionKind.SCALAR:
        raise fail(ErrorCode.FUNCTION_NOT_WINDOW, node, f"Not a window function: {name}")
    _refuse_nested(node, specification, arguments, window)
    if node.filter is not None:
        raise fail(ErrorCode.NOT_SUPPORTED, node, _NO_WINDOW_FILTER)
    _check_clauses(node, specification, name)
    _refuse_unsupported(node, kind)
    order_by = _order_by(analyser, node, scope)
    _check_distinct(analyser, node, arguments)
    return tree.WindowCall(
        resolution.return_type,
        resolution.signature.name,
        resolution.key,
        arguments,
        window,
        is_distinct=node.is_distinct,
        ignore_nulls=node.null_treatment == "IGNORE",
        order_by=order_by,
    )


def _refuse_nested(
    node: syntax.FunctionCall,
    specification: syntax.WindowSpecification,
    arguments: tuple[tree.Expression, ...],
    window: tree.Window,
) -> None:
    what = "Cannot nest window functions or row pattern measures inside window"
    sort_nodes = tuple(item.value for item in specification.order_by)
    sort_keys = tuple(item.value for item in window.order_by)
    for nodes, typed, place in (
        (node.arguments, arguments, "function arguments"),
        (specification.partition_by, window.partition_by, "specification"),
        (sort_nodes, sort_keys, "specification"),
    ):
        for item, value in zip(nodes, typed, strict=False):
            if any(isinstance(found, tree.WindowCall) for found in not_scalar(value)):
                raise fail(ErrorCode.NESTED_WINDOW, item, f"{what} {place}")


def _refuse_unsupported(node: syntax.FunctionCall, kind: FunctionKind | None) -> None:
    if node.is_distinct and kind is FunctionKind.WINDOW:
        message = "Only aggregation window functions with DISTINCT are supported"
        raise fail(ErrorCode.NOT_SUPPORTED, node, message)
    if node.order_by and kind is FunctionKind.WINDOW:
        message = "Only aggregation window functions with ORDER BY are supported"
        raise fail(ErrorCode.NOT_SUPPORTED, node, message)


def _check_clauses(
    node: syntax.FunctionCall, window: syntax.WindowSpecification, name: str
) -> None:
    """What Trino refuses by the function's name."""
    if name in _OFFSET and not window.order_by:
        message = f"{name} function requires an ORDER BY window clause"
        raise fail(ErrorCode.MISSING_ORDER_BY, window, message)
    if name in _OFFSET | _RANKING and window.frame is not None:
        message = f"Cannot specify window frame for {name} function"
        raise fail(ErrorCode.INVALID_WINDOW_FRAME, window.frame, message)
    if node.null_treatment is not None and name not in _NULL_TREATMENT:
        message = f"Cannot specify null treatment clause for {name} function"
        raise fail(ErrorCode.NULL_TREATMENT_NOT_ALLOWED, node, message)


def filter_of(
    analyser: Analyser, node: syntax.FunctionCall, scope: Scope
) -> tree.Expression | None:
    """The condition of the FILTER clause."""
    if node.filter is None:
        return None
    condition = analyser.analyse(node.filter, scope)
    return coerce_to((node.filter, condition), BOOLEAN, "Filter expression")


def _order_by(
    analyser: Analyser, node: syntax.FunctionCall, scope: Scope
) -> tuple[tree.SortItem, ...]:
    items = tuple(windows.sort_item(analyser, item, scope) for item in node.order_by)
    for item in items:
        type_ = item.value.type
        if not type_.is_orderable:
            message = f"ORDER BY can only be applied to orderable types (actual: {type_})"
            raise mismatch(node, message)
    return items


def _check_distinct(
    analyser: Analyser, node: syntax.FunctionCall, arguments: tuple[tree.Expression, ...]
) -> None:
    if not node.is_distinct:
        return
    for argument in arguments:
        if not argument.type.is_comparable:
            message = f"DISTINCT can only be applied to comparable types (actual: {argument.type})"
            raise mismatch(node, message)
    written = [analyser.context.type_of(argument) for argument in node.arguments]
    for item in node.order_by if node.window is None else ():  # Trino sees to it only there
        if analyser.context.type_of(item.value) not in written:
            raise fail(
                ErrorCode.EXPRESSION_NOT_IN_DISTINCT,
                item.value,
                "For aggregate function with DISTINCT, ORDER BY expressions must appear in "
                "arguments",
            )


def listagg(analyser: Analyser, node: syntax.FunctionCall, scope: Scope) -> tree.Expression:
    """LISTAGG(value, separator …) WITHIN GROUP (ORDER BY …).

    Its arguments are the value and the separator; `options` hold the ON OVERFLOW clause.
    """
    value, separator = (analyser.analyse(item, scope) for item in node.arguments)
    if not isinstance(value.type, Varchar):
        text = printed(node.arguments[0])
        message = f"Expected expression of varchar, but '{text}' has {value.type} type"
        raise mismatch(node, message)
    window = None
    if node.window is not None:
        window = windows.window(analyser, scope.window(node.window), scope)
    filter_ = filter_of(analyser, node, scope)
    order_by = _order_by(analyser, node, scope)
    _check_distinct(analyser, node, (value, separator))
    if node.filter is not None and window is not None:
        raise fail(ErrorCode.NOT_SUPPORTED, node, _NO_WINDOW_FILTER)
    sorted_by = {item.value for item in order_by}
    if window is not None and node.is_distinct and not sorted_by <= {value, separator}:
        # Trino tells values apart by their order too
        raise fail(ErrorCode.NOT_SUPPORTED, node, "LISTAGG with DISTINCT over a window")
    with located_at(node):
        resolution = resolve("listagg", (VARCHAR, VARCHAR, BOOLEAN, VARCHAR, BOOLEAN))
    arguments = tuple(
        coerce_to((item, typed), VARCHAR, "LISTAGG argument")
        for item, typed in zip(node.arguments, (value, separator), strict=True)
    )
    options = node.options or (("overflow", "ERROR"),)
    if window is not None:
        return tree.WindowCall(
            VARCHAR,
            resolution.signature.name,
            resolution.key,
            arguments,
            window,
            is_distinct=node.is_distinct,
            order_by=order_by,
            options=options,
        )
    return tree.Aggregate(
        VARCHAR,
        resolution.signature.name,
        resolution.key,
        arguments,
        node.is_distinct,
        filter_,
        order_by,
        options,
    )
