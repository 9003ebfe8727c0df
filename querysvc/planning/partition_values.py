"""Partition values between the catalog's typed values and the typed tree's literals.

catalog   str · int · Decimal · date · datetime · bool · float
tree      str · int · Decimal · days · picoseconds · bool · float
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.plan import Domain, Range
from querysvc.tree import LiteralValue
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_catalog.partition_values import (
    KeyKind,
    MalformedPartitionValueError,
    PartitionKey,
    TypedValue,
)
from querysvc_catalog.predicates import (
    And,
    Comparison,
    Membership,
    NullTest,
    Operator,
    Or,
    Predicate,
)

_EPOCH = datetime(1970, 1, 1)  # a local time: timestamps here have no zone
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_ORDINAL = date.max.toordinal()
_PICOSECONDS_PER_MICROSECOND = 1_000_000
_PICOSECONDS_PER_MILLISECOND = 1_000_000_000
_MILLISECOND = timedelta(milliseconds=1)

# Kinds whose values order in the catalog exactly as Trino orders those of the column's type.
_EXACT_KINDS = frozenset({KeyKind.TEXT, KeyKind.INTEGER, KeyKind.DECIMAL, KeyKind.DATE})


def is_exact(key: PartitionKey) -> bool:
    """Whether what the catalog checks of the key's domain is all that the domain says."""
    return key.kind in _EXACT_KINDS


def literal_of(key: PartitionKey, type_: TrinoType, text: str) -> LiteralValue:
    """The typed value of a partition's text; HIVE_INVALID_PARTITION_VALUE when it is none."""
    try:
        value = key.parse(text)
    except MalformedPartitionValueError as error:
        raise QueryServiceError(
            ErrorCode.HIVE_INVALID_PARTITION_VALUE,
            f"Invalid partition value '{text}' for {type_} partition key: {key.name}",
        ) from error
    return None if value is None else _literal(value, type_)


def predicate_of(key: PartitionKey, index: int, domain: Domain) -> Predicate | None:
    """What the catalog can check of a domain: never too narrow; None admits everything."""
    if key.kind not in _EXACT_KINDS and key.kind is not KeyKind.TIMESTAMP:
        return None
    alternatives: list[Predicate] = []
    points = [one for one in domain.ranges if _is_point(one)]
    if points:
        values = [_catalog_value(one.low, domain.type) for one in points]
        if key.kind is KeyKind.TIMESTAMP:
            alternatives += [_between(index, value, value, key.kind) for value in values]
        else:
            alternatives.append(Membership(index, frozenset(values)))
    for one in domain.ranges:
        if _is_point(one):
            continue
        if one.low is None and one.high is None:
            return None if domain.allows_null else NullTest(index, is_negated=True)
        alternatives.append(_interval(index, one, domain.type, key.kind))
    if domain.allows_null:
        alternatives.append(NullTest(index))
    return alternatives[0] if len(alternatives) == 1 else Or(tuple(alternatives))


def _is_point(one: Range) -> bool:
    return one.low is not None and one.low == one.high and one.low_inclusive and one.high_inclusive


def _interval(index: int, one: Range, type_: TrinoType, kind: KeyKind) -> Predicate:
    low = None if one.low is None else _catalog_value(one.low, type_)
    high = None if one.high is None else _catalog_value(one.high, type_)
    if kind is KeyKind.TIMESTAMP:
        return _between(index, low, high, kind)
    parts: list[Predicate] = []
    if low is not None:
        is_closed = one.low_inclusive or _is_beyond(one.low, type_)
        operator = Operator.GREATER_OR_EQUAL if is_closed else Operator.GREATER
        parts.append(Comparison(index, operator, low))
    if high is not None:
        is_closed = one.high_inclusive or _is_beyond(one.high, type_)
        operator = Operator.LESS_OR_EQUAL if is_closed else Operator.LESS
        parts.append(Comparison(index, operator, high))
    return And(tuple(parts))


def _between(
    index: int, low: TypedValue | None, high: TypedValue | None, kind: KeyKind
) -> Predicate:
    """A closed interval of times, wider by a millisecond: stored texts may be finer than types."""
    assert kind is KeyKind.TIMESTAMP, "only times are widened"
    parts: list[Predicate] = []
    if isinstance(low, datetime):
        parts.append(Comparison(index, Operator.GREATER_OR_EQUAL, _shifted(low, -_MILLISECOND)))
    if isinstance(high, datetime):
        parts.append(Comparison(index, Operator.LESS_OR_EQUAL, _shifted(high, _MILLISECOND)))
    return And(tuple(parts))


def _shifted(value: datetime, by: timedelta) -> datetime:
    try:
        return value + by
    except OverflowError:
        return value


def _literal(value: TypedValue, type_: TrinoType) -> LiteralValue:
    match value:
        case datetime():
            return _picoseconds(value)
        case date():
            return value.toordinal() - _EPOCH_DAY
        case Decimal() if isinstance(type_, algebra.Decimal):
            return _fitted(value, type_)
        case str() if isinstance(type_, algebra.Char):
            return value.rstrip(" ")
        case _:
            return value


def _picoseconds(value: datetime) -> int:
    """Rounded to milliseconds, the precision of Athena's timestamps."""
    microseconds = (value - _EPOCH) // timedelta(microseconds=1)
    return (microseconds + 500) // 1000 * _PICOSECONDS_PER_MILLISECOND


def _fitted(value: Decimal, type_: algebra.Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-type_.scale), rounding=ROUND_HALF_UP)


def _is_beyond(literal: LiteralValue, type_: TrinoType) -> bool:
    """Whether the day is one that Python, and so the catalog, cannot hold."""
    if type_ != algebra.DATE or not isinstance(literal, int):
        return False
    return not 1 <= literal + _EPOCH_DAY <= _LAST_ORDINAL


def _catalog_value(literal: LiteralValue, type_: TrinoType) -> TypedValue:
    """A domain's bound as the catalog compares it.

    Days and times that Python cannot hold become the last that it can; such a bound is closed.
    """
    if type_ == algebra.DATE:
        assert isinstance(literal, int), "dates are days"
        return date.fromordinal(min(max(literal + _EPOCH_DAY, 1), _LAST_ORDINAL))
    if isinstance(type_, algebra.Timestamp):
        assert isinstance(literal, int), "times are picoseconds"
        try:
            return _EPOCH + timedelta(microseconds=literal // _PICOSECONDS_PER_MICROSECOND)
        except OverflowError:
            return datetime.max if literal > 0 else datetime.min
    assert isinstance(literal, str | int | Decimal), "other kinds have no predicate"
    return literal
