"""Comparisons with Trino's answers where DuckDB's differ: NaN, NULL inside values, zones, char.

DuckDB holds NaN equal to itself and above all numbers, where Trino compares as IEEE does (but sorts
and groups as DuckDB). Comparisons of plain types stay bare, so that they reach the Parquet reader.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from querysvc.engines.duckdb.lowering.fragments import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    bind,
    call,
    case,
    conjunction,
    fail,
    field,
    identifier,
    lambda_,
    operation,
)
from querysvc.engines.duckdb.lowering.keys import key_form, needs_key
from querysvc.engines.duckdb.lowering.types import contains, contains_type
from querysvc.errors import ErrorCode
from querysvc.types.algebra import (
    DOUBLE,
    REAL,
    Array,
    Char,
    Map,
    Row,
    TrinoType,
)

_NUMBER_CONSTANT = re.compile(r"CAST\('?-?[0-9.e+-]+'? AS (DOUBLE|FLOAT)\)")
_ORDER: Final[Mapping[str, bool]] = {"<": True, "<=": True, ">": False, ">=": False}
"""Whether the second operand is the greater one."""


def compare(operator: str, first: Sql, second: Sql, type_: TrinoType) -> Sql:
    """`first operator second` for two values of the type."""
    if operator == "=":
        return equal(first, second, type_)
    if operator == "<>":
        return not_equal(first, second, type_)
    if operator == "IS DISTINCT FROM":
        return operation("IS DISTINCT FROM", key_form(first, type_), key_form(second, type_))
    return _ordered(operator, first, second, type_)


def equal(first: Sql, second: Sql, type_: TrinoType) -> Sql:
    """`first = second`."""
    if not _is_special(type_):
        return operation("=", key_form(first, type_), key_form(second, type_))
    return bind([first, second], lambda a, b: _EQUAL[type(type_)](a, b, type_))


def not_equal(first: Sql, second: Sql, type_: TrinoType) -> Sql:
    """`first <> second`."""
    if not _is_special(type_):
        return operation("<>", key_form(first, type_), key_form(second, type_))
    if type_.is_floating and (_is_number(first) or _is_number(second)):
        return operation("<>", first, second)
    return Sql(f"(NOT {equal(first, second, type_)})")


def _is_special(type_: TrinoType) -> bool:
    return contains(type_, Array, Row, Map) or contains_type(type_, DOUBLE, REAL)


def _is_number(value: Sql) -> bool:
    return _NUMBER_CONSTANT.fullmatch(value) is not None


def _not_nan(value: Sql) -> Sql:
    return Sql(f"(NOT isnan({value}))")


def _equal_floating(first: Sql, second: Sql, _type: TrinoType) -> Sql:
    plain = operation("=", first, second)
    if _is_number(first) or _is_number(second):
        return plain
    return both_numbers(plain, first, second)


def _equal_row(first: Sql, second: Sql, type_: TrinoType) -> Sql:
    assert isinstance(type_, Row)
    terms = [
        equal(field(first, f"f{i}"), field(second, f"f{i}"), item.type)
        for i, item in enumerate(type_.fields)
    ]
    unknown = Sql(f"({first} IS NULL OR {second} IS NULL)")
    return case([(unknown, NULL)], conjunction(terms))


def _equal_array(first: Sql, second: Sql, type_: TrinoType) -> Sql:
    assert isinstance(type_, Array)
    pair = Sql('"p"')
    element = equal(Sql(f"{pair}[1]"), Sql(f"{pair}[2]"), type_.element)
    results = call("list_transform", call("list_zip", first, second), lambda_(["p"], element))
    return case(
        [
            (Sql(f"({first} IS NULL OR {second} IS NULL)"), NULL),
            (Sql(f"(len({first}) <> len({second}))"), FALSE),
        ],
        bind([results], all_true),
    )


def _equal_map(first: Sql, second: Sql, type_: TrinoType) -> Sql:
    assert isinstance(type_, Map)
    # The operands may read the parameter of another map's comparison: each has its own.
    name = f"k{hashlib.blake2b((first + second).encode(), digest_size=4).hexdigest()}"
    key = identifier(name)
    if needs_key(type_.key):
        keys = key_form(call("map_keys", second), Array(type_.key))
        place = call("list_position", keys, key_form(key, type_.key))
        present, other = Sql(f"({place} IS NOT NULL)"), Sql(f"map_values({second})[{place}]")
    else:
        present, other = call("map_contains", second, key), Sql(f"{second}[{key}]")
    found = equal(Sql(f"{first}[{key}]"), other, type_.value)
    results = call(
        "list_transform",
        call("map_keys", first),
        lambda_([name], case([(Sql(f"(NOT {present})"), FALSE)], found)),
    )
    return case(
        [
            (Sql(f"({first} IS NULL OR {second} IS NULL)"), NULL),
            (Sql(f"(cardinality({first}) <> cardinality({second}))"), FALSE),
        ],
        bind([results], all_true),
    )


def all_true(results: Sql) -> Sql:
    """AND over a list of booleans, with SQL's NULLs."""
    return case(
        [
            (call("list_contains", results, FALSE), FALSE),
            (Sql(f"(len({results}) <> list_count({results}))"), NULL),
        ],
        TRUE,
    )


_EQUAL: Final[Mapping[type[TrinoType], Callable[[Sql, Sql, TrinoType], Sql]]] = {
    type(DOUBLE): _equal_floating,
    Row: _equal_row,
    Array: _equal_array,
    Map: _equal_map,
}


def _ordered(operator: str, first: Sql, second: Sql, type_: TrinoType) -> Sql:
    if type_.is_floating:
        greater = second if _ORDER[operator] else first
        plain = operation(operator, first, second)
        smaller = first if greater is second else second
        return plain if _is_number(greater) else both_numbers(plain, greater, smaller)
    if isinstance(type_, Char):
        padded = (
            call("rpad", value, Sql(f"{type_.length}"), Sql("' '")) for value in (first, second)
        )
        return operation(operator, *padded)
    if isinstance(type_, Array | Row):
        return bind([first, second], lambda a, b: _ordered_nested(operator, a, b, type_))
    return operation(operator, key_form(first, type_), key_form(second, type_))


def both_numbers(plain: Sql, greater: Sql, other: Sql) -> Sql:
    """The comparison, false where its greater side is NaN; NULL where one is NULL."""
    is_number = _not_nan(greater)
    if not _is_number(other):
        is_number = operation("OR", is_number, Sql(f"({other} IS NULL)"))
    return operation("AND", plain, is_number)


def _ordered_nested(operator: str, first: Sql, second: Sql, type_: Array | Row) -> Sql:
    """Native order, refused where Trino refuses it: when an element may be NULL."""
    kind = "ARRAY" if isinstance(type_, Array) else "ROW"
    what = "arrays" if isinstance(type_, Array) else "fields"
    message = f"{kind} comparison not supported for {what} with null elements"
    if isinstance(type_, Array):
        nulls = [f"(len({value}) <> list_count({value}))" for value in (first, second)]
    else:
        names = [f"f{i}" for i in range(len(type_.fields))]
        nulls = [
            f"(({value}) IS NOT NULL AND {field(value, name)} IS NULL)"
            for value in (first, second)
            for name in names
        ]
    return case(
        [(Sql(f"({' OR '.join(nulls)})"), fail(ErrorCode.NOT_SUPPORTED, message))],
        operation(operator, key_form(first, type_), key_form(second, type_)),
    )
