"""Time zones, Unix time and ISO 8601 texts of timestamps."""

from __future__ import annotations

from typing import Any, Final

from querysvc.engines.duckdb.functions.datetime import started_at
from querysvc.engines.duckdb.functions.registry import (
    CallSite,
    Macro,
    ScalarBuilder,
    ScalarTable,
)
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.functions.zone_names import (
    instant_microseconds,
    steady_offset,
    zone_name,
)
from querysvc.engines.duckdb.lowering import zones
from querysvc.engines.duckdb.lowering.casts.convert import convert
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
    text_literal,
)
from querysvc.errors import ErrorCode
from querysvc.types.algebra import (
    BIGINT,
    DATE,
    INTERVAL_DAY_TO_SECOND,
    VARCHAR,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
)

_OFFSET_MINUTES_MAX: Final = 14 * 60
_MILLIS_MAX: Final = 2**51 - 1
"""Trino packs an instant's milliseconds and its zone in 64 bits."""

_ARGUMENT: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT

OFFSET_TEXT: Final = Macro(
    "offset_text",
    ("m",),
    "CASE WHEN m < 0 THEN '-' ELSE '+' END"
    " || lpad(CAST(abs(m) // 60 AS VARCHAR), 2, '0') || ':'"
    " || lpad(CAST(abs(m) % 60 AS VARCHAR), 2, '0')",
)
"""`+05:30` of minutes."""


def _named(text: str) -> str:
    try:
        return zone_name(text)
    except ValueError:
        if not text:
            raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "Zone id is an empty string") from None
        raise failure(_ARGUMENT, f"'{text}' is not a valid time zone") from None


def _named_for_unixtime(text: str) -> str:
    try:
        return zone_name(text)
    except ValueError:
        if not text:
            raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "Zone id is an empty string") from None
        raise failure(ErrorCode.NOT_SUPPORTED, f"Time zone not supported: {text}") from None


zone_of_text = by_row(_named)
zone_of_unixtime = by_row(_named_for_unixtime)


def _zone_argument(site: CallSite, index: int, function: Any = zone_of_text) -> Sql:
    """The zone's name as Trino prints it; a valid constant needs no function."""
    if site.is_constant(index):
        text = site.constant(index)
        if text is None:
            return cast(NULL, "VARCHAR")
        assert isinstance(text, str)
        try:
            return text_literal(zone_name(text))
        except ValueError:
            pass
    return site.call_python(function, (site.arguments[index], VARCHAR), result=VARCHAR)


def _in_zone(instant: Sql, zone: Sql) -> Sql:
    """A timestamp with time zone, NULL when one of its parts is."""

    def body(moment: Sql, name: Sql) -> Sql:
        value = struct([("t", cast(moment, "TIMESTAMP")), ("z", name)])
        return case([(Sql(f"({moment} IS NOT NULL AND {name} IS NOT NULL)"), Sql(value))])

    return bind([instant, zone], body)


def instants(local_microseconds: Any, zones_: Any) -> Any:
    """with_timezone: ICU takes a dozen look-ups to find an instant, a table of days takes three.

    The days of a batch are looked up once each.
    """
    import numpy as np
    import pyarrow as pa

    names = zones_.dictionary_encode().dictionary
    if len(names) != 1 or local_microseconds.null_count or zones_.null_count:
        rows = zip(local_microseconds.to_pylist(), zones_.to_pylist(), strict=True)
        return [
            None if clock is None or zone is None else instant_microseconds(zone, clock)
            for clock, zone in rows
        ]
    zone = names[0].as_py()
    clocks = local_microseconds.to_numpy()
    days, of_day = np.unique(clocks // _MICROSECONDS_PER_DAY, return_inverse=True)
    offsets = [steady_offset(zone, int(day)) for day in days]
    microseconds = np.array([(offset or 0) * 1_000_000 for offset in offsets], np.int64)
    found = clocks - microseconds[of_day]
    unsteady = np.array([offset is None for offset in offsets])
    for index in np.nonzero(unsteady[of_day])[0]:
        found[index] = instant_microseconds(zone, int(clocks[index]))
    return pa.array(found)


_MICROSECONDS_PER_DAY: Final = 86_400_000_000


def _with_timezone(site: CallSite) -> Sql:
    def body(clock: Sql, zone: Sql) -> Sql:
        epoch = (Sql(f"epoch_us({clock})"), BIGINT)
        found = site.call_python(instants, epoch, (zone, VARCHAR), result=BIGINT)
        named = Sql(f"make_timestamp({found})")
        is_fixed = Sql(f"({zone} = 'UTC' OR {zone}[1] IN ('+', '-'))")
        instant = case([(is_fixed, zones.instant(site.context, clock, zone))], named)
        return _in_zone(instant, zone)

    return bind([site.arguments[0], _zone_argument(site, 1)], body)


def _zone_of_interval(site: CallSite, milliseconds: Sql) -> Sql:
    """The zone whose offset the interval is."""

    def body(value: Sql) -> Sql:
        return case(
            [
                (Sql(f"({value} IS NULL)"), cast(NULL, "VARCHAR")),
                (Sql(f"({value} % 60000 <> 0)"), fail(_ARGUMENT, _HAS_SECONDS)),
            ],
            _zone_of_minutes(site, Sql(f"({value} // 60000)")),
        )

    return bind([milliseconds], body)


_HAS_SECONDS: Final = "Invalid time zone offset interval: interval contains seconds"


def _zone_of_minutes(site: CallSite, minutes: Sql) -> Sql:
    def body(value: Sql) -> Sql:
        too_far = Sql(f"({value} NOT BETWEEN -{_OFFSET_MINUTES_MAX} AND {_OFFSET_MINUTES_MAX})")
        return case(
            [
                (too_far, fail(_ARGUMENT, "Invalid offset minutes ", part(value))),
                (Sql(f"({value} = 0)"), text_literal("UTC")),
            ],
            site.call_macro(OFFSET_TEXT, value),
        )

    return bind([minutes], body)


def _at_timezone(site: CallSite) -> Sql:
    if site.types[1] == INTERVAL_DAY_TO_SECOND:
        zone = _zone_of_interval(site, site.arguments[1])
    else:
        zone = _zone_argument(site, 1)
    return bind([site.arguments[0]], lambda value: _in_zone(field(value, "t"), zone))


def _time_at_timezone(site: CallSite) -> Sql:
    """A time at a zone's offset as the query starts."""
    if site.types[1] == INTERVAL_DAY_TO_SECOND:
        zone = _zone_of_interval(site, site.arguments[1])
    else:
        zone = _zone_argument(site, 1)
    started = started_at(site)

    def body(value: Sql, name: Sql) -> Sql:
        clock = site.call_macro(zones.ZONE_LOCAL, started, name)
        minutes = Sql(f"((epoch_us({clock}) - epoch_us({started})) // 60000000)")

        def moved(offset: Sql) -> Sql:
            time = Sql(
                f"({field(value, 't')} + to_minutes(CAST({offset} - {field(value, 'o')}"
                " AS INTEGER)))"
            )
            result = struct([("t", time), ("o", cast(offset, "SMALLINT"))])
            return case([(Sql(f"({value} IS NOT NULL AND {name} IS NOT NULL)"), Sql(result))])

        return bind([minutes], moved)

    return bind([site.arguments[0], zone], body)


def _timezone(site: CallSite) -> Sql:
    if isinstance(site.types[0], TimeTz):
        return site.call_macro(OFFSET_TEXT, field(site.arguments[0], "o"))
    return field(site.arguments[0], "z")


def _offset_part(text: str) -> ScalarBuilder:
    """Hours or minutes of a zone's offset, both with its sign."""

    def build(site: CallSite) -> Sql:
        def body(value: Sql) -> Sql:
            if isinstance(site.types[0], TimeTz):
                seconds = Sql(f"(CAST({field(value, 'o')} AS BIGINT) * 60)")
            else:
                clock = zones.local_time(site.context, value)
                seconds = Sql(f"((epoch_us({clock}) - epoch_us({field(value, 't')})) // 1000000)")
            return cast(template(text, seconds), "BIGINT")

        return bind([site.arguments[0]], body)

    return build


# Unix time.


def _instant_of_unixtime(seconds: Sql) -> Sql:
    """The instant, rounded half up to milliseconds as Java's Math.round does."""

    def body(value: Sql) -> Sql:
        rounded = Sql(f"floor({value} * 1000 + 0.5)")
        overflow = fail(_ARGUMENT, "Millis overflow: ", part(rounded))
        too_far = Sql(f"({rounded} NOT BETWEEN -{_MILLIS_MAX + 1} AND {_MILLIS_MAX})")
        return case(
            [
                (Sql(f"isnan({value})"), Sql("TIMESTAMP '1970-01-01'")),
                (too_far, overflow),
            ],
            Sql(f"make_timestamp(CAST({rounded} AS BIGINT) * 1000)"),
        )

    return bind([seconds], body)


def _from_unixtime(site: CallSite) -> Sql:
    instant = _instant_of_unixtime(site.arguments[0])
    return _in_zone(instant, text_literal(site.context.session.time_zone))


def _from_unixtime_in_zone(site: CallSite) -> Sql:
    instant = _instant_of_unixtime(site.arguments[0])
    return _in_zone(instant, _zone_argument(site, 1, zone_of_unixtime))


def _from_unixtime_at_offset(site: CallSite) -> Sql:
    minutes = template("(CAST({0} AS HUGEINT) * 60 + {1})", *site.arguments[1:])
    zone = bind(
        [minutes],
        lambda value: case([(Sql(f"({value} IS NOT NULL)"), _zone_of_minutes(site, value))]),
    )
    return _in_zone(_instant_of_unixtime(site.arguments[0]), zone)


def _to_unixtime(site: CallSite) -> Sql:
    instant = cast(field(site.arguments[0], "t"), "TIMESTAMP")
    return Sql(f"(CAST(epoch_us({instant}) AS DOUBLE) / 1e6)")


# ISO 8601.


def _to_iso8601(site: CallSite) -> Sql:
    type_ = site.types[0]
    if type_ == DATE:
        return Sql(f"ltrim({_text(site, site.arguments[0], DATE)}, '+')")
    if isinstance(type_, Timestamp):
        return _iso_timestamp(site, site.arguments[0], type_)
    assert isinstance(type_, TimestampTz)
    plain = Timestamp(type_.precision)

    def body(value: Sql) -> Sql:
        clock = zones.local_time(site.context, value)
        text = _iso_timestamp(site, clock, plain)
        seconds = Sql(f"((epoch_us({clock}) - epoch_us({field(value, 't')})) // 1000000)")

        def with_offset(offset: Sql) -> Sql:
            message = "Timezone with non-zero seconds offset cannot be rendered as ISO8601"
            shown = site.call_macro(OFFSET_TEXT, Sql(f"({offset} // 60)"))
            suffix = case(
                [
                    (Sql(f"({offset} = 0)"), text_literal("Z")),
                    (
                        Sql(f"({offset} % 60 <> 0)"),
                        fail(ErrorCode.INVALID_ARGUMENTS, message),
                    ),
                ],
                shown,
            )
            return Sql(f"({text} || {suffix})")

        return bind([seconds], with_offset)

    return bind([site.arguments[0]], body)


def _iso_timestamp(site: CallSite, value: Sql, type_: TrinoType) -> Sql:
    return Sql(f"replace({_text(site, value, type_)}, ' ', 'T')")


def _text(site: CallSite, value: Sql, type_: TrinoType) -> Sql:
    return convert(site.context, value, type_, VARCHAR)


def _date(site: CallSite) -> Sql:
    return convert(site.context, site.arguments[0], site.types[0], DATE)


SCALARS: Final[ScalarTable] = {
    "$at_timezone": _time_at_timezone,
    "at_timezone": _at_timezone,
    "date": _date,
    "from_unixtime(double)": _from_unixtime,
    "from_unixtime(double,varchar(x))": _from_unixtime_in_zone,
    "from_unixtime(double,bigint,bigint)": _from_unixtime_at_offset,
    "timezone": _timezone,
    "timezone_hour": _offset_part("({0} // 3600)"),
    "timezone_minute": _offset_part("({0} // 60 % 60)"),
    "to_iso8601": _to_iso8601,
    "to_milliseconds": "{0}",
    "to_unixtime": _to_unixtime,
    "with_timezone": _with_timezone,
}
