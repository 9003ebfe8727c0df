"""The session properties that clients may set, and what they mean to a submission."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from querysvc.errors import ErrorCode, QueryServiceError, StatementError

WORK_GROUP: Final = "work_group"
REUSE_MINUTES: Final = "result_reuse_age_max_minutes"
TIME_ZONE: Final = "time_zone_id"
TIMEOUTS: Final = ("query_max_run_time", "query_max_execution_time")

_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*")
_SECONDS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_OFFSET: Final = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")


def duration_seconds(text: str) -> float:
    """Seconds of Trino's duration texts (`5s`, `1.50m`); ValueError tells what is wrong."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"duration is not a valid data duration string: {text}")
    seconds = _SECONDS.get(match[2])
    if seconds is None:
        raise ValueError(f"Unknown time unit: {match[2]}")
    return float(match[1]) * seconds


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _minutes(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text} is no whole number of minutes")
    return int(text)


def _time_zone(text: str) -> str:
    checked_time_zone(text)
    return text


def checked_time_zone(name: str) -> str:
    """The zone, if it is one; NOT_SUPPORTED as Trino says it otherwise."""
    if name in ("Z", "UTC") or _OFFSET.fullmatch(name) or name in _time_zones():
        return name
    raise QueryServiceError(ErrorCode.NOT_SUPPORTED, f"Time zone not supported: {name}")


@dataclass(frozen=True, slots=True)
class SessionProperty:
    """A property: its default as SHOW SESSION tells it, its type, its meaning, its check."""

    default: str
    type_name: str
    description: str
    check: Callable[[str], object] = str
    is_hidden: bool = False


PROPERTIES: Final[Mapping[str, SessionProperty]] = {
    "query_max_execution_time": SessionProperty(
        "100.00d", "varchar", "Maximum execution time of a query", duration_seconds
    ),
    "query_max_run_time": SessionProperty(
        "100.00d",
        "varchar",
        "Maximum run time of a query (includes the queueing time)",
        duration_seconds,
    ),
    REUSE_MINUTES: SessionProperty(
        "0", "integer", "Reuse the result of an equal query that is at most this old", _minutes
    ),
    TIME_ZONE: SessionProperty(
        "", "varchar", "Time zone of the session", _time_zone, is_hidden=True
    ),
    WORK_GROUP: SessionProperty("primary", "varchar", "Work group that queries run in"),
}
"""What SHOW SESSION lists and SET SESSION accepts; others do not exist, as in Trino."""


def checked_properties(properties: Mapping[str, str]) -> None:
    """Refuse the first property that does not exist or has no value of its type."""
    for name, value in properties.items():
        check_property(name, value)


def check_property(
    name: str,
    value: str | None = None,
    position: tuple[int, int] | None = None,
) -> None:
    """INVALID_SESSION_PROPERTY when there is no such property, or the value is none of its."""
    found = PROPERTIES.get(name)
    if found is None:
        raise _invalid(f"Session property '{name}' does not exist", position)
    if value is None:
        return
    try:
        found.check(value)
    except ValueError as error:
        raise _invalid(str(error), position) from error


def timeout_seconds(properties: Mapping[str, str]) -> float | None:
    """The least of the time limits that the session sets."""
    limits = [duration_seconds(properties[name]) for name in TIMEOUTS if name in properties]
    return min(limits) if limits else None


def _invalid(message: str, position: tuple[int, int] | None) -> StatementError:
    line, column = position or (None, None)
    return StatementError(ErrorCode.INVALID_SESSION_PROPERTY, message, line=line, column=column)
