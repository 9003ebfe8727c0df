"""What is known of columns' values, as Iceberg's expressions: for its partitions and bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import reduce
from typing import Any, Final  # literals are of any type

from pyiceberg import expressions
from pyiceberg.expressions import AlwaysFalse, AlwaysTrue, And, BooleanExpression, Or
from pyiceberg.expressions.literals import (
    DateLiteral,
    DecimalLiteral,
    Literal,
    LongLiteral,
    StringLiteral,
    TimestampLiteral,
)
from pyiceberg.schema import Schema

from querysvc.plan import Domain, Range, TableColumn
from querysvc.types import algebra

# pyiceberg's own types hide that its predicates take a name and a literal.
_Predicate = Callable[..., BooleanExpression]
_EQUAL: Final[_Predicate] = expressions.EqualTo
_ABOVE: Final[dict[bool, _Predicate]] = {
    True: expressions.GreaterThanOrEqual,
    False: expressions.GreaterThan,
}
_BELOW: Final[dict[bool, _Predicate]] = {
    True: expressions.LessThanOrEqual,
    False: expressions.LessThan,
}
_IS_NULL: Final[_Predicate] = expressions.IsNull
_NOT_NULL: Final[_Predicate] = expressions.NotNull
RANGES_MAX: Final = 200
_PICOSECONDS: Final = 1_000_000


def row_filter(
    domains: Mapping[int, Domain], columns: tuple[TableColumn, ...], schema: Schema
) -> BooleanExpression:
    """All that the domains say of columns of the schema; too much is admitted, never too little."""
    names = {field.name.lower(): field.name for field in schema.fields}
    terms = [
        _of(names[columns[index].name], domain)
        for index, domain in sorted(domains.items())
        if columns[index].name in names
    ]
    return reduce(And, terms) if terms else AlwaysTrue()


def _of(name: str, domain: Domain) -> BooleanExpression:
    make = _LITERALS.get(_family(domain.type))
    if make is None:
        return AlwaysTrue()
    ranges = domain.ranges
    if len(ranges) > RANGES_MAX:
        first, last = ranges[0], ranges[-1]
        ranges = (Range(first.low, first.low_inclusive, last.high, last.high_inclusive),)
    terms: list[BooleanExpression] = [_range(name, one, domain.type, make) for one in ranges]
    if domain.allows_null:
        terms.append(_IS_NULL(name))
    return reduce(Or, terms) if terms else AlwaysFalse()


def _range(
    name: str, item: Range, type_: algebra.TrinoType, make: _MakeLiteral
) -> BooleanExpression:
    """A bound between two values of the column is taken down for low ones, up for high ones."""
    if item.low is not None and item.low == item.high:
        # An equality by itself: buckets and other hashes say nothing of ranges.
        literal, is_exact = make(item.low, type_, False)
        return _EQUAL(name, literal) if is_exact else AlwaysFalse()
    terms: list[BooleanExpression] = []
    if item.low is not None:
        literal, is_exact = make(item.low, type_, False)
        terms.append(_ABOVE[item.low_inclusive or not is_exact](name, literal))
    if item.high is not None:
        literal, is_exact = make(item.high, type_, True)
        terms.append(_BELOW[item.high_inclusive or not is_exact](name, literal))
    return reduce(And, terms) if terms else _NOT_NULL(name)


def _family(type_: algebra.TrinoType) -> str:
    """The kind of type; of those whose values pyiceberg may compare otherwise than we, none."""
    return "integer" if type_.is_integer else type_.base_name


def _timestamp(value: Any, _type: algebra.TrinoType, is_high: bool) -> _Rounded:
    picoseconds = value[0] if isinstance(value, tuple) else value
    microseconds, rest = divmod(picoseconds, _PICOSECONDS)
    return TimestampLiteral(microseconds + bool(is_high and rest)), not rest


def _decimal(value: Any, type_: algebra.TrinoType, is_high: bool) -> _Rounded:
    """pyiceberg compares decimals of the column's own scale alone."""
    assert isinstance(type_, algebra.Decimal), "the family says so"
    rounding = ROUND_CEILING if is_high else ROUND_FLOOR
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-type_.scale), rounding, _CONTEXT)
    return DecimalLiteral(rounded), rounded == value


def _integer(value: Any, _type: algebra.TrinoType, _is_high: bool) -> _Rounded:
    clamped = min(max(value, -(1 << 63)), (1 << 63) - 1)
    return LongLiteral(clamped), clamped == value


def _exact(make: Callable[[Any], Literal[Any]]) -> _MakeLiteral:
    return lambda value, _type, _is_high: (make(value), True)


_CONTEXT: Final = Context(prec=80)
_Rounded = tuple[Literal[Any], bool]
"""A literal, and whether it is the value itself."""
_MakeLiteral = Callable[[Any, algebra.TrinoType, bool], _Rounded]
_LITERALS: Final[dict[str, _MakeLiteral]] = {
    "integer": _integer,
    "date": _exact(DateLiteral),
    "decimal": _decimal,
    "varchar": _exact(StringLiteral),
    "timestamp": _timestamp,
    "timestamp with time zone": _timestamp,
}
