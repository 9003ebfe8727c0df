"""Texts of dates and times by pattern: MySQL's, Joda's, ISO 8601, durations."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from querysvc.engines.duckdb.functions.clock_fields import Clock
from querysvc.engines.duckdb.functions.datetime import local
from querysvc.engines.duckdb.functions.iso8601 import parse_iso_date, parse_iso_timestamp
from querysvc.engines.duckdb.functions.joda import (
    Element,
    has_zone,
    joda_elements,
    mysql_elements,
    print_clock,
)
from querysvc.engines.duckdb.functions.joda_parse import (
    Bucket,
    ParseError,
    instant_of,
    local_milliseconds,
    parse_text,
)
from querysvc.engines.duckdb.functions.native_formats import (
    parsed,
    parsed_iso_date,
    parsed_iso_timestamp,
    printed,
)
from querysvc.engines.duckdb.functions.registry import ArrowFunction, CallSite, ScalarTable
from querysvc.engines.duckdb.functions.vectorised import FunctionError, by_row, failure
from querysvc.engines.duckdb.functions.zone_names import offset_seconds
from querysvc.engines.duckdb.lowering import zones
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    case,
    field,
    integer_literal,
    struct,
    template,
    text_literal,
)
from querysvc.errors import ErrorCode
from querysvc.types.algebra import BIGINT, INTEGER, VARCHAR, Timestamp, TimestampTz

_ARGUMENT: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT
_MILLISECOND_PRECISION: Final = 3
_MILLIS_MAX: Final = 2**51 - 1
_MICROSECONDS_MAX: Final = 2**63 - 1
_LONG_MAX: Final = 2**63 - 1


def _milliseconds(local_time: Sql) -> Sql:
    """Whole milliseconds of a TIMESTAMP that is rounded to them."""
    return template("epoch_us({0}) // 1000", local_time)


def _rounded(clock: Sql, precision: int) -> Sql:
    """The TIMESTAMP in the milliseconds that Joda has, halves up."""
    if precision <= _MILLISECOND_PRECISION:
        return clock
    return template(
        "CASE WHEN epoch_us({0}) % 1000 = 0 THEN {0} ELSE make_timestamp("
        "(epoch_us({0}) + 500 - ((epoch_us({0}) + 500) % 1000 + 1000) % 1000)) END",
        clock,
    )


def started_at_year(site: CallSite) -> int:
    """The year in which the statement started: short years are near it."""
    return (site.context.session.started_at or datetime.now(UTC)).year


def _year_of(site: CallSite) -> Sql:
    return integer_literal(started_at_year(site), "INTEGER")


# Printing.


@by_row
def mysql_text(milliseconds: int, pattern: str) -> str:
    """date_format of a local clock."""
    return print_clock(mysql_elements(pattern), Clock(milliseconds))


def _date_format(site: CallSite) -> Sql:
    pattern = (site.arguments[1], VARCHAR)

    def body(clock: Sql) -> Sql:
        general = site.call_python(mysql_text, (_milliseconds(clock), BIGINT), pattern)
        elements = _constant_elements(site, mysql_elements)
        return printed(elements, clock, general) if elements else general

    return bind([_rounded(local(site, 0), _precision(site))], body)


def _precision(site: CallSite) -> int:
    kind = site.types[0]
    assert isinstance(kind, Timestamp | TimestampTz)
    return kind.precision


def _constant_elements(
    site: CallSite, read: Callable[..., tuple[Element, ...]], *arguments: Any
) -> tuple[Element, ...]:
    """The elements of a constant pattern; none when it is not one, or wrong, or tells a zone."""
    if not site.is_constant(1) or site.constant(1) is None:
        return ()
    try:
        elements = read(site.constant(1), *arguments)
    except FunctionError:
        return ()
    return () if has_zone(elements) else elements


@by_row
def joda_text(milliseconds: int, pattern: str, year: int) -> str:
    """format_datetime of a local clock without a zone."""
    elements = joda_elements(pattern, year)
    if has_zone(elements):
        message = (
            "format_datetime for TIMESTAMP type, cannot use 'Z' nor 'z' in format, as this type"
            " does not contain TZ information"
        )
        raise failure(_ARGUMENT, message)
    return print_clock(elements, Clock(milliseconds))


@by_row
def joda_text_in_zone(milliseconds: int, zone: str, pattern: str, year: int) -> str:
    """format_datetime of an instant in a zone."""
    offset = offset_seconds(zone, milliseconds // 1000)
    clock = Clock(milliseconds + offset * 1000, offset, zone)
    return print_clock(joda_elements(pattern, year), clock)


def _format_datetime(site: CallSite) -> Sql:
    pattern, year = (site.arguments[1], VARCHAR), (_year_of(site), INTEGER)
    elements = _constant_elements(site, joda_elements, started_at_year(site))

    def of_clock(bound: Sql) -> Sql:
        general = site.call_python(joda_text, (_milliseconds(bound), BIGINT), pattern, year)
        return printed(elements, bound, general) if elements else general

    def of_zoned(bound: Sql) -> Sql:
        instant = (_milliseconds(field(bound, "t")), BIGINT)
        zone = (field(bound, "z"), VARCHAR)
        general = site.call_python(joda_text_in_zone, instant, zone, pattern, year)
        if not elements:
            return general
        return printed(elements, zones.local_time(site.context, bound), general)

    value, precision = site.arguments[0], _precision(site)
    if not isinstance(site.types[0], TimestampTz):
        return bind([_rounded(value, precision)], of_clock)
    if precision > _MILLISECOND_PRECISION:
        value = bind(
            [value], lambda v: zones.zoned(_rounded(field(v, "t"), precision), field(v, "z"))
        )
    return bind([value], of_zoned)


# Parsing.


def _read(read: Callable[..., Bucket], *arguments: Any) -> Bucket:
    try:
        return read(*arguments)
    except ParseError as error:
        raise failure(_ARGUMENT, str(error)) from error


def _made(bucket: Bucket, text: str) -> int:
    try:
        return local_milliseconds(bucket)
    except ParseError as error:
        raise failure(_ARGUMENT, f'Cannot parse "{text}": {error}') from error


@by_row
def mysql_clock(text: str, pattern: str) -> int:
    """date_parse: microseconds of the local clock."""
    bucket = _read(parse_text, mysql_elements(pattern), text)
    microseconds = _made(bucket, text) * 1000
    if abs(microseconds) > _MICROSECONDS_MAX:
        raise failure(_ARGUMENT, "long overflow")
    return microseconds


def _date_parse(site: CallSite) -> Sql:
    pattern = (site.arguments[1], VARCHAR)
    elements = _constant_elements(site, mysql_elements)

    def body(text: Sql) -> Sql:
        microseconds = site.call_python(mysql_clock, (text, VARCHAR), pattern, result=BIGINT)
        general = Sql(f"make_timestamp({microseconds})")
        native = parsed(elements, text) if elements else None
        return Sql(f"coalesce({native}, {general})") if native else general

    return bind([site.arguments[0]], body)


def _zoned(bucket: Bucket, text: str, session_zone: str) -> str:
    """`microseconds|zone`."""
    try:
        milliseconds, zone = instant_of(bucket, session_zone)
    except ParseError as error:
        raise failure(_ARGUMENT, f'Cannot parse "{text}": {error}') from error
    if not -_MILLIS_MAX - 1 <= milliseconds <= _MILLIS_MAX:
        raise failure(_ARGUMENT, f"Millis overflow: {milliseconds}")
    return f"{milliseconds * 1000}|{zone}"


@by_row
def joda_instant(text: str, pattern: str, year: int, zone: str) -> str:
    """parse_datetime."""
    return _zoned(_read(parse_text, joda_elements(pattern, year), text), text, zone)


@by_row
def iso_instant(text: str, zone: str) -> str:
    """from_iso8601_timestamp."""
    return _zoned(_read(parse_iso_timestamp, text), text, zone)


@by_row
def iso_day(text: str) -> int:
    """from_iso8601_date: days since 1970-01-01."""
    days = _made(_read(parse_iso_date, text), text) // 86_400_000
    if abs(days) >= 2**31:
        message = f"Value {days} exceeds MAX_INT for type date"
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, message)
    return days


def _of_marked(marked: Sql) -> Sql:
    """The timestamp with time zone of `microseconds|zone`."""

    def body(text: Sql) -> Sql:
        value = (
            f"{{'t': make_timestamp(CAST(split_part({text}, '|', 1) AS BIGINT)),"
            f" 'z': split_part({text}, '|', 2)}}"
        )
        return case([(Sql(f"({text} IS NOT NULL)"), Sql(value))])

    return bind([marked], body)


def _session_zone(site: CallSite) -> tuple[Sql, Any]:
    return text_literal(site.context.session.time_zone), VARCHAR


def _native_first(site: CallSite, native: Sql | None, general: Sql) -> Sql:
    """A TIMESTAMP in UTC found natively as the value in the session's zone, else the general."""
    if native is None or site.context.session.time_zone != "UTC":
        return general

    def body(found: Sql) -> Sql:
        zoned = struct([("t", found), ("z", text_literal("UTC"))])
        return case([(Sql(f"({found} IS NOT NULL)"), zoned)], general)

    return bind([native], body)


def _parse_datetime(site: CallSite) -> Sql:
    pattern, year = (site.arguments[1], VARCHAR), (_year_of(site), INTEGER)
    elements = _constant_elements(site, joda_elements, started_at_year(site))

    def body(text: Sql) -> Sql:
        marked = site.call_python(
            joda_instant, (text, VARCHAR), pattern, year, _session_zone(site), result=VARCHAR
        )
        native = parsed(elements, text) if elements else None
        return _native_first(site, native, _of_marked(marked))

    return bind([site.arguments[0]], body)


def _from_iso8601_timestamp(site: CallSite) -> Sql:
    def body(text: Sql) -> Sql:
        arguments = ((text, VARCHAR), _session_zone(site))
        marked = site.call_python(iso_instant, *arguments, result=VARCHAR)
        return _native_first(site, parsed_iso_timestamp(text), _of_marked(marked))

    return bind([site.arguments[0]], body)


def _from_iso8601_date(site: CallSite) -> Sql:
    def body(text: Sql) -> Sql:
        days = site.call_python(iso_day, (text, VARCHAR), result=INTEGER)
        return Sql(f"coalesce({parsed_iso_date(text)}, (DATE '1970-01-01' + {days}))")

    return bind([site.arguments[0]], body)


# Durations.

_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", re.ASCII)
_UNIT_MILLISECONDS: Final = {
    "ns": 1e-6,
    "us": 1e-3,
    "ms": 1.0,
    "s": 1000.0,
    "m": 60_000.0,
    "h": 3_600_000.0,
    "d": 86_400_000.0,
}


@by_row
def duration_milliseconds(text: str) -> int:
    """parse_duration: `1.5h`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        is_empty = not text
        message = f"duration is not a valid data duration string: {text}"
        raise failure(_ARGUMENT, "duration is empty" if is_empty else message)
    unit = _UNIT_MILLISECONDS.get(match[2])
    if unit is None:
        raise failure(_ARGUMENT, f"Unknown time unit: {match[2]}")
    milliseconds = math.floor(float(match[1]) * unit + 0.5)
    if milliseconds > _LONG_MAX:
        message = f"value {match[1]} is too large to be represented in requested unit MILLISECONDS"
        raise failure(_ARGUMENT, message)
    return milliseconds


SCALARS: Final[ScalarTable] = {
    "date_format": _date_format,
    "date_parse": _date_parse,
    "format_datetime": _format_datetime,
    "from_iso8601_date": _from_iso8601_date,
    "from_iso8601_timestamp": _from_iso8601_timestamp,
    "parse_datetime": _parse_datetime,
    "parse_duration": ArrowFunction(duration_milliseconds),
}
