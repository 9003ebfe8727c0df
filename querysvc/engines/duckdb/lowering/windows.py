"""Window calls: frames, peers and NULL treatment as Trino has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from querysvc.engines.duckdb.functions.catalog import window_entry
from querysvc.engines.duckdb.functions.lists import sortable
from querysvc.engines.duckdb.functions.registry import AggregateSite, apply_aggregate
from querysvc.engines.duckdb.lowering.context import Context, Handler
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    case,
    fail,
)
from querysvc.engines.duckdb.lowering.keys import check_orderable, key_form
from querysvc.engines.duckdb.lowering.sorting import argument_order, sort_list
from querysvc.engines.duckdb.lowering.types import is_fine, not_supported
from querysvc.errors import ErrorCode
from querysvc.tree import (
    BoundKind,
    Expression,
    Frame,
    FrameBound,
    FrameUnit,
    Literal,
    Window,
    WindowCall,
)
from querysvc.types.algebra import (
    DATE,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    Time,
    Timestamp,
    TimestampTz,
    TrinoType,
)


def _window_call(context: Context, node: WindowCall) -> Sql:
    condition = None if node.filter is None else context.lower(node.filter)
    over = window_clause(context, node.window)
    order = argument_order(context, node.order_by)
    site = AggregateSite(
        name=node.name,
        key=node.key,
        arguments=context.lower_all(node.arguments),
        nodes=node.arguments,
        type=node.type,
        context=context,
        render=_Renderer(over, condition, order, ignore_nulls=node.ignore_nulls),
        is_window=True,
        is_distinct=node.is_distinct,
        has_order=bool(node.order_by),
        options=node.options,
    )
    return apply_aggregate(window_entry(node.name, node.key), site)


class _Renderer:
    """Writes one DuckDB window call with the clauses of a call."""

    __slots__ = ("condition", "ignore_nulls", "order", "over")

    def __init__(
        self, over: str, condition: Sql | None, order: str | None, *, ignore_nulls: bool
    ) -> None:
        self.over = over
        self.condition = condition
        self.order = order
        self.ignore_nulls = ignore_nulls

    def __call__(self, name: str, arguments: str, condition: Sql | None, order: str | None) -> Sql:
        order_by = order or self.order
        ordering = f" ORDER BY {order_by}" if order_by else ""
        nulls = " IGNORE NULLS" if self.ignore_nulls else ""
        conditions = [term for term in (self.condition, condition) if term is not None]
        filtered = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
        inside = arguments or ("*" if name == "count" else "")
        return Sql(f"({name}({inside}{ordering}{nulls}){filtered} OVER ({self.over}))")


def window_clause(context: Context, window: Window) -> str:
    """The inside of OVER (…)."""
    clauses = []
    if window.partition_by:
        keys = [_partition_key(context, node) for node in window.partition_by]
        clauses.append(f"PARTITION BY {', '.join(keys)}")
    if window.order_by:
        sort_keys = [
            key_form(context.lower(item.value), item.value.type) for item in window.order_by
        ]
        order = sort_list(sort_keys, window.order_by, is_one_key_needed=_has_range(window.frame))
        clauses.append(f"ORDER BY {order}")
    if window.frame is not None:
        clauses.append(_frame(context, window, window.frame))
    return " ".join(clauses)


def _partition_key(context: Context, node: Expression) -> Sql:
    check_orderable([node.type])
    return sortable(key_form(context.lower(node), node.type), node.type)


def _has_range(frame: Frame | None) -> bool:
    """Whether the frame is a RANGE with an offset."""
    if frame is None or frame.unit is not FrameUnit.RANGE:
        return False
    return any(bound.value is not None for bound in (frame.start, frame.end))


def _frame(context: Context, window: Window, frame: Frame) -> str:
    start = _bound(context, window, frame.unit, frame.start, "starting")
    end = _bound(context, window, frame.unit, frame.end, "ending")
    return f"{frame.unit.value} BETWEEN {start} AND {end}"


def _bound(context: Context, window: Window, unit: FrameUnit, bound: FrameBound, which: str) -> str:
    if bound.value is None:
        return bound.kind.value
    direction = "PRECEDING" if bound.kind is BoundKind.PRECEDING else "FOLLOWING"
    value = _offset(context, bound.value, unit, which)
    if unit is FrameUnit.RANGE:
        key_type = window.order_by[0].value.type
        value = _range_offset(value, bound.value.type, key_type)
    return f"{value} {direction}"


def _offset(context: Context, node: Expression, unit: FrameUnit, which: str) -> Sql:
    """The offset, checked: Trino refuses NULL and negative ones."""
    sql = context.lower(node)
    if isinstance(node, Literal) and isinstance(node.value, int) and node.value >= 0:
        return sql
    message = f"Window frame {which} offset must not be negative or null"
    if unit is FrameUnit.RANGE:
        message = "Window frame offset value must not be negative or null"

    def body(value: Sql) -> Sql:
        bad = Sql(f"({value} IS NULL OR {value} < 0)")
        return case([(bad, fail(ErrorCode.INVALID_WINDOW_FRAME, message))], value)

    return bind([sql], body)


def _whole_days(value: Sql) -> Sql:
    message = "Cannot subtract hour, minutes or seconds from a date"
    bad = Sql(f"({value} % 86400000 <> 0)")
    return case([(bad, fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, message))], value)


_INSTANTS: Final = (Timestamp, TimestampTz, Time)


def _range_offset(value: Sql, offset_type: TrinoType, key_type: TrinoType) -> Sql:
    """An interval's storage form is a number: as an offset of instants it is an INTERVAL again."""
    if is_fine(key_type):
        raise not_supported(f"RANGE frame of {key_type}")
    if key_type == DATE or isinstance(key_type, _INSTANTS):
        if offset_type == INTERVAL_YEAR_TO_MONTH:
            return Sql(f"to_months({value})")
        if offset_type == INTERVAL_DAY_TO_SECOND:
            if key_type == DATE:
                value = bind([value], _whole_days)
            return Sql(f"to_microseconds({value} * 1000)")
        raise not_supported(f"RANGE frame of {key_type} with offset {offset_type}")
    return value


HANDLERS: Final[Mapping[type[Expression], Handler]] = {WindowCall: _window_call}
