"""DATE, TIME, TIMESTAMP and INTERVAL texts, as Trino's literals read them.

Values are those of `querysvc.tree`: days, picoseconds, milliseconds, months. A text that is none
raises ValueError, one that Trino refuses by another name a StatementError without a position.
The calendar is proleptic Gregorian with a year 0, as java.time's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from querysvc.errors import ErrorCode, StatementError
from querysvc.types.algebra import DATETIME_PRECISION_MAX

PICOSECONDS_PER_SECOND: Final = 10**12
SECONDS_PER_DAY: Final = 86_400
_INT_MAX: Final = 2**31 - 1
_LONG_MAX: Final = 2**63 - 1
_OFFSET_MINUTES_MAX: Final = 14 * 60

_DATE: Final = re.compile(r"([-+]?\d{1,9})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?(?:\s*([+-])(\d\d):(\d\d))?", re.ASCII
)
_TIMESTAMP: Final = re.compile(
    r"([-+]?\d{4,})-(\d{1,2})-(\d{1,2})"
    r"(?: (?:(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?\s*(.+)?)?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"([+-])(\d\d)(?::?(\d\d))?", re.ASCII)
_ETC: Final = re.compile(r"Etc/(?:GMT|UTC|UCT|UT)(.*)", re.ASCII)
_UTC_NAMES: Final = frozenset(
    {"Z", "UTC", "GMT", "UT", "UCT", "Zulu", "Universal", "Greenwich", "GMT0"}
)
_OLD_NAMES: Final = frozenset({"EST", "HST", "MST", "ROC", "Factory", "localtime", "posixrules"})
"""Names of the time-zone database that Java's and so Trino's lists do not have."""

_JAVA_ONLY_NAMES: Final = frozenset({"Etc/Zulu", "Etc/Greenwich"})
"""Names that Java knows and Trino has no number for."""


@dataclass(frozen=True, slots=True)
class ZonedText:
    """What a text says: the value without a zone, its precision, and the zone if it names one."""

    value: int
    precision: int
    zone: str | None = None


def parse_date(text: str) -> int:
    """Days since 1970-01-01."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    days = days_from_civil(int(match[1]), int(match[2]), int(match[3]))
    if not -(_INT_MAX + 1) <= days <= _INT_MAX:
        raise ValueError(text)
    return days


def parse_time(text: str) -> ZonedText:
    """Picoseconds of the local day; the zone is an offset, `+05:30`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    precision = _precision("TIME", match[4])
    value = _time_of_day(match[1], match[2], match[3], match[4])
    if match[5] is None:
        return ZonedText(value, precision)
    minutes = int(match[6]) * 60 + int(match[7])
    if int(match[7]) > 59 or minutes > _OFFSET_MINUTES_MAX:
        raise ValueError(text)
    return ZonedText(value, precision, f"{match[5]}{match[6]}:{match[7]}")


def parse_timestamp(text: str) -> ZonedText:
    """Picoseconds of the local clock since its 1970-01-01; the zone is not looked up yet."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    precision = _precision("TIMESTAMP", match[7])
    days = days_from_civil(int(match[1]), int(match[2]), int(match[3]))
    clock = 0 if match[4] is None else _time_of_day(match[4], match[5], match[6], match[7])
    value = days * SECONDS_PER_DAY * PICOSECONDS_PER_SECOND + clock
    if not -_LONG_MAX <= value // 10**6 <= _LONG_MAX:
        raise ValueError(text)
    return ZonedText(value, precision, match[8])


def offset_minutes(text: str) -> int:
    """The minutes of `+05:30`."""
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


@lru_cache(maxsize=1024)
def zone_name(text: str) -> str:
    """The name that Trino gives the zone; ValueError when it knows none, NOT_SUPPORTED too far."""
    if text in _UTC_NAMES:
        return "UTC"
    if text in _JAVA_ONLY_NAMES or text.startswith("SystemV/"):
        raise StatementError(ErrorCode.NOT_SUPPORTED, f"Time zone not supported: {text}")
    etc = _ETC.fullmatch(text)
    if etc is not None:
        return _etc_zone(text, etc[1])
    offset = text
    for prefix in ("UTC", "GMT", "UT"):
        if text.startswith(prefix) and text[len(prefix) :][:1] in ("+", "-"):
            offset = _padded(text[len(prefix) :])
    match = _OFFSET.fullmatch(_padded(offset) if len(offset) == 2 else offset)
    if match is not None:
        return _offset_zone(match[1], int(match[2]), int(match[3] or 0))
    if text in available_timezones() and text not in _OLD_NAMES:
        return text
    raise ValueError(text)


def _etc_zone(text: str, suffix: str) -> str:
    if text not in available_timezones():
        raise ValueError(text)
    if suffix in ("", "0", "+0", "-0"):
        return "UTC"
    sign = "-" if suffix[0] == "+" else "+"
    return _offset_zone(sign, int(suffix[1:]), 0)


def _padded(offset: str) -> str:
    return offset[0] + offset[1:].zfill(2) if offset[1:].isdigit() else offset


def _offset_zone(sign: str, hours: int, minutes: int) -> str:
    name = f"{sign}{hours:02}:{minutes:02}"
    if minutes > 59:
        raise ValueError(name)
    if hours * 60 + minutes > _OFFSET_MINUTES_MAX:
        raise StatementError(ErrorCode.NOT_SUPPORTED, f"Time zone not supported: {name}")
    return name if hours or minutes else "UTC"


def to_utc(local: int, zone: str) -> int:
    """The instant at which a clock of the zone shows the local time, both in picoseconds.

    Of two such instants it is the earlier; ValueError when a clock never shows it.
    """
    if zone == "UTC":
        return local
    if zone[0] in "+-":
        return local - offset_minutes(zone) * 60 * PICOSECONDS_PER_SECOND
    seconds, picoseconds = divmod(local, PICOSECONDS_PER_SECOND)
    for offset in sorted(_offsets_near(seconds, zone), reverse=True):
        if _offset_at(seconds - offset, zone) == offset:
            return (seconds - offset) * PICOSECONDS_PER_SECOND + picoseconds
    raise ValueError(f"{zone} skips this local time")


def to_local(instant: int, zone: str) -> int:
    """What a clock of the zone shows at the instant, both in picoseconds."""
    if zone == "UTC":
        return instant
    if zone[0] in "+-":
        return instant + offset_minutes(zone) * 60 * PICOSECONDS_PER_SECOND
    offset = _offset_at(instant // PICOSECONDS_PER_SECOND, zone)
    return instant + offset * PICOSECONDS_PER_SECOND


def _offsets_near(seconds: int, zone: str) -> set[int]:
    return {_offset_at(seconds + days * SECONDS_PER_DAY, zone) for days in (-1, 0, 1)}


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE_SECONDS: Final = 146_097 * SECONDS_PER_DAY
"""400 years, after which the calendar and so the rules of daylight saving repeat."""


def _offset_at(seconds: int, zone: str) -> int:
    """Seconds that the zone's clock is ahead of UTC at an instant, in any year."""
    first, last = -62_135_596_800 + SECONDS_PER_DAY, 253_402_300_800 - 2 * SECONDS_PER_DAY
    if seconds < first:
        seconds = first
    elif seconds > last:
        seconds -= -(-(seconds - last) // _CYCLE_SECONDS) * _CYCLE_SECONDS
    moment = _EPOCH + timedelta(seconds=seconds)
    offset = moment.astimezone(_zone(zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def _precision(kind: str, fraction: str | None) -> int:
    precision = len(fraction or "")
    if precision > DATETIME_PRECISION_MAX:
        raise StatementError(
            ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE,
            f"{kind} precision must be in range [0, {DATETIME_PRECISION_MAX}]: {precision}",
        )
    return precision


def _time_of_day(hour: str, minute: str, second: str | None, fraction: str | None) -> int:
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"{hour}:{minute}:{second}")
    picoseconds = int((fraction or "").ljust(12, "0"))
    return ((hours * 60 + minutes) * 60 + seconds) * PICOSECONDS_PER_SECOND + picoseconds


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; ValueError when the month has no such day."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or not 1 <= day <= _MONTH_DAYS[month] + (is_leap and month == 2):
        raise ValueError(f"{year}-{month}-{day}")
    # The year starts in March, so that the leap day is its last one.
    shifted = year - (month <= 2)
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


_MONTH_DAYS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


_FIELDS: Final = ("DAY", "HOUR", "MINUTE", "SECOND")
_MILLISECONDS: Final = (86_400_000, 3_600_000, 60_000, 1000)
_SEPARATORS: Final = (" ", ":", ":")
_NUMBER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_SECONDS: Final = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?", re.ASCII)


def interval_fields(first: str, last: str | None) -> tuple[str, Callable[[str], int]]:
    """The name of an interval's fields and the parser of its texts; ValueError for wrong fields.

    Days to seconds are parsed to milliseconds, years and months to months.
    """
    name = first if last is None else f"{first} TO {last}"
    if (first, last) in (("YEAR", None), ("MONTH", None), ("YEAR", "MONTH")):
        factors = (12, 1) if last else ((12,) if first == "YEAR" else (1,))
        return name, lambda text: _parse_months(text, factors)
    if first not in _FIELDS or (last is not None and last not in _FIELDS):
        raise ValueError(name)
    start = _FIELDS.index(first)
    end = start if last is None else _FIELDS.index(last)
    if last is not None and end <= start:
        raise ValueError(name)
    return name, lambda text: _parse_milliseconds(text, start, end)


def _parse_months(text: str, factors: tuple[int, ...]) -> int:
    negative, parts = _signed_parts(text, ["-"] * (len(factors) - 1))
    months = sum(
        _whole(part) * factor for part, factor in zip(parts, factors, strict=False) if part
    )
    if months > _INT_MAX:
        raise ValueError(text)
    return -months if negative else months


def _parse_milliseconds(text: str, start: int, end: int) -> int:
    negative, parts = _signed_parts(text, list(_SEPARATORS[start:end]))
    total = 0
    for index, part in enumerate(parts, start):
        if index == 3:
            total += _seconds(part)
        elif part:
            total += _whole(part) * _MILLISECONDS[index]
    return -total if negative else total


def _signed_parts(text: str, separators: list[str]) -> tuple[bool, list[str]]:
    """Whether the text starts with a minus, and its parts; later parts may be missing."""
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in ("-", "+") else text
    parts = []
    for separator in separators:
        part, found, rest = rest.partition(separator)
        parts.append(part)
        if not found:
            return negative, parts
    return negative, [*parts, rest]


def _whole(part: str) -> int:
    if not (part.isascii() and part.isdigit()) or int(part) > _INT_MAX:
        raise ValueError(part)
    return int(part)


def _seconds(part: str) -> int:
    match = _SECONDS.fullmatch(part)
    if match is None or match[1] or not (match[2] or match[3] or not part):
        raise ValueError(part)
    whole = _whole(match[2]) if match[2] else 0
    return whole * 1000 + int((match[3] or "")[:3].ljust(3, "0"))
