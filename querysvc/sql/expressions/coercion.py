"""Implicit coercions: typed expressions brought to the type that is asked for.

A constant is converted at once where that is exact, anything else gets a Cast. Where Trino refuses,
the error is its TYPE_MISMATCH at the syntax node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from querysvc import tree
from querysvc.sql import syntax
from querysvc.sql.expressions.errors import mismatch
from querysvc.types import algebra
from querysvc.types.algebra import UNKNOWN, TrinoType
from querysvc.types.coercion import can_coerce, common_super_type

Typed: TypeAlias = tuple[syntax.Expression, tree.Expression]
"""A syntax node and its typed form."""

_DOUBLE_EXACT_MAX: Final = 2**53
_REAL_EXACT_MAX: Final = 2**24


def coerce(expression: tree.Expression, type_: TrinoType) -> tree.Expression:
    """The expression in a type that it is known to coerce to."""
    if expression.type == type_:
        return expression
    if isinstance(expression, tree.Literal):
        constant = _converted(expression, type_)
        if constant is not None:
            return constant
    if isinstance(expression, tree.ArrayConstructor) and isinstance(type_, algebra.Array):
        items = tuple(coerce(item, type_.element) for item in expression.items)
        return tree.ArrayConstructor(type_, items)
    if isinstance(expression, tree.RowConstructor) and isinstance(type_, algebra.Row):
        return tree.RowConstructor(type_, tuple(map(coerce, expression.items, type_.children)))
    return tree.Cast(type_, expression)


def coerce_to(analysed: Typed, type_: TrinoType, what: str) -> tree.Expression:
    """Trino's coerceType: `what` must evaluate to the type."""
    node, expression = analysed
    if not can_coerce(expression.type, type_):
        raise mismatch(node, f"{what} must evaluate to a {type_} (actual: {expression.type})")
    return coerce(expression, type_)


def coerce_to_common(items: Sequence[Typed], what: str) -> tuple[TrinoType, list[tree.Expression]]:
    """Trino's coerceToSingleType: the common supertype of all items, and the items in it."""
    first_nodes: dict[TrinoType, syntax.Expression] = {}
    for node, expression in items:
        first_nodes.setdefault(expression.type, node)
    common: TrinoType = UNKNOWN
    for type_, node in first_nodes.items():
        wider = common_super_type(common, type_)
        if wider is None:
            raise mismatch(node, _no_common_type(what, common, type_, first_nodes))
        common = wider
    for type_, node in first_nodes.items():
        if not can_coerce(type_, common):
            raise mismatch(node, _no_common_type(what, common, type_, first_nodes))
    return common, [coerce(expression, common) for _, expression in items]


def _no_common_type(
    what: str, one: TrinoType, other: TrinoType, types: dict[TrinoType, syntax.Expression]
) -> str:
    listed = ", ".join(map(str, types))
    return (
        f"{what} must be the same type or coercible to a common type. Cannot find common type "
        f"between {one} and {other}, all types (without duplicates): [{listed}]"
    )


def _converted(literal: tree.Literal, type_: TrinoType) -> tree.Literal | None:
    """The constant in a wider type; None when that is not exact or not known here."""
    if literal.value is None:
        return tree.Literal(type_, None)
    convert = _CONVERSIONS.get((_family(literal.type), _family(type_)))
    if convert is None:
        return None
    value = convert(literal, type_)
    return None if value is None else tree.Literal(type_, value)


def _family(type_: TrinoType) -> str:
    return "integer" if type_.is_integer else type_.base_name


_Conversion: TypeAlias = Callable[[tree.Literal, TrinoType], tree.LiteralValue]


def _same(literal: tree.Literal, _: TrinoType) -> tree.LiteralValue:
    return literal.value


def _longer(literal: tree.Literal, type_: TrinoType) -> tree.LiteralValue:
    assert isinstance(literal.value, str)
    assert isinstance(type_, algebra.Varchar)
    fits = type_.length is None or len(literal.value) <= type_.length
    return literal.value if fits else None


def _finer(literal: tree.Literal, type_: TrinoType) -> tree.LiteralValue:
    precisions = (literal.type, type_)
    assert all(isinstance(p, algebra.Timestamp | algebra.Time) for p in precisions)
    before, after = (p.precision for p in precisions)  # type: ignore[attr-defined]  # asserted
    return literal.value if before <= after else None


def _as_decimal(literal: tree.Literal, type_: TrinoType) -> tree.LiteralValue:
    assert isinstance(literal.value, int | Decimal)
    assert isinstance(type_, algebra.Decimal)
    sign, digits, exponent = Decimal(literal.value).as_tuple()
    assert isinstance(exponent, int)
    shift = exponent + type_.scale
    if literal.value == 0:
        return Decimal((0, (0,), -type_.scale))
    if shift < 0 or len(digits) + shift > type_.precision:
        return None
    # A tuple of digits avoids the context's 28 of them.
    return Decimal((sign, (*digits, *(0,) * shift), -type_.scale))


def _as_floating(exact_max: int) -> _Conversion:
    def convert(literal: tree.Literal, _: TrinoType) -> tree.LiteralValue:
        assert isinstance(literal.value, int)
        return float(literal.value) if abs(literal.value) <= exact_max else None

    return convert


_CONVERSIONS: Final[dict[tuple[str, str], _Conversion]] = {
    ("integer", "integer"): _same,
    ("integer", "decimal"): _as_decimal,
    ("integer", "double"): _as_floating(_DOUBLE_EXACT_MAX),
    ("integer", "real"): _as_floating(_REAL_EXACT_MAX),
    ("decimal", "decimal"): _as_decimal,
    ("real", "double"): _same,
    ("varchar", "varchar"): _longer,
    ("timestamp", "timestamp"): _finer,
    ("time", "time"): _finer,
}
