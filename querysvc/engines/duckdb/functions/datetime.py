"""Dates, times and time zones. https://trino.io/docs/current/functions/datetime.html"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from datetime import datetime as clock
from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite, ScalarBuilder, ScalarTable
from querysvc.engines.duckdb.lowering import zones
from querysvc.engines.duckdb.lowering.fragments import Sql, cast, struct, template, text_literal
from querysvc.types.algebra import (
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
)

_OF_INTERVAL: Final[Mapping[tuple[str, TrinoType], str]] = {
    ("day", INTERVAL_DAY_TO_SECOND): "({0} // 86400000)",
    ("hour", INTERVAL_DAY_TO_SECOND): "({0} // 3600000 % 24)",
    ("minute", INTERVAL_DAY_TO_SECOND): "({0} // 60000 % 60)",
    ("second", INTERVAL_DAY_TO_SECOND): "({0} // 1000 % 60)",
    ("millisecond", INTERVAL_DAY_TO_SECOND): "({0} % 1000)",
    ("year", INTERVAL_YEAR_TO_MONTH): "CAST({0} // 12 AS BIGINT)",
    ("month", INTERVAL_YEAR_TO_MONTH): "CAST({0} % 12 AS BIGINT)",
}


def local(site: CallSite, index: int) -> Sql:
    """A date or time argument without its zone: what its clock shows."""
    kind, value = site.types[index], site.arguments[index]
    if isinstance(kind, TimestampTz):
        return zones.local_time(site.context, value)
    return Sql(f'({value})."t"') if isinstance(kind, TimeTz) else value


def _field(name: str, text: str) -> ScalarBuilder:
    """A field of a date, time, timestamp or interval."""

    def build(site: CallSite) -> Sql:
        of_interval = _OF_INTERVAL.get((name, site.types[0]))
        if of_interval is not None:
            return template(of_interval, *site.arguments)
        return cast(template(text, local(site, 0)), "BIGINT")

    return build


def started_at(site: CallSite) -> Sql:
    """The statement's start, to the millisecond, as a TIMESTAMP in UTC."""
    started = (site.context.session.started_at or clock.now(UTC)).astimezone(UTC)
    return Sql(f"TIMESTAMP '{started:%Y-%m-%d %H:%M:%S}.{started.microsecond // 1000:03}'")


def _now(site: CallSite) -> Sql:
    zone = text_literal(site.context.session.time_zone)
    return struct([("t", started_at(site)), ("z", zone)])


def _local_now(site: CallSite) -> Sql:
    return site.call_macro(
        zones.ZONE_LOCAL, started_at(site), text_literal(site.context.session.time_zone)
    )


def _current(site: CallSite) -> Sql:
    """$current_timestamp and its like: by the type of the result."""
    if isinstance(site.type, TimestampTz):
        return _now(site)
    if isinstance(site.type, Timestamp):
        return _local_now(site)
    time = cast(_local_now(site), "TIME")
    if isinstance(site.type, Time):
        return time
    offset = Sql(f"((epoch_us({_local_now(site)}) - epoch_us({started_at(site)})) // 60000000)")
    return struct([("t", time), ("o", cast(offset, "SMALLINT"))])


SCALARS: Final[ScalarTable] = {
    "$current_time": _current,
    "$current_timestamp": _current,
    "$localtime": _current,
    "$localtimestamp": _current,
    "current_date": lambda site: cast(_local_now(site), "DATE"),
    "current_timezone": lambda site: text_literal(site.context.session.time_zone),
    "day": _field("day", "day({0})"),
    "day_of_week": _field("day_of_week", "isodow({0})"),
    "day_of_year": _field("day_of_year", "dayofyear({0})"),
    "hour": _field("hour", "hour({0})"),
    "last_day_of_month": lambda site: Sql(f"last_day({local(site, 0)})"),
    "millisecond": _field("millisecond", "millisecond({0}) % 1000"),
    "minute": _field("minute", "minute({0})"),
    "month": _field("month", "month({0})"),
    "now": _now,
    "quarter": _field("quarter", "quarter({0})"),
    "second": _field("second", "second({0})"),
    "week": _field("week", "weekofyear({0})"),
    "year": _field("year", "year({0})"),
    "year_of_week": _field("year_of_week", "isoyear({0})"),
}
