"""What is known of columns' values, as Iceberg's expressions: for its partitions and bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from querysvc.tree import LiteralValue
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
    literal = _LITERALS.get(_family(domain.type))
    if literal is None:
        return AlwaysTrue()
    ranges = domain.ranges
    if len(ranges) > RANGES_MAX:
        first, last = ranges[0], ranges[-1]
        ranges = (Range(first.low, first.low_inclusive, last.high, last.high_inclusive),)
    terms: list[BooleanExpression] = [_range(name, one, literal) for one in ranges]
    if domain.allows_null:
        terms.append(_IS_NULL(name))
    return reduce(Or, terms) if terms else AlwaysFalse()


def _range(name: str, item: Range, literal: _MakeLiteral) -> BooleanExpression:
    if item.low is not None and item.low == item.high:
        return _EQUAL(name, literal(item.low))
    terms: list[BooleanExpression] = []
    if item.low is not None:
        terms.append(_ABOVE[item.low_inclusive](name, literal(item.low)))
    if item.high is not None:
        terms.append(_BELOW[item.high_inclusive](name, literal(item.high)))
    return reduce(And, terms) if terms else _NOT_NULL(name)


def _family(type_: algebra.TrinoType) -> str:
    """The kind of type; of those whose values pyiceberg may compare otherwise than we, none."""
    return "integer" if type_.is_integer else type_.base_name


def _timestamp(value: LiteralValue) -> Literal[Any]:
    picoseconds = value[0] if isinstance(value, tuple) else value
    assert isinstance(picoseconds, int), "a timestamp's literal is a number"
    return TimestampLiteral(picoseconds // _PICOSECONDS)


_MakeLiteral = Callable[[Any], Literal[Any]]
_LITERALS: Final[dict[str, _MakeLiteral]] = {
    "integer": LongLiteral,
    "date": DateLiteral,
    "decimal": DecimalLiteral,
    "varchar": StringLiteral,
    "timestamp": _timestamp,
    "timestamp with time zone": _timestamp,
}
