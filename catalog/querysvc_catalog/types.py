"""Hive's column types: parsing and printing of texts such as `map<string,array<decimal(10,2)>>`.

The canonical text, which `str` of a type gives, is Hive's own: lower case, no spaces. Field names
keep their case and are back-ticked only where the grammar could not read them otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn, TypeAlias

from querysvc_catalog.errors import TypeSyntaxError, UnsupportedTypeError

NESTING_LEVELS_MAX: Final = 64
TYPE_TEXT_LENGTH_MAX: Final = 131_072  # Glue's limit on Column.Type

DECIMAL_PRECISION_MAX: Final = 38
VARCHAR_LENGTH_MAX: Final = 65_535
CHAR_LENGTH_MAX: Final = 255


class Primitive(StrEnum):
    """Hive's types without parameters."""

    BOOLEAN = "boolean"
    TINYINT = "tinyint"
    SMALLINT = "smallint"
    INT = "int"
    BIGINT = "bigint"
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    BINARY = "binary"
    TIMESTAMP = "timestamp"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class PrimitiveType:
    """A type without parameters."""

    primitive: Primitive

    def __str__(self) -> str:
        return self.primitive.value


@dataclass(frozen=True, slots=True)
class DecimalType:
    """An exact number of `precision` digits, `scale` of them after the point."""

    precision: int = 10
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})"


@dataclass(frozen=True, slots=True)
class VarcharType:
    """Text of at most `length` characters."""

    length: int

    def __str__(self) -> str:
        return f"varchar({self.length})"


@dataclass(frozen=True, slots=True)
class CharType:
    """Text of `length` characters, padded with spaces."""

    length: int

    def __str__(self) -> str:
        return f"char({self.length})"


@dataclass(frozen=True, slots=True)
class ArrayType:
    """A list of elements of one type."""

    element: HiveType

    def __str__(self) -> str:
        return f"array<{self.element}>"


@dataclass(frozen=True, slots=True)
class MapType:
    """A map from keys of one type to values of one type."""

    key: HiveType
    value: HiveType

    def __str__(self) -> str:
        return f"map<{self.key},{self.value}>"


@dataclass(frozen=True, slots=True)
class StructField:
    """One named field of a struct."""

    name: str
    type: HiveType

    def __str__(self) -> str:
        return f"{_format_field_name(self.name)}:{self.type}"


@dataclass(frozen=True, slots=True)
class StructType:
    """A row of named fields."""

    fields: tuple[StructField, ...]

    def __str__(self) -> str:
        return f"struct<{','.join(map(str, self.fields))}>"


HiveType: TypeAlias = (
    PrimitiveType | DecimalType | VarcharType | CharType | ArrayType | MapType | StructType
)

_SYNONYMS: Final = {
    "integer": Primitive.INT,
    "long": Primitive.BIGINT,  # Glue's crawlers write it for partition keys
    "double precision": Primitive.DOUBLE,
}
_DECIMAL_NAMES: Final = frozenset({"decimal", "dec", "numeric"})
_UNSUPPORTED: Final = frozenset(
    {
        "uniontype",
        "void",
        "timestamp with local time zone",
        "timestamp with time zone",
        "timestamptz",
        "interval_year_month",
        "interval_day_time",
        "interval year to month",
        "interval day to second",
    }
)

_PLAIN_FIELD_NAME: Final = re.compile(r"[^\s:<>,()`'\"\x00]+(?: +[^\s:<>,()`'\"\x00]+)*")
_SPACE: Final = re.compile(r"\s*")
_WORDS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\s+[A-Za-z_][A-Za-z0-9_]*)*")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_FIELD_COMMENT: Final = re.compile(r"comment\s+('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.I)


def parse_type(text: str) -> HiveType:
    """Parse a Hive type text, or raise TypeSyntaxError with a position, or UnsupportedTypeError."""
    if len(text) > TYPE_TEXT_LENGTH_MAX:
        raise TypeSyntaxError(
            f"type text of {len(text)} characters is longer than {TYPE_TEXT_LENGTH_MAX}", "", 1
        )
    return _Parser(text).parse()


def format_type(hive_type: HiveType) -> str:
    """Print a type in Hive's canonical form, which `parse_type` reads back."""
    return str(hive_type)


def _format_field_name(name: str) -> str:
    if _PLAIN_FIELD_NAME.fullmatch(name):
        return name
    return "`" + name.replace("`", "``") + "`"


class _Parser:
    """A recursive-descent parser over one text, with a bound on nesting."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0
        self._levels = 0
        self._parameterised: dict[str, Callable[[], HiveType]] = {
            "varchar": lambda: VarcharType(self._length("varchar", VARCHAR_LENGTH_MAX)),
            "char": lambda: CharType(self._length("char", CHAR_LENGTH_MAX)),
            "array": self._array,
            "map": self._map,
            "struct": self._struct,
            **dict.fromkeys(_DECIMAL_NAMES, self._decimal),
        }

    def parse(self) -> HiveType:
        result = self._type()
        self._skip_space()
        if self._offset < len(self._text):
            self._fail(f"unexpected {self._text[self._offset]!r} after the type")
        return result

    def _type(self) -> HiveType:
        self._skip_space()
        start = self._offset
        match = _WORDS.match(self._text, start)
        if match is None:
            self._fail("a type name is expected")
        name = self._type_name(" ".join(match[0].lower().split()), start, match.end())
        if name in _UNSUPPORTED:
            raise UnsupportedTypeError(name)
        if name in self._parameterised:
            return self._parameterised[name]()
        if name in _SYNONYMS:
            return PrimitiveType(_SYNONYMS[name])
        try:
            return PrimitiveType(Primitive(name))
        except ValueError:
            self._fail(f"unknown type {name!r}", start)

    def _type_name(self, words: str, start: int, end: int) -> str:
        """Take the longest known name of several words, else the first word alone."""
        if " " in words and (words in _SYNONYMS or words in _UNSUPPORTED):
            self._offset = end
            return words
        for known in (*_SYNONYMS, *_UNSUPPORTED):
            if " " in known and words.startswith(known + " "):
                pattern = r"\s+".join(known.split())
                match = re.compile(pattern, re.IGNORECASE).match(self._text, start)
                if match is not None:
                    self._offset = match.end()
                    return known
        first = words.split(" ", 1)[0]
        self._offset = start + len(first)
        return first

    def _decimal(self) -> HiveType:
        if not self._accept("("):
            return DecimalType()
        start = self._offset
        precision = self._number()
        scale = self._number() if self._accept(",") else 0
        self._expect(")")
        if not 1 <= precision <= DECIMAL_PRECISION_MAX:
            self._fail(f"decimal precision must be 1 to {DECIMAL_PRECISION_MAX}", start)
        if scale > precision:
            self._fail("decimal scale must not be greater than its precision", start)
        return DecimalType(precision, scale)

    def _length(self, name: str, maximum: int) -> int:
        self._expect("(")
        start = self._offset
        length = self._number()
        self._expect(")")
        if not 1 <= length <= maximum:
            self._fail(f"{name} length must be 1 to {maximum}", start)
        return length

    def _array(self) -> HiveType:
        self._open()
        element = self._type()
        self._close()
        return ArrayType(element)

    def _map(self) -> HiveType:
        self._open()
        key = self._type()
        self._expect(",")
        value = self._type()
        self._close()
        return MapType(key, value)

    def _struct(self) -> HiveType:
        self._open()
        fields = [self._field()]
        while self._accept(","):
            fields.append(self._field())
        self._close()
        return StructType(tuple(fields))

    def _field(self) -> StructField:
        name = self._field_name()
        self._expect(":")
        field = StructField(name, self._type())
        self._skip_space()
        comment = _FIELD_COMMENT.match(self._text, self._offset)
        if comment is not None:  # DDL allows it; the metastore's type text has no place for it
            self._offset = comment.end()
        return field

    def _field_name(self) -> str:
        self._skip_space()
        start = self._offset
        if self._text.startswith("`", start):
            return self._quoted_name(start)
        match = _PLAIN_FIELD_NAME.match(self._text, start)
        if match is None:
            self._fail("a field name is expected")
        self._offset = match.end()
        return match[0]

    def _quoted_name(self, start: int) -> str:
        end = start + 1
        while True:
            end = self._text.find("`", end)
            if end < 0:
                self._fail("the back-tick is not closed", start)
            if not self._text.startswith("``", end):
                break
            end += 2
        if end == start + 1:
            self._fail("a field name must not be empty", start)
        self._offset = end + 1
        return self._text[start + 1 : end].replace("``", "`")

    def _open(self) -> None:
        self._expect("<")
        self._levels += 1
        if self._levels > NESTING_LEVELS_MAX:
            self._fail(f"types nest deeper than {NESTING_LEVELS_MAX} levels")

    def _close(self) -> None:
        self._expect(">")
        self._levels -= 1

    def _number(self) -> int:
        self._skip_space()
        match = _NUMBER.match(self._text, self._offset)
        if match is None:
            self._fail("a number is expected")
        self._offset = match.end()
        return int(match[0])

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._offset)
        self._offset = match.end() if match else self._offset

    def _accept(self, token: str) -> bool:
        self._skip_space()
        if not self._text.startswith(token, self._offset):
            return False
        self._offset += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            self._fail(f"{token!r} is expected")

    def _fail(self, reason: str, offset: int | None = None) -> NoReturn:
        position = (self._offset if offset is None else offset) + 1
        shown = self._text if len(self._text) <= 200 else self._text[:200] + "…"
        raise TypeSyntaxError(
            f"invalid Hive type {shown!r}: at position {position}, {reason}", self._text, position
        )
