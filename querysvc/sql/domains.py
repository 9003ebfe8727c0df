"""Domains: the values that a predicate leaves to one column.

A domain may admit too much, never too little. The column may stand under casts that lose nothing
and keep the order; the literal is then taken back to the column's own type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from querysvc import tree
from querysvc.plan import Domain, Range
from querysvc.sql.expressions.datetime_literals import parse_date
from querysvc.tree import Expression, LiteralValue
from querysvc.types import algebra
from querysvc.types.algebra import BOOLEAN, DATE, DOUBLE, REAL, TrinoType

_DAY_PICOSECONDS: Final = 86_400 * 10**12
_DOUBLE_EXACT_MAX: Final = 2**53
_REAL_EXACT_MAX: Final = 2**24
_FLIPPED: Final = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

RANGES_MAX: Final = 512
"""Above so many combinations of ranges, intersections stop: the domain then admits more."""

ColumnDomain = tuple[tree.ColumnReference, Domain]


def column_domain(predicate: Expression) -> ColumnDomain | None:
    """The column that the predicate alone constrains, and the values that it can have."""
    rule = _RULES.get(type(predicate))
    found: ColumnDomain | None = None if rule is None else rule(predicate)
    return found


def intersect(one: Domain, other: Domain) -> Domain:
    """The values in both."""
    ranges = [
        overlap
        for left in one.ranges
        for right in other.ranges
        if (overlap := _overlap(left, right)) is not None
    ]
    return Domain(one.type, tuple(ranges), one.allows_null and other.allows_null)


def intersect_all(domains: Sequence[Domain]) -> Domain:
    """The values in all; beyond RANGES_MAX ranges the rest is not looked at."""
    result = domains[0]
    for domain in domains[1:]:
        if len(result.ranges) * len(domain.ranges) > RANGES_MAX:
            break
        result = intersect(result, domain)
    return result


def union(one: Domain, other: Domain) -> Domain:
    """The values in either."""
    allows_null = one.allows_null or other.allows_null
    return Domain(one.type, _merged([*one.ranges, *other.ranges]), allows_null)


def is_all(domain: Domain) -> bool:
    """Whether the domain excludes nothing."""
    return domain.allows_null and any(item == Range() for item in domain.ranges)


# Ranges. Bounds of one domain are of one type, so that they compare.


def _low_key(item: Range) -> tuple[bool, Any, bool]:
    return item.low is not None, item.low, not item.low_inclusive


def _starts_before(one: Range, other: Range) -> bool:
    if one.low is None or other.low is None:
        return one.low is None
    if one.low == other.low:
        return one.low_inclusive or not other.low_inclusive
    return bool(_less(one.low, other.low))


def _ends_before(one: Range, other: Range) -> bool:
    if one.high is None or other.high is None:
        return other.high is None
    if one.high == other.high:
        return other.high_inclusive or not one.high_inclusive
    return bool(_less(one.high, other.high))


def _less(one: LiteralValue, other: LiteralValue) -> bool:
    return bool(one < other)  # type: ignore[operator]  # of one type, and comparable


def _overlap(one: Range, other: Range) -> Range | None:
    first = other if _starts_before(one, other) else one
    last = one if _ends_before(one, other) else other
    result = Range(first.low, first.low_inclusive, last.high, last.high_inclusive)
    return None if _is_empty(result) else result


def _is_empty(item: Range) -> bool:
    if item.low is None or item.high is None:
        return False
    if item.low == item.high:
        return not (item.low_inclusive and item.high_inclusive)
    return _less(item.high, item.low)


def _merged(ranges: list[Range]) -> tuple[Range, ...]:
    ordered: list[Range] = []
    for item in sorted(ranges, key=_low_key):
        first = item
        if ordered and _touches(ordered[-1], first):
            last = ordered.pop()
            longer = first if _ends_before(last, first) else last
            first = Range(last.low, last.low_inclusive, longer.high, longer.high_inclusive)
        ordered.append(first)
    return tuple(ordered)


def _touches(one: Range, other: Range) -> bool:
    if one.high is None or other.low is None:
        return True
    if one.high == other.low:
        return one.high_inclusive or other.low_inclusive
    return _less(other.low, one.high)


# Predicates.


def _comparison(node: tree.Call) -> ColumnDomain | None:
    if node.name not in _FLIPPED or len(node.arguments) != 2:
        return None
    left, right = node.arguments
    constant = _constant(right)
    if constant is not None:
        return _compared(left, node.name, constant.value)
    constant = _constant(left)
    if constant is not None:
        return _compared(right, _FLIPPED[node.name], constant.value)
    return None


def _constant(node: Expression) -> tree.Literal | None:
    """A literal, also under casts whose result is known here."""
    if isinstance(node, tree.Literal):
        return node
    if not isinstance(node, tree.Cast) or node.is_try:
        return None
    inner = _constant(node.value)
    if inner is None:
        return None
    if inner.value is None or _keeps_values(inner.type, node.type):
        return tree.Literal(node.type, inner.value)
    if node.type == DATE and isinstance(inner.value, str):
        with suppress(ValueError):  # the error is the run's to raise
            return tree.Literal(DATE, parse_date(inner.value))
    return None


def _compared(operand: Expression, operator: str, value: LiteralValue) -> ColumnDomain | None:
    if value is None:
        column = _column(operand)
        return None if column is None else (column, Domain(column.type, ()))
    if isinstance(value, float) and math.isnan(value):
        return None
    if operator == "<>":
        return _unequal(operand, value)
    low = (value, operator != ">") if operator in ("=", ">", ">=") else None
    high = (value, operator != "<") if operator in ("=", "<", "<=") else None
    return _between(operand, low, high)


def _unequal(operand: Expression, value: LiteralValue) -> ColumnDomain | None:
    below = _between(operand, None, (value, False))
    above = _between(operand, (value, False), None)
    if below is None or above is None or below[0].type.is_floating:
        return None  # NaN differs from everything, and is in no range
    return below[0], union(below[1], above[1])


_Bound = tuple[LiteralValue, bool]


def _between(operand: Expression, low: _Bound | None, high: _Bound | None) -> ColumnDomain | None:
    """The domain of low <= operand <= high; the operand is a column under exact casts."""
    casts = []
    while isinstance(operand, tree.Cast) and not operand.is_try:
        casts.append((operand.value.type, operand.type))
        operand = operand.value
    if not isinstance(operand, tree.ColumnReference) or not _is_ranged(operand.type):
        return None
    item = Range(*(low or (None, False)), *(high or (None, False)))
    for source, target in casts:
        back = _taken_back(item, source, target)
        if back is None:
            return None
        item = back
    ranges = () if _is_empty(item) else (item,)
    return operand, Domain(operand.type, ranges)


def _is_ranged(type_: TrinoType) -> bool:
    """Whether equal values of the type have equal literals, which sort as the values do."""
    return (
        type_ in (BOOLEAN, DATE)
        or type_.is_numeric
        or isinstance(type_, algebra.Varchar | algebra.Timestamp)
    )


def _taken_back(item: Range, source: TrinoType, target: TrinoType) -> Range | None:
    """The values of `source` whose cast to `target` lies in the range; None when not known."""
    if _keeps_values(source, target):
        return item
    scale = _whole_scale(source, target)
    if scale is None:
        return None
    low, low_inclusive = item.low, item.low_inclusive
    high, high_inclusive = item.high, item.high_inclusive
    if low is not None:
        whole = _scaled(low, scale)
        if whole is None:
            return None
        low, low_inclusive = math.ceil(whole), low_inclusive or whole != math.ceil(whole)
    if high is not None:
        whole = _scaled(high, scale)
        if whole is None:
            return None
        high, high_inclusive = math.floor(whole), high_inclusive or whole != math.floor(whole)
    return Range(low, low_inclusive, high, high_inclusive)


def _scaled(value: LiteralValue, scale: int) -> Decimal | int | None:
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= _REAL_EXACT_MAX:
            return None
        value = Decimal(value)
    if isinstance(value, int):
        # Picoseconds to days, exactly: a Decimal's 28 digits hold the quotient's whole part.
        days, rest = divmod(value, scale)
        return days if not rest else days + Decimal("0.5")
    return value if isinstance(value, Decimal) else None


def _whole_scale(source: TrinoType, target: TrinoType) -> int | None:
    """How many units of `target` one of `source` is, where the source holds whole numbers only."""
    if source.is_integer and (isinstance(target, algebra.Decimal) or target.is_floating):
        return 1
    if source == DATE and isinstance(target, algebra.Timestamp):
        return _DAY_PICOSECONDS
    return None


def _keeps_values(source: TrinoType, target: TrinoType) -> bool:
    """Whether the cast keeps every value, and the literal's form with it."""
    if source == target:
        return True
    if source.is_integer and target.is_integer:
        order = algebra.INTEGER_TYPES
        return order.index(source) <= order.index(target)
    if isinstance(source, algebra.Varchar) and isinstance(target, algebra.Varchar):
        return target.length is None or (
            source.length is not None and source.length <= target.length
        )
    if isinstance(source, algebra.Decimal) and isinstance(target, algebra.Decimal):
        whole = target.precision - target.scale >= source.precision - source.scale
        return whole and target.scale >= source.scale
    if isinstance(source, algebra.Timestamp) and isinstance(target, algebra.Timestamp):
        return source.precision <= target.precision
    return source == REAL and target == DOUBLE


def _between_rule(node: tree.Between) -> ColumnDomain | None:
    low, high = _constant(node.low), _constant(node.high)
    if low is None or high is None:
        return None
    if low.value is None or high.value is None:
        column = _column(node.value)
        return None if column is None else (column, Domain(column.type, ()))
    if any(isinstance(bound.value, float) and math.isnan(bound.value) for bound in (low, high)):
        return None
    return _between(node.value, (low.value, True), (high.value, True))


def _in_list(node: tree.InList) -> ColumnDomain | None:
    found: list[ColumnDomain] = []
    for item in node.items:
        constant = _constant(item)
        if constant is None:
            return None
        one = _compared(node.value, "=", constant.value)
        if one is None:
            return None
        found.append(one)
    values = [item for _, domain in found for item in domain.ranges]
    unique = list(dict.fromkeys(values))
    ordered = sorted(unique, key=_low_key)
    column = found[0][0]
    return column, Domain(column.type, tuple(ordered))


def _is_null(node: tree.IsNull) -> ColumnDomain | None:
    column = _column(node.value)
    return None if column is None else (column, Domain(column.type, (), allows_null=True))


def _column(node: Expression) -> tree.ColumnReference | None:
    """The column under casts that keep nulls apart from values."""
    found = _between(node, None, None)
    return None if found is None else found[0]


def _not(node: tree.Not) -> ColumnDomain | None:
    inner = node.value
    if isinstance(inner, tree.IsNull):
        column = _column(inner.value)
        return None if column is None else (column, Domain(column.type, (Range(),)))
    if isinstance(inner, tree.ColumnReference):
        return _compared(inner, "=", value=False)
    if isinstance(inner, tree.Call) and inner.name == "IS DISTINCT FROM":
        return _identical(inner)
    return None


def _identical(node: tree.Call) -> ColumnDomain | None:
    left, right = node.arguments
    if _constant(left) is not None:
        left, right = right, left
    constant = _constant(right)
    if constant is None:
        return None
    if constant.value is None:
        column = _column(left)
        return None if column is None else (column, Domain(column.type, (), allows_null=True))
    return _compared(left, "=", constant.value)


def _flag(node: tree.ColumnReference) -> ColumnDomain | None:
    return _compared(node, "=", value=True) if node.type == BOOLEAN else None


def _like(node: tree.Like) -> ColumnDomain | None:
    pattern, escape = node.pattern, node.escape
    if not isinstance(pattern, tree.Literal) or not isinstance(pattern.value, str):
        return None
    if not isinstance(node.value.type, algebra.Varchar):
        return None
    mark = None
    if escape is not None:
        if not isinstance(escape, tree.Literal) or not isinstance(escape.value, str):
            return None
        mark = escape.value
    prefix = _like_prefix(pattern.value, mark)
    if not prefix:
        return None
    return _between(node.value, (prefix, True), _after(prefix))


def _like_prefix(pattern: str, escape: str | None) -> str:
    prefix: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            character = next(characters, "")
        elif character in "%_":
            break
        prefix.append(character)
    return "".join(prefix)


def _after(prefix: str) -> _Bound | None:
    """The first text after all that start with the prefix; None when there is no such bound."""
    code = ord(prefix[-1]) + 1
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return None
    return prefix[:-1] + chr(code), False


def _logical(node: tree.Logical) -> ColumnDomain | None:
    """OR of one column's predicates, or what an AND says of the first column that it names."""
    terms = [column_domain(term) for term in node.terms]
    found = [term for term in terms if term is not None]
    if not found:
        return None
    column = found[0][0]
    domains = [domain for other, domain in found if other == column]
    if node.operator is tree.LogicalOperator.AND:
        return column, intersect_all(domains)
    if len(domains) != len(terms):
        return None
    ranges = [item for domain in domains for item in domain.ranges]
    allows_null = any(domain.allows_null for domain in domains)
    return column, Domain(column.type, _merged(ranges), allows_null)


_RULES: Final[dict[type[Expression], Callable[..., ColumnDomain | None]]] = {
    tree.Call: _comparison,
    tree.Between: _between_rule,
    tree.InList: _in_list,
    tree.IsNull: _is_null,
    tree.Not: _not,
    tree.Like: _like,
    tree.Logical: _logical,
    tree.ColumnReference: _flag,
}
