"""Which types become which: implicit coercion, common supertypes, and explicit casts.

The rules are Trino 476's. Implicit coercion is a partial order of base types (`_WIDENED`, a table
from a base and a wanted base to the narrowest such type), within one base its parameters'
(`_widest`), and by element for array, map and row. An explicit cast exists for the pairs of bases
in `_CASTS`, and by element for what is made of other types.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from querysvc.types.algebra import (
    CHAR_LENGTH_MAX,
    CODEPOINTS,
    DATE,
    DECIMAL_PRECISION_MAX,
    DOUBLE,
    HYPERLOGLOG,
    JONI_REGEXP,
    JSON,
    JSON_PATH,
    RE2J_REGEXP,
    REAL,
    SCALAR_TYPES,
    UNKNOWN,
    VARCHAR,
    Array,
    Char,
    Decimal,
    Map,
    QDigest,
    Row,
    RowField,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)
from querysvc.types.build import build_type

Compatibility: TypeAlias = tuple[TrinoType, bool]
"""Two types' common supertype, and whether it is the second (so that the first coerces to it)."""


def can_coerce(source: TrinoType, target: TrinoType) -> bool:
    """Whether a value of the source type stands implicitly where the target type is asked for."""
    if source == target:
        return True
    compatible = _compatibility(source, target)
    return compatible is not None and compatible[1]


def common_super_type(first: TrinoType, second: TrinoType) -> TrinoType | None:
    """The narrowest type that both coerce to; None when there is none."""
    if first == second:
        return first
    compatible = _compatibility(first, second)
    return None if compatible is None else compatible[0]


def coerce_base(source: TrinoType, base: str) -> TrinoType | None:
    """The narrowest type named `base` that the source coerces to, e.g. smallint as decimal(5,0)."""
    if source.base_name == base:
        return source
    if source == UNKNOWN:
        return _NARROWEST.get(base) or build_type(base, ())
    widened = _WIDENED.get((source.base_name, base))
    return widened(source) if callable(widened) else widened


@lru_cache(maxsize=8192)
def _compatibility(first: TrinoType, second: TrinoType) -> Compatibility | None:
    if first in (second, UNKNOWN):
        return second, True
    if second == UNKNOWN:
        return first, False
    if first.base_name == second.base_name:
        return _widest(first, second)
    coerced = coerce_base(first, second.base_name)
    if coerced is not None:
        return _compatibility(coerced, second)
    coerced = coerce_base(second, first.base_name)
    if coerced is not None:
        compatible = _compatibility(first, coerced)
        return None if compatible is None else (compatible[0], False)
    return None


def _widest(first: TrinoType, second: TrinoType) -> Compatibility | None:
    if isinstance(first, Row) and isinstance(second, Row):
        return _widest_row(first, second)
    if isinstance(first, Array | Map):
        return _widest_container(first, second)
    widen = _WIDEST.get(type(first))
    if widen is None:
        return None
    widest = widen(first, second)
    return widest, widest == second


def _widest_container(first: TrinoType, second: TrinoType) -> Compatibility | None:
    parts = [
        _compatibility(*children) for children in zip(first.children, second.children, strict=True)
    ]
    whole = [part for part in parts if part is not None]
    if len(whole) < len(parts):
        return None
    widest = build_type(first.base_name, tuple(part[0] for part in whole))
    return None if widest is None else (widest, all(part[1] for part in whole))


def _widest_row(first: Row, second: Row) -> Compatibility | None:
    if len(first.fields) != len(second.fields):
        return None
    fields = []
    coercible = True
    for one, other in zip(first.fields, second.fields, strict=True):
        part = _compatibility(one.type, other.type)
        if part is None:
            return None
        coercible = coercible and part[1]
        fields.append(RowField(one.name if one.name == other.name else None, part[0]))
    return Row(tuple(fields)), coercible


def _widest_varchar(first: Varchar, second: Varchar) -> TrinoType:
    if first.length is None or second.length is None:
        return VARCHAR
    return Varchar(max(first.length, second.length))


def _widest_decimal(first: Decimal, second: Decimal) -> TrinoType:
    # The precision is cut at 38 although digits may be lost: overflow is found when computing.
    scale = max(first.scale, second.scale)
    whole = max(first.precision - first.scale, second.precision - second.scale)
    return Decimal(min(DECIMAL_PRECISION_MAX, whole + scale), scale)


def _char_of_varchar(source: Varchar) -> TrinoType:
    return Char(CHAR_LENGTH_MAX if source.length is None else min(CHAR_LENGTH_MAX, source.length))


_WIDEST: Final[dict[type[TrinoType], Callable[..., TrinoType]]] = {
    Varchar: _widest_varchar,
    Char: lambda first, second: Char(max(first.length, second.length)),
    Decimal: _widest_decimal,
    **{
        kind: lambda first, second: type(first)(max(first.precision, second.precision))
        for kind in (Time, TimeTz, Timestamp, TimestampTz)
    },
}

_NARROWEST: Final[dict[str, TrinoType]] = {
    "varchar": Varchar(0),
    "char": Char(0),
    "decimal": Decimal(1, 0),
}
"""What an unknown (the type of a bare NULL) is as a type with parameters; others take defaults."""

_INTEGERS: Final = ("tinyint", "smallint", "integer", "bigint")
_INTEGER_DIGITS: Final = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}


_SCALARS: Final = {type_.name: type_ for type_ in SCALAR_TYPES}

_WIDENED: Final[dict[tuple[str, str], TrinoType | Callable[..., TrinoType]]] = {
    **{
        (narrow, wide): _SCALARS[wide]
        for position, narrow in enumerate(_INTEGERS)
        for wide in (*_INTEGERS[position + 1 :], "real", "double")
    },
    **{(base, "decimal"): Decimal(digits, 0) for base, digits in _INTEGER_DIGITS.items()},
    ("decimal", "real"): REAL,
    ("decimal", "double"): DOUBLE,
    ("real", "double"): DOUBLE,
    (DATE.name, "timestamp"): Timestamp(0),
    (DATE.name, "timestamp with time zone"): TimestampTz(0),
    ("time", "time with time zone"): lambda source: TimeTz(source.precision),
    ("timestamp", "timestamp with time zone"): lambda source: TimestampTz(source.precision),
    ("varchar", "char"): _char_of_varchar,
    **{
        (base, special.name): special
        for base in ("varchar", "char")
        for special in (JONI_REGEXP, RE2J_REGEXP, JSON_PATH, CODEPOINTS)
    },
    ("P4HyperLogLog", "HyperLogLog"): HYPERLOGLOG,
}


def can_cast(source: TrinoType, target: TrinoType) -> bool:
    """Whether CAST of the source type to the target type exists (its value may still fail)."""
    if source in (target, UNKNOWN):
        return True
    cast = _STRUCTURAL_CASTS.get((source.base_name, target.base_name))
    if cast is not None:
        return cast(source, target)
    return (source.base_name, target.base_name) in _CASTS


def _can_cast_children(source: TrinoType, target: TrinoType) -> bool:
    return len(source.children) == len(target.children) and all(
        can_cast(*children) for children in zip(source.children, target.children, strict=True)
    )


def _map_to_json(source: TrinoType, _: TrinoType) -> bool:
    key, value = source.children
    return can_cast(key, VARCHAR) and can_cast(value, JSON)


def _json_to_map(_: TrinoType, target: TrinoType) -> bool:
    key, value = target.children
    return can_cast(VARCHAR, key) and can_cast(JSON, value)


def _to_json(source: TrinoType, _: TrinoType) -> bool:
    return all(can_cast(child, JSON) for child in source.children)


def _from_json(_: TrinoType, target: TrinoType) -> bool:
    return all(can_cast(JSON, child) for child in target.children)


def _to_unbounded(_: TrinoType, target: TrinoType) -> bool:
    return target == VARCHAR


def _digest_values(source: TrinoType, target: TrinoType) -> bool:
    digest = source if isinstance(source, QDigest) else target
    return isinstance(digest, QDigest) and digest.value.base_name in ("bigint", "real", "double")


_STRUCTURAL_CASTS: Final[dict[tuple[str, str], Callable[[TrinoType, TrinoType], bool]]] = {
    ("array", "array"): _can_cast_children,
    ("map", "map"): _can_cast_children,
    ("row", "row"): _can_cast_children,
    ("array", "json"): _to_json,
    ("map", "json"): _map_to_json,
    ("row", "json"): _to_json,
    ("json", "array"): _from_json,
    ("json", "map"): _json_to_map,
    ("json", "row"): _from_json,
    ("uuid", "varchar"): _to_unbounded,
    ("ipaddress", "varchar"): _to_unbounded,
    ("qdigest", "varbinary"): _digest_values,
    ("varbinary", "qdigest"): _digest_values,
}

_NUMBERS: Final = (*_INTEGERS, "real", "double", "decimal")
_DATETIMES: Final = ("time", "time with time zone", "timestamp", "timestamp with time zone")
_TARGETS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("boolean", *_NUMBERS): ("boolean", *_NUMBERS, "varchar", "json"),
    ("varchar",): (
        *("boolean", *_NUMBERS, "varchar", "char", "varbinary", "json", "date", *_DATETIMES),
        *("uuid", "ipaddress", "JoniRegExp", "Re2JRegExp", "JsonPath", "CodePoints"),
    ),
    ("char",): ("varchar", "char", "JoniRegExp", "Re2JRegExp", "JsonPath", "CodePoints"),
    ("json",): ("boolean", *_NUMBERS, "varchar"),
    ("date",): ("varchar", "json", "timestamp", "timestamp with time zone"),
    _DATETIMES: ("varchar", *_DATETIMES),
    ("timestamp",): ("date", "json"),
    ("timestamp with time zone",): ("date",),
    ("interval day to second", "interval year to month"): ("varchar",),
    ("uuid", "ipaddress"): ("varbinary",),
    ("varbinary",): ("uuid", "ipaddress", "HyperLogLog", "SetDigest", "tdigest"),
    ("HyperLogLog",): ("P4HyperLogLog", "varbinary"),
    ("P4HyperLogLog",): ("HyperLogLog",),
    ("SetDigest",): ("HyperLogLog", "varbinary"),
    ("tdigest",): ("varbinary",),
}
_CASTS: Final = frozenset(
    (source, target)
    for sources, targets in _TARGETS.items()
    for source in sources
    for target in targets
)
