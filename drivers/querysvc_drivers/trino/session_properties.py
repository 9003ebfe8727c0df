"""The session properties that clients may set, and what they mean to a submission."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from querysvc.errors import ErrorCode, QueryServiceError, StatementError
from querysvc.sql.expressions.datetime_literals import zone_name

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


def _minutes(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text} is no whole number of minutes")
    return int(text)


def _time_zone(text: str) -> str:
    checked_time_zone(text)
    return text


def checked_time_zone(name: str) -> str:
    """The zone as Trino names it (Etc/UTC is UTC); NOT_SUPPORTED as Trino says it otherwise."""
    try:
        return zone_name(name)
    except ValueError:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"Time zone not supported: {name}"
        ) from None


@dataclass(frozen=True, slots=True)
class SessionProperty:
    """A property: its default as SHOW SESSION tells it, its type, its meaning, its check."""

    default: str
    type_name: str
    description: str
    check: Callable[[str], object] = str
    is_hidden: bool = False


@cache
def _hints() -> Mapping[str, SessionProperty]:
    """Properties that clients set and that change no answer: they are taken, and do nothing."""
    found = {}
    text = files(__package__).joinpath("session_hints.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            name, type_name, default = f"{line}  ".split(" ", 2)
            found[name] = SessionProperty(default.strip(), type_name, _HINT)
    return found


_HINT: Final = "A hint to Trino's optimizer or scheduler: accepted, without effect here"
_OWN: Final[Mapping[str, SessionProperty]] = {
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


@cache
def session_properties_by_name() -> Mapping[str, SessionProperty]:
    """What SHOW SESSION lists and SET SESSION accepts; others do not exist, as in Trino."""
    return dict(sorted({**_hints(), **_OWN}.items()))


_CASTS: Final[Mapping[str, frozenset[str]]] = {
    "varchar": frozenset({"varchar"}),
    "boolean": frozenset({"boolean"}),
    "integer": frozenset({"integer"}),
    "bigint": frozenset({"integer", "bigint"}),
    "double": frozenset({"integer", "bigint", "decimal", "double"}),
}
"""The types of constants that a property's type takes."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A property's new value: its text, its type, and how SQL writes it."""

    value: str
    type_name: str
    sql: str


def check_assignment(name: str, constant: Constant, position: tuple[int, int]) -> None:
    """What SET SESSION checks: the property, the constant's type, the value."""
    found = session_properties_by_name().get(name)
    base = constant.type_name.partition("(")[0]
    if found is not None and base not in _CASTS[found.type_name]:
        raise _invalid(
            f"Unable to set session property '{name}' to '{constant.sql}': "
            f"Cannot cast type {constant.type_name} to {found.type_name}",
            None,
        )
    check_property(name, constant.value, position)


def checked_properties(properties: Mapping[str, str]) -> None:
    """Refuse the first property that does not exist or has no value of its type."""
    for name, value in properties.items():
        check_property(name, value, told=f"Session property '{name}' is invalid: ")


def check_property(
    name: str,
    value: str | None = None,
    position: tuple[int, int] | None = None,
    told: str = "",
) -> None:
    """INVALID_SESSION_PROPERTY when there is no such property, or the value is none of its."""
    found = session_properties_by_name().get(name)
    if found is None:
        raise _invalid(f"Session property '{name}' does not exist", position)
    if value is None:
        return
    try:
        found.check(value)
    except ValueError as error:
        raise _invalid(told + str(error), position) from error


def timeout_seconds(properties: Mapping[str, str]) -> float | None:
    """The least of the time limits that the session sets."""
    limits = [duration_seconds(properties[name]) for name in TIMEOUTS if name in properties]
    return min(limits) if limits else None


def _invalid(message: str, position: tuple[int, int] | None) -> StatementError:
    line, column = position or (None, None)
    return StatementError(ErrorCode.INVALID_SESSION_PROPERTY, message, line=line, column=column)
