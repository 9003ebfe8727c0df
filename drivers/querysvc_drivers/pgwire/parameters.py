"""Values that clients bind, as SQL expressions of Trino."""

from __future__ import annotations

import ipaddress
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Final

from querysvc.types.algebra import TrinoType
from querysvc_drivers.pgwire.errors import INVALID_BINARY, INVALID_TEXT, WireError
from querysvc_drivers.pgwire.lexer import quoted_literal
from querysvc_drivers.pgwire.types import ELEMENTS, Oid, trino_type

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DECIMAL_DIGITS_MAX: Final = 38
_INTEGERS: Final = {
    Oid.INT2: ("SMALLINT", 15),
    Oid.INT4: ("INTEGER", 31),
    Oid.INT8: ("BIGINT", 63),
    Oid.OID: ("BIGINT", 32),
}
_BOOLEANS: Final = {
    **dict.fromkeys(("t", "true", "y", "yes", "on", "1"), "TRUE"),
    **dict.fromkeys(("f", "false", "n", "no", "off", "0"), "FALSE"),
}
_DATE: Final = re.compile(r"\s*(\d{4,}-\d{1,2}-\d{1,2})(?:[T ].*)?(?:\s*[+-]\d.*)?\s*", re.DOTALL)
_CLOCK: Final = r"(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\d*"
_ZONE: Final = r"\s*(Z|UTC|[+-]\d{1,2}(?::?\d{2})?)?\s*"
_TIME: Final = re.compile(rf"\s*{_CLOCK}{_ZONE}", re.IGNORECASE)
_TIMESTAMP: Final = re.compile(
    rf"\s*(\d{{4,}}-\d{{1,2}}-\d{{1,2}})(?:[T ]+{_CLOCK})?{_ZONE}", re.IGNORECASE
)
_WIDE: Final = Context(prec=1000)
"""More digits than any number that is taken has."""
_NUMERIC_HEAD: Final = struct.Struct(">hHHh")
_NUMERIC_SIGNS: Final = {0: "", 0x4000: "-"}


@dataclass(frozen=True, slots=True)
class Value:
    """A bound value, as it came."""

    data: bytes | None = field(repr=False)
    oid: int
    is_binary: bool

    def literal(self, zone: str) -> str:
        """The value as an expression of Trino."""
        return literal(self.data, self.oid, is_binary=self.is_binary, zone=zone)

    def text(self) -> str | None:
        """The value in PostgreSQL's text format."""
        return value_text(self.data, self.oid, is_binary=self.is_binary)


def value_text(value: bytes | None, oid: int, *, is_binary: bool) -> str | None:
    """A bound value in PostgreSQL's text format."""
    if value is None or not is_binary:
        return None if value is None else value.decode(errors="replace")
    element = ELEMENTS.get(oid)
    if element is not None:
        items = (value_text(item, element, is_binary=True) for item in binary_items(value))
        return "{" + ",".join(map(_item_text, items)) + "}"
    try:
        return _TEXTS[oid](value) if oid in _TEXTS else value.decode()
    except (ValueError, InvalidOperation, struct.error, KeyError, OverflowError, IndexError):
        raise WireError(INVALID_BINARY, f"invalid binary value of OID {oid}") from None


def _item_text(text: str | None) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def null_literal(type_: TrinoType | None) -> str:
    """NULL, of the type if it is known."""
    return "NULL" if type_ is None else f"CAST(NULL AS {type_.wire_name})"


def literal(value: bytes | None, oid: int, *, is_binary: bool, zone: str) -> str:
    """A bound value as an expression; 22P02 or 22P03 when it is none of its type."""
    if value is None:
        return null_literal(trino_type(oid))
    if oid in ELEMENTS:
        return _array(value, oid, is_binary=is_binary, zone=zone)
    state = INVALID_BINARY if is_binary else INVALID_TEXT
    try:
        text = _TEXTS[oid](value) if is_binary and oid in _TEXTS else value.decode()
        write = _LITERALS.get(oid)
        if write is None:
            raise WireError("0A000", f"parameters of the type with OID {oid} are not supported")
        return write(text, zone)
    except (ValueError, InvalidOperation, struct.error, KeyError, OverflowError, IndexError):
        shown = value.hex() if is_binary else value.decode(errors="replace")
        name = Oid(oid).name.lower() if oid in Oid.__members__.values() else str(oid)
        raise WireError(state, f'invalid input for type {name}: "{shown}"') from None


def _integer(oid: Oid) -> Callable[[str, str], str]:
    name, bits = _INTEGERS[oid]

    def write(text: str, _: str) -> str:
        number = int(text.strip())
        if not -(1 << bits) <= number < 1 << bits:
            raise WireError("22003", f'value "{text}" is out of range for type {name.lower()}')
        return f"{name} '{number}'"

    return write


def _floating(name: str) -> Callable[[str, str], str]:
    def write(text: str, _: str) -> str:
        number = float(text.strip())
        return f"{name} '{_java(number, text.strip())}'"

    return write


def _java(number: float, text: str) -> str:
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        if "inf" not in text.lower():
            raise WireError("22003", f'"{text}" is out of range for type double precision')
        return "Infinity" if number > 0 else "-Infinity"
    return text


def _numeric(text: str, _: str) -> str:
    number = Decimal(text.strip())
    if not number.is_finite():
        raise WireError("0A000", f"a numeric {text.strip()} is not supported")
    plain = format(number, "f")
    if len(plain.lstrip("-").replace(".", "")) > _DECIMAL_DIGITS_MAX:
        raise WireError("22003", f"numeric {plain} has more than {_DECIMAL_DIGITS_MAX} digits")
    return f"DECIMAL '{plain}'"


def _boolean(text: str, _: str) -> str:
    return _BOOLEANS[text.strip().lower()]


def _text(text: str, _: str) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    return quoted_literal(text)


def _bytea(text: str, _: str) -> str:
    if not text.startswith("\\x"):
        raise ValueError("only the hex format")
    return f"X'{bytes.fromhex(text[2:]).hex()}'"


def _date(text: str, _: str) -> str:
    match = _DATE.fullmatch(text)
    return f"DATE '{_matched(match)[1]}'"


def _time(text: str, _: str) -> str:
    return f"TIME '{_matched(_TIME.fullmatch(text))[1]}'"


def _time_tz(text: str, zone: str) -> str:
    match = _matched(_TIME.fullmatch(text))
    if match[2] is None:
        raise ValueError(zone)  # which offset a zone has, only a date tells
    return f"TIME '{match[1]} {_offset(match[2])}'"


def _timestamp(text: str, _: str) -> str:
    # A zone in the text of a timestamp without one is ignored, as in PostgreSQL.
    match = _matched(_TIMESTAMP.fullmatch(text))
    return f"TIMESTAMP '{match[1]} {match[2] or '00:00:00'}'"


def _timestamp_tz(text: str, zone: str) -> str:
    match = _matched(_TIMESTAMP.fullmatch(text))
    shown = zone if match[3] is None else _offset(match[3])
    return f"TIMESTAMP '{match[1]} {match[2] or '00:00:00'} {shown}'"


def _offset(text: str) -> str:
    if text.upper() in ("Z", "UTC"):
        return "+00:00"
    digits = text[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "00")
    return f"{text[0]}{int(hours):02}:{minutes}"


def _matched(match: re.Match[str] | None) -> re.Match[str]:
    if match is None:
        raise ValueError("no such form")
    return match


def _uuid(text: str, _: str) -> str:
    return f"UUID '{uuid.UUID(text.strip())}'"


def _inet(text: str, _: str) -> str:
    address = ipaddress.ip_address(text.strip().removesuffix("/32").removesuffix("/128"))
    return f"IPADDRESS '{address}'"


def _json(text: str, _: str) -> str:
    return f"JSON {quoted_literal(text)}"


def _array(value: bytes, oid: int, *, is_binary: bool, zone: str) -> str:
    element = ELEMENTS[oid]
    items = binary_items(value) if is_binary else text_items(value.decode())
    cells = (literal(item, element, is_binary=is_binary, zone=zone) for item in items)
    inner = trino_type(oid)
    array = f"ARRAY[{', '.join(cells)}]"
    is_numeric = element == Oid.NUMERIC
    return array if inner is None or is_numeric else f"CAST({array} AS {inner.wire_name})"


def binary_items(value: bytes) -> list[bytes | None]:
    """The elements of an array of one dimension in the binary format."""
    try:
        dimensions = struct.unpack_from(">i", value)[0]
        if dimensions == 0:
            return []
        count = struct.unpack_from(">i", value, 12)[0]
        if dimensions != 1 or not 0 <= count <= len(value):
            raise WireError("0A000", "arrays of more than one dimension are not supported")
        items: list[bytes | None] = []
        at = 20
        for _ in range(count):
            size = struct.unpack_from(">i", value, at)[0]
            at += 4
            items.append(None if size < 0 else value[at : at + size])
            at += max(size, 0)
    except struct.error:
        raise WireError(INVALID_BINARY, "insufficient data left in array") from None
    if at != len(value):
        raise WireError(INVALID_BINARY, "invalid length of an array")
    return items


_ITEM: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^{},"]*?))\s*(,|\}$)', re.DOTALL)


def text_items(text: str) -> list[bytes | None]:
    """The elements of an array of one dimension in the text format."""
    stripped = text.strip()
    if stripped == "{}":
        return []
    if not stripped.startswith("{"):
        raise WireError(INVALID_TEXT, f'malformed array literal: "{text}"')
    items: list[bytes | None] = []
    at = 1
    while at < len(stripped):
        match = _ITEM.match(stripped, at)
        if match is None:
            raise WireError(INVALID_TEXT, f'malformed array literal: "{text}"')
        at = match.end()
        if match[1] is not None:
            items.append(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL).encode())
        else:
            items.append(None if match[2].upper() == "NULL" else match[2].encode())
    return items


def _numeric_text(value: bytes) -> str:
    count, weight, sign, scale = _NUMERIC_HEAD.unpack_from(value)
    groups = struct.unpack(f">{count}h", value[_NUMERIC_HEAD.size :])
    if any(not 0 <= group <= 9999 for group in groups):
        raise ValueError("no group of four digits")
    weight = weight - 0x10000 if weight >= 0x8000 else weight
    number = Decimal(int("".join(f"{group:04}" for group in groups) or "0"))
    exact = number.scaleb(4 * (weight - count + 1), context=_WIDE)
    shown = exact.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
    return _NUMERIC_SIGNS[sign] + format(shown, "f")


def _instant_text(value: bytes) -> str:
    moment = _EPOCH + timedelta(microseconds=struct.unpack(">q", value)[0])
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")


def _clock_text(microseconds: int) -> str:
    if not 0 <= microseconds < 86_400_000_000:
        raise ValueError("no time of a day")
    return (datetime.min + timedelta(microseconds=microseconds)).time().isoformat()


def _time_tz_text(value: bytes) -> str:
    microseconds, west = struct.unpack(">qi", value)
    minutes = -west // 60
    sign = "-" if minutes < 0 else "+"
    return f"{_clock_text(microseconds)}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _inet_text(value: bytes) -> str:
    if value[3] not in (4, 16) or value[1] != 8 * value[3]:
        raise ValueError("networks are no addresses")
    return str(ipaddress.ip_address(value[4:]))


def _jsonb_text(value: bytes) -> str:
    if value[:1] != b"\x01":
        raise ValueError("unknown version of jsonb")
    return value[1:].decode()


def _number(form: str) -> Callable[[bytes], str]:
    return lambda value: repr(struct.unpack(form, value)[0])


_TEXTS: Final[Mapping[int, Callable[[bytes], str]]] = {
    Oid.BOOL: lambda value: {b"\0": "f", b"\1": "t"}[value],
    Oid.INT2: _number(">h"),
    Oid.INT4: _number(">i"),
    Oid.INT8: _number(">q"),
    Oid.OID: _number(">I"),
    Oid.FLOAT4: _number(">f"),
    Oid.FLOAT8: _number(">d"),
    Oid.NUMERIC: _numeric_text,
    Oid.BYTEA: lambda value: f"\\x{value.hex()}",
    Oid.DATE: lambda value: (
        date(2000, 1, 1) + timedelta(days=struct.unpack(">i", value)[0])
    ).isoformat(),
    Oid.TIME: lambda value: _clock_text(struct.unpack(">q", value)[0]),
    Oid.TIMETZ: _time_tz_text,
    Oid.TIMESTAMP: _instant_text,
    Oid.TIMESTAMPTZ: lambda value: f"{_instant_text(value)}+00:00",
    Oid.UUID: lambda value: str(uuid.UUID(bytes=value)),
    Oid.INET: _inet_text,
    Oid.JSONB: _jsonb_text,
}
"""The texts of binary values; types that are not here are texts already."""

_LITERALS: Final[Mapping[int, Callable[[str, str], str]]] = {
    Oid.BOOL: _boolean,
    **{oid: _integer(oid) for oid in _INTEGERS},
    Oid.FLOAT4: _floating("REAL"),
    Oid.FLOAT8: _floating("DOUBLE"),
    Oid.NUMERIC: _numeric,
    **dict.fromkeys((Oid.TEXT, Oid.VARCHAR, Oid.BPCHAR, Oid.NAME, Oid.UNKNOWN, Oid.CHAR), _text),
    Oid.BYTEA: _bytea,
    Oid.DATE: _date,
    Oid.TIME: _time,
    Oid.TIMETZ: _time_tz,
    Oid.TIMESTAMP: _timestamp,
    Oid.TIMESTAMPTZ: _timestamp_tz,
    Oid.UUID: _uuid,
    Oid.INET: _inet,
    Oid.JSON: _json,
    Oid.JSONB: _json,
}
