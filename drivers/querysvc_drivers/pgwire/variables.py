"""The session's variables: what SET, SHOW and RESET know, and what the client is told of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from querysvc_drivers.pgwire.errors import INVALID_PARAMETER_VALUE, UNDEFINED_SETTING, WireError

SERVER_VERSION: Final = "15.0"
"""The version whose catalog and messages ours follow; clients choose their queries by it."""
SERVER_VERSION_NUMBER: Final = "150000"

_OFFSET: Final = re.compile(r"([+-]?)(\d{1,2})(?::?(\d{2}))?")
_MILLISECONDS: Final = {"": 1, "us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|)")
_UTF8: Final = frozenset({"utf8", "utf-8", "unicode"})
_ISOLATION: Final = frozenset(
    {"serializable", "repeatable read", "read committed", "read uncommitted"}
)


def _any(text: str) -> str:
    return text


def _one_of(*allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"only {', '.join(allowed)} can be had here")
        return text

    return check


def _encoding(text: str) -> str:
    if text.lower().strip("'\"") not in _UTF8:
        raise ValueError("only UTF8 can be had here")
    return "UTF8"


def _date_style(text: str) -> str:
    style, _, order = text.replace(" ", "").partition(",")
    if style.upper() not in ("ISO", "MDY", "DMY", "YMD", "DEFAULT"):
        raise ValueError("only ISO can be had here")
    return f"ISO, {order.upper() or 'MDY'}"


@cache
def _zones() -> Mapping[str, str]:
    return {name.lower(): name for name in available_timezones()}


def _time_zone(text: str) -> str:
    if text.lower() in ("local", "default", "z", "utc"):
        return "UTC"
    known = _zones().get(text.lower())
    if known is not None:
        return known
    match = _OFFSET.fullmatch(text.strip())
    if match is None or int(match[2]) > 14:
        raise ValueError("no such time zone")
    return f"{match[1] or '+'}{int(match[2]):02}:{match[3] or '00'}"


def _milliseconds(text: str) -> str:
    return str(duration_milliseconds(text))


def duration_milliseconds(text: str) -> int:
    """Milliseconds of a duration with PostgreSQL's units; ValueError when it is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("a number of milliseconds, or one with a unit, is expected")
    return round(float(match[1]) * _MILLISECONDS[match[2]])


def _isolation(text: str) -> str:
    if text.lower() not in _ISOLATION:
        raise ValueError("no isolation level")
    return text.lower()


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: its name as it is shown, its default, its check, whether the client is told."""

    name: str
    default: str
    check: Callable[[str], str] = _any
    is_reported: bool = False
    is_constant: bool = False


_VARIABLES: Final = (
    Variable("application_name", "", is_reported=True),
    Variable("client_encoding", "UTF8", _encoding, is_reported=True),
    Variable("DateStyle", "ISO, MDY", _date_style, is_reported=True),
    Variable("default_transaction_read_only", "off", is_reported=True),
    Variable("in_hot_standby", "off", is_reported=True, is_constant=True),
    Variable("integer_datetimes", "on", is_reported=True, is_constant=True),
    Variable("IntervalStyle", "postgres", _one_of("postgres"), is_reported=True),
    Variable("is_superuser", "off", is_reported=True, is_constant=True),
    Variable("server_encoding", "UTF8", is_reported=True, is_constant=True),
    Variable("server_version", SERVER_VERSION, is_reported=True, is_constant=True),
    Variable("session_authorization", "", is_reported=True, is_constant=True),
    Variable("standard_conforming_strings", "on", _one_of("on", "true"), is_reported=True),
    Variable("TimeZone", "UTC", _time_zone, is_reported=True),
    Variable("array_nulls", "on"),
    Variable("backslash_quote", "safe_encoding"),
    Variable("bytea_output", "hex", _one_of("hex")),
    Variable("client_min_messages", "notice"),
    Variable("constraint_exclusion", "partition"),
    Variable("default_table_access_method", "heap", is_constant=True),
    Variable("default_tablespace", ""),
    Variable("default_transaction_deferrable", "off"),
    Variable("default_transaction_isolation", "read committed", _isolation),
    Variable("extra_float_digits", "1"),
    Variable("geqo", "on"),
    Variable("idle_in_transaction_session_timeout", "0", _milliseconds),
    Variable("jit", "off"),
    Variable("lc_collate", "C", is_constant=True),
    Variable("lc_ctype", "C.UTF-8", is_constant=True),
    Variable("lc_messages", "C"),
    Variable("lc_monetary", "C"),
    Variable("lc_numeric", "C"),
    Variable("lc_time", "C"),
    Variable("lock_timeout", "0", _milliseconds),
    Variable("max_identifier_length", "63", is_constant=True),
    Variable("max_index_keys", "32", is_constant=True),
    Variable("quote_all_identifiers", "off"),
    Variable("row_security", "on"),
    Variable("search_path", ""),
    Variable("server_version_num", SERVER_VERSION_NUMBER, is_constant=True),
    Variable("statement_timeout", "0", _milliseconds),
    Variable("synchronize_seqscans", "on"),
    Variable("transaction_isolation", "read committed", _isolation),
    Variable("transaction_read_only", "off"),
    Variable("work_group", "primary"),
)
_BY_NAME: Final = {variable.name.lower(): variable for variable in _VARIABLES}
_SPELLINGS: Final = {
    "time zone": "timezone",
    "transaction isolation level": "transaction_isolation",
    "session authorization": "session_authorization",
    "names": "client_encoding",
}


class Variables:
    """The values of one session."""

    def __init__(self, given: Mapping[str, str]) -> None:
        """Start with what the client gives at its start: known ones are checked."""
        self._defaults = {name: variable.default for name, variable in _BY_NAME.items()}
        for name, value in given.items():
            self._defaults[_key(name)] = self._checked(name, value)
        self._values = dict(self._defaults)

    def fix(self, name: str, value: str) -> None:
        """Give a variable its value for good, such as who the user is."""
        self._defaults[_key(name)] = self._values[_key(name)] = value

    def get(self, name: str) -> str:
        """The value; 42704 when there is no such variable."""
        value = self._values.get(_key(name))
        if value is None:
            raise _unknown(name)
        return value

    def set(self, name: str, value: str | None) -> str | None:
        """Set a variable, or give it its default; the value when the client is to be told."""
        key = _key(name)
        if value is None:
            if key not in self._defaults:
                raise _unknown(name)
            value = self._defaults[key]
        else:
            value = self._checked(name, value)
        has_changed = self._values.get(key) != value
        self._values[key] = value
        variable = _BY_NAME.get(key)
        is_told = has_changed and variable is not None and variable.is_reported
        return value if is_told else None

    def reset(self) -> list[tuple[str, str]]:
        """Give all variables their defaults; those that the client is to be told."""
        changed = [
            (variable.name, self._defaults[key])
            for key, variable in _BY_NAME.items()
            if variable.is_reported and self._values[key] != self._defaults[key]
        ]
        self._values = dict(self._defaults)
        return changed

    def reported(self) -> list[tuple[str, str]]:
        """What the client is told at its start."""
        return [
            (variable.name, self._values[key])
            for key, variable in _BY_NAME.items()
            if variable.is_reported
        ]

    def all(self) -> list[tuple[str, str]]:
        """All variables with their values, by name."""
        return [(variable.name, self._values[key]) for key, variable in sorted(_BY_NAME.items())]

    @property
    def timeout_seconds(self) -> float | None:
        """How long a statement may run, None for the work group's limit."""
        milliseconds = int(self.get("statement_timeout"))
        return milliseconds / 1000 if milliseconds else None

    def _checked(self, name: str, value: str) -> str:
        key = _key(name)
        variable = _BY_NAME.get(key)
        if variable is None:
            if "." in key:  # anybody's own, as PostgreSQL has it
                return value
            raise _unknown(name)
        if variable.is_constant and value != self._defaults[key]:
            raise WireError("55P02", f'parameter "{variable.name}" cannot be changed')
        try:
            return variable.check(value)
        except ValueError as error:
            message = f'invalid value for parameter "{variable.name}": "{value}"'
            raise WireError(INVALID_PARAMETER_VALUE, message, hint=str(error)) from None


def shown_name(name: str) -> str:
    """A variable's name as SHOW heads its column."""
    variable = _BY_NAME.get(_key(name))
    return name.lower() if variable is None else variable.name


def _key(name: str) -> str:
    lower = name.lower()
    return _SPELLINGS.get(lower, lower)


def _unknown(name: str) -> WireError:
    return WireError(UNDEFINED_SETTING, f'unrecognized configuration parameter "{name}"')
