"""From a Parquet file's column, as DuckDB types it, to the declared Trino type's storage form.

Only exact conversions: a file type whose values cannot all be the declared type's is converted
with a check on every value; one that never can is a `TypeMismatch`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final  # DuckDB's type objects have dynamic children

from querysvc.engines.duckdb.readers.failures import bad_value
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text, type_text
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType


class TypeMismatchError(Exception):
    """The file's type cannot become the declared one."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from, for its error: the column, and SQL of the file's ordinal."""

    column: str
    type: TrinoType
    ordinal: str

    def failure(self, value: str) -> str:
        """SQL that fails with this value."""
        return bad_value(self.column, str(self.type), value, self.ordinal)

    def rejected(self, text: str, _type: TrinoType) -> str:
        """SQL of what a text is that is no value of its (or its element's) type: a failure."""
        return self.failure(text)

    def pattern(self, _type: TrinoType, usual: str | None) -> str | None:
        """The pattern by which texts of a type are accepted."""
        return usual


_INTEGERS: Final = {
    "tinyint": (-(1 << 7), (1 << 7) - 1),
    "smallint": (-(1 << 15), (1 << 15) - 1),
    "integer": (-(1 << 31), (1 << 31) - 1),
    "bigint": (-(1 << 63), (1 << 63) - 1),
    "utinyint": (0, (1 << 8) - 1),
    "usmallint": (0, (1 << 16) - 1),
    "uinteger": (0, (1 << 32) - 1),
    "ubigint": (0, (1 << 64) - 1),
}
_EXACT_IN_DOUBLE: Final = frozenset(
    {"float", "tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger"}
)
_INSTANTS: Final = frozenset(
    {"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"}
)
_TEXTS: Final = frozenset({"varchar", "json", "uuid", "enum"})


def convert(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    """SQL that turns `value` (of DuckDB type `physical`) into `target`'s storage form."""
    converter = _BY_TYPE.get(target) or _BY_KIND.get(type(target))
    if converter is None:
        raise TypeMismatchError
    return converter(value, physical, target, source)


def kind(physical: Any) -> str:
    """The DuckDB type's name without parameters, in lower case."""
    return str(physical.id).lower()


def _same(*names: str) -> Callable[[str, Any, TrinoType, Source], str]:
    def converter(value: str, physical: Any, _target: TrinoType, _source: Source) -> str:
        if kind(physical) not in names:
            raise TypeMismatchError
        return value

    return converter


def _integer(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    bounds = _INTEGERS.get(kind(physical))
    if bounds is None:
        raise TypeMismatchError
    name = type_text(target)
    low, high = _INTEGERS[name.lower()]
    if kind(physical) == name.lower():
        return value
    if low <= bounds[0] and bounds[1] <= high:
        return f"CAST({value} AS {name})"
    return _checked(value, name, source)


def _double(value: str, physical: Any, _target: TrinoType, _source: Source) -> str:
    if kind(physical) == "double":
        return value
    if kind(physical) in _EXACT_IN_DOUBLE:
        return f"CAST({value} AS DOUBLE)"
    raise TypeMismatchError


def _decimal(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    assert isinstance(target, algebra.Decimal)
    if kind(physical) == "decimal":
        precision, scale = (child[1] for child in physical.children)
    elif kind(physical) in _INTEGERS:
        low, high = _INTEGERS[kind(physical)]
        precision, scale = len(str(max(-low, high))), 0
    else:
        raise TypeMismatchError
    if scale > target.scale:
        raise TypeMismatchError
    if kind(physical) == "decimal" and (precision, scale) == (target.precision, target.scale):
        return value
    if precision - scale <= target.precision - target.scale:
        return f"CAST({value} AS {type_text(target)})"
    return _checked(value, type_text(target), source)


def _varchar(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    assert isinstance(target, algebra.Varchar)
    text = _as_text(value, physical, source)
    return text if target.length is None else f"left({text}, {target.length})"


def _char(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    assert isinstance(target, algebra.Char)
    return f"rtrim(left({_as_text(value, physical, source)}, {target.length}), ' ')"


def _as_text(value: str, physical: Any, source: Source) -> str:
    if kind(physical) == "varchar":
        return value
    if kind(physical) in _TEXTS:
        return f"CAST({value} AS VARCHAR)"
    if kind(physical) == "blob":
        decoded = f"TRY(decode({value}))"
        failed = source.failure(f"hex({value})")
        return (
            f"CASE WHEN {value} IS NULL THEN NULL WHEN {decoded} IS NULL THEN {failed}"
            f" ELSE {decoded} END"
        )
    raise TypeMismatchError


def _varbinary(value: str, physical: Any, _target: TrinoType, _source: Source) -> str:
    if kind(physical) == "blob":
        return value
    if kind(physical) == "varchar":
        return f"encode({value})"
    raise TypeMismatchError


def _timestamp(value: str, physical: Any, target: TrinoType, _source: Source) -> str:
    assert isinstance(target, algebra.Timestamp)
    if kind(physical) not in _INSTANTS or target.precision > 6:
        raise TypeMismatchError
    unit = 10 ** (6 - target.precision)
    if kind(physical) == "timestamp_ns":
        return f"make_timestamp({_round_half_up(f'epoch_ns({value})', unit * 1000)} // 1000)"
    plain = value if kind(physical) == "timestamp" else f"CAST({value} AS TIMESTAMP)"
    is_coarse = kind(physical) == "timestamp_s" or (
        kind(physical) == "timestamp_ms" and target.precision >= 3
    )
    if unit == 1 or is_coarse:
        return plain
    return f"make_timestamp({_round_half_up(f'epoch_us({plain})', unit)})"


def _timestamp_tz(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    assert isinstance(target, algebra.TimestampTz)
    if kind(physical) != "timestamp with time zone":
        raise TypeMismatchError
    instant = _timestamp(value, physical, algebra.Timestamp(target.precision), source)
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack(t := {instant}, z := 'UTC') END"


def _array(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    if kind(physical) != "list":
        raise TypeMismatchError
    element = physical.children[0][1]
    name = parameter(value)
    inner = convert(name, element, target.children[0], source)
    return value if inner == name else f"list_transform({value}, lambda {name}: {inner})"


def _map(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    if kind(physical) != "map":
        raise TypeMismatchError
    (_, key), (_, item) = physical.children
    name = parameter(value)
    new_key = convert(f"{name}.key", key, target.children[0], source)
    new_item = convert(f"{name}.value", item, target.children[1], source)
    if (new_key, new_item) == (f"{name}.key", f"{name}.value"):
        return value
    entry = f"struct_pack(k := {new_key}, v := {new_item})"
    entries = f"list_transform(map_entries({value}), lambda {name}: {entry})"
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE map_from_entries({entries}) END"


def _row(value: str, physical: Any, target: TrinoType, source: Source) -> str:
    if kind(physical) != "struct":
        raise TypeMismatchError
    assert isinstance(target, algebra.Row)
    children: dict[str, tuple[str, Any]] = {}
    for name, child in physical.children:
        children.setdefault(name.lower(), (name, child))
    parts = []
    for index, field in enumerate(target.fields):
        found = children.get((field.name or "").lower())
        if found is None:
            part = f"CAST(NULL AS {type_text(field.type)})"
        else:
            inner = f"struct_extract({value}, {quote_text(found[0])})"
            part = convert(inner, found[1], field.type, source)
        parts.append(f"{quote_name(f'f{index}')} := {part}")
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({', '.join(parts)}) END"


def parameter(value: str) -> str:
    """A lambda parameter's name that does not hide the one that `value` is made of."""
    used = [int(number) for number in re.findall(r"\bx(\d+)\b", value)]
    return f"x{max(used, default=-1) + 1}"


def _checked(value: str, name: str, source: Source) -> str:
    failed = source.failure(value)
    return (
        f"CASE WHEN {value} IS NULL THEN NULL WHEN TRY_CAST({value} AS {name}) IS NULL"
        f" THEN {failed} ELSE TRY_CAST({value} AS {name}) END"
    )


def _round_half_up(value: str, unit: int) -> str:
    """Round to a multiple of `unit`, halves upwards as Trino does (DuckDB's % keeps the sign)."""
    shifted = f"({value} + {unit // 2})"
    return f"({shifted} - (({shifted} % {unit}) + {unit}) % {unit})"


_Converter = Callable[[str, Any, TrinoType, Source], str]
_BY_TYPE: Final[dict[TrinoType, _Converter]] = {
    algebra.BOOLEAN: _same("boolean"),
    algebra.REAL: _same("float"),
    algebra.DOUBLE: _double,
    algebra.DATE: _same("date"),
    algebra.VARBINARY: _varbinary,
    algebra.UUID: _same("uuid"),
    **dict.fromkeys(algebra.INTEGER_TYPES, _integer),
}
_BY_KIND: Final[dict[type[TrinoType], _Converter]] = {
    algebra.Varchar: _varchar,
    algebra.Char: _char,
    algebra.Decimal: _decimal,
    algebra.Timestamp: _timestamp,
    algebra.TimestampTz: _timestamp_tz,
    algebra.Array: _array,
    algebra.Map: _map,
    algebra.Row: _row,
    algebra.Time: _same("time"),
}
