"""Trino's types as immutable values.

Trino prints a type in three ways, and clients see all three:

- ``str(type)``: the display name, as ``typeof`` and TYPE_MISMATCH messages print it:
  ``decimal(12,2)``, ``row(a integer, b c varchar)``, ``interval day to second``.
- ``type.wire_name``: the column type of a result, which is SQL that parses back:
  ``decimal(12, 2)``, ``row(a integer, "b c" varchar)``, ``INTERVAL DAY TO SECOND``.
- ``type.signature_text``: the type signature, as function-resolution messages print it:
  ``row("a" integer,"b c" varchar)``, ``map(varchar,integer)``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from querysvc.types._reserved import RESERVED_WORDS

VARCHAR_LENGTH_MAX: Final = 2_147_483_646
CHAR_LENGTH_MAX: Final = 65_536
DECIMAL_PRECISION_MAX: Final = 38
DATETIME_PRECISION_MAX: Final = 12
DATETIME_PRECISION_DEFAULT: Final = 3


@dataclass(frozen=True, slots=True)
class TrinoType:
    """A Trino type; equality is Trino's type identity."""

    @property
    def base_name(self) -> str:
        """The name without parameters, as Trino's signatures spell it."""
        raise NotImplementedError

    @property
    def wire_name(self) -> str:
        """The SQL text by which Trino names a result column's type."""
        return str(self)

    @property
    def signature_text(self) -> str:
        """The type signature, as function-resolution messages print it."""
        return str(self)

    @property
    def is_comparable(self) -> bool:
        """Whether ``=``, DISTINCT and GROUP BY accept the type."""
        return True

    @property
    def is_orderable(self) -> bool:
        """Whether ``<`` and ORDER BY accept the type."""
        return True

    @property
    def is_integer(self) -> bool:
        """Whether the type is tinyint, smallint, integer or bigint."""
        return self in INTEGER_TYPES

    @property
    def is_floating(self) -> bool:
        """Whether the type is real or double."""
        return self in (REAL, DOUBLE)

    @property
    def is_exact(self) -> bool:
        """Whether the type is an integer type or a decimal."""
        return self.is_integer or isinstance(self, Decimal)

    @property
    def is_numeric(self) -> bool:
        """Whether the type is an exact or a floating-point number."""
        return self.is_exact or self.is_floating

    @property
    def is_character(self) -> bool:
        """Whether the type is varchar or char."""
        return isinstance(self, Varchar | Char)

    @property
    def is_datetime(self) -> bool:
        """Whether the type is a date, a time or a timestamp, with a zone or without."""
        return self == DATE or isinstance(self, Time | TimeTz | Timestamp | TimestampTz)

    @property
    def children(self) -> tuple["TrinoType", ...]:
        """The types this one is made of."""
        return ()


@dataclass(frozen=True, slots=True)
class Scalar(TrinoType):
    """A type without parameters."""

    name: str

    @property
    def base_name(self) -> str:
        return self.name

    @property
    def wire_name(self) -> str:
        return self.name.upper() if self in _INTERVALS else self.name

    @property
    def is_comparable(self) -> bool:
        return self not in _NOT_COMPARABLE

    @property
    def is_orderable(self) -> bool:
        return self not in _NOT_ORDERABLE

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Varchar(TrinoType):
    """``varchar(length)``, or unbounded ``varchar`` when the length is None."""

    length: int | None = None

    @property
    def base_name(self) -> str:
        return "varchar"

    def __str__(self) -> str:
        return "varchar" if self.length is None else f"varchar({self.length})"


@dataclass(frozen=True, slots=True)
class Char(TrinoType):
    """``char(length)``: fixed length, padded with spaces."""

    length: int

    @property
    def base_name(self) -> str:
        return "char"

    def __str__(self) -> str:
        return f"char({self.length})"


@dataclass(frozen=True, slots=True)
class Decimal(TrinoType):
    """``decimal(precision,scale)``."""

    precision: int
    scale: int = 0

    @property
    def base_name(self) -> str:
        return "decimal"

    @property
    def wire_name(self) -> str:
        return f"decimal({self.precision}, {self.scale})"

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})"


@dataclass(frozen=True, slots=True)
class Timestamp(TrinoType):
    """``timestamp(precision)``, without a time zone."""

    precision: int = DATETIME_PRECISION_DEFAULT

    @property
    def base_name(self) -> str:
        return "timestamp"

    def __str__(self) -> str:
        return f"timestamp({self.precision})"


@dataclass(frozen=True, slots=True)
class TimestampTz(TrinoType):
    """``timestamp(precision) with time zone``."""

    precision: int = DATETIME_PRECISION_DEFAULT

    @property
    def base_name(self) -> str:
        return "timestamp with time zone"

    def __str__(self) -> str:
        return f"timestamp({self.precision}) with time zone"


@dataclass(frozen=True, slots=True)
class Time(TrinoType):
    """``time(precision)``, without a time zone."""

    precision: int = DATETIME_PRECISION_DEFAULT

    @property
    def base_name(self) -> str:
        return "time"

    def __str__(self) -> str:
        return f"time({self.precision})"


@dataclass(frozen=True, slots=True)
class TimeTz(TrinoType):
    """``time(precision) with time zone``."""

    precision: int = DATETIME_PRECISION_DEFAULT

    @property
    def base_name(self) -> str:
        return "time with time zone"

    def __str__(self) -> str:
        return f"time({self.precision}) with time zone"


@dataclass(frozen=True, slots=True)
class Array(TrinoType):
    """``array(element)``."""

    element: TrinoType

    @property
    def base_name(self) -> str:
        return "array"

    @property
    def children(self) -> tuple[TrinoType, ...]:
        return (self.element,)

    @property
    def wire_name(self) -> str:
        return f"array({self.element.wire_name})"

    @property
    def signature_text(self) -> str:
        return f"array({self.element.signature_text})"

    @property
    def is_comparable(self) -> bool:
        return self.element.is_comparable

    @property
    def is_orderable(self) -> bool:
        return self.element.is_orderable

    def __str__(self) -> str:
        return f"array({self.element})"


@dataclass(frozen=True, slots=True)
class Map(TrinoType):
    """``map(key, value)``."""

    key: TrinoType
    value: TrinoType

    @property
    def base_name(self) -> str:
        return "map"

    @property
    def children(self) -> tuple[TrinoType, ...]:
        return (self.key, self.value)

    @property
    def wire_name(self) -> str:
        return f"map({self.key.wire_name}, {self.value.wire_name})"

    @property
    def signature_text(self) -> str:
        return f"map({self.key.signature_text},{self.value.signature_text})"

    @property
    def is_comparable(self) -> bool:
        return self.value.is_comparable

    @property
    def is_orderable(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"map({self.key}, {self.value})"


@dataclass(frozen=True, slots=True)
class RowField:
    """A field of a row: its name, None when it has none, and its type."""

    name: str | None
    type: TrinoType


@dataclass(frozen=True, slots=True)
class Row(TrinoType):
    """``row(name type, …)``: fields by position, with or without names."""

    fields: tuple[RowField, ...]

    @property
    def base_name(self) -> str:
        return "row"

    @property
    def children(self) -> tuple[TrinoType, ...]:
        return tuple(field.type for field in self.fields)

    @property
    def wire_name(self) -> str:
        return self._print(", ", delimited_where_needed, lambda type_: type_.wire_name)

    @property
    def signature_text(self) -> str:
        return self._print(",", delimited, lambda type_: type_.signature_text)

    @property
    def is_comparable(self) -> bool:
        return all(field.type.is_comparable for field in self.fields)

    @property
    def is_orderable(self) -> bool:
        return all(field.type.is_orderable for field in self.fields)

    def __str__(self) -> str:
        return self._print(", ", str, str)

    def _print(
        self, separator: str, name: Callable[[str], str], type_text: Callable[[TrinoType], str]
    ) -> str:
        fields = (
            type_text(field.type)
            if field.name is None
            else f"{name(field.name)} {type_text(field.type)}"
            for field in self.fields
        )
        return f"row({separator.join(fields)})"


@dataclass(frozen=True, slots=True)
class Function(TrinoType):
    """``function(argument, …, result)``: the type of a lambda expression."""

    arguments: tuple[TrinoType, ...]
    result: TrinoType

    @property
    def base_name(self) -> str:
        return "function"

    @property
    def children(self) -> tuple[TrinoType, ...]:
        return (*self.arguments, self.result)

    @property
    def signature_text(self) -> str:
        return f"function({','.join(child.signature_text for child in self.children)})"

    @property
    def is_comparable(self) -> bool:
        return False

    @property
    def is_orderable(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.signature_text


@dataclass(frozen=True, slots=True)
class QDigest(TrinoType):
    """``qdigest(value)``: a quantile digest of bigint, real or double values."""

    value: TrinoType

    @property
    def base_name(self) -> str:
        return "qdigest"

    @property
    def children(self) -> tuple[TrinoType, ...]:
        return (self.value,)

    @property
    def wire_name(self) -> str:
        return f"qdigest({self.value.wire_name})"

    @property
    def signature_text(self) -> str:
        return f"qdigest({self.value.signature_text})"

    @property
    def is_comparable(self) -> bool:
        return False

    @property
    def is_orderable(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"qdigest({self.value})"


BOOLEAN: Final = Scalar("boolean")
TINYINT: Final = Scalar("tinyint")
SMALLINT: Final = Scalar("smallint")
INTEGER: Final = Scalar("integer")
BIGINT: Final = Scalar("bigint")
REAL: Final = Scalar("real")
DOUBLE: Final = Scalar("double")
VARBINARY: Final = Scalar("varbinary")
DATE: Final = Scalar("date")
JSON: Final = Scalar("json")
UUID: Final = Scalar("uuid")
IPADDRESS: Final = Scalar("ipaddress")
UNKNOWN: Final = Scalar("unknown")
INTERVAL_DAY_TO_SECOND: Final = Scalar("interval day to second")
INTERVAL_YEAR_TO_MONTH: Final = Scalar("interval year to month")
COLOR: Final = Scalar("color")
HYPERLOGLOG: Final = Scalar("HyperLogLog")
P4HYPERLOGLOG: Final = Scalar("P4HyperLogLog")
SETDIGEST: Final = Scalar("SetDigest")
TDIGEST: Final = Scalar("tdigest")
CODEPOINTS: Final = Scalar("CodePoints")
JONI_REGEXP: Final = Scalar("JoniRegExp")
RE2J_REGEXP: Final = Scalar("Re2JRegExp")
LIKE_PATTERN: Final = Scalar("LikePattern")
JSON_PATH: Final = Scalar("JsonPath")
JSON_PATH_2016: Final = Scalar("JsonPath2016")
JSON_2016: Final = Scalar("json2016")
GEOMETRY: Final = Scalar("Geometry")
SPHERICAL_GEOGRAPHY: Final = Scalar("SphericalGeography")
BING_TILE: Final = Scalar("BingTile")
KDB_TREE: Final = Scalar("KdbTree")
MODEL: Final = Scalar("Model")
REGRESSOR: Final = Scalar("Regressor")

VARCHAR: Final = Varchar()

SCALAR_TYPES: Final = (
    *(BOOLEAN, TINYINT, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE, VARBINARY, DATE, JSON),
    *(UUID, IPADDRESS, UNKNOWN, INTERVAL_DAY_TO_SECOND, INTERVAL_YEAR_TO_MONTH, COLOR),
    *(HYPERLOGLOG, P4HYPERLOGLOG, SETDIGEST, TDIGEST, CODEPOINTS, JONI_REGEXP, RE2J_REGEXP),
    *(LIKE_PATTERN, JSON_PATH, JSON_PATH_2016, JSON_2016, SPHERICAL_GEOGRAPHY, GEOMETRY),
    *(BING_TILE, KDB_TREE, MODEL, REGRESSOR),
)
INTEGER_TYPES: Final = (TINYINT, SMALLINT, INTEGER, BIGINT)

_INTERVALS: Final = frozenset({INTERVAL_DAY_TO_SECOND, INTERVAL_YEAR_TO_MONTH})
_NOT_COMPARABLE: Final = frozenset(
    {
        *(HYPERLOGLOG, P4HYPERLOGLOG, SETDIGEST, TDIGEST, CODEPOINTS, JONI_REGEXP, RE2J_REGEXP),
        *(LIKE_PATTERN, JSON_PATH, JSON_PATH_2016, JSON_2016, SPHERICAL_GEOGRAPHY),
        *(KDB_TREE, MODEL, REGRESSOR),
    }
)
_NOT_ORDERABLE: Final = _NOT_COMPARABLE | {JSON, COLOR, GEOMETRY, BING_TILE}


def delimited(name: str) -> str:
    """The name as a delimited identifier."""
    return '"' + name.replace('"', '""') + '"'


def delimited_where_needed(name: str) -> str:
    """The name as it may stand in SQL, in quotes only if it must."""
    plain = name[:1].isalpha() and name.isascii() and name.replace("_", "a").isalnum()
    return name if plain and name.upper() not in RESERVED_WORDS else delimited(name)
