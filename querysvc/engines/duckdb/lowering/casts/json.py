"""Casts to and from json, whose storage form is canonical text: vectorised, by the other type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, InvalidOperation, localcontext
from decimal import Decimal as Exact
from typing import Any, Final, TypeAlias

from querysvc.engines.duckdb.functions.registry import call_python
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.engines.duckdb.lowering.casts import native_json
from querysvc.engines.duckdb.lowering.casts.java_text import (
    double_text,
    java_number,
    java_order,
    json_number,
    json_string,
)
from querysvc.engines.duckdb.lowering.casts.site import CastSite
from querysvc.engines.duckdb.lowering.fragments import Sql, bind
from querysvc.engines.duckdb.lowering.types import not_supported
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    JSON,
    REAL,
    SMALLINT,
    TINYINT,
    UNKNOWN,
    Array,
    Decimal,
    Map,
    Row,
    Timestamp,
    TrinoType,
    Varchar,
)

_INVALID: Final = ErrorCode.INVALID_CAST_ARGUMENT
_BITS: Final[Mapping[TrinoType, int]] = {TINYINT: 7, SMALLINT: 15, INTEGER: 31, BIGINT: 63}
_TRUE: Final = frozenset({"t", "true", "1"})
_FALSE: Final = frozenset({"f", "false", "0"})
_INTEGER_NAMES: Final[Mapping[TrinoType, str]] = {
    TINYINT: "TINYINT",
    SMALLINT: "SMALLINT",
    INTEGER: "INT",
    BIGINT: "BIGINT",
}

Writer: TypeAlias = Callable[[Any], str]
Reader: TypeAlias = Callable[[Any], Any]


def to_json(site: CastSite) -> Sql:
    """CAST(value AS json)."""
    return bind([site.value], lambda value: _to_json(replace(site, value=value)))


def _to_json(site: CastSite) -> Sql:
    write = _writer(site.source)

    def cast_to_json(values: Any) -> list[str | None]:
        return [None if value is None else write(value) for value in values.to_pylist()]

    general = call_python(site.context, cast_to_json, [(site.value, site.source)], JSON)
    return native_json.written(site, general)


def from_json(site: CastSite) -> Sql:
    """CAST(json AS type)."""
    return bind([site.value], lambda value: _from_json(replace(site, value=value)))


def _from_json(site: CastSite) -> Sql:
    read = _reader(site.target)

    def cast_from_json(values: Any) -> list[Any]:
        return [None if value is None else read(_parsed(value)) for value in values.to_pylist()]

    general = call_python(site.context, cast_from_json, [(site.value, JSON)], site.target)
    return native_json.read(site, general)


def _parsed(text: str) -> Any:
    # Objects as lists of pairs: a row takes them in order, and keys may repeat.
    return json.loads(text, parse_float=_Fraction, object_pairs_hook=_Object)


class _Fraction(str):
    """A JSON number with a fraction or an exponent, as written."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """A JSON object's members in order."""

    __slots__ = ()


# Writing.


def _writer(type_: TrinoType) -> Writer:
    if isinstance(type_, Array):
        return _array_writer(type_)
    if isinstance(type_, Map):
        return _map_writer(type_)
    if isinstance(type_, Row):
        return _row_writer(type_)
    writer = _WRITERS.get(type_) or _WRITERS.get(type(type_))
    if isinstance(type_, Timestamp):
        return _timestamp_writer(type_.precision)
    if writer is None:
        raise not_supported(f"cast from {type_} to json")
    return writer


def _or_null(write: Writer) -> Writer:
    return lambda value: "null" if value is None else write(value)


def _timestamp_writer(precision: int) -> Writer:
    def write(value: Any) -> str:
        text = f"{value:%Y-%m-%d %H:%M:%S}".rjust(19, "0")
        return f'"{text}.{value.microsecond:06}'[: 21 + precision if precision else 20] + '"'

    return write


def _array_writer(type_: Array) -> Writer:
    element = _or_null(_writer(type_.element))
    return lambda value: f"[{','.join(map(element, value))}]"


def _map_writer(type_: Map) -> Writer:
    key, item = _key_writer(type_), _or_null(_writer(type_.value))

    def write(value: Any) -> str:
        members = sorted(
            ((key(k), item(v)) for k, v in value), key=lambda member: java_order(member[0])
        )
        return "{" + ",".join(f"{json_string(k)}:{v}" for k, v in members) + "}"

    return write


def _key_writer(type_: Map) -> Writer:
    key = type_.key
    if isinstance(key, Varchar):
        return str
    if key in (REAL, DOUBLE):
        return lambda value: java_number(value, is_real=key == REAL)
    if isinstance(key, Decimal) or key in (BOOLEAN, UNKNOWN, *_BITS):
        return _writer(key)
    raise QueryServiceError(_INVALID, f"Cannot cast {type_} to JSON")


def _row_writer(type_: Row) -> Writer:
    fields = [
        (json_string(field.name or ""), f"f{i}", _or_null(_writer(field.type)))
        for i, field in enumerate(type_.fields)
    ]

    def write(value: Any) -> str:
        return "{" + ",".join(f"{name}:{item(value[key])}" for name, key, item in fields) + "}"

    return write


def _plain(value: Any) -> str:
    return str(value)


_WRITERS: Final[Mapping[object, Writer]] = {
    BOOLEAN: lambda value: "true" if value else "false",
    TINYINT: _plain,
    SMALLINT: _plain,
    INTEGER: _plain,
    BIGINT: _plain,
    REAL: lambda value: json_number(value, is_real=True),
    DOUBLE: lambda value: json_number(value, is_real=False),
    DATE: lambda value: f'"{value}"',
    JSON: _plain,
    UNKNOWN: lambda _value: "null",
    Decimal: lambda value: f"{value:f}",
    Varchar: json_string,
}


# Reading.


def _reader(type_: TrinoType) -> Reader:
    if isinstance(type_, Array):
        return _array_reader(type_)
    if isinstance(type_, Map):
        return _map_reader(type_)
    if isinstance(type_, Row):
        return _row_reader(type_)
    if type_ in _BITS:
        return lambda value: _read_integer(value, type_)
    if isinstance(type_, Decimal):
        return lambda value: _read_decimal(value, type_)
    if isinstance(type_, Varchar):
        return lambda value: _read_varchar(value, type_)
    reader = _READERS.get(type_)
    if reader is None:
        raise not_supported(f"cast from json to {type_}")
    return reader


def _refused(value: Any, what: str) -> Exception:
    return failure(_INVALID, f"Cannot cast '{_shown(value)}' to {what}")


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, str) else _canonical(value)


def _canonical(value: Any) -> str:
    if isinstance(value, _Object):
        return "{" + ",".join(f"{json_string(k)}:{_canonical(v)}" for k, v in value) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    if isinstance(value, _Fraction):
        return str(value)
    return json_string(value) if isinstance(value, str) else json.dumps(value)


def _read_boolean(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, _Fraction):
        return float(value) != 0
    if isinstance(value, int) and abs(value) < 2**63:
        return value != 0
    text = value.lower() if isinstance(value, str) else ""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise _refused(value, "boolean" if not isinstance(value, str) else "BOOLEAN")


def _read_integer(value: Any, type_: TrinoType) -> int | None:
    if value is None or isinstance(value, bool):
        return None if value is None else int(value)
    if isinstance(value, _Fraction):
        number = float(value)
        if abs(number) >= 2**63:
            raise _refused(value, str(type_))
        return _in_range(int(Exact(str(number)).quantize(Exact(1), ROUND_HALF_UP)), value, type_)
    if isinstance(value, int):
        return _in_range(value, value, type_)
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        number = int(value)
        if -(2 ** _BITS[type_]) <= number < 2 ** _BITS[type_]:
            return number
    raise _refused(value, _INTEGER_NAMES[type_] if isinstance(value, str) else str(type_))


def _in_range(number: int, shown: Any, type_: TrinoType) -> int:
    if -(2 ** _BITS[type_]) <= number < 2 ** _BITS[type_]:
        return number
    raise _refused(shown, str(type_))


_FLOATING = re.compile(
    r"\s*[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)[fFdD]?\s*", re.ASCII
)


def _read_floating(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool | int | _Fraction):
        return float(value)
    if isinstance(value, str) and _FLOATING.fullmatch(value):
        return float(value.strip().rstrip("fFdD"))
    raise _refused(value, "DOUBLE" if isinstance(value, str) else "double")


def _read_decimal(value: Any, type_: Decimal) -> Exact | None:
    if value is None:
        return None
    what = type_.wire_name.upper()
    if isinstance(value, list):
        raise _refused(value, what)
    with localcontext() as context:
        context.prec = 200
        try:
            number = Exact(int(value) if isinstance(value, bool) else str(value))
            rounded = number.quantize(Exact(1).scaleb(-type_.scale), ROUND_HALF_UP)
        except InvalidOperation:
            raise _refused(value, what) from None
    if not rounded.is_finite() or abs(rounded) >= Exact(10) ** (type_.precision - type_.scale):
        raise _refused(value, what)
    return rounded


def _read_varchar(value: Any, type_: Varchar) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, _Fraction):
        text = double_text(float(value))
    elif isinstance(value, int):
        text = str(value)
    elif isinstance(value, str):
        # Half of a surrogate pair has no UTF-8.
        text = value.encode("utf-8", "replace").decode() if not value.isascii() else value
    else:
        raise _refused(value, str(type_))
    if type_.length is not None and len(text) > type_.length:
        message = f"Character count exceeds length limit {type_.length}"
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, message)
    return text


def _array_reader(type_: Array) -> Reader:
    element = _reader(type_.element)

    def read(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, _Object) or not isinstance(value, list):
            message = f"Cannot cast to {type_}. Expected a json array, but got {_shown(value)}"
            raise failure(_INVALID, message)
        return [element(item) for item in value]

    return read


def _map_reader(type_: Map) -> Reader:
    key, item = _reader(type_.key), _reader(type_.value)

    def read(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, _Object):
            raise failure(
                _INVALID, f"Cannot cast to {type_}. Expected a json object, but got {_shown(value)}"
            )
        pairs = [(key(name), item(member)) for name, member in value]
        if len({repr(name) for name, _ in pairs}) < len(pairs):
            raise failure(_INVALID, f"Cannot cast to {type_}. Duplicate keys are not allowed")
        return pairs

    return read


def _row_reader(type_: Row) -> Reader:
    readers = [_reader(field.type) for field in type_.fields]
    names = [field.name.lower() if field.name else None for field in type_.fields]

    def read(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, _Object):
            if None in names:
                raise failure(
                    _INVALID,
                    f"Cannot cast to {type_}. Cannot cast a JSON object to anonymous row type."
                    " Input must be a JSON array.",
                )
            members = {name.lower(): member for name, member in value}
            found = [members.get(name or "") for name in names]
        elif isinstance(value, list) and len(value) == len(readers):
            found = value
        else:
            raise failure(_INVALID, f"Cannot cast to {type_}. Expected a json array or object")
        return {
            f"f{i}": read_(item) for i, (read_, item) in enumerate(zip(readers, found, strict=True))
        }

    return read


_READERS: Final[Mapping[TrinoType, Reader]] = {
    BOOLEAN: _read_boolean,
    REAL: _read_floating,
    DOUBLE: _read_floating,
    JSON: _canonical,
}
