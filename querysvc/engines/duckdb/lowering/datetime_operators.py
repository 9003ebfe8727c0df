"""Arithmetic of dates, times, timestamps and intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite, Macro
from querysvc.engines.duckdb.lowering import zones
from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    Sql,
    bind,
    case,
    cast,
    fail,
    field,
    part,
    struct,
    template,
)
from querysvc.engines.duckdb.lowering.keys import INSTANT_OF_TIME_TZ
from querysvc.errors import ErrorCode
from querysvc.types.algebra import (
    DATE,
    DOUBLE,
    INTERVAL_YEAR_TO_MONTH,
    Time,
    TimestampTz,
    TimeTz,
)

_MILLISECONDS_PER_DAY: Final = 86_400_000

_MILLISECONDS: Final = "CAST(floor(({} + 500) / 1000) AS BIGINT)"

_DIFFERENCE_MS: Final[Mapping[str, str]] = {
    "date": f"CAST({{0}} - {{1}} AS BIGINT) * {_MILLISECONDS_PER_DAY}",
    # Trino rounds differences of times to milliseconds, half up.
    "time": _MILLISECONDS.format("epoch_us({0}) - epoch_us({1})"),
    "timestamp": _MILLISECONDS.format("epoch_us({0}) - epoch_us({1})"),
    # … and each instant before it subtracts them.
    "timestamptz": " - ".join(
        _MILLISECONDS.format(instant) for instant in ('epoch_us({0}."t")', 'epoch_us({1}."t")')
    ),
    "timetz": _MILLISECONDS.format(
        f"epoch_us({INSTANT_OF_TIME_TZ}) - epoch_us({INSTANT_OF_TIME_TZ.replace('{0}', '{1}')})"
    ),
}
DIFFERENCES: Final = frozenset(_DIFFERENCE_MS)


def difference(site: CallSite, kind: str) -> Sql:
    """`-` of two dates, times or timestamps: milliseconds."""
    return template(_DIFFERENCE_MS[kind], *site.arguments)


def shift(operator: str, site: CallSite, *, value: int, interval: int) -> Sql:
    """A date, time or timestamp plus or minus an interval."""
    by_months = site.types[interval] == INTERVAL_YEAR_TO_MONTH
    base, amount = site.arguments[value], site.arguments[interval]
    kind = site.types[value]
    if kind == DATE:
        return _shift_date(operator, base, amount, by_months=by_months)
    if isinstance(kind, TimestampTz):
        return _shift_zoned(operator, base, amount, site, by_months=by_months)
    if isinstance(kind, TimeTz):

        def body(bound: Sql) -> Sql:
            time = Sql(f"({field(bound, 't')} {operator} {_duration(amount)})")
            moved = struct([("t", time), ("o", field(bound, "o"))])
            return case([(Sql(f"({bound} IS NOT NULL AND {amount} IS NOT NULL)"), moved)])

        return bind([base], body)
    if isinstance(kind, Time):
        return Sql(f"({base} {operator} {_duration(amount)})")
    unit = f"to_months({amount})" if by_months else _duration(amount)
    return Sql(f"({base} {operator} {unit})")


_MONTHS_MAX: Final = 2**31 - 1

_WRAPPED: Final = Macro(
    "wrapped_product",
    ("p",),
    "CAST(((p + 9223372036854775808::HUGEINT) % 18446744073709551616::HUGEINT"
    " + 18446744073709551616::HUGEINT) % 18446744073709551616::HUGEINT"
    " - 9223372036854775808::HUGEINT AS BIGINT)",
)
"""A product as Java's long has it: intervals wrap around without an error."""

_SATURATED: Final = Macro(
    "saturated_product",
    ("p",),
    "CASE WHEN isnan(p) THEN 0 WHEN p >= 9223372036854775807 THEN 9223372036854775807"
    " WHEN p <= -9223372036854775808 THEN -9223372036854775808"
    " ELSE CAST(trunc(p) AS BIGINT) END",
)
"""A double as Java casts it to a long."""


def multiply_interval(site: CallSite) -> Sql:
    """An interval times a bigint."""
    first, second = (cast(sql, "HUGEINT") for sql in site.arguments)
    return _interval(site, site.call_macro(_WRAPPED, Sql(f"({first} * {second})")))


def scale_interval(site: CallSite) -> Sql:
    """An interval times a double: truncated, as Java casts."""
    first, second = (cast(sql, "DOUBLE") for sql in site.arguments)
    product = _interval(site, site.call_macro(_SATURATED, Sql(f"({first} * {second})")))
    number = second if site.types[1] == DOUBLE else first
    nan = fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, "Cannot multiply by double NaN")
    known = f"{first} IS NOT NULL AND {second} IS NOT NULL"
    return case([(Sql(f"(isnan({number}) AND {known})"), nan)], product)


def _interval(site: CallSite, value: Sql) -> Sql:
    """The interval of a BIGINT; months must fit an integer."""
    if site.type != INTERVAL_YEAR_TO_MONTH:
        return value

    def body(months: Sql) -> Sql:
        message = ("Value ", part(months), f" exceeds MAX_INT for type {site.type}")
        fits = Sql(f"({months} BETWEEN {-_MONTHS_MAX - 1} AND {_MONTHS_MAX})")
        unknown = Sql(f"({months} IS NULL)")
        return case(
            [(fits, cast(months, "INTEGER")), (unknown, NULL)],
            fail(ErrorCode.GENERIC_INTERNAL_ERROR, *message),
        )

    return bind([value], body)


def divide_interval(site: CallSite) -> Sql:
    """An interval divided by a double."""
    zero = fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, "Cannot divide by double 0.0")
    nan = fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, "Cannot divide by double NaN")

    def body(interval: Sql, divisor: Sql) -> Sql:
        quotient = Sql(f"(CAST({interval} AS DOUBLE) / {divisor})")
        divided = _interval(site, site.call_macro(_SATURATED, quotient))
        known = f"{interval} IS NOT NULL"
        return case(
            [
                (Sql(f"({divisor} = 0 AND {known})"), zero),
                (Sql(f"(isnan({divisor}) AND {known})"), nan),
            ],
            divided,
        )

    return bind(site.arguments, body)


def _duration(milliseconds: Sql) -> Sql:
    return Sql(f"to_microseconds({milliseconds} * 1000)")


def _shift_date(operator: str, date: Sql, amount: Sql, *, by_months: bool) -> Sql:
    if by_months:
        return Sql(f"CAST(({date} {operator} to_months({amount})) AS DATE)")
    message = "Cannot add hour, minutes or seconds to a date"
    if operator == "-":
        message = "Cannot subtract hour, minutes or seconds from a date"

    def body(milliseconds: Sql) -> Sql:
        partial = Sql(f"({milliseconds} % {_MILLISECONDS_PER_DAY} <> 0)")
        days = f"CAST({milliseconds} // {_MILLISECONDS_PER_DAY} AS INTEGER)"
        moved = Sql(f"({date} {operator} {days})")
        return case([(partial, fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, message))], moved)

    return bind([amount], body)


def _shift_zoned(operator: str, value: Sql, amount: Sql, site: CallSite, *, by_months: bool) -> Sql:
    """Months move the local clock, milliseconds the instant."""

    def body(bound: Sql, moved_by: Sql) -> Sql:
        if by_months:
            local = Sql(
                f"({zones.local_time(site.context, bound)} {operator} to_months({moved_by}))"
            )
            moved = zones.instant(site.context, local, field(bound, "z"))
        else:
            moved = Sql(f"({field(bound, 't')} {operator} {_duration(moved_by)})")
        result = struct([("t", moved), ("z", field(bound, "z"))])
        return case([(Sql(f"({bound} IS NOT NULL AND {moved_by} IS NOT NULL)"), result)])

    return bind([value, amount], body)
