"""Trino's operators as an entry table, keyed like the functions (`functions.registry`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite, ScalarEntry
from querysvc.engines.duckdb.lowering import datetime_operators as datetimes
from querysvc.engines.duckdb.lowering import numbers
from querysvc.engines.duckdb.lowering.comparisons import compare, equal
from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    Sql,
    array,
    bind,
    call,
    case,
    cast,
    fail,
    lambda_,
    operation,
    part,
)
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.tree import Literal
from querysvc.types.algebra import (
    DATE,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    Array,
    Char,
    Decimal,
    Map,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
)

COMPARISONS: Final = frozenset({"=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"})


def _kind(type_: TrinoType) -> str:
    """A name for how the type computes."""
    if type_.is_integer:
        return "integer"
    if type_.is_floating:
        return "floating"
    return _KINDS.get(type_) or _KINDS.get(type(type_)) or "other"


_KINDS: Final[Mapping[object, str]] = {
    Decimal: "decimal",
    DATE: "date",
    Time: "time",
    TimeTz: "timetz",
    Timestamp: "timestamp",
    TimestampTz: "timestamptz",
    INTERVAL_DAY_TO_SECOND: "days",
    INTERVAL_YEAR_TO_MONTH: "months",
}


def _plus(site: CallSite) -> Sql:
    first, second = map(_kind, site.types)
    if first in ("days", "months") and second not in ("days", "months"):
        return datetimes.shift("+", site, value=1, interval=0)
    if second in ("days", "months") and first not in ("days", "months"):
        return datetimes.shift("+", site, value=0, interval=1)
    if first == "decimal":
        return numbers.add_decimals("+", site)
    return operation("+", *site.arguments)


def _minus(site: CallSite) -> Sql:
    first, second = map(_kind, site.types)
    if second in ("days", "months") and first not in ("days", "months"):
        return datetimes.shift("-", site, value=0, interval=1)
    if first == "decimal":
        return numbers.add_decimals("-", site)
    if first in datetimes.DIFFERENCES:
        return datetimes.difference(site, first)
    return operation("-", *site.arguments)


def _times(site: CallSite) -> Sql:
    first, second = map(_kind, site.types)
    if first == "decimal":
        return numbers.multiply_decimals(site)
    if "floating" in (first, second) and first != second:
        return datetimes.scale_interval(site)
    if first != second:  # an interval by a bigint
        return datetimes.multiply_interval(site)
    return operation("*", *site.arguments)


def _divide(site: CallSite) -> Sql:
    kind = _kind(site.types[0])
    if kind == "decimal":
        return numbers.divide_decimals(site)
    if kind in ("days", "months"):
        return datetimes.divide_interval(site)
    if kind == "floating":
        return operation("/", *site.arguments)
    return _checked(site, "//")


def _remainder(site: CallSite) -> Sql:
    kind = _kind(site.types[0])
    if kind == "decimal":
        return numbers.remainder_decimals(site)
    if kind == "floating":
        return operation("%", *site.arguments)
    return _checked(site, "%")


def _checked(site: CallSite, operator: str) -> Sql:
    """An integer division: DuckDB answers NULL for a zero divisor, Trino fails."""
    divisor = site.nodes[1]
    if isinstance(divisor, Literal) and divisor.value not in (0, -1):
        return operation(operator, *site.arguments)

    def body(first: Sql, second: Sql) -> Sql:
        branches = [(Sql(f"({second} = 0 AND {first} IS NOT NULL)"), numbers.DIVISION_BY_ZERO)]
        if operator == "%":  # DuckDB overflows on the lowest number
            nothing = cast(Sql("0"), site.result_type)
            branches.append((Sql(f"({second} = -1 AND {first} IS NOT NULL)"), nothing))
        return case(branches, operation(operator, first, second))

    return bind(site.arguments, body)


def _negate(site: CallSite) -> Sql:
    return Sql(f"(- {site.arguments[0]})")


def _comparison(site: CallSite) -> Sql:
    return compare(site.name, site.arguments[0], site.arguments[1], site.types[0])


def _concat(site: CallSite) -> Sql:
    """`||`: strings, binaries, arrays, or an array with an element."""
    if isinstance(site.type, Char):
        first = site.types[0]
        assert isinstance(first, Char)
        padded = call("rpad", site.arguments[0], Sql(str(first.length)), Sql("' '"))
        return operation("||", padded, site.arguments[1])
    if not isinstance(site.type, Array):
        return operation("||", *site.arguments)
    if len(site.arguments) == 1:
        message = "There must be two or more arguments to concat"
        raise QueryServiceError(ErrorCode.INVALID_FUNCTION_ARGUMENT, message)
    is_list = [type_ == site.type for type_ in site.types]

    def body(*values: Sql) -> Sql:
        # DuckDB's list_concat skips a NULL list; Trino's answer is NULL then, of an element too.
        unknown = " OR ".join(f"{value} IS NULL" for value in values)
        lists = [
            value if whole else array([value]) for value, whole in zip(values, is_list, strict=True)
        ]
        return case([(Sql(f"({unknown})"), NULL)], reduce(partial(call, "list_concat"), lists))

    return bind(site.arguments, body)


def _subscript(site: CallSite) -> Sql:
    if isinstance(site.types[0], Map):
        return _map_subscript(site)
    return bind(site.arguments, _array_subscript)


def _array_subscript(value: Sql, index: Sql) -> Sql:
    code = ErrorCode.INVALID_FUNCTION_ARGUMENT
    length = Sql(f"len({value})")
    too_large = fail(
        code,
        "Array subscript must be less than or equal to array length: ",
        part(index),
        " > ",
        part(length),
    )
    return case(
        [
            (Sql(f"({index} = 0)"), fail(code, "SQL array indices start at 1")),
            (Sql(f"({index} < 0)"), fail(code, "Array subscript is negative: ", part(index))),
            (Sql(f"({index} > {length})"), too_large),
        ],
        Sql(f"{value}[{index}]"),
    )


def map_value(site: CallSite, missing: Callable[[Sql], Sql]) -> Sql:
    """The value of a key in a map; `missing` makes the answer for a key that is not there."""
    type_ = site.types[0]
    assert isinstance(type_, Map)

    def body(value: Sql, key: Sql) -> Sql:
        same = equal(Sql('"k"'), key, type_.key)
        position = Sql(
            f"list_position(list_transform(map_keys({value}), {lambda_(['k'], same)}), true)"
        )
        plain = Sql(f"{value}[{key}]")
        native = _is_native_key(type_.key)
        found = call("map_contains", value, key) if native else Sql(f"({position} IS NOT NULL)")
        result = plain if native else Sql(f"map_values({value})[{position}]")
        unknown = Sql(f"({value} IS NULL OR {key} IS NULL)")
        return case([(unknown, NULL), (found, result)], missing(key))

    return bind(site.arguments, body)


def _is_native_key(type_: TrinoType) -> bool:
    return (
        not type_.children
        and not type_.is_floating
        and _kind(type_)
        not in (
            "timestamptz",
            "timetz",
        )
    )


def _map_subscript(site: CallSite) -> Sql:
    def missing(key: Sql) -> Sql:
        message = ("Key not present in map", *([": ", part(key)] if _is_shown(site) else []))
        return fail(ErrorCode.INVALID_FUNCTION_ARGUMENT, *message)

    return map_value(site, missing)


def _is_shown(site: CallSite) -> bool:
    return _is_native_key(site.types[1])


OPERATORS: Final[Mapping[str, ScalarEntry]] = {
    "+": _plus,
    "-": _minus,
    "*": _times,
    "/": _divide,
    "%": _remainder,
    "mod": _remainder,
    "negate": _negate,
    "||": _concat,
    "concat": _concat,
    "[]": _subscript,
    **dict.fromkeys(COMPARISONS, _comparison),
}
