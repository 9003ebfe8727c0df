"""Dates and times as Java's Formatter prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from querysvc.engines.duckdb.functions.java_numbers import FormatError, Specifier
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.errors import ErrorCode

KINDS: Final = frozenset(
    {"date", "time", "time with time zone", "timestamp", "timestamp with time zone"}
)
_LONGS: Final = frozenset({"tinyint", "smallint", "integer", "bigint"})
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of a value: a day, a time of day, a zone."""

    day: date | None = None
    clock: time | None = None
    zone: tzinfo | None = None
    zone_name: str = ""

    @property
    def local(self) -> datetime:
        """Day and time of day, in the zone where there is one."""
        if self.day is None or self.clock is None:
            raise FormatError("IllegalFormatConversion")
        return datetime.combine(self.day, self.clock)

    @property
    def instant(self) -> timedelta:
        """The time since 1970 in UTC."""
        if self.zone is None:
            raise FormatError("IllegalFormatConversion")
        fold = self.clock.fold if self.clock else 0
        return self.local.replace(tzinfo=self.zone, fold=fold) - _EPOCH

    @property
    def offset(self) -> timedelta:
        """The zone's offset at the moment."""
        if self.zone is None:
            raise FormatError("IllegalFormatConversion")
        local = self.local if self.day is not None else datetime(1970, 1, 1)
        fold = self.clock.fold if self.clock else 0
        return local.replace(tzinfo=self.zone, fold=fold).utcoffset() or timedelta()


def moment(kind: str, value: Any) -> Moment:
    """The value of a kind in its storage form."""
    if kind == "date":
        return Moment(day=value)
    if kind == "time":
        return Moment(clock=value)
    if kind == "timestamp":
        return Moment(day=value.date(), clock=value.time())
    if kind == "time with time zone":
        zone = timezone(timedelta(minutes=value["o"]))
        return Moment(
            clock=value["t"], zone=zone, zone_name=_offset_text(timedelta(minutes=value["o"]))
        )
    if kind == "timestamp with time zone":
        zone_ = _zone(value["z"])
        local = value["t"].replace(tzinfo=UTC).astimezone(zone_)
        return Moment(local.date(), local.time(), zone_, value["z"])
    if kind in _LONGS:
        local = _EPOCH + timedelta(milliseconds=value)
        return Moment(local.date(), local.time(), UTC, "UTC")
    raise FormatError(f"IllegalFormatConversion: t != {kind}")


def _zone(name: str) -> tzinfo:
    if name[:1] in "+-":
        hours, _, minutes = name[1:].partition(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-offset if name[0] == "-" else offset)
    return UTC if name == "UTC" else ZoneInfo(name)


def iso_text(kind: str, value: Any) -> str:
    """The toString of Java's class for the kind."""
    at = moment(kind, value)
    if at.clock is None:
        return value.isoformat()  # type: ignore[no-any-return]  # a date's is str
    text = _clock_text(at.clock)
    if at.day is not None:
        text = f"{at.day.isoformat()}T{text}"
    if at.zone is None:
        return text
    text += _offset_text(at.offset)
    is_offset = at.zone_name[:1] in "+-"
    return text if is_offset or kind == "time with time zone" else f"{text}[{at.zone_name}]"


def _clock_text(clock: time) -> str:
    if clock.microsecond:
        text = clock.isoformat("microseconds")
        return text[:-3] if clock.microsecond % 1000 == 0 else text
    return clock.isoformat("seconds" if clock.second else "minutes")


def _offset_text(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "Z"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _day(at: Moment) -> date:
    if at.day is None:
        raise FormatError("IllegalFormatConversion")
    return at.day


def _clock(at: Moment) -> time:
    if at.clock is None:
        raise FormatError("IllegalFormatConversion")
    return at.clock


def _hour12(at: Moment) -> int:
    return _clock(at).hour % 12 or 12


def _half(at: Moment) -> str:
    return "am" if _clock(at).hour < 12 else "pm"


def _offset_digits(at: Moment) -> str:
    seconds = int(at.offset.total_seconds())
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}"


def _zone_short(at: Moment) -> str:
    if at.zone is None:
        raise FormatError("IllegalFormatConversion")
    if at.day is None or at.zone_name[:1] in "+-":
        return at.zone_name
    name = at.local.replace(tzinfo=at.zone).tzname() or ""
    if not name.isalpha():
        raise failure(ErrorCode.NOT_SUPPORTED, f"format() of the zone {at.zone_name} with %tZ")
    return name


def _milliseconds(at: Moment) -> int:
    return at.instant // timedelta(milliseconds=1)


_SIMPLE: Final[Mapping[str, Callable[[Moment], str]]] = {
    "H": lambda at: f"{_clock(at).hour:02d}",
    "I": lambda at: f"{_hour12(at):02d}",
    "k": lambda at: str(_clock(at).hour),
    "l": lambda at: str(_hour12(at)),
    "M": lambda at: f"{_clock(at).minute:02d}",
    "S": lambda at: f"{_clock(at).second:02d}",
    "L": lambda at: f"{_clock(at).microsecond // 1000:03d}",
    "N": lambda at: f"{_clock(at).microsecond * 1000:09d}",
    "p": _half,
    "z": _offset_digits,
    "Z": _zone_short,
    "s": lambda at: str(_milliseconds(at) // 1000),
    "Q": lambda at: str(_milliseconds(at)),
    "B": lambda at: _MONTHS[_day(at).month - 1],
    "b": lambda at: _MONTHS[_day(at).month - 1][:3],
    "h": lambda at: _MONTHS[_day(at).month - 1][:3],
    "A": lambda at: _DAYS[_day(at).weekday()],
    "a": lambda at: _DAYS[_day(at).weekday()][:3],
    "C": lambda at: f"{_day(at).year // 100:02d}",
    "Y": lambda at: f"{_day(at).year:04d}",
    "y": lambda at: f"{_day(at).year % 100:02d}",
    "j": lambda at: f"{_day(at).timetuple().tm_yday:03d}",
    "m": lambda at: f"{_day(at).month:02d}",
    "d": lambda at: f"{_day(at).day:02d}",
    "e": lambda at: str(_day(at).day),
}
_COMPOSED: Final = {
    "R": "H:M",
    "T": "H:M:S",
    "r": "I:M:S P",
    "D": "m/d/y",
    "F": "Y-m-d",
    "c": "a b d T Z Y",
}
CONVERSIONS: Final = frozenset(_SIMPLE) | frozenset(_COMPOSED)
"""The letters after `t`."""


def formatted(specifier: Specifier, kind: str, value: Any) -> str:
    """%t of the value."""
    return _part(specifier.conversion[1], moment(kind, value))


def _part(letter: str, at: Moment) -> str:
    if letter == "P":  # within %tr, which shouts
        return _half(at).upper()
    composed = _COMPOSED.get(letter)
    if composed is None:
        return _SIMPLE[letter](at)
    return "".join(_part(c, at) if c.isalpha() else c for c in composed)
