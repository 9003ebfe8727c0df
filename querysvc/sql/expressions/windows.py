"""Windows: PARTITION BY, ORDER BY and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.sql import syntax
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.expressions.errors import fail, mismatch
from querysvc.sql.functions.operators import resolve_operator
from querysvc.types.algebra import (
    BIGINT,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    UNKNOWN,
    Decimal,
    TrinoType,
)
from querysvc.types.coercion import can_coerce

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope

_Kind = tree.BoundKind
_OFFSET_KINDS: Final = (_Kind.PRECEDING, _Kind.FOLLOWING)
_ORDER: Final = tuple(_Kind)


def window(analyser: Analyser, node: syntax.WindowSpecification, scope: Scope) -> tree.Window:
    """A window specification without references to named ones."""
    partition_by = []
    for item in node.partition_by:
        value = analyser.analyse(item, scope)
        _check(value.type.is_comparable, item, value.type, "comparable", "PARTITION BY")
        partition_by.append(value)
    order_by = []
    for sort in node.order_by:
        key = sort_item(analyser, sort, scope)
        type_ = key.value.type
        _check(type_.is_orderable, sort.value, type_, "orderable", "ORDER BY")
        order_by.append(key)
    frame = None
    if node.frame is not None:
        frame, order_by = _frame(analyser, node, node.frame, scope, order_by)
    return tree.Window(tuple(partition_by), tuple(order_by), frame)


def _check(is_able: bool, node: syntax.Node, type_: TrinoType, ability: str, clause: str) -> None:
    if not is_able:
        raise mismatch(
            node,
            f"{type_} is not {ability}, and therefore cannot be used in window function {clause}",
        )


def sort_item(analyser: Analyser, node: syntax.SortItem, scope: Scope) -> tree.SortItem:
    """A sort key; NULLs come last unless NULLS FIRST is written."""
    value = analyser.analyse(node.value, scope)
    return tree.SortItem(value, node.is_descending, node.nulls_first is True)


def _frame(
    analyser: Analyser,
    window: syntax.WindowSpecification,
    node: syntax.WindowFrame,
    scope: Scope,
    order_by: list[tree.SortItem],
) -> tuple[tree.Frame, list[tree.SortItem]]:
    """The frame, and the sort keys coerced to what a RANGE frame computes with."""
    unit = tree.FrameUnit(node.unit)
    start = node.start
    end = node.end or syntax.FrameBound(node.position, _Kind.CURRENT_ROW.value)
    _check_bounds(node, _Kind(start.kind), _Kind(end.kind))
    bounds = []
    for bound, which in ((start, "start"), (end, "end")):
        kind = _Kind(bound.kind)
        value = None
        if bound.value is not None:
            value = analyser.analyse(bound.value, scope)
            if unit is tree.FrameUnit.RANGE:
                _check_range_order(window, node, order_by)
                value, order_by = _range_offset(bound.value, value, order_by)
            else:
                _check_rows_offset(bound.value, value, unit, which)
                value = coerce(value, BIGINT)
        bounds.append(tree.FrameBound(kind, value))
    needs_order = any(bound.value is not None for bound in bounds)
    if unit is tree.FrameUnit.GROUPS and needs_order and not order_by:
        raise _missing_order(node, unit)
    return tree.Frame(unit, *bounds), order_by


def _check_bounds(node: syntax.WindowFrame, start: tree.BoundKind, end: tree.BoundKind) -> None:
    message = None
    if start is _Kind.UNBOUNDED_FOLLOWING:
        message = "Window frame start cannot be UNBOUNDED FOLLOWING"
    elif end is _Kind.UNBOUNDED_PRECEDING:
        message = "Window frame end cannot be UNBOUNDED PRECEDING"
    elif _ORDER.index(start) > _ORDER.index(end):
        message = f"Window frame starting from {start.value} cannot end with {end.value}"
    if message is not None:
        raise fail(ErrorCode.INVALID_WINDOW_FRAME, node, message)


def _missing_order(node: syntax.WindowFrame, unit: tree.FrameUnit) -> StatementError:
    message = f"Window frame of type {unit.value} PRECEDING or FOLLOWING requires ORDER BY"
    return fail(ErrorCode.MISSING_ORDER_BY, node, message)


def _check_rows_offset(
    node: syntax.Expression, value: tree.Expression, unit: tree.FrameUnit, which: str
) -> None:
    type_ = value.type
    if type_.is_integer or (isinstance(type_, Decimal) and type_.scale == 0):
        return
    raise mismatch(
        node,
        f"Window frame {unit.value} {which} value type must be exact numeric type with scale 0 "
        f"(actual {type_})",
    )


def _check_range_order(
    window: syntax.WindowSpecification, node: syntax.WindowFrame, order_by: list[tree.SortItem]
) -> None:
    if not order_by:
        raise _missing_order(node, tree.FrameUnit.RANGE)
    kind = "Window frame of type RANGE PRECEDING or FOLLOWING requires"
    if len(order_by) > 1:
        message = f"{kind} single sort item in ORDER BY (actual: {len(order_by)})"
        raise fail(ErrorCode.INVALID_ORDER_BY, node, message)
    type_ = order_by[0].value.type
    intervals = (INTERVAL_DAY_TO_SECOND, INTERVAL_YEAR_TO_MONTH)
    if not (type_.is_numeric or type_.is_datetime or type_ in intervals):
        message = f"{kind} that sort item type be numeric, datetime or interval (actual: {type_})"
        raise mismatch(window.order_by[0].value, message)


def _range_offset(
    node: syntax.Expression, value: tree.Expression, order_by: list[tree.SortItem]
) -> tuple[tree.Expression, list[tree.SortItem]]:
    """The offset and the sort key in the types in which they are subtracted."""
    key = order_by[0]
    type_ = key.value.type
    incompatible = mismatch(
        node,
        f"Window frame RANGE value type ({value.type}) not compatible with sort item type "
        f"({type_})",
    )
    if value.type == UNKNOWN:
        raise incompatible
    try:
        resolution = resolve_operator("-", (type_, value.type))
    except StatementError:
        raise incompatible from None
    key_type, offset_type = resolution.argument_types
    if not can_coerce(type_, key_type) or key_type.base_name.startswith("interval") != (
        type_.base_name.startswith("interval")
    ):
        raise incompatible
    sort = tree.SortItem(coerce(key.value, key_type), key.is_descending, key.nulls_first)
    return coerce(value, offset_type), [sort]
