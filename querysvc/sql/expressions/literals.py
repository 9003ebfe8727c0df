"""Constants: every literal of Trino's grammar as a typed value."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.expressions import datetime_literals as texts
from querysvc.sql.expressions.errors import fail, located_at
from querysvc.sql.functions.resolve import resolve
from querysvc.types import algebra
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    DATE,
    DECIMAL_PRECISION_MAX,
    DOUBLE,
    INTEGER,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    IPADDRESS,
    REAL,
    SMALLINT,
    TINYINT,
    UNKNOWN,
    UUID,
    VARBINARY,
    VARCHAR,
    Char,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)
from querysvc.types.build import build_type
from querysvc.types.coercion import can_cast

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope

_INTEGER_MAX: Final = 2**31 - 1
_DECIMAL: Final = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d+", re.ASCII)
_FLOATING: Final = re.compile(
    r"[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[dDfF]?)", re.ASCII
)
_HEXADECIMAL: Final = re.compile(
    r"[+-]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?\d+[dDfF]?", re.ASCII
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def null(_: Analyser, __: syntax.NullLiteral, ___: Scope) -> tree.Expression:
    """NULL, of the type that coerces to every other."""
    return tree.Literal(UNKNOWN, None)


def boolean(_: Analyser, node: syntax.BooleanLiteral, __: Scope) -> tree.Expression:
    """TRUE, FALSE."""
    return tree.Literal(BOOLEAN, node.value)


def string(_: Analyser, node: syntax.StringLiteral, __: Scope) -> tree.Expression:
    """'text': a varchar of its length in code points."""
    return varchar_literal(node.value)


def varchar_literal(text: str) -> tree.Literal:
    """The text as a varchar of its own length."""
    return tree.Literal(Varchar(len(text)), text)


def binary(_: Analyser, node: syntax.BinaryLiteral, __: Scope) -> tree.Expression:
    """X'…'."""
    return tree.Literal(VARBINARY, node.value)


def integer(_: Analyser, node: syntax.IntegerLiteral, __: Scope) -> tree.Expression:
    """A whole number: integer if it fits, else bigint."""
    fits = -_INTEGER_MAX - 1 <= node.value <= _INTEGER_MAX
    return tree.Literal(INTEGER if fits else BIGINT, node.value)


def decimal(_: Analyser, node: syntax.DecimalLiteral, __: Scope) -> tree.Expression:
    """1.50: a decimal of its digits."""
    literal = _decimal(node.text)
    if literal is None:
        raise fail(ErrorCode.INVALID_LITERAL, node, f"'{node.text}' is not a valid DECIMAL literal")
    return literal


def double(_: Analyser, node: syntax.DoubleLiteral, __: Scope) -> tree.Expression:
    """1e0."""
    return tree.Literal(DOUBLE, node.value)


def interval(_: Analyser, node: syntax.IntervalLiteral, __: Scope) -> tree.Expression:
    """INTERVAL '…' with its fields."""
    qualifier = node.start_field + (f" TO {node.end_field}" if node.end_field else "")
    try:
        name, parse = texts.interval_fields(node.start_field, node.end_field)
    except ValueError:
        message = f"Invalid interval qualifier: {qualifier}"
        raise fail(ErrorCode.INVALID_LITERAL, node, message) from None
    try:
        value = parse(node.value)
    except ValueError:
        message = f"Invalid INTERVAL {name} value: {node.value}"
        raise fail(ErrorCode.INVALID_LITERAL, node, message) from None
    months = node.start_field in ("YEAR", "MONTH")
    type_ = INTERVAL_YEAR_TO_MONTH if months else INTERVAL_DAY_TO_SECOND
    return tree.Literal(type_, node.sign * value)


def generic(analyser: Analyser, node: syntax.GenericLiteral, _: Scope) -> tree.Expression:
    """TYPE 'text'."""
    name = node.type_name.lower()
    parse = _PARSERS.get(_SYNONYMS.get(name, name))
    if parse is None:
        return _unparsable(node)
    with located_at(node):
        try:
            literal = parse(node.value, analyser.context.session.time_zone)
        except ValueError:
            literal = None
    if literal is None:
        kind = node.type_name.upper()
        message = f"'{node.value}' is not a valid {kind} literal"
        raise fail(ErrorCode.INVALID_LITERAL, node, message)
    return literal


def _unparsable(node: syntax.GenericLiteral) -> NoReturn:
    type_ = build_type(node.type_name, ())
    if type_ is None:
        message = f"Unknown resolvedType: {node.type_name}"
        raise fail(ErrorCode.TYPE_NOT_FOUND, node, message)
    if not can_cast(VARCHAR, type_):
        raise fail(ErrorCode.OPERATOR_NOT_FOUND, node, f"Cannot cast varchar to {type_}")
    raise fail(ErrorCode.NOT_SUPPORTED, node, f"literals of type {type_} are not supported")


_Parser: TypeAlias = Callable[[str, str], tree.Expression | None]
"""From a text and the session's zone to the constant; None or ValueError when it is none."""


def _decimal(text: str) -> tree.Literal | None:
    match = _DECIMAL.fullmatch(text.replace("_", ""))
    if match is None or not (match[2] or match[3]):
        return None
    fraction = match[3] or ""
    digits = match[2].lstrip("0") + fraction
    precision = max(len(digits), 1)
    if precision > DECIMAL_PRECISION_MAX:
        return None
    is_negative = match[1] == "-" and digits.strip("0") != ""
    value = Decimal((int(is_negative), tuple(map(int, digits or "0")), -len(fraction)))
    return tree.Literal(algebra.Decimal(precision, len(fraction)), value)


def _whole(type_: TrinoType, bits: int) -> _Parser:
    def parse(text: str, _: str) -> tree.Expression | None:
        stripped = text.strip()
        if _WHOLE.fullmatch(stripped) is None:
            return None
        value = int(stripped)
        fits = -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
        return tree.Literal(type_, value) if fits else None

    return parse


def _floating(text: str) -> float | None:
    """What Java's Double.parseDouble makes of the text."""
    stripped = text.strip()
    if _FLOATING.fullmatch(stripped):
        number = stripped if stripped.endswith(("NaN", "Infinity")) else stripped.rstrip("dDfF")
        return float(number)
    if _HEXADECIMAL.fullmatch(stripped):
        try:
            return float.fromhex(stripped.rstrip("dDfF"))
        except (ValueError, OverflowError):
            return None
    return None


def _double(text: str, _: str) -> tree.Expression | None:
    value = _floating(text)
    return None if value is None else tree.Literal(DOUBLE, value)


def _real(text: str, _: str) -> tree.Expression | None:
    value = _floating(text)
    return None if value is None else tree.Literal(REAL, as_real(value))


def as_real(value: float) -> float:
    """The nearest single-precision number."""
    if math.isnan(value) or math.isinf(value):
        return value
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return rounded


_BOOLEANS: Final = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


def _boolean(text: str, _: str) -> tree.Expression | None:
    value = _BOOLEANS.get(text.lower())
    return None if value is None else tree.Literal(BOOLEAN, value)


def _date(text: str, _: str) -> tree.Expression | None:
    return tree.Literal(DATE, texts.parse_date(text))


def _time(text: str, _: str) -> tree.Expression | None:
    parsed = texts.parse_time(text)
    if parsed.zone is None:
        return tree.Literal(Time(parsed.precision), parsed.value)
    offset = texts.offset_minutes(parsed.zone)
    return tree.Literal(TimeTz(parsed.precision), (parsed.value, offset))


def _timestamp(text: str, _: str) -> tree.Expression | None:
    parsed = texts.parse_timestamp(text)
    if parsed.zone is None:
        return tree.Literal(Timestamp(parsed.precision), parsed.value)
    zone = texts.zone_name(parsed.zone)
    return tree.Literal(TimestampTz(parsed.precision), (texts.to_utc(parsed.value, zone), zone))


def _json(text: str, _: str) -> tree.Expression | None:
    # The text is checked here and made canonical where json_parse is.
    json.loads(text, parse_constant=_refuse)
    argument = varchar_literal(text)
    resolution = resolve("json_parse", (argument.type,))
    return tree.Call(algebra.JSON, "json_parse", resolution.key, (argument,))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _uuid(text: str, _: str) -> tree.Expression | None:
    return tree.Literal(UUID, text.lower()) if _UUID.fullmatch(text) else None


def _ipaddress(text: str, _: str) -> tree.Expression | None:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return tree.Literal(IPADDRESS, str(address))


_PARSERS: Final[dict[str, _Parser]] = {
    "boolean": _boolean,
    "tinyint": _whole(TINYINT, 8),
    "smallint": _whole(SMALLINT, 16),
    "integer": _whole(INTEGER, 32),
    "bigint": _whole(BIGINT, 64),
    "real": _real,
    "double": _double,
    "decimal": lambda text, _: _decimal(text),
    "varchar": lambda text, _: tree.Literal(VARCHAR, text),
    "char": lambda text, _: tree.Literal(Char(len(text)), text),
    "varbinary": lambda text, _: tree.Literal(VARBINARY, text.encode()),
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "json": _json,
    "uuid": _uuid,
    "ipaddress": _ipaddress,
}
_SYNONYMS: Final = {"int": "integer", "double precision": "double"}

HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.NullLiteral: null,
    syntax.BooleanLiteral: boolean,
    syntax.StringLiteral: string,
    syntax.BinaryLiteral: binary,
    syntax.IntegerLiteral: integer,
    syntax.DecimalLiteral: decimal,
    syntax.DoubleLiteral: double,
    syntax.IntervalLiteral: interval,
    syntax.GenericLiteral: generic,
}
