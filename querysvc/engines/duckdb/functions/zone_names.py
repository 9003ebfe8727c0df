"""Trino's time zones in Python: which names it takes, how it prints them, their offsets."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

_OFFSET_MINUTES_MAX: Final = 14 * 60
_OFFSET = re.compile(r"([+-])(\d\d?)(?:(?<=\d\d):?(\d\d))?", re.ASCII)
_PREFIXED = re.compile(r"(?:UTC|GMT|UT)([+-].*)", re.ASCII)
_ETC = re.compile(r"Etc/(?:GMT|UTC|UCT|UT)(?:([+-]?)(\d{1,2}))?", re.ASCII)
_UTC_NAMES: Final = frozenset(
    {"Z", "UTC", "GMT", "UT", "UCT", "Zulu", "Universal", "Greenwich", "GMT0"}
)
_UNKNOWN: Final = frozenset(
    # In the zone database, but not among Java's or Trino's zones.
    {"EST", "HST", "MST", "ROC", "Factory", "localtime", "posixrules", "Etc/Zulu"}
    | {"Etc/Greenwich", "Etc/Universal", "Etc/Unknown", "America/Coyhaique"}
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_PER_DAY: Final = 86_400
_FIRST_SECOND: Final = -62_135_596_800 + _SECONDS_PER_DAY
_LAST_SECOND: Final = 253_402_300_800 - 2 * _SECONDS_PER_DAY
_CYCLE_SECONDS: Final = 146_097 * _SECONDS_PER_DAY
"""400 years, after which the calendar and so the rules of daylight saving repeat."""


@lru_cache(maxsize=4096)
def zone_name(text: str) -> str:
    """The name that Trino gives the zone; ValueError when it has none such."""
    if text in _UTC_NAMES:
        return "UTC"
    etc = _ETC.fullmatch(text)
    if etc is not None and text in available_timezones():
        sign = "-" if etc[1] != "-" else "+"
        return offset_name(int(sign + (etc[2] or "0")) * 60)
    prefixed = _PREFIXED.fullmatch(text)
    match = _OFFSET.fullmatch(prefixed[1] if prefixed else text)
    if match is not None:
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        if int(match[3] or 0) > 59:
            raise ValueError(text)
        return offset_name(-minutes if match[1] == "-" else minutes)
    if text in available_timezones() and text not in _UNKNOWN and not text.startswith("SystemV/"):
        return text
    raise ValueError(text)


def offset_name(minutes: int) -> str:
    """The zone of a fixed offset: `+05:30`, or `UTC`; ValueError when it is too far."""
    if abs(minutes) > _OFFSET_MINUTES_MAX:
        raise ValueError(f"Invalid offset minutes {minutes}")
    if minutes == 0:
        return "UTC"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def offset_seconds(zone: str, instant_seconds: int) -> int:
    """Seconds that a zone's clock is ahead of UTC at an instant, in any year."""
    if zone == "UTC":
        return 0
    if zone[0] in "+-":
        seconds = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        return -seconds if zone[0] == "-" else seconds
    seconds = max(instant_seconds, _FIRST_SECOND)
    if seconds > _LAST_SECOND:
        seconds -= -(-(seconds - _LAST_SECOND) // _CYCLE_SECONDS) * _CYCLE_SECONDS
    offset = (_EPOCH + timedelta(seconds=seconds)).astimezone(_zone(zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def instant_milliseconds(zone: str, local_milliseconds: int) -> int | None:
    """The instant, the earlier of two, at which the clock shows a time; None when it skips it."""
    seconds = local_milliseconds // 1000
    near = {offset_seconds(zone, seconds + days * _SECONDS_PER_DAY) for days in (-1, 0, 1)}
    for offset in sorted(near, reverse=True):
        if offset_seconds(zone, seconds - offset) == offset:
            return local_milliseconds - offset * 1000
    return None


def steady_offset(zone: str, day: int) -> int | None:
    """The zone's offset in seconds when it is the same on the day and both days beside it."""
    near = [_offset_of_day(zone, day + days) for days in (-1, 0, 1)]
    return near[0] if near[0] == near[1] == near[2] else None


def instant_microseconds(zone: str, local_microseconds: int) -> int:
    """The instant of a local time; one that the clock skips is taken by the offset before."""
    seconds = local_microseconds // 1_000_000
    day = seconds // _SECONDS_PER_DAY
    steady = steady_offset(zone, day)
    if steady is not None:
        return local_microseconds - steady * 1_000_000
    found = instant_milliseconds(zone, seconds * 1000)
    if found is not None:
        return found * 1000 + local_microseconds % 1_000_000
    before = min(
        offset_seconds(zone, seconds - _SECONDS_PER_DAY),
        offset_seconds(zone, seconds + _SECONDS_PER_DAY),
    )
    return local_microseconds - before * 1_000_000


def display_name(zone: str, instant_seconds: int, *, is_short: bool) -> str | None:
    """The English name of a zone's time at an instant, None when it is not known."""
    if not 0 <= instant_seconds <= _LAST_SECOND:
        return None
    moment = (_EPOCH + timedelta(seconds=instant_seconds)).astimezone(_zone(zone))
    standard, daylight = _display_names().get(zone, ("", ""))
    names = daylight if moment.dst() else standard
    return names.partition("|")[0 if is_short else 2] or None


@lru_cache(maxsize=1)
def _display_names() -> dict[str, tuple[str, str]]:
    text = Path(__file__).with_name("zone_display.txt").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.split("\n") if line and line[0] != "#")
    return {zone: (standard, daylight) for zone, standard, daylight in rows}


@lru_cache(maxsize=65_536)
def _offset_of_day(zone: str, day: int) -> int | None:
    """The offset that a zone has the whole day of UTC, None when it changes."""
    first = offset_seconds(zone, day * _SECONDS_PER_DAY)
    last = offset_seconds(zone, (day + 1) * _SECONDS_PER_DAY)
    return first if first == last else None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
