"""Parsing by the elements of `joda`, with Joda's bucket of fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from querysvc.engines.duckdb.functions.clock_fields import (
    MILLISECONDS_PER_DAY,
    civil_from_days,
    days_from_civil,
    first_week_day,
    is_leap,
    iso_week,
    month_days,
    weeks_of_year,
)
from querysvc.engines.duckdb.functions.joda import DAYS, ERAS, HALVES, MONTHS, Element
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.engines.duckdb.functions.zone_names import instant_milliseconds, zone_name
from querysvc.errors import ErrorCode

_DEFAULT_YEAR: Final = 2000
_YEAR_MAX: Final = 292_278_993
_INT_MAX: Final = 2**31 - 1
_INFINITE: Final = math.inf
_YEAR, _MONTH, _WEEK, _DAY, _HALF = 365.2425, 30.436875, 7.0, 1.0, 0.5
_HOUR, _MINUTE, _SECOND = 1 / 24, 1 / 1440, 1 / 86_400

_ZONE_ABBREVIATIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("UT", "UTC", "GMT"), "UTC"),
    **dict.fromkeys(("EST", "EDT"), "America/New_York"),
    **dict.fromkeys(("CST", "CDT"), "America/Chicago"),
    **dict.fromkeys(("MST", "MDT"), "America/Denver"),
    **dict.fromkeys(("PST", "PDT"), "America/Los_Angeles"),
}


class ParseError(ValueError):
    """The text is not of the pattern."""


@dataclass(slots=True)
class Bucket:
    """What was read: fields in order, and an offset or a zone."""

    fields: list[tuple[str, int]] = field(default_factory=list)
    offset_seconds: int | None = None
    zone: str | None = None

    def copy(self) -> Bucket:
        """The state, to come back to."""
        return Bucket(list(self.fields), self.offset_seconds, self.zone)


def parse_text(elements: tuple[Element, ...], text: str) -> Bucket:
    """What the whole text says."""
    bucket = Bucket()
    position = 0
    for element in elements:
        position = _PARSERS[element[0]](element, text, position, bucket)
        if position < 0:
            break
    if position != len(text):
        raise ParseError(f'Invalid format: "{text}"')
    return bucket


def local_milliseconds(bucket: Bucket) -> int:
    """The local clock that the fields make; ValueError for a field out of its range."""
    fields = sorted(bucket.fields, key=lambda item: _ORDER[item[0]])
    if fields and _DAY <= -_ORDER[fields[0][0]][1] <= _MONTH:
        # A month or a day without a year is one of the year 2000.
        fields = [("year", _DEFAULT_YEAR), *fields]
    local = 0
    for name, value in fields:
        local = _FLOORS[name](_set(name, local, value))
    for i, (name, value) in enumerate(fields):
        local = _set(name, local, value)
        if i == len(fields) - 1:
            local = _FLOORS[name](local)
    return local


def instant_of(bucket: Bucket, session_zone: str) -> tuple[int, str]:
    """The instant in milliseconds and Trino's zone."""
    local = local_milliseconds(bucket)
    if bucket.offset_seconds is not None:
        return local - bucket.offset_seconds * 1000, offset_zone(bucket.offset_seconds)
    zone = bucket.zone or session_zone
    instant = instant_milliseconds(zone, local)
    if instant is None:
        message = f"Illegal instant due to time zone offset transition ({zone})"
        raise failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
    return instant, zone


def offset_zone(seconds: int) -> str:
    """Trino's zone of an offset; NOT_SUPPORTED when it has seconds or is too far."""
    sign, magnitude = "-" if seconds < 0 else "+", abs(seconds)
    name = f"{sign}{magnitude // 3600:02}:{magnitude // 60 % 60:02}"
    if magnitude % 60 or magnitude > 14 * 3600:
        shown = name + (f":{magnitude % 60:02}" if magnitude % 60 else "")
        raise failure(ErrorCode.NOT_SUPPORTED, f"Time zone not supported: {shown}")
    return name if seconds else "UTC"


# Elements. A parser gives the position behind what it took, or -1.


def _parse_literal(element: Element, text: str, position: int, _: Bucket) -> int:
    literal = element[1]
    end = position + len(literal)
    found = text[position:end]
    if found == literal or found.upper() == literal.upper() or found.lower() == literal.lower():
        return end
    return -1


def _parse_number(element: Element, text: str, position: int, bucket: Bucket) -> int:
    return take_number(text, position, element[3], bucket, element[1], is_signed=False)


def _parse_year(element: Element, text: str, position: int, bucket: Bucket) -> int:
    return take_number(text, position, element[3], bucket, element[1], is_signed=True)


def take_number(
    text: str, position: int, most: int, bucket: Bucket, name: str, *, is_signed: bool
) -> int:
    """Read at most so many digits into the field; a sign does not count."""
    start = position
    if is_signed and text[position : position + 1] in ("-", "+") and position < len(text):
        position += 1
    end = position
    while end < len(text) and end - position < most and "0" <= text[end] <= "9":
        end += 1
    if end == position:
        return -1
    value = int(text[start:end])
    if abs(value) > _INT_MAX:
        raise ParseError(f'For input string: "{text[start:end]}"')
    bucket.fields.append((name, value))
    return end


def _parse_short_year(element: Element, text: str, position: int, bucket: Bucket) -> int:
    _, name, pivot, lenient = element
    if lenient:
        end = position + (text[position : position + 1] in ("-", "+") and position < len(text))
        has_sign, start = end > position, end
        while end < len(text) and "0" <= text[end] <= "9":
            end += 1
        if end == start:
            return -1
        if has_sign or end - start != 2:
            return take_number(text, position, end - start, bucket, name, is_signed=True)
    digits = text[position : position + 2]
    if len(digits) < 2 or not (digits.isascii() and digits.isdigit()):
        return -1
    low = pivot - 50
    bucket.fields.append((name, low + (int(digits) - low) % 100))
    return position + 2


def _texts(names: tuple[str, ...], first: int, *, is_short: bool) -> dict[str, int]:
    found: dict[str, int] = {}
    for value, name in enumerate(names, start=first):
        for form in (name, name[:3]) if is_short else (name,):
            found |= dict.fromkeys((form, form.lower(), form.upper()), value)
    return found


_TEXTS: Final[Mapping[str, Mapping[str, int]]] = {
    "month": _texts(MONTHS, 1, is_short=True),
    "day of week": _texts(DAYS, 1, is_short=True),
    "half": _texts(HALVES, 0, is_short=False),
    "era": _texts(ERAS, 0, is_short=False) | _texts(("BCE", "CE"), 0, is_short=False),
}


def _parse_text(element: Element, text: str, position: int, bucket: Bucket) -> int:
    known = _TEXTS[element[1]]
    for end in range(min(len(text), position + 9), position, -1):
        value = known.get(text[position:end])
        if value is not None:
            bucket.fields.append((element[1], value))
            return end
    return -1


def _parse_fraction(element: Element, text: str, position: int, bucket: Bucket) -> int:
    return take_fraction(text, position, element[2], bucket, 1000)


def take_fraction(text: str, position: int, most: int, bucket: Bucket, unit: int) -> int:
    """Read the digits of a fraction of a unit of so many milliseconds."""
    end = position
    value, rest = 0, unit * 10
    while end < len(text) and end - position < most and "0" <= text[end] <= "9":
        rest //= 10
        value += int(text[end]) * rest
        end += 1
    if end == position:
        return -1
    bucket.fields.append((f"fraction of {unit}", value // 10))
    return end


def take_offset(_: Element, text: str, position: int, bucket: Bucket) -> int:
    """Read `Z`, `+hh`, `+hhmm`, `+hh:mm`, `+hhmmss` or `+hh:mm:ss`."""
    if text[position : position + 1] in ("Z", "z") and position < len(text):
        bucket.offset_seconds = 0
        return position + 1
    sign = text[position : position + 1]
    if sign not in ("+", "-"):
        return -1
    parts = [_two_digits(text, position + 1)]
    if parts[0] is None or parts[0] > 23:
        return -1
    position += 3
    colon = text[position : position + 1] == ":"
    while len(parts) < 3:
        start = position + colon
        if colon and text[position : position + 1] != ":":
            break
        count = _digit_count(text, start)
        if count == 0 and not colon:
            break
        value = _two_digits(text, start)
        if value is None or value > 59:
            return -1
        parts.append(value)
        position = start + 2
    hours, minutes, seconds = [part or 0 for part in (*parts, 0, 0)][:3]
    total = hours * 3600 + minutes * 60 + seconds
    bucket.offset_seconds = -total if sign == "-" else total
    return position


def _digit_count(text: str, position: int) -> int:
    piece = text[position : position + 2]
    count = 0
    while count < len(piece) and "0" <= piece[count] <= "9":
        count += 1
    return count


def _two_digits(text: str, position: int) -> int | None:
    return int(text[position : position + 2]) if _digit_count(text, position) == 2 else None


_ZONE_LENGTH_MAX: Final = 32
_JODA_ONLY: Final = frozenset({"EST", "HST", "MST"})


def _parse_zone(_: Element, text: str, position: int, bucket: Bucket) -> int:
    """The longest name of a zone; what Trino has no number for is refused."""
    for end in range(min(len(text), position + _ZONE_LENGTH_MAX), position, -1):
        name = text[position:end]
        if name in _JODA_ONLY:
            raise failure(ErrorCode.NOT_SUPPORTED, f"Time zone not supported: {name}")
        if not name[0].isupper() or name == "Z" or "+" in name[:5]:
            continue
        try:
            bucket.zone = zone_name(name)
        except ValueError:
            continue
        return end
    return -1


def _parse_zone_name(element: Element, text: str, position: int, bucket: Bucket) -> int:
    if not element[1]:
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "Parsing not supported")
    for size in (3, 2):
        zone = _ZONE_ABBREVIATIONS.get(text[position : position + size])
        if zone is not None:
            bucket.zone = zone
            return position + size
    return -1


_PARSERS: Final[Mapping[str, Callable[[Element, str, int, Bucket], int]]] = {
    "literal": _parse_literal,
    "number": _parse_number,
    "year": _parse_year,
    "short year": _parse_short_year,
    "text": _parse_text,
    "fraction": _parse_fraction,
    "offset": take_offset,
    "zone": _parse_zone,
    "zone name": _parse_zone_name,
}


# Fields: the order in which they are set (a wide range first, then a long unit), and setting.

_ORDER: Final[Mapping[str, tuple[float, float]]] = {
    name: (-range_, -unit)
    for name, (range_, unit) in {
        "era": (_INFINITE, _INFINITE),
        "century": (_INFINITE, 100 * _YEAR),
        "year": (_INFINITE, _YEAR),
        "year of era": (_INFINITE, _YEAR),
        "week year": (_INFINITE, _YEAR),
        "month": (_YEAR, _MONTH),
        "day of year": (_YEAR, _DAY),
        "week": (_YEAR, _WEEK),
        "day": (_MONTH, _DAY),
        "day of week": (_WEEK, _DAY),
        "half": (_DAY, _HALF),
        "hour": (_DAY, _HOUR),
        "clock hour": (_DAY, _HOUR),
        "hour of half": (_HALF, _HOUR),
        "clock hour of half": (_HALF, _HOUR),
        "minute": (_HOUR, _MINUTE),
        "second": (_MINUTE, _SECOND),
        "fraction of 3600000": (_HOUR, _SECOND / 1000),
        "fraction of 60000": (_MINUTE, _SECOND / 1000),
        "fraction of 1000": (_SECOND, _SECOND / 1000),
    }.items()
}

_CLOCK: Final[Mapping[str, tuple[int, int, int]]] = {
    # milliseconds of the unit, values in its range, the least value
    "half": (43_200_000, 2, 0),
    "hour": (3_600_000, 24, 0),
    "clock hour": (3_600_000, 24, 1),
    "hour of half": (3_600_000, 12, 0),
    "clock hour of half": (3_600_000, 12, 1),
    "minute": (60_000, 60, 0),
    "second": (1000, 60, 0),
    "fraction of 3600000": (1, 3_600_000, 0),
    "fraction of 60000": (1, 60_000, 0),
    "fraction of 1000": (1, 1000, 0),
}


def _set(name: str, local: int, value: int) -> int:
    if name in _CLOCK:
        unit, count, least = _CLOCK[name]
        _check(name, value, least, count - 1 + least)
        return local + (value % count - local // unit % count) * unit
    days, clock = divmod(local, MILLISECONDS_PER_DAY)
    return _SETTERS[name](days, value) * MILLISECONDS_PER_DAY + clock


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ParseError(f"Value {value} for {name} must be in the range [{least},{most}]")


def _set_year(days: int, year: int) -> int:
    _check("year", abs(year), 0, _YEAR_MAX)
    _, month, day = civil_from_days(days)
    return days_from_civil(year, month, min(day, month_days(year, month)))


def _set_year_of_era(days: int, value: int) -> int:
    _check("yearOfEra", value, 1, _YEAR_MAX)
    return _set_year(days, value if civil_from_days(days)[0] > 0 else 1 - value)


def _set_century(days: int, value: int) -> int:
    _check("centuryOfEra", value, 0, _YEAR_MAX // 100)
    year = civil_from_days(days)[0]
    moved = value * 100 + abs(year) % 100
    return _set_year(days, -moved if year < 0 else moved)


def _set_era(days: int, value: int) -> int:
    if value == 0:
        raise failure(ErrorCode.NOT_SUPPORTED, "parsing the era BC is not supported")
    return days


def _set_week_year(days: int, value: int) -> int:
    _check("weekyear", abs(value), 0, _YEAR_MAX)
    _, week, weekday = iso_week(days)
    return first_week_day(value) + (min(week, weeks_of_year(value)) - 1) * 7 + weekday - 1


def _set_month(days: int, value: int) -> int:
    _check("monthOfYear", value, 1, 12)
    year, _, day = civil_from_days(days)
    return days_from_civil(year, value, min(day, month_days(year, value)))


def _set_day(days: int, value: int) -> int:
    year, month, day = civil_from_days(days)
    _check("dayOfMonth", value, 1, month_days(year, month))
    return days + value - day


def _set_day_of_year(days: int, value: int) -> int:
    year = civil_from_days(days)[0]
    _check("dayOfYear", value, 1, 366 if is_leap(year) else 365)
    return days_from_civil(year, 1, 1) + value - 1


def _set_week(days: int, value: int) -> int:
    year, week, _ = iso_week(days)
    _check("weekOfWeekyear", value, 1, weeks_of_year(year))
    return days + (value - week) * 7


def _set_day_of_week(days: int, value: int) -> int:
    _check("dayOfWeek", value, 1, 7)
    return days + value - (days + 3) % 7 - 1


_SETTERS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "era": _set_era,
    "century": _set_century,
    "year": _set_year,
    "year of era": _set_year_of_era,
    "week year": _set_week_year,
    "month": _set_month,
    "day": _set_day,
    "day of year": _set_day_of_year,
    "week": _set_week,
    "day of week": _set_day_of_week,
}


def _floor_calendar(start: Callable[[int], int]) -> Callable[[int], int]:
    return lambda local: start(local // MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY


def _floor_unit(unit: int) -> Callable[[int], int]:
    return lambda local: local // unit * unit


def _start_of_year(days: int) -> int:
    return days_from_civil(civil_from_days(days)[0], 1, 1)


def _start_of_month(days: int) -> int:
    year, month, _ = civil_from_days(days)
    return days_from_civil(year, month, 1)


def _start_of_century(days: int) -> int:
    year = civil_from_days(days)[0]
    return days_from_civil(year - abs(year) % 100 * (1 if year >= 0 else -1), 1, 1)


_FLOORS: Final[Mapping[str, Callable[[int], int]]] = {
    "era": _floor_calendar(lambda days: days_from_civil(1, 1, 1)),
    "century": _floor_calendar(_start_of_century),
    "year": _floor_calendar(_start_of_year),
    "year of era": _floor_calendar(_start_of_year),
    "week year": _floor_calendar(lambda days: first_week_day(iso_week(days)[0])),
    "month": _floor_calendar(_start_of_month),
    "week": _floor_calendar(lambda days: days - (days + 3) % 7),
    **dict.fromkeys(("day", "day of year", "day of week"), _floor_calendar(lambda days: days)),
    **{name: _floor_unit(unit) for name, (unit, _, _) in _CLOCK.items()},
}
