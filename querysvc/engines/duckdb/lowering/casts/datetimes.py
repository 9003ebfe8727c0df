"""Casts between dates, times and timestamps: fractions round half up, zones convert."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from querysvc.engines.duckdb.functions.registry import Macro
from querysvc.engines.duckdb.lowering import zones
from querysvc.engines.duckdb.lowering.casts.site import CastSite, CastTable
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    case,
    cast,
    fail,
    field,
    integer_literal,
    struct,
    text_literal,
)
from querysvc.errors import ErrorCode
from querysvc.types.algebra import Time, Timestamp, TimestampTz, TimeTz

_DAY_MICROSECONDS: Final = 86_400_000_000

ROUND_MICROSECONDS: Final = Macro(
    "round_microseconds", ("u", "n"), "(u + n // 2) - (((u + n // 2) % n) + n) % n"
)
"""Microseconds rounded half up to a multiple of n, below the epoch too."""


def round_timestamp(site: CastSite, value: Sql, source: int, target: int) -> Sql:
    """A TIMESTAMP of one precision rounded to another."""
    if target >= source:
        return value
    unit = integer_literal(10 ** (6 - target))
    rounded = site.call_macro(ROUND_MICROSECONDS, Sql(f"epoch_us({value})"), unit)
    return Sql(f"make_timestamp({rounded})")


def round_time(site: CastSite, value: Sql, source: int, target: int) -> Sql:
    """A TIME of one precision rounded to another; midnight follows the day's last instant."""
    if target >= source:
        return value
    unit = integer_literal(10 ** (6 - target))
    rounded = site.call_macro(ROUND_MICROSECONDS, Sql(f"epoch_us({value})"), unit)
    return Sql(f"CAST(make_timestamp({rounded} % {_DAY_MICROSECONDS}) AS TIME)")


def _precision(type_: object) -> int:
    assert isinstance(type_, Time | TimeTz | Timestamp | TimestampTz)
    return type_.precision


def _session_zone(site: CastSite) -> Sql:
    return text_literal(site.context.session.time_zone)


def _in_session(site: CastSite, local: Sql) -> Sql:
    zone = _session_zone(site)
    return zones.zoned(zones.instant(site.context, local, zone), zone)


def _timestamp_to_timestamp(site: CastSite) -> Sql:
    return round_timestamp(site, site.value, _precision(site.source), _precision(site.target))


def _timestamp_to_zoned(site: CastSite) -> Sql:
    return _in_session(site, _timestamp_to_timestamp(site))


def _timestamp_to_time(site: CastSite) -> Sql:
    time = cast(site.value, "TIME")
    return round_time(site, time, _precision(site.source), _precision(site.target))


def _timestamp_to_plain_time(site: CastSite) -> Sql:
    """As Trino 476 has it: before 1970, a second with a fraction counts as the one before."""
    source, target = _precision(site.source), _precision(site.target)
    unit = integer_literal(10 ** (6 - target))

    def body(value: Sql) -> Sql:
        epoch = f"epoch_us({value})"
        of_day = Sql(f"({epoch} - 1000000 - epoch_us(date_trunc('day', {value})))")
        rounded = of_day if target >= source else site.call_macro(ROUND_MICROSECONDS, of_day, unit)
        # Trino fails with GENERIC_INTERNAL_ERROR, which TRY_CAST would have to let through.
        negative = fail(ErrorCode.INVALID_CAST_ARGUMENT, "value must be >= 0")
        earlier = cast(Sql(f"make_timestamp({rounded})"), "TIME")
        quirk = case([(Sql(f"({rounded} < 0)"), negative)], earlier)
        has_quirk = Sql(f"({epoch} < 0 AND {epoch} % 1000000 <> 0)")
        plain = round_time(site, cast(value, "TIME"), source, target)
        return case([(has_quirk, quirk)], plain)

    return bind([site.value], body)


def _with_offset(time: Sql, offset: Sql) -> Sql:
    def body(bound: Sql) -> Sql:
        value = struct([("t", bound), ("o", cast(offset, "SMALLINT"))])
        return Sql(f"(CASE WHEN {bound} IS NOT NULL THEN {value} END)")

    return bind([time], body)


def _session_offset(site: CastSite) -> Sql:
    """Minutes east of UTC of the session's zone as the query starts."""
    now = _started_at(site)
    local = site.call_macro(zones.ZONE_LOCAL, now, _session_zone(site))
    return Sql(f"((epoch_us({local}) - epoch_us({now})) // 60000000)")


def _started_at(site: CastSite) -> Sql:
    started = site.context.session.started_at or datetime.now(UTC)
    return Sql(f"TIMESTAMP '{started.astimezone(UTC):%Y-%m-%d %H:%M:%S}'")


def _today(site: CastSite) -> Sql:
    local = site.call_macro(zones.ZONE_LOCAL, _started_at(site), _session_zone(site))
    return cast(local, "DATE")


def _timestamp_to_time_tz(site: CastSite) -> Sql:
    return _with_offset(_timestamp_to_time(site), _session_offset(site))


def _zoned_to_timestamp(site: CastSite) -> Sql:
    local = zones.local_time(site.context, site.value)
    return round_timestamp(site, local, _precision(site.source), _precision(site.target))


def _zoned_to_date(site: CastSite) -> Sql:
    return cast(zones.local_time(site.context, site.value), "DATE")


def _zoned_to_time(site: CastSite) -> Sql:
    time = cast(zones.local_time(site.context, site.value), "TIME")
    return round_time(site, time, _precision(site.source), _precision(site.target))


def _zoned_to_time_tz(site: CastSite) -> Sql:
    def body(value: Sql) -> Sql:
        local = zones.local_time(site.context, value)
        offset = Sql(f"((epoch_us({local}) - epoch_us({field(value, 't')})) // 60000000)")
        time = round_time(
            site, cast(local, "TIME"), _precision(site.source), _precision(site.target)
        )
        return _with_offset(time, offset)

    return bind([site.value], body)


def _zoned_to_zoned(site: CastSite) -> Sql:
    if _precision(site.target) >= _precision(site.source):
        return site.value

    def body(value: Sql) -> Sql:
        instant = round_timestamp(
            site, field(value, "t"), _precision(site.source), _precision(site.target)
        )
        return zones.zoned(instant, field(value, "z"))

    return bind([site.value], body)


def _date_to_timestamp(site: CastSite) -> Sql:
    return cast(site.value, "TIMESTAMP")


def _date_to_zoned(site: CastSite) -> Sql:
    return _in_session(site, _date_to_timestamp(site))


def _timestamp_to_date(site: CastSite) -> Sql:
    return cast(site.value, "DATE")


def _time_to_time(site: CastSite) -> Sql:
    return round_time(site, site.value, _precision(site.source), _precision(site.target))


def _time_to_time_tz(site: CastSite) -> Sql:
    return _with_offset(_time_to_time(site), _session_offset(site))


def _time_to_timestamp(site: CastSite) -> Sql:
    moment = Sql(f"({_today(site)} + {site.value})")
    return round_timestamp(site, moment, _precision(site.source), _precision(site.target))


def _time_to_zoned(site: CastSite) -> Sql:
    return _in_session(site, _time_to_timestamp(site))


def _time_tz_to_time(site: CastSite) -> Sql:
    time = field(site.value, "t")
    return round_time(site, time, _precision(site.source), _precision(site.target))


def _time_tz_to_time_tz(site: CastSite) -> Sql:
    if _precision(site.target) >= _precision(site.source):
        return site.value
    return bind(
        [site.value],
        lambda v: _with_offset(
            round_time(site, field(v, "t"), _precision(site.source), _precision(site.target)),
            field(v, "o"),
        ),
    )


def _time_tz_to_timestamp(site: CastSite) -> Sql:
    moment = Sql(f"({_today(site)} + {field(site.value, 't')})")
    return round_timestamp(site, moment, _precision(site.source), _precision(site.target))


def _time_tz_to_zoned(site: CastSite) -> Sql:
    def body(value: Sql) -> Sql:
        offset = field(value, "o")
        text = site.call_macro(zones.OFFSET_TEXT, offset)
        zone = Sql(f"(CASE WHEN {offset} = 0 THEN 'UTC' ELSE {text} END)")
        local = _time_tz_to_timestamp(replace(site, value=value))
        return zones.zoned(Sql(f"({local} - to_minutes({offset}))"), zone)

    return bind([site.value], body)


CASTS: Final[CastTable] = {
    ("timestamp", "timestamp"): _timestamp_to_timestamp,
    ("timestamp", "timestamp with time zone"): _timestamp_to_zoned,
    ("timestamp", "time"): _timestamp_to_plain_time,
    ("timestamp", "time with time zone"): _timestamp_to_time_tz,
    ("timestamp", "date"): _timestamp_to_date,
    ("timestamp with time zone", "timestamp"): _zoned_to_timestamp,
    ("timestamp with time zone", "timestamp with time zone"): _zoned_to_zoned,
    ("timestamp with time zone", "date"): _zoned_to_date,
    ("timestamp with time zone", "time"): _zoned_to_time,
    ("timestamp with time zone", "time with time zone"): _zoned_to_time_tz,
    ("date", "timestamp"): _date_to_timestamp,
    ("date", "timestamp with time zone"): _date_to_zoned,
    ("time", "time"): _time_to_time,
    ("time", "time with time zone"): _time_to_time_tz,
    ("time", "timestamp"): _time_to_timestamp,
    ("time", "timestamp with time zone"): _time_to_zoned,
    ("time with time zone", "time"): _time_tz_to_time,
    ("time with time zone", "time with time zone"): _time_tz_to_time_tz,
    ("time with time zone", "timestamp"): _time_tz_to_timestamp,
    ("time with time zone", "timestamp with time zone"): _time_tz_to_zoned,
}
