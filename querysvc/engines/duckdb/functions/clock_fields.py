"""The proleptic Gregorian calendar in integers, and the fields of a moment, in any year."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

MILLISECONDS_PER_DAY: Final = 86_400_000


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day counted from 1970-01-01."""
    shifted = days + 719_468
    era, day_of_era = divmod(shifted, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * march_month + 2) // 5 + 1
    month = march_month + 3 if march_month < 10 else march_month - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def days_from_civil(year: int, month: int, day: int) -> int:
    """The day counted from 1970-01-01."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def is_leap(year: int) -> bool:
    """Whether the year has a 29th of February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_days(year: int, month: int) -> int:
    """The days of a month."""
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def first_week_day(week_year: int) -> int:
    """The Monday with which an ISO year begins."""
    january_4 = days_from_civil(week_year, 1, 4)
    return january_4 - (january_4 + 3) % 7


def weeks_of_year(week_year: int) -> int:
    """52 or 53."""
    return (first_week_day(week_year + 1) - first_week_day(week_year)) // 7


def iso_week(days: int) -> tuple[int, int, int]:
    """ISO year, week and day of the week (Monday is 1)."""
    weekday = (days + 3) % 7
    year = civil_from_days(days - weekday + 3)[0]
    return year, (days - first_week_day(year)) // 7 + 1, weekday + 1


class Clock:
    """A moment as its local clock and calendar show it."""

    __slots__ = ("_date", "days", "milliseconds", "offset_seconds", "zone")

    def __init__(self, local_milliseconds: int, offset_seconds: int = 0, zone: str = "UTC") -> None:
        self.days, self.milliseconds = divmod(local_milliseconds, MILLISECONDS_PER_DAY)
        self.offset_seconds = offset_seconds
        self.zone = zone
        self._date = civil_from_days(self.days)

    def field(self, name: str) -> int:
        """The field's value."""
        return _FIELDS[name](self)

    @property
    def date(self) -> tuple[int, int, int]:
        """Year, month, day."""
        return self._date


_FIELDS: Final[Mapping[str, Callable[[Clock], int]]] = {
    "year": lambda clock: clock.date[0],
    "year of era": lambda clock: clock.date[0] if clock.date[0] > 0 else 1 - clock.date[0],
    "century": lambda clock: abs(clock.date[0]) // 100,
    "month": lambda clock: clock.date[1],
    "day": lambda clock: clock.date[2],
    "day of year": lambda clock: clock.days - days_from_civil(clock.date[0], 1, 1) + 1,
    "day of week": lambda clock: (clock.days + 3) % 7 + 1,
    "week": lambda clock: iso_week(clock.days)[1],
    "week year": lambda clock: iso_week(clock.days)[0],
    "hour": lambda clock: clock.milliseconds // 3_600_000,
    "clock hour": lambda clock: clock.milliseconds // 3_600_000 or 24,
    "hour of half": lambda clock: clock.milliseconds // 3_600_000 % 12,
    "clock hour of half": lambda clock: clock.milliseconds // 3_600_000 % 12 or 12,
    "minute": lambda clock: clock.milliseconds // 60_000 % 60,
    "second": lambda clock: clock.milliseconds // 1000 % 60,
    "millisecond": lambda clock: clock.milliseconds % 1000,
}
