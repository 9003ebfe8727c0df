"""Decimals of at most 18 digits for what is summed: DuckDB computes those in 64 bits, checked.

Trino types a product by its operands' digits: price * (1 - discount) of decimal(15,2) has 31, and
128 bits cost DuckDB three times as much. Values mostly fit 18. So an aggregate's argument is
computed in 18 digits, where DuckDB raises an overflow instead of answering wrong, and the
statement runs again in full width when it does (`Needs.is_narrowed`, `is_narrow_overflow`).
Nothing is told of the first run, and no TRY may stand around it: it would hide the overflow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal as DecimalValue
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from querysvc.engines.duckdb.lowering.fragments import Sql, case, cast, operation
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.tree import Call, Case, Cast, Coalesce, Expression, Literal
from querysvc.types.algebra import Decimal

if TYPE_CHECKING:
    from querysvc.engines.duckdb.lowering.context import Context

DIGITS: Final = 18
_OVERFLOW: Final = re.compile(r"Overflow in \w+ of DECIMAL\(18\)")


class Narrow(NamedTuple):
    """A decimal expression and its physical type, whose scale is the Trino type's."""

    sql: Sql
    type: Decimal


# A handler takes the node type under which it is listed: hence Any.
_Handler: TypeAlias = Callable[["Context", Any], "Narrow | None"]


def is_narrow_overflow(message: str) -> bool:
    """Whether DuckDB's error may be due to narrowed decimals."""
    return _OVERFLOW.search(message) is not None


def narrowed(context: Context, node: Expression) -> Sql | None:
    """The argument in at most 18 digits; None where its own type is as good, or nothing fits."""
    if not context.narrows or context.hoisted is not None:
        return None
    if not isinstance(node.type, Decimal) or node.type.precision <= DIGITS:
        return None
    found = _narrow(context, node)
    if found is None:
        return None
    context.needs.is_narrowed = True
    return found.sql


def _narrow(context: Context, node: Expression) -> Narrow | None:
    type_ = node.type
    if not isinstance(type_, Decimal):
        return None
    constant = _constant(node)
    if constant is not None:
        return _literal(constant, type_.scale)
    handler = _HANDLERS.get(type(node))
    is_computed = node in context.substitutions
    found = handler(context, node) if handler is not None and not is_computed else None
    if found is None and type_.precision <= DIGITS:
        return Narrow(context.lower(node), type_)
    return found


def _constant(node: Expression) -> DecimalValue | None:
    """The value of a number's literal, seen through casts to decimals that keep it."""
    if isinstance(node, Literal):
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and node.type.is_integer:
            return DecimalValue(value)
        return value if isinstance(value, DecimalValue) else None
    if isinstance(node, Cast) and isinstance(node.type, Decimal) and not node.is_try:
        inner = _constant(node.value)
        if inner is not None and _holds(node.type, inner):
            return inner
    return None


def _holds(type_: Decimal, value: DecimalValue) -> bool:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > type_.scale:
        return False
    return bool(abs(int(value)) < 10 ** (type_.precision - type_.scale))


def _literal(value: DecimalValue, scale: int) -> Narrow | None:
    digits = len(str(abs(int(value)))) + scale
    if digits > DIGITS:
        return None
    type_ = Decimal(digits, scale)
    return Narrow(Sql(f"CAST('{value:f}' AS {storage_type(type_)})"), type_)


def _call(context: Context, node: Call) -> Narrow | None:
    if node.name not in ("+", "-", "*") or len(node.arguments) != 2:
        return None
    operands = _all(context, node.arguments)
    if operands is None:
        return None
    combine = _product if node.name == "*" else _sum
    return combine(node.name, operands, node.type)


def _product(_operator: str, operands: Sequence[Narrow], type_: Any) -> Narrow | None:
    first, second = operands
    scale = first.type.scale + second.type.scale
    if scale != type_.scale or scale >= DIGITS:  # DuckDB itself goes to 128 bits there
        return None
    digits = min(first.type.precision + second.type.precision, DIGITS)
    return _typed(operation("*", first.sql, second.sql), Decimal(digits, scale))


def _sum(operator: str, operands: Sequence[Narrow], type_: Any) -> Narrow | None:
    scaled = [_rescaled(one, type_.scale) for one in operands]
    if any(one is None for one in scaled):
        return None
    known = [one for one in scaled if one is not None]
    digits = min(max(one.type.precision for one in known) + 1, DIGITS)
    return _typed(operation(operator, *(one.sql for one in known)), Decimal(digits, type_.scale))


def _cast(context: Context, node: Cast) -> Narrow | None:
    """A cast that adds digits before or after the point, and so cannot fail."""
    source, target = node.value.type, node.type
    if not isinstance(source, Decimal) or not isinstance(target, Decimal) or node.is_try:
        return None
    if target.scale < source.scale:
        return None
    if target.precision - target.scale < source.precision - source.scale:
        return None
    inner = _narrow(context, node.value)
    return None if inner is None else _rescaled(inner, target.scale)


def _case(context: Context, node: Case) -> Narrow | None:
    if node.operand is not None or node.default is None:
        return None
    values = _common(context, (*(then for _when, then in node.branches), node.default))
    if values is None:
        return None
    conditions = [context.lower(when) for when, _then in node.branches]
    branches = zip(conditions, (one.sql for one in values), strict=False)
    return Narrow(case(branches, values[-1].sql), values[-1].type)


def _coalesce(context: Context, node: Coalesce) -> Narrow | None:
    values = _common(context, node.arguments)
    if values is None:
        return None
    return Narrow(Sql(f"coalesce({', '.join(one.sql for one in values)})"), values[0].type)


def _common(context: Context, nodes: Sequence[Expression]) -> list[Narrow] | None:
    """The values in one type that holds them all; their scale is the same already."""
    values = _all(context, nodes)
    if values is None or len({one.type.scale for one in values}) != 1:
        return None
    widest = max((one.type for one in values), key=lambda type_: type_.precision)
    return [_typed(one.sql, widest) if one.type != widest else one for one in values]


def _all(context: Context, nodes: Sequence[Expression]) -> list[Narrow] | None:
    values = [_narrow(context, node) for node in nodes]
    found = [one for one in values if one is not None]
    return found if len(found) == len(values) else None


def _rescaled(value: Narrow, scale: int) -> Narrow | None:
    digits = value.type.precision - value.type.scale + scale
    if scale == value.type.scale:
        return value
    return _typed(value.sql, Decimal(digits, scale)) if digits <= DIGITS else None


def _typed(sql: Sql, type_: Decimal) -> Narrow:
    """The type is DuckDB's own inference, said aloud: where it were another, the cast checks."""
    return Narrow(cast(sql, storage_type(type_)), type_)


_HANDLERS: Final[dict[type[Expression], _Handler]] = {
    Call: _call,
    Cast: _cast,
    Case: _case,
    Coalesce: _coalesce,
}
