"""Partition values: text in the catalog, compared by the declared type of their key.

Glue keeps the values as text, so `5`, `05` and `+5` are three partitions and one int. Besides
parsing, this module gives each value an *ordering text*: texts that compare, code point by code
point, as the typed values compare. A store keeps them beside the values and filters by them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Final, TypeAlias

from querysvc_catalog.errors import CatalogError, InvalidInputError
from querysvc_catalog.model import Column
from querysvc_catalog.names import DEFAULT_PARTITION_VALUE
from querysvc_catalog.types import (
    CharType,
    DecimalType,
    HiveType,
    Primitive,
    PrimitiveType,
    VarcharType,
    parse_type,
)

ORDERING_TEXT_LENGTH_MAX: Final = 100

# `date` values are never `datetime`, and `int` values never `bool`: the key's kind decides.
TypedValue: TypeAlias = str | int | Decimal | date | datetime | bool | float


class KeyKind(Enum):
    """How the values of a partition key compare."""

    TEXT = auto()
    CHAR = auto()
    INTEGER = auto()
    DECIMAL = auto()
    DATE = auto()
    TIMESTAMP = auto()
    BOOLEAN = auto()
    DOUBLE = auto()
    OTHER = auto()  # a type that partition keys cannot have; nothing can be compared


_KINDS: Final[Mapping[Primitive, KeyKind]] = {
    Primitive.STRING: KeyKind.TEXT,
    Primitive.TINYINT: KeyKind.INTEGER,
    Primitive.SMALLINT: KeyKind.INTEGER,
    Primitive.INT: KeyKind.INTEGER,
    Primitive.BIGINT: KeyKind.INTEGER,
    Primitive.DATE: KeyKind.DATE,
    Primitive.TIMESTAMP: KeyKind.TIMESTAMP,
    Primitive.BOOLEAN: KeyKind.BOOLEAN,
    Primitive.FLOAT: KeyKind.DOUBLE,
    Primitive.DOUBLE: KeyKind.DOUBLE,
}
_INTEGER_BITS: Final[Mapping[Primitive, int]] = {
    Primitive.TINYINT: 8,
    Primitive.SMALLINT: 16,
    Primitive.INT: 32,
    Primitive.BIGINT: 64,
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,100}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,60}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})")
_DOUBLE: Final = re.compile(
    # NaN is left out, and so malformed: it would be neither less than a literal nor not less.
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?|Infinity)"
)
# Hive's and Trino's readers of partition values take one-digit months, days and hours.
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[ T]([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,9}))?)?)?"
)
_BOOLEANS: Final = {"true": True, "false": False}
_NINES_COMPLEMENT: Final = str.maketrans("0123456789", "9876543210")


class MalformedPartitionValueError(CatalogError):
    """A partition's value cannot be read as its key's type."""

    glue_name = "InvalidInputException"

    def __init__(self, key: PartitionKey, text: str) -> None:
        super().__init__(f"value {text!r} of partition key {key.name} is not a valid {key.type}")
        self.key = key
        self.text = text

    def __reduce__(self) -> tuple[type[MalformedPartitionValueError], tuple[PartitionKey, str]]:
        return type(self), (self.key, self.text)


@dataclass(frozen=True, slots=True)
class PartitionKey:
    """A partition key with its parsed type; `type` is None where the type cannot be read."""

    name: str
    type: HiveType | None
    kind: KeyKind

    @classmethod
    def from_column(cls, column: Column) -> PartitionKey:
        """Read a partition key from its column; a key without a type is a string."""
        try:
            hive_type = parse_type(column.type or "string")
        except CatalogError:
            return cls(column.name, None, KeyKind.OTHER)
        return cls(column.name, hive_type, _kind_of(hive_type))

    def parse(self, text: str) -> TypedValue | None:
        """Read a value of this key; None is the default partition's NULL."""
        if text == DEFAULT_PARTITION_VALUE:
            return None
        value = _PARSERS[self.kind](self, text)
        if value is None:
            raise MalformedPartitionValueError(self, text)
        return value


def partition_keys(columns: Sequence[Column]) -> tuple[PartitionKey, ...]:
    """Read the partition keys of a table."""
    return tuple(PartitionKey.from_column(column) for column in columns)


def _kind_of(hive_type: HiveType) -> KeyKind:
    if isinstance(hive_type, PrimitiveType):
        return _KINDS.get(hive_type.primitive, KeyKind.OTHER)
    if isinstance(hive_type, VarcharType):
        return KeyKind.TEXT
    if isinstance(hive_type, CharType):
        return KeyKind.CHAR
    return KeyKind.DECIMAL if isinstance(hive_type, DecimalType) else KeyKind.OTHER


def _parse_text(_key: PartitionKey, text: str) -> TypedValue | None:
    return text


def _parse_char(_key: PartitionKey, text: str) -> TypedValue | None:
    return text.rstrip(" ")


def _parse_integer(key: PartitionKey, text: str) -> TypedValue | None:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    assert isinstance(key.type, PrimitiveType)
    limit = 1 << (_INTEGER_BITS[key.type.primitive] - 1)
    return value if -limit <= value < limit else None


def _parse_decimal(key: PartitionKey, text: str) -> TypedValue | None:
    if not _DECIMAL.fullmatch(text):
        return None
    assert isinstance(key.type, DecimalType)
    integer, _, fraction = text.lstrip("+-").partition(".")
    fits = (
        len(integer.lstrip("0")) <= key.type.precision - key.type.scale
        and len(fraction.rstrip("0")) <= key.type.scale
    )
    return Decimal(text) if fits else None


def _parse_timestamp(_key: PartitionKey, text: str) -> TypedValue | None:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    fraction = (match[7] or "").ljust(9, "0")
    if fraction[6:].strip("0"):
        return None  # finer than a microsecond, which datetime cannot hold
    parts = [int(part or 0) for part in match.groups()[:6]]
    try:
        return datetime(*parts, microsecond=int(fraction[:6]))  # type: ignore[arg-type,misc]  # six parts
    except ValueError:
        return None


def _parse_date(key: PartitionKey, text: str) -> TypedValue | None:
    value = _parse_timestamp(key, text)
    if not isinstance(value, datetime) or value.time() != datetime.min.time():
        return None
    return value.date()


def _parse_boolean(_key: PartitionKey, text: str) -> TypedValue | None:
    return _BOOLEANS.get(text.lower())


def _parse_double(_key: PartitionKey, text: str) -> TypedValue | None:
    return float(text) if _DOUBLE.fullmatch(text) else None


def _parse_other(_key: PartitionKey, _text: str) -> TypedValue | None:
    return None


_PARSERS: Final = {
    KeyKind.TEXT: _parse_text,
    KeyKind.CHAR: _parse_char,
    KeyKind.INTEGER: _parse_integer,
    KeyKind.DECIMAL: _parse_decimal,
    KeyKind.DATE: _parse_date,
    KeyKind.TIMESTAMP: _parse_timestamp,
    KeyKind.BOOLEAN: _parse_boolean,
    KeyKind.DOUBLE: _parse_double,
    KeyKind.OTHER: _parse_other,
}


def ordering_text(kind: KeyKind, value: TypedValue) -> str:
    """Print a typed value so that texts order as values do; texts are cut to 100 characters."""
    if kind in (KeyKind.INTEGER, KeyKind.DECIMAL):
        return _number_ordering_text(Decimal(str(value)))
    if kind is KeyKind.DOUBLE:
        return _double_ordering_text(float(str(value)))
    if kind is KeyKind.BOOLEAN:
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)[:ORDERING_TEXT_LENGTH_MAX]


def _number_ordering_text(value: Decimal) -> str:
    """Print a number as sign, count of integer digits, digits; negative ones in complement."""
    integer, _, fraction = f"{abs(value):f}".partition(".")
    integer, fraction = integer.lstrip("0"), fraction.rstrip("0")
    text = f"{len(integer):02d}{integer}" + (f".{fraction}" if fraction else "")
    if value >= 0 or not (integer or fraction):
        return "1" + text
    return "0" + text.translate(_NINES_COMPLEMENT) + "~"


def _double_ordering_text(value: float) -> str:
    """Print a double's bits in hexadecimal, turned so that they order as the doubles do."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", value + 0.0))  # + 0.0 makes -0.0 positive
    return f"{bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else 1 << 63):016x}"


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """What a store keeps beside a partition's values, to filter by."""

    ordering_texts: tuple[str | None, ...]
    is_malformed: bool


def stored_keys(keys: Sequence[PartitionKey], values: Sequence[str]) -> StoredKeys:
    """Give the ordering text of each value (None for NULL), and whether any is malformed."""
    texts: list[str | None] = []
    is_malformed = False
    for key, text in zip(keys, values, strict=True):
        try:
            value = key.parse(text)
        except MalformedPartitionValueError:
            is_malformed = True
            texts.append("")
            continue
        texts.append(None if value is None else ordering_text(key.kind, value))
    return StoredKeys(tuple(texts), is_malformed)


def parse_literal(key: PartitionKey, text: str) -> TypedValue:
    """Read a literal that is compared with a key, by the key's type."""
    try:
        value = key.parse(text)
    except MalformedPartitionValueError as error:
        raise InvalidInputError(
            f"value {text!r} cannot be compared with partition key {key.name} "
            f"of type {key.type or 'unknown'}"
        ) from error
    if value is None:
        raise InvalidInputError(
            f"the default partition of key {key.name} can be tested with = and <> only"
        )
    return value
