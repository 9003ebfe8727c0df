"""The values that partition projection gives one key: enum, integer, date, injected.

Values are numbered and computed when asked for, so a constrained key is never written out whole.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from querysvc_catalog.errors import ProjectionError
from querysvc_catalog.java_dates import DatePattern, DatePatternError, Precision
from querysvc_catalog.key_domains import KeyDomain
from querysvc_catalog.partition_values import (
    KeyKind,
    MalformedPartitionValueError,
    PartitionKey,
    TypedValue,
)

INVALID_PROPERTY: Final = "INVALID_TABLE_PROPERTY"

_LONG: Final = range(-(2**63), 2**63)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_NOW: Final = re.compile(
    r"NOW\s*(?:([+-])\s*([0-9]{1,9})\s*(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?)?", re.IGNORECASE
)
_MONTHS_OF: Final = {"YEARS": 12, "MONTHS": 1}
_SPAN_OF: Final = {
    "WEEKS": timedelta(weeks=1),
    "DAYS": timedelta(days=1),
    "HOURS": timedelta(hours=1),
    "MINUTES": timedelta(minutes=1),
    "SECONDS": timedelta(seconds=1),
    "MILLIS": timedelta(milliseconds=1),
}
_DEFAULT_UNIT: Final = {Precision.MONTH: "MONTHS", Precision.DAY: "DAYS"}


@dataclass(frozen=True, slots=True)
class ProjectedValue:
    """A partition value, and how it is spelled in the location."""

    text: str
    location_text: str


class ValueSequence(ABC):
    """The values of one key, numbered from 0."""

    def __init__(self, key: PartitionKey) -> None:
        self.key = key

    @property
    @abstractmethod
    def count(self) -> int:
        """How many values there are; equal ones may follow each other."""

    @property
    @abstractmethod
    def is_ordered(self) -> bool:
        """Whether the typed values grow with their numbers."""

    @abstractmethod
    def at(self, number: int) -> ProjectedValue:
        """Give a value by its number."""

    @abstractmethod
    def find(self, value: TypedValue) -> int | None:
        """Give the number at which a typed value must stand, if it stands anywhere."""

    def candidates(self, domain: KeyDomain) -> Iterator[ProjectedValue]:
        """Walk the values that lie in a domain, and possibly others."""
        previous: ProjectedValue | None = None
        for number in self._numbers(domain):
            value = self.at(number)
            if value != previous:
                yield value
            previous = value

    def _numbers(self, domain: KeyDomain) -> Sequence[int]:
        if domain.values is not None:
            found = {number for value in domain.values if (number := self.find(value)) is not None}
            return sorted(found)
        if not self.is_ordered or (domain.low is None and domain.high is None):
            return range(self.count)
        low: Any = domain.low  # of the same type as the key's values, which mypy cannot know
        high: Any = domain.high
        start = 0 if low is None else _first(self.count, lambda n: self._typed(n) >= low)
        end = self.count if high is None else _first(self.count, lambda n: self._typed(n) > high)
        return range(start, end)

    def _typed(self, number: int) -> Any:
        return self.key.parse(self.at(number).text)

    def _holds(self, number: int, value: TypedValue) -> bool:
        if not 0 <= number < self.count:
            return False
        try:
            return bool(self._typed(number) == value)
        except MalformedPartitionValueError:
            return False


# Not `bisect`: it counts in C's 64 bits, and a range of bigints is longer.
def _first(count: int, reaches: Callable[[int], bool]) -> int:
    """Give the first number from which on a condition holds, or the count."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if reaches(middle):
            high = middle
        else:
            low = middle + 1
    return low


def value_sequence(
    key: PartitionKey, parameters: Mapping[str, str], now: datetime
) -> ValueSequence:
    """Read the projection of one key from a table's parameters."""
    properties = _Properties(key, parameters)
    kind = properties.required("type").strip().lower()
    if kind == "enum":
        return EnumSequence(key, properties)
    if kind == "integer":
        return IntegerSequence(key, properties)
    if kind == "date":
        return DateSequence(key, properties, now)
    if kind == "injected":
        return InjectedSequence(key)
    raise properties.invalid("type", f"{kind!r} is not one of enum, integer, date, injected")


class _Properties:
    """The `projection.<key>.…` properties of one key."""

    def __init__(self, key: PartitionKey, parameters: Mapping[str, str]) -> None:
        self._key = key
        prefix = f"projection.{key.name}."
        self._values = {
            name.lower()[len(prefix) :]: value
            for name, value in parameters.items()
            if name.lower().startswith(prefix)
        }

    def optional(self, name: str) -> str | None:
        return self._values.get(name)

    def required(self, name: str) -> str:
        value = self._values.get(name)
        if value is None or not value.strip():
            raise self.invalid(name, "it is required")
        return value

    def pair(self, name: str) -> tuple[str, str]:
        parts = self.required(name).split(",")
        if len(parts) != 2:
            raise self.invalid(name, "it must be two values with a comma between them")
        return parts[0].strip(), parts[1].strip()

    def positive(self, name: str, default: int) -> int:
        text = self.optional(name)
        if text is None or not text.strip():
            return default
        value = int(text.strip()) if _INTEGER.fullmatch(text.strip()) else 0
        if not 0 < value < 2**31:
            raise self.invalid(name, f"{text!r} is not a positive integer")
        return value

    def invalid(self, name: str, reason: str) -> ProjectionError:
        return ProjectionError(
            INVALID_PROPERTY,
            f"Column projection for column '{self._key.name}' failed. "
            f"Property projection.{self._key.name}.{name}: {reason}",
        )

    def wrong_type(self, kind: str) -> ProjectionError:
        return self.invalid("type", f"{kind} cannot project a column of type {self._key.type}")


class EnumSequence(ValueSequence):
    """Listed values; white space belongs to them."""

    def __init__(self, key: PartitionKey, properties: _Properties) -> None:
        super().__init__(key)
        self._values = tuple(dict.fromkeys(properties.required("values").split(",")))
        self._numbers_of: dict[TypedValue | None, int] = {}
        for number, text in enumerate(self._values):
            try:
                self._numbers_of.setdefault(key.parse(text), number)
            except MalformedPartitionValueError as error:
                raise properties.invalid("values", error.message) from error

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self._values)

    @property
    def is_ordered(self) -> bool:
        """Listed values come as they were listed."""
        return False

    def at(self, number: int) -> ProjectedValue:
        """Give a value by its number."""
        return ProjectedValue(self._values[number], self._values[number])

    def find(self, value: TypedValue) -> int | None:
        """Give the number at which a value stands."""
        return self._numbers_of.get(value)


class IntegerSequence(ValueSequence):
    """Every n-th integer of a range that includes both its ends."""

    def __init__(self, key: PartitionKey, properties: _Properties) -> None:
        super().__init__(key)
        if key.kind not in (KeyKind.TEXT, KeyKind.CHAR, KeyKind.INTEGER, KeyKind.DECIMAL):
            raise properties.wrong_type("integer")
        low, high = properties.pair("range")
        for text in (low, high):
            if not _INTEGER.fullmatch(text) or int(text) not in _LONG:
                raise properties.invalid("range", f"{text!r} is not an integer")
        self._low, self._high = int(low), int(high)
        if self._low > self._high:
            raise properties.invalid("range", f"{low} is greater than {high}")
        self._interval = properties.positive("interval", 1)
        self._digits = properties.positive("digits", 1)
        if self._digits > 100:
            raise properties.invalid("digits", "more than 100 digits are not supported")

    @property
    def count(self) -> int:
        """How many integers there are."""
        return (self._high - self._low) // self._interval + 1

    @property
    def is_ordered(self) -> bool:
        """Integers grow; their texts do if all are of one length and none is negative."""
        if self.key.kind in (KeyKind.INTEGER, KeyKind.DECIMAL):
            return True
        return self._low >= 0 and len(self._print(self._low)) == len(self._print(self._high))

    def at(self, number: int) -> ProjectedValue:
        """Give a value by its number."""
        text = self._print(self._low + number * self._interval)
        return ProjectedValue(text, text)

    def find(self, value: TypedValue) -> int | None:
        """Give the number at which a value stands."""
        if isinstance(value, str):
            if not _INTEGER.fullmatch(value):
                return None
            value = int(value)
        if not isinstance(value, int | Decimal) or value != int(value):
            return None
        number, remainder = divmod(int(value) - self._low, self._interval)
        typed: TypedValue = value if self.key.kind is not KeyKind.TEXT else self._print(int(value))
        return number if not remainder and self._holds(number, typed) else None

    def _print(self, integer: int) -> str:
        return f"{integer:0{self._digits}d}"


class DateSequence(ValueSequence):
    """Times of a range that includes both its ends, printed by a Java date format."""

    def __init__(self, key: PartitionKey, properties: _Properties, now: datetime) -> None:
        super().__init__(key)
        kinds = (KeyKind.TEXT, KeyKind.CHAR, KeyKind.DATE, KeyKind.TIMESTAMP, KeyKind.INTEGER)
        if key.kind not in kinds:
            raise properties.wrong_type("date")
        try:
            self._pattern = DatePattern(properties.required("format"))
        except DatePatternError as error:
            raise properties.invalid("format", str(error)) from error
        low, high = (self._bound(properties, text, now) for text in properties.pair("range"))
        if low > high:
            raise properties.invalid("range", "the first date is after the second")
        self._low, self._high = low, high
        self._step = properties.positive("interval", 1)
        unit = self._unit(properties)
        self._months = self._step * _MONTHS_OF.get(unit, 0)
        self._span = self._step * _SPAN_OF.get(unit, timedelta())
        if self._months and low.day > 28:
            # Month ends differ by who adds up, and Athena does not say; wrong days would be worse.
            raise properties.invalid(
                "range", "an interval of months from after the 28th day is not supported"
            )
        self._count = self._months_count() if self._months else (high - low) // self._span + 1

    def _bound(self, properties: _Properties, text: str, now: datetime) -> datetime:
        match = _NOW.fullmatch(text)
        try:
            if match is None:
                return self._pattern.parse(text)
            return self._pattern.truncate(_relative(now.astimezone(UTC), match))
        except (DatePatternError, OverflowError, ValueError) as error:
            raise properties.invalid("range", str(error)) from error

    def _unit(self, properties: _Properties) -> str:
        text = properties.optional("interval.unit")
        if text is None or not text.strip():
            default = _DEFAULT_UNIT.get(self._pattern.precision)
            if default is None:
                raise properties.invalid(
                    "interval.unit", "it is required unless the format ends in days or months"
                )
            return default
        unit = text.strip().upper()
        unit = unit if unit.endswith("S") else unit + "S"
        if unit not in _MONTHS_OF and unit not in _SPAN_OF:
            raise properties.invalid("interval.unit", f"{text!r} is not a unit of time")
        return unit

    def _months_count(self) -> int:
        months = (self._high.year - self._low.year) * 12 + self._high.month - self._low.month
        count = months // self._months + 1
        return count if self._time_at(count - 1) <= self._high else count - 1

    @property
    def count(self) -> int:
        """How many times there are."""
        return self._count

    @property
    def is_ordered(self) -> bool:
        """Times grow; their texts do if the format is sortable."""
        return self.key.kind in (KeyKind.DATE, KeyKind.TIMESTAMP) or self._pattern.is_sortable

    def at(self, number: int) -> ProjectedValue:
        """Give a value by its number."""
        time = self._time_at(number)
        if self.key.kind is KeyKind.DATE:
            midnight = datetime(time.year, time.month, time.day)
            return ProjectedValue(str(midnight.date()), self._pattern.format(midnight))
        text = self._pattern.format(time)
        if self.key.kind is KeyKind.TIMESTAMP:
            return ProjectedValue(time.isoformat(" "), text)
        return ProjectedValue(text, text)

    def find(self, value: TypedValue) -> int | None:
        """Give the number at which a value stands."""
        try:
            time = self._time_of(value)
        except DatePatternError:
            return None
        number = _first(self.count, lambda candidate: self._time_at(candidate) >= time)
        return number if self._holds(number, value) else None

    def _time_of(self, value: TypedValue) -> datetime:
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day)
        if isinstance(value, int):
            return self._pattern.parse(str(value).zfill(len(self._pattern.format(self._low))))
        return self._pattern.parse(str(value))

    def _time_at(self, number: int) -> datetime:
        if not self._months:
            return self._low + number * self._span
        months = self._low.month - 1 + number * self._months
        return self._low.replace(year=self._low.year + months // 12, month=months % 12 + 1)


class InjectedSequence(ValueSequence):
    """Values that only the query knows: it must give them by equality."""

    @property
    def count(self) -> int:
        """Nothing can be counted out."""
        raise self._violation()

    @property
    def is_ordered(self) -> bool:
        """There is no order."""
        return False

    def at(self, number: int) -> ProjectedValue:
        """Nothing can be counted out."""
        raise self._violation()

    def find(self, value: TypedValue) -> int | None:
        """Nothing can be counted out."""
        raise self._violation()

    def candidates(self, domain: KeyDomain) -> Iterator[ProjectedValue]:
        """Walk the values that the query gave."""
        if domain.values is None:
            raise self._violation()
        for text in sorted(map(_print_injected, domain.values)):
            yield ProjectedValue(text, text)

    def _violation(self) -> ProjectionError:
        return ProjectionError(
            "CONSTRAINT_VIOLATION",
            f"For the injected projected partition column {self.key.name}, the WHERE clause must "
            "contain only static equality conditions, and at least one such condition must be "
            "present.",
        )


def _print_injected(value: TypedValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _relative(now: datetime, match: re.Match[str]) -> datetime:
    time = now.replace(tzinfo=None)
    if match[1] is None:
        return time
    amount = int(match[2]) * (1 if match[1] == "+" else -1)
    unit = match[3].upper() + "S"
    if unit not in _MONTHS_OF:
        return time + amount * _SPAN_OF[unit]
    months = time.year * 12 + time.month - 1 + amount * _MONTHS_OF[unit]
    year, month = divmod(months, 12)
    following = datetime(year + (month == 11), (month + 1) % 12 + 1, 1)
    last_day = (following - timedelta(days=1)).day
    return time.replace(year=year, month=month + 1, day=min(time.day, last_day))
