"""date_add, date_diff and date_trunc, by unit and type, as Joda computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from querysvc.engines.duckdb.functions.registry import CallSite, Macro, ScalarTable
from querysvc.engines.duckdb.lowering import zones
from querysvc.engines.duckdb.lowering.casts.datetimes import ROUND_MICROSECONDS
from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    Sql,
    bind,
    case,
    cast,
    conjunction,
    fail,
    field,
    part,
    struct,
    template,
    text_literal,
)
from querysvc.engines.duckdb.lowering.keys import INSTANT_OF_TIME_TZ
from querysvc.errors import ErrorCode
from querysvc.tree import Cast, Expression, Literal
from querysvc.types.algebra import (
    BIGINT,
    DATE,
    INTEGER_TYPES,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
)

_CLOCK_UNITS: Final[Mapping[str, int]] = {
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
}
"""Microseconds of the units that move the instant, not the calendar."""

_DAYS: Final[Mapping[str, int]] = {"day": 1, "week": 7}
_MONTHS: Final[Mapping[str, int]] = {"month": 1, "quarter": 3, "year": 12}
_DAY_MICROSECONDS: Final = 86_400_000_000
_MILLISECOND_PRECISION: Final = 3
_INT_MAX: Final = 2**31 - 1

_DATE_UNITS: Final = (*_DAYS, *_MONTHS)
_UNITS: Final[Mapping[str, tuple[str, ...]]] = {
    "DATE": _DATE_UNITS,
    "TIME": tuple(_CLOCK_UNITS),
    "TIMESTAMP": (*_CLOCK_UNITS, *_DATE_UNITS),
}

_KEEP_OFFSET: Final = Macro(
    # Joda keeps the offset where the new local time has it, else takes the zone's own instant.
    "zone_moved",
    ("t", "l", "n", "z"),
    'CASE WHEN "zone_local"(n - (l - t), z) = n THEN n - (l - t) ELSE "zone_instant"(n, z) END',
    uses=(zones.ZONE_LOCAL, zones.ZONE_INSTANT),
)
"""The instant of the local time n, when the clock l of the instant t was moved there."""

_WHOLE_MILLISECONDS: Final = Macro(
    "whole_milliseconds",
    ("t",),
    "(epoch_us(t) - (epoch_us(t) % 1000 + 1000) % 1000) // 1000",
)

_MONTHS_UP: Final = Macro(
    # Joda: from the 31st to the last day of a shorter month is a full month.
    "months_up",
    ("a", "b"),
    "(year(b) - year(a)) * 12 + month(b) - month(a) - CASE WHEN"
    ' CAST(day(b) AS BIGINT) * 86400000 + "whole_milliseconds"(b)'
    " - \"whole_milliseconds\"(date_trunc('day', b))"
    " < CAST(CASE WHEN day(b) = day(last_day(b)) THEN least(day(a), day(b)) ELSE day(a) END"
    ' AS BIGINT) * 86400000 + "whole_milliseconds"(a)'
    " - \"whole_milliseconds\"(date_trunc('day', a)) THEN 1 ELSE 0 END",
    uses=(_WHOLE_MILLISECONDS,),
)

_MONTHS_BETWEEN: Final = Macro(
    "months_between",
    ("a", "b"),
    'CASE WHEN b < a THEN -"months_up"(b, a) ELSE "months_up"(a, b) END',
    uses=(_MONTHS_UP,),
)

_OF_YEAR: Final = Macro(
    "milliseconds_of_year",
    ("t",),
    '"whole_milliseconds"(t) - "whole_milliseconds"(date_trunc(\'year\', t))',
    uses=(_WHOLE_MILLISECONDS,),
)

_IS_LEAP: Final = Macro(
    "is_leap",
    ("t",),
    "(year(t) % 4 = 0 AND (year(t) % 100 <> 0 OR year(t) % 400 = 0))",
)

_YEARS_UP: Final = Macro(
    # Joda balances the days after February when just one of the years is a leap year.
    "years_up",
    ("a", "b"),
    'year(b) - year(a) - CASE WHEN "milliseconds_of_year"(b)'
    ' - CASE WHEN "milliseconds_of_year"(a) >= 5097600000 AND NOT "is_leap"(a)'
    ' AND "milliseconds_of_year"(b) >= 5097600000 AND "is_leap"(b) THEN 86400000 ELSE 0 END'
    ' < "milliseconds_of_year"(a)'
    ' - CASE WHEN "milliseconds_of_year"(a) >= 5097600000 AND "is_leap"(a) AND NOT "is_leap"(b)'
    " THEN 86400000 ELSE 0 END THEN 1 ELSE 0 END",
    uses=(_OF_YEAR, _IS_LEAP),
)

_YEARS_BETWEEN: Final = Macro(
    "years_between",
    ("a", "b"),
    'CASE WHEN b < a THEN -"years_up"(b, a) ELSE "years_up"(a, b) END',
    uses=(_YEARS_UP,),
)

_ByUnit: TypeAlias = Callable[[str], Sql]


def _kind(site: CallSite) -> str:
    """The kind of the values, as Trino's messages name it."""
    type_ = site.types[-1]
    if type_ == DATE:
        return "DATE"
    return "TIME" if isinstance(type_, Time | TimeTz) else "TIMESTAMP"


def _dispatch(site: CallSite, build: _ByUnit, others: tuple[Sql, ...]) -> Sql:
    """The expression of the constant unit, or a CASE over all units."""
    kind = _kind(site)
    known = conjunction([Sql(f"({value} IS NOT NULL)") for value in others])
    if site.is_constant(0):
        unit = site.constant(0)
        if unit is None:
            return cast(NULL, site.result_type)
        assert isinstance(unit, str)
        if unit.lower() in _UNITS[kind]:
            return build(unit.lower())
        message = f"'{unit.lower()}' is not a valid {kind} field"
        failing = fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
        return cast(case([(known, failing)]), site.result_type)

    def body(unit: Sql) -> Sql:
        wrong = fail(
            ErrorCode.INVALID_FUNCTION_ARGUMENT,
            "'",
            part(Sql(f"lower({unit})")),
            f"' is not a valid {kind} field",
        )
        branches = [
            (Sql(f"(lower({unit}) = {text_literal(name)})"), build(name)) for name in _UNITS[kind]
        ]
        return case([*branches, (Sql(f"({unit} IS NOT NULL AND {known})"), wrong)])

    return bind([site.arguments[0]], body)


# date_add.


def _date_add(site: CallSite) -> Sql:
    def body(amount: Sql, value: Sql) -> Sql:
        return _dispatch(site, lambda unit: _moved(site, unit, amount, value), (amount, value))

    return bind(site.arguments[1:], body)


def _moved(site: CallSite, unit: str, amount: Sql, value: Sql) -> Sql:
    type_ = site.types[2]
    if type_ == DATE:
        days = f"CAST({amount} * {_DAYS[unit]} AS INTEGER)" if unit in _DAYS else ""
        moved = (
            f"({value} + {days})" if days else f"CAST({value} + {_months(unit, amount)} AS DATE)"
        )
        return _within_int(site, amount, Sql(moved), ErrorCode.GENERIC_INTERNAL_ERROR)
    if isinstance(type_, Time):
        return _moved_time(site, unit, amount, value, type_.precision)
    if isinstance(type_, TimeTz):
        time = _moved_time(site, unit, amount, field(value, "t"), type_.precision)
        moved = struct([("t", time), ("o", field(value, "o"))])
        return case([(Sql(f"({value} IS NOT NULL AND {amount} IS NOT NULL)"), Sql(moved))])
    if isinstance(type_, TimestampTz):
        return _within_int(site, amount, _moved_zoned(site, unit, amount, value, type_.precision))
    assert isinstance(type_, Timestamp)
    moved_timestamp = Sql(f"({value} + {_interval(unit, amount)})")
    return _within_int(site, amount, _rounded(site, unit, moved_timestamp, type_.precision))


def _within_int(
    site: CallSite,
    amount: Sql,
    moved: Sql,
    code: ErrorCode = ErrorCode.INVALID_FUNCTION_ARGUMENT,
) -> Sql:
    if _is_small(site.nodes[1]):
        return moved
    is_large = Sql(f"({amount} NOT BETWEEN -2147483648 AND 2147483647)")
    return case([(is_large, fail(code, "integer overflow"))], moved)


def _is_small(node: Expression) -> bool:
    """Whether the amount is a constant that is an int, or of a smaller type."""
    while isinstance(node, Cast) and node.value.type in INTEGER_TYPES:
        node = node.value
    if isinstance(node, Literal):
        return isinstance(node.value, int) and abs(node.value) <= _INT_MAX
    return node.type in INTEGER_TYPES and node.type != BIGINT


def _months(unit: str, amount: Sql) -> str:
    return f"to_months(CAST({amount} * {_MONTHS[unit]} AS INTEGER))"


def _interval(unit: str, amount: Sql) -> str:
    if unit in _MONTHS:
        return _months(unit, amount)
    if unit in _DAYS:
        return f"to_days(CAST({amount} * {_DAYS[unit]} AS INTEGER))"
    return f"to_microseconds({amount} * {_CLOCK_UNITS[unit]})"


def _rounded(site: CallSite, unit: str, moved: Sql, precision: int) -> Sql:
    if unit != "millisecond" or precision >= _MILLISECOND_PRECISION:
        return moved
    step = Sql(str(10 ** (6 - precision)))
    rounded = site.call_macro(ROUND_MICROSECONDS, Sql(f"epoch_us({moved})"), step)
    return Sql(f"make_timestamp({rounded})")


def _moved_time(site: CallSite, unit: str, amount: Sql, time: Sql, precision: int) -> Sql:
    step = _CLOCK_UNITS[unit]
    turn = _DAY_MICROSECONDS // step
    moved = Sql(
        f"(TIMESTAMP '1970-01-02' + to_microseconds(epoch_us({time})"
        f" + ({amount} % {turn}) * {step}))"
    )
    return cast(_rounded(site, unit, moved, precision), "TIME")


def _moved_zoned(site: CallSite, unit: str, amount: Sql, value: Sql, precision: int) -> Sql:
    if unit in _CLOCK_UNITS:
        moved = Sql(f"({field(value, 't')} + {_interval(unit, amount)})")
        return zones.zoned(_rounded(site, unit, moved, precision), field(value, "z"))
    return _moved_clock(site, value, lambda local: Sql(f"({local} + {_interval(unit, amount)})"))


def _moved_clock(site: CallSite, value: Sql, move: Callable[[Sql], Sql]) -> Sql:
    """A timestamp with time zone whose local clock is moved."""
    zone, moment = field(value, "z"), field(value, "t")

    def body(local: Sql) -> Sql:
        instant = site.call_macro(_KEEP_OFFSET, moment, local, move(local), zone)
        return zones.zoned(instant, zone)

    return bind([zones.local_time(site.context, value)], body)


# date_trunc.


def _date_trunc(site: CallSite) -> Sql:
    def body(value: Sql) -> Sql:
        return _dispatch(site, lambda unit: _truncated(site, unit, value), (value,))

    return bind([site.arguments[1]], body)


def _truncated(site: CallSite, unit: str, value: Sql) -> Sql:
    type_ = site.types[1]
    if type_ == DATE:
        return cast(Sql(f"date_trunc('{unit}', {value})"), "DATE")
    if isinstance(type_, Time):
        return _truncated_time(unit, value)
    if isinstance(type_, TimeTz):
        time = _truncated_time(unit, field(value, "t"))
        result = struct([("t", time), ("o", field(value, "o"))])
        return case([(Sql(f"({value} IS NOT NULL)"), Sql(result))])
    if not isinstance(type_, TimestampTz):
        return Sql(f"date_trunc('{unit}', {value})")
    if unit not in _CLOCK_UNITS:
        return _moved_clock(site, value, lambda local: Sql(f"date_trunc('{unit}', {local})"))

    def body(local: Sql) -> Sql:
        behind = Sql(f"({local} - date_trunc('{unit}', {local}))")
        return zones.zoned(Sql(f"({field(value, 't')} - {behind})"), field(value, "z"))

    return bind([zones.local_time(site.context, value)], body)


def _truncated_time(unit: str, time: Sql) -> Sql:
    step = _CLOCK_UNITS[unit]
    return cast(Sql(f"make_timestamp(epoch_us({time}) // {step} * {step})"), "TIME")


# date_diff.


def _date_diff(site: CallSite) -> Sql:
    def body(first: Sql, second: Sql) -> Sql:
        return _dispatch(site, lambda unit: _difference(site, unit, first, second), (first, second))

    return bind(site.arguments[1:], body)


def _difference(site: CallSite, unit: str, first: Sql, second: Sql) -> Sql:
    type_ = site.types[1]
    if type_ == DATE:
        if unit in _DAYS:
            return template(f"CAST({{1}} - {{0}} AS BIGINT) // {_DAYS[unit]}", first, second)
        stamps = cast(first, "TIMESTAMP"), cast(second, "TIMESTAMP")
        return _calendar_difference(site, unit, *stamps)
    if isinstance(type_, Time | TimeTz):
        if isinstance(type_, TimeTz):
            first, second = (template(INSTANT_OF_TIME_TZ, value) for value in (first, second))
        return template(
            f"(epoch_us({{1}}) - epoch_us({{0}})) // {_CLOCK_UNITS[unit]}", first, second
        )
    if not isinstance(type_, TimestampTz):
        return _timestamp_difference(site, unit, first, second)
    if unit in _CLOCK_UNITS:
        return _timestamp_difference(site, unit, field(first, "t"), field(second, "t"))
    # The calendar is that of the first one's zone.
    zone = field(first, "z")
    local = [
        site.call_macro(zones.ZONE_LOCAL, field(value, "t"), zone) for value in (first, second)
    ]
    return bind(local, lambda a, b: _timestamp_difference(site, unit, a, b))


def _timestamp_difference(site: CallSite, unit: str, first: Sql, second: Sql) -> Sql:
    if unit in _MONTHS:
        return _calendar_difference(site, unit, first, second)
    step = (_CLOCK_UNITS.get(unit) or _DAYS[unit] * _DAY_MICROSECONDS) // 1000
    start = site.call_macro(_WHOLE_MILLISECONDS, first)
    end = site.call_macro(_WHOLE_MILLISECONDS, second)
    return Sql(f"(({end} - {start}) // {step})")


def _calendar_difference(site: CallSite, unit: str, first: Sql, second: Sql) -> Sql:
    macro = _YEARS_BETWEEN if unit == "year" else _MONTHS_BETWEEN
    difference = site.call_macro(macro, first, second)
    return cast(Sql(f"({difference} // {3 if unit == 'quarter' else 1})"), "BIGINT")


SCALARS: Final[ScalarTable] = {
    "date_add": _date_add,
    "date_diff": _date_diff,
    "date_trunc": _date_trunc,
}
