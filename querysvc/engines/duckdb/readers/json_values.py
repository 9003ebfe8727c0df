"""From a parsed JSON value to a declared type's storage form, as Trino's two SerDes do it.

openx's forgives: what cannot be read is NULL, a scalar is an array of one, an array a struct by
position. hcatalog's is strict: another kind of value is an error. Numbers arrive as their texts
(`Number`), so no digit is lost; a value that may not be raises ValueError.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final  # parsed JSON

from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

Convert = Callable[[Any], Any]


class Number(str):
    """A number as it stands in the text."""

    __slots__ = ()


_EPOCH: Final = datetime(1970, 1, 1)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_NUMERIC: Final = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
_FLOATING: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})[ T]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})"
    r"(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_DECIMALS: Final = Context(prec=80)
_MILLISECONDS_FROM: Final = 10_000_000_000
"""Whole numbers from here on are milliseconds, below it seconds."""
_BITS: Final = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}


@dataclass(frozen=True, slots=True)
class JsonRules:
    """What sets the two SerDes apart."""

    is_lenient: bool
    ignores_case: bool = True
    dots_in_keys: bool = False
    is_failing: bool = False
    """A value that cannot be read fails, whatever the SerDe's rule."""
    parse_timestamp: Callable[[str], datetime | None] | None = None
    """By `timestamp.formats`, before the usual form is tried."""


def converter(type_: TrinoType, rules: JsonRules) -> Convert:
    """The conversion of values of a type; NULL stays NULL."""
    make = _BY_KIND.get("integer" if type_.is_integer else type_.base_name)
    if make is None:
        raise ValueError(f"reading {type_} from JSON is not supported")
    inner = make(type_, rules)
    if not rules.is_lenient or rules.is_failing or isinstance(type_, _NESTED):
        return lambda value: None if value is None else inner(value)

    def lenient(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, dict | list) and not isinstance(type_, algebra.Varchar):
            raise ValueError(text_of(value))
        try:
            return inner(value)
        except (ValueError, ArithmeticError):
            return None

    return lenient


def key_of(key: str, rules: JsonRules) -> str:
    """A key as it is looked up."""
    if rules.dots_in_keys:
        key = key.replace(".", "_")
    return key.lower() if rules.ignores_case else key


def text_of(value: Any) -> str:
    """A value's own text."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        inner = ",".join(
            f"{json.dumps(k, ensure_ascii=False)}:{_json(v)}" for k, v in value.items()
        )
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value)


def _json(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Number):
        return json.dumps(value, ensure_ascii=False)
    return text_of(value)


def _fail(value: Any) -> Any:
    raise ValueError(text_of(value))


def _text(type_: TrinoType, rules: JsonRules) -> Convert:
    length = getattr(type_, "length", None)
    is_char = isinstance(type_, algebra.Char)

    def convert(value: Any) -> str:
        if isinstance(value, dict | list) and not rules.is_lenient:
            _fail(value)
        text = text_of(value)[:length]
        return text.rstrip(" ") if is_char else text

    return convert


def _integer(type_: TrinoType, rules: JsonRules) -> Convert:
    limit = 1 << (_BITS[type_.base_name] - 1)

    def convert(value: Any) -> int:
        text = text_of(value)
        if isinstance(value, str) and (rules.is_lenient or isinstance(value, Number)):
            number = int(text) if _INTEGER.fullmatch(text) else _whole(text)
            if -limit <= number < limit:
                return number
        return int(_fail(value))

    return convert


def _whole(text: str) -> int:
    if not _NUMERIC.fullmatch(text):
        _fail(text)
    return int(Decimal(text.strip()))


def _floating(_type: TrinoType, _rules: JsonRules) -> Convert:
    def convert(value: Any) -> float:
        text = text_of(value)
        if isinstance(value, str):
            if text in _FLOATING:
                return _FLOATING[text]
            if _NUMERIC.fullmatch(text):
                return float(text)
        return float(_fail(value))

    return convert


def _decimal(type_: TrinoType, _rules: JsonRules) -> Convert:
    assert isinstance(type_, algebra.Decimal)
    unit = Decimal((0, (1,), -type_.scale))
    bound = Decimal((0, (1,), type_.precision - type_.scale))

    def convert(value: Any) -> Decimal:
        text = text_of(value)
        if not isinstance(value, str) or not _NUMERIC.fullmatch(text):
            _fail(value)
        number = Decimal(text.strip())
        if abs(number) >= bound:
            _fail(value)
        rounded = number.quantize(unit, ROUND_HALF_UP, _DECIMALS)
        if abs(rounded) >= bound:
            _fail(value)
        return rounded

    return convert


def _boolean(_type: TrinoType, _rules: JsonRules) -> Convert:
    return lambda value: value if isinstance(value, bool) else text_of(value).lower() == "true"


def _date(_type: TrinoType, rules: JsonRules) -> Convert:
    def convert(value: Any) -> date:
        if isinstance(value, Number) and rules.is_lenient and _INTEGER.fullmatch(value):
            return date(1970, 1, 1) + timedelta(days=int(value))
        match = _DATE.fullmatch(text_of(value).strip())
        return _rolled(match) if match else _fail(value)

    return convert


def _rolled(match: re.Match[str]) -> date:
    year, month, day = (int(match[n]) for n in (1, 2, 3))
    if not 1 <= day <= 31:
        _fail(match[0])
    return date(year, month, 1) + timedelta(days=day - 1)


def _timestamp(type_: TrinoType, rules: JsonRules) -> Convert:
    assert isinstance(type_, algebra.Timestamp)
    unit = 10 ** max(6 - type_.precision, 0)

    def convert(value: Any) -> int:
        if isinstance(value, Number):
            micros = _epoch_micros(value) if rules.is_lenient else int(_fail(value))
        else:
            micros = _formatted(text_of(value), rules)
        return int((micros + unit // 2) // unit * unit)

    return convert


def _epoch_micros(text: str) -> int:
    if _INTEGER.fullmatch(text):
        number = int(text)
        return number * (1000 if abs(number) >= _MILLISECONDS_FROM else 1_000_000)
    return int(Decimal(text) * 1_000_000)


def _formatted(text: str, rules: JsonRules) -> int:
    found = rules.parse_timestamp(text) if rules.parse_timestamp is not None else None
    return _moment(text, rules) if found is None else (found - _EPOCH) // timedelta(microseconds=1)


def _moment(text: str, rules: JsonRules) -> int:
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None or (not rules.is_lenient and ("T" in text or match[6])):
        _fail(text)
    assert match is not None
    day = _DATE.fullmatch(match[1])
    assert day is not None
    hours, minutes, seconds = (int(match[n]) for n in (2, 3, 4))
    if hours > 24 or minutes > 59 or seconds > 59:
        _fail(text)
    offset = 0
    if match[6] and match[6] != "Z":
        sign = -1 if match[6][0] == "-" else 1
        offset = sign * (int(match[6][1:3]) * 3600 + int(match[6][-2:]) * 60)
    whole = (datetime.combine(_rolled(day), datetime.min.time()) - _EPOCH) // timedelta(seconds=1)
    fraction = int((match[5] or "")[:6].ljust(6, "0"))
    return (whole + hours * 3600 + minutes * 60 + seconds - offset) * 1_000_000 + fraction


def _binary(_type: TrinoType, rules: JsonRules) -> Convert:
    def convert(value: Any) -> bytes:
        if not isinstance(value, str):
            _fail(value)
        data = text_of(value)
        return base64.b64decode(data, validate=True) if rules.is_lenient else data.encode()

    return convert


def _array(type_: TrinoType, rules: JsonRules) -> Convert:
    item = converter(type_.children[0], rules)

    def convert(value: Any) -> list[Any]:
        if isinstance(value, list):
            return [item(one) for one in value]
        return [item(value)] if rules.is_lenient else _fail(value)

    return convert


def _map(type_: TrinoType, rules: JsonRules) -> Convert:
    keys = converter(type_.children[0], JsonRules(is_lenient=True))
    item = converter(type_.children[1], rules)

    def convert(value: Any) -> list[tuple[Any, Any]]:
        if not isinstance(value, dict):
            _fail(value)
        found = [(keys(name), item(one)) for name, one in value.items()]
        return [pair for pair in found if pair[0] is not None]

    return convert


def _row(type_: TrinoType, rules: JsonRules) -> Convert:
    assert isinstance(type_, algebra.Row)
    fields = [
        (f"f{i}", key_of(one.name or "", JsonRules(True, rules.ignores_case)),
         converter(one.type, rules))
        for i, one in enumerate(type_.fields)
    ]  # fmt: skip

    def convert(value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            by_key = {key_of(name, rules): one for name, one in value.items()}
            return {name: make(by_key.get(key)) for name, key, make in fields}
        if isinstance(value, list) and rules.is_lenient:
            return {
                name: make(value[i]) if i < len(value) else None
                for i, (name, _key, make) in enumerate(fields)
            }
        if value == "" and rules.is_lenient:
            return {name: None for name, _key, _make in fields}
        return dict(_fail(value))

    return convert


_NESTED: Final = (algebra.Array, algebra.Map, algebra.Row)
_BY_KIND: Final[dict[str, Callable[[TrinoType, JsonRules], Convert]]] = {
    "varchar": _text,
    "char": _text,
    "integer": _integer,
    "real": _floating,
    "double": _floating,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "varbinary": _binary,
    "array": _array,
    "map": _map,
    "row": _row,
}
