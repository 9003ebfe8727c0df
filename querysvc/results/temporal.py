"""Texts of dates, times and intervals from their storage forms, as Trino prints them.

Years that Python and Arrow cannot print (before 1, after 9999) are computed here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

Texts = list[str | None]

_MICROSECONDS_PER_DAY = 86_400_000_000
_HELD_FIRST, _HELD_LAST = -62_000_000_000_000_000, 253_000_000_000_000_000
"""Instants that Python's datetime holds in every zone."""
_DAYS_MIN, _DAYS_MAX = -719_162, 2_932_896  # 0001-01-01, 9999-12-31
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def date_texts(array: pa.Array) -> Texts:
    """Texts of date32 values: 2020-02-29."""
    days = array.cast(pa.int32())
    if _is_within(days, _DAYS_MIN, _DAYS_MAX):
        return _list(array.cast(pa.string()))
    return [None if day is None else _date_text(day) for day in days.to_pylist()]


def time_texts(array: pa.Array, digits: int) -> Texts:
    """Texts of time64[us] values: 12:34:56.789."""
    return _list(_with_digits(array.cast(pa.string()), 8, digits))


def timestamp_texts(array: pa.Array, digits: int) -> Texts:
    """Texts of timestamp[us] values: 2020-02-29 12:34:56.789. Finer ones come as texts."""
    if pa.types.is_string(array.type):
        return _list(array)
    microseconds = array.cast(pa.int64())
    low, high = _DAYS_MIN * _MICROSECONDS_PER_DAY, (_DAYS_MAX + 1) * _MICROSECONDS_PER_DAY - 1
    if _is_within(microseconds, low, high):
        return _list(_with_digits(array.cast(pa.string()), 19, digits))
    return [
        None if value is None else timestamp_text(value, digits)
        for value in microseconds.to_pylist()
    ]


def timestamp_text(microseconds: int, digits: int) -> str:
    """The text of a local time given as microseconds since the epoch."""
    days, rest = divmod(microseconds, _MICROSECONDS_PER_DAY)
    return f"{_date_text(days)} {_time_text(rest, digits)}"


def timestamp_tz_texts(array: pa.StructArray, digits: int) -> Texts:
    """Texts of (instant in UTC, zone) pairs: 2020-02-29 12:34:56.789 Europe/Berlin."""
    if pa.types.is_string(array.type):
        return _list(array)
    instants, zones = array.flatten()
    texts: Texts = []
    values = instants.cast(pa.int64()).to_pylist()
    for is_valid, instant, zone in zip(array.is_valid(), values, zones.to_pylist(), strict=True):
        if not is_valid.as_py() or instant is None or zone is None:
            texts.append(None)
            continue
        local = instant + offset_microseconds(zone, instant)
        texts.append(f"{timestamp_text(local, digits)} {zone}")
    return texts


def time_tz_texts(array: pa.StructArray, digits: int) -> Texts:
    """Texts of (local time, offset in minutes) pairs: 12:34:56.789+02:00."""
    times, offsets = array.flatten()
    return [
        None if time is None or offset is None else time + offset_text(offset)
        for time, offset in zip(time_texts(times, digits), offsets.to_pylist(), strict=True)
    ]


def day_interval_texts(array: pa.Array) -> Texts:
    """Texts of intervals of milliseconds: 2 03:04:05.678."""
    return [None if value is None else _day_interval(value) for value in array.to_pylist()]


def month_interval_texts(array: pa.Array) -> Texts:
    """Texts of intervals of months: 3-4."""
    return [None if value is None else _month_interval(value) for value in array.to_pylist()]


def offset_text(minutes: int) -> str:
    """An offset from UTC: +02:00."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _is_within(numbers: pa.Array, low: int, high: int) -> bool:
    bounds = pc.min_max(numbers)
    least, greatest = bounds["min"].as_py(), bounds["max"].as_py()
    return least is None or (least >= low and greatest <= high)


def _with_digits(texts: pa.Array, whole: int, digits: int) -> pa.Array:
    """Cut Arrow's six fraction digits; Trino's values are rounded already."""
    return pc.utf8_slice_codeunits(texts, 0, whole + 1 + digits if digits else whole)


def _list(texts: pa.Array) -> Texts:
    values: Texts = texts.to_pylist()
    return values


def _time_text(microseconds: int, digits: int) -> str:
    seconds, fraction = divmod(microseconds, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    tail = f".{fraction:06}"[: digits + 1] if digits else ""
    return f"{hour:02}:{minute:02}:{second:02}{tail}"


def _date_text(days: int) -> str:
    year, month, day = _civil(days)
    if 0 <= year <= 9999:
        return f"{year:04}-{month:02}-{day:02}"
    return f"{'-' if year < 0 else '+'}{abs(year):04}-{month:02}-{day:02}"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of the proleptic Gregorian calendar, from days since 1970-01-01.

    After Howard Hinnant's «chrono-Compatible Low-Level Date Algorithms»: eras of 400 years, years
    that begin in March.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year_of_era + era * 400 + (month <= 2), month, day


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo | timezone:
    if name in ("UTC", "Z"):
        return UTC
    if name[:1] in "+-":
        hours, _, minutes = name[1:].partition(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-offset if name[0] == "-" else offset)
    return ZoneInfo(name)


def offset_microseconds(zone: str, instant: int) -> int:
    """A zone's offset from UTC at an instant, both in microseconds."""
    found = _zone(zone)
    if found is UTC:
        return 0
    # Before all rules a zone keeps its local mean time; the last ones repeat every 400 years.
    cycle = 146_097 * _MICROSECONDS_PER_DAY
    held = max(instant, _HELD_FIRST)
    if held > _HELD_LAST:
        held -= -(-(held - _HELD_LAST) // cycle) * cycle
    offset = (_EPOCH + timedelta(microseconds=held)).astimezone(found).utcoffset()
    assert offset is not None, "a zone has an offset at every instant"
    return offset // timedelta(microseconds=1)


def _day_interval(milliseconds: int) -> str:
    seconds, fraction = divmod(abs(milliseconds), 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{day} {hour:02}:{minute:02}:{second:02}.{fraction:03}"


def _month_interval(months: int) -> str:
    year, month = divmod(abs(months), 12)
    return f"{'-' if months < 0 else ''}{year}-{month}"
