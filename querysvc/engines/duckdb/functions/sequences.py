"""sequence(): integers, dates and timestamps from a start to a stop, both inclusive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from querysvc.engines.duckdb.functions.lists import INVALID, any_null
from querysvc.engines.duckdb.functions.registry import CallSite, ScalarTable
from querysvc.engines.duckdb.lowering.fragments import NULL, Sql, bind, case, cast, fail
from querysvc.types.algebra import DATE

ENTRIES_MAX: Final = 10_000
_DAY_MILLISECONDS: Final = 86_400_000

_TOO_MANY: Final = fail(
    INVALID, f"result of sequence function must not have more than {ENTRIES_MAX} entries"
)
_ZERO_STEP: Final = fail(INVALID, "step must not be zero")
_WRONG_WAY: Final = fail(
    INVALID,
    "sequence stop value should be greater than or equal to start value if step is greater than"
    " zero otherwise stop should be less than or equal to start",
)
_NOT_DAYS: Final = fail(
    INVALID, "sequence step must be a day interval if start and end values are dates"
)


def _checked(start: Sql, stop: Sql, step: Sql, result: Sql) -> Sql:
    wrong_way = f"(CASE WHEN {step} > 0 THEN {stop} < {start} ELSE {stop} > {start} END)"
    return case(
        [
            (any_null(start, stop, step), NULL),
            (Sql(f"({step} = 0)"), _ZERO_STEP),
            (Sql(wrong_way), _WRONG_WAY),
        ],
        result,
    )


def _counted(distance: Sql, step: Sql, item: str) -> Sql:
    """Items for 0, 1, … up to the distance by the step; `item` is over "i"."""
    count = Sql(f"(CAST({distance} AS HUGEINT) // {step} + 1)")
    return case(
        [(Sql(f"({count} > {ENTRIES_MAX})"), _TOO_MANY)],
        Sql(f'list_transform(range(CAST({count} AS BIGINT)), lambda "i": {item})'),
    )


def _integers(site: CallSite) -> Sql:
    def body(start: Sql, stop: Sql, step: Sql) -> Sql:
        distance = Sql(f"(CAST({stop} AS HUGEINT) - {start})")
        item = f'CAST({start} + CAST("i" AS HUGEINT) * {step} AS BIGINT)'
        return _checked(start, stop, step, _counted(distance, step, item))

    return _with_step(site, body)


def _with_step(site: CallSite, body: Callable[[Sql, Sql, Sql], Sql]) -> Sql:
    """The body over start, stop and step; without one it is 1, or -1 when the stop is less."""
    if len(site.arguments) == 3:
        return bind(site.arguments, body)

    def unit(start: Sql, stop: Sql) -> Sql:
        step = Sql(f"CAST(CASE WHEN {stop} >= {start} THEN 1 ELSE -1 END AS BIGINT)")
        return bind([start, stop, step], body)

    return bind(site.arguments, unit)


def _dates(site: CallSite) -> Sql:
    """Steps of whole days: milliseconds when given, else a day."""
    unit = _DAY_MILLISECONDS if len(site.arguments) == 3 else 1

    def body(start: Sql, stop: Sql, step: Sql) -> Sql:
        days = Sql(f"({step} // {unit})")
        distance = Sql(f"({stop} - {start})")
        item = f'{start} + CAST("i" * {days} AS INTEGER)'
        result = _checked(start, stop, step, _counted(distance, days, item))
        return case([(Sql(f"({step} % {unit} <> 0)"), _NOT_DAYS)], result)

    return _with_step(site, body)


def _timestamps(site: CallSite) -> Sql:
    def body(start: Sql, stop: Sql, step: Sql) -> Sql:
        distance = Sql(f"(epoch_us({stop}) - epoch_us({start}))")
        micros = Sql(f"({step} * 1000)")
        item = f'{start} + to_microseconds("i" * {micros})'
        return _checked(start, stop, step, _counted(distance, micros, item))

    return bind(site.arguments, body)


def _months(site: CallSite) -> Sql:
    """Every item is so many months after the start, so that ends of months stay."""

    def body(start: Sql, stop: Sql, step: Sql) -> Sql:
        distance = Sql(f"((year({stop}) - year({start})) * 12 + month({stop}) - month({start}))")
        sql = Sql(f'{start} + to_months(CAST("i" * {step} AS INTEGER))')
        item = cast(sql, "DATE") if site.types[0] == DATE else sql
        within = f'(CASE WHEN {step} > 0 THEN "e" <= {stop} ELSE "e" >= {stop} END)'
        # The last month's item may be past the stop: it does not count among the entries.
        count = f"least({distance} // {step} + 1, {ENTRIES_MAX + 1})"
        items = f'list_transform(range({count}), lambda "i": {item})'
        kept = Sql(f'list_filter({items}, lambda "e": {within})')
        return _checked(start, stop, step, bind([kept], _limited))

    return bind(site.arguments, body)


def _limited(items: Sql) -> Sql:
    return case([(Sql(f"(len({items}) > {ENTRIES_MAX})"), _TOO_MANY)], items)


SCALARS: Final[ScalarTable] = {
    "sequence(bigint,bigint)": _integers,
    "sequence(bigint,bigint,bigint)": _integers,
    "sequence(date,date)": _dates,
    "sequence(date,date,interval day to second)": _dates,
    "sequence(date,date,interval year to month)": _months,
    "sequence(timestamp(p),timestamp(p),interval day to second)": _timestamps,
    "sequence(timestamp(p),timestamp(p),interval year to month)": _months,
}
