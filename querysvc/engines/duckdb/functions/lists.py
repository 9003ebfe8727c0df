"""What several families build arrays with: lambdas applied, matches, distinct and sorted lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite
from querysvc.engines.duckdb.lowering.comparisons import equal
from querysvc.engines.duckdb.lowering.fragments import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    call,
    case,
    conjunction,
    fail,
    field,
    identifier,
    is_atom,
    lambda_,
    operation,
    struct,
)
from querysvc.engines.duckdb.lowering.keys import key_form, needs_key
from querysvc.engines.duckdb.lowering.types import contains, contains_type
from querysvc.errors import ErrorCode
from querysvc.tree import Expression, Lambda, LambdaReference
from querysvc.types.algebra import DOUBLE, REAL, Array, Char, Map, Row, TrinoType

_SUBQUERY = re.compile(r"\(SELECT |\(WITH ")

INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT

# What `matches` says of an element.
DIFFERENT, SAME, IS_NULL, UNKNOWN = 0, 1, 2, 3


def applied(site: CallSite, index: int, *arguments: Sql) -> Sql:
    """The body of the lambda that is the argument, over fragments for its parameters."""
    node = site.nodes[index]
    assert isinstance(node, Lambda)
    values: dict[Expression, Sql] = {
        LambdaReference(type=type_, parameter=parameter): argument
        for (parameter, type_), argument in zip(node.parameters, arguments, strict=True)
    }
    return site.context.with_substitutions(values).lower(node.body)


def parameter_name(site: CallSite, index: int, letter: str) -> str:
    """A name for a DuckDB lambda's own parameter that no lambda inside has."""
    node = site.nodes[index]
    assert isinstance(node, Lambda)
    return f"{letter}{node.parameters[0][0]}"


def held(values: Sequence[Sql], body: Callable[..., Sql]) -> Sql:
    """`bind` for values that the body reads inside a lambda: there even a short text is dear.

    DuckDB would evaluate it anew for every element.
    """
    if all(is_atom(value) for value in values):
        return body(*values)
    digest = hashlib.blake2b("\0".join(values).encode(), digest_size=6).hexdigest()
    name = f"y{digest}"
    bound = [(f"v{i}", value) for i, value in enumerate(values) if not is_atom(value)]
    names = {value: identifier(name, key) for key, value in bound}
    inner = body(*(names.get(value, value) for value in values))
    if _SUBQUERY.search(inner):
        return body(*values)
    return Sql(f"list_transform([{struct(bound)}], {lambda_([name], inner)})[1]")


def any_null(*values: Sql) -> Sql:
    """Whether one of the values is NULL."""
    return Sql("(" + " OR ".join(f"{value} IS NULL" for value in values) + ")")


def unless_null(values: tuple[Sql, ...], result: Sql) -> Sql:
    """The result; NULL when a value is NULL."""
    return case([(any_null(*values), NULL)], result)


def has_null(values: Sql) -> Sql:
    """Whether an element of the list is NULL."""
    return Sql(f"(list_position({values}, NULL) IS NOT NULL)")


def any_true(results: Sql) -> Sql:
    """OR over a list of booleans, with SQL's NULLs."""

    def body(bound: Sql) -> Sql:
        unknown = Sql(f"({bound} IS NULL OR {has_null(bound)})")
        return case([(call("list_contains", bound, TRUE), TRUE), (unknown, NULL)], FALSE)

    return held([results], body)


def keys_of(values: Sql, type_: TrinoType) -> Sql:
    """The elements' key forms: native equality is Trino's IS NOT DISTINCT FROM."""
    return key_form(values, Array(type_)) if needs_key(type_) else values


def is_plain(type_: TrinoType) -> bool:
    """Whether `=` of two values that are not NULL is native equality of their key forms."""
    return not (contains(type_, Array, Row, Map) or contains_type(type_, DOUBLE, REAL))


def matches(values: Sql, wanted: Sql, type_: TrinoType) -> Sql:
    """For each element, whether it equals the wanted value: DIFFERENT, SAME, IS_NULL, UNKNOWN."""
    element = Sql('"m"')
    same = equal(element, wanted, type_)
    code = case(
        [(Sql(f"({element} IS NULL)"), Sql(f"{IS_NULL}")), (same, Sql(f"{SAME}"))],
        case([(Sql(f"({same} IS NULL)"), Sql(f"{UNKNOWN}"))], Sql(f"{DIFFERENT}")),
    )
    return call("list_transform", values, lambda_(["m"], code))


def refuse_unknown(name: str) -> Sql:
    """Trino's refusal to compare with elements that contain NULL."""
    return fail(
        ErrorCode.NOT_SUPPORTED,
        f"{name} does not support arrays with elements that are null or contain null",
    )


def distinct(values: Sql, type_: TrinoType) -> Sql:
    """The list without repetitions, each element where it stood first."""

    def body(bound: Sql, keys: Sql) -> Sql:
        key = key_form(Sql('"e"'), type_)
        condition = Sql(f'(list_position({keys}, {key}) = "i")')
        return call("list_filter", bound, lambda_(["e", "i"], condition))

    return held([values, keys_of(values, type_)], body)


def inner_null(value: Sql, type_: TrinoType) -> Sql | None:
    """Whether an array, row or map holds a NULL that a comparison would meet."""
    if isinstance(type_, Array):
        inner = inner_null(Sql('"n"'), type_.element)
        terms = [has_null(value)]
        if inner is not None:
            nested = call("list_transform", value, lambda_(["n"], inner))
            terms.append(call("list_contains", nested, TRUE))
        return Sql(f"({' OR '.join(terms)})")
    if isinstance(type_, Row):
        parts = [field(value, f"f{i}") for i in range(len(type_.fields))]
        inner_terms = [
            term
            for part, item in zip(parts, type_.fields, strict=True)
            if (term := inner_null(part, item.type)) is not None
        ]
        nulls = [Sql(f"({part} IS NULL)") for part in parts]
        return Sql(f"({value} IS NOT NULL AND ({' OR '.join([*nulls, *inner_terms])}))")
    if isinstance(type_, Map):
        return inner_null(call("map_values", value), Array(type_.value))
    return None


def refuse_null_parts(type_: TrinoType) -> Sql:
    """Trino's refusal to compare values that hold NULL."""
    label, what = ("ARRAY", "arrays") if isinstance(type_, Array) else ("ROW", "fields")
    return fail(
        ErrorCode.NOT_SUPPORTED, f"{label} comparison not supported for {what} with null elements"
    )


def sortable(key: Sql, type_: TrinoType) -> Sql:
    """The sort key of one of many rows; refused when it holds NULL.

    Trino compares until it meets the NULL: it may have an answer, we never have a wrong one.
    """
    inner = inner_null(key, type_)
    return key if inner is None else case([(inner, refuse_null_parts(type_))], key)


def comparable(values: Sql, type_: TrinoType) -> Sql:
    """The list; Trino's refusal when it must compare elements that contain NULL."""
    inner = inner_null(Sql('"n"'), type_)
    if inner is None:
        return values

    def body(bound: Sql) -> Sql:
        found = call("list_transform", bound, lambda_(["n"], inner))
        bad = conjunction([Sql(f"(len({bound}) > 1)"), call("list_contains", found, TRUE)])
        return case([(bad, refuse_null_parts(type_))], bound)

    return held([values], body)


def order_key(value: Sql, type_: TrinoType) -> Sql:
    """A form whose native order is Trino's."""
    if isinstance(type_, Char):
        return call("rpad", value, Sql(str(type_.length)), Sql("' '"))
    return key_form(value, type_)


def ascending(values: Sql, type_: TrinoType) -> Sql:
    """The list in Trino's order, NULLs last; equal elements stay in their order."""
    checked = comparable(values, type_)
    if not needs_key(type_) and not isinstance(type_, Char):
        return Sql(f"list_sort({checked}, 'ASC', 'NULLS LAST')")
    element = Sql('"e"')
    pair = struct(
        [
            ("n", Sql(f"({element} IS NULL)")),
            ("k", order_key(element, type_)),
            ("i", Sql('"i"')),
            ("v", element),
        ]
    )
    pairs = call("list_transform", checked, lambda_(["e", "i"], pair))
    return Sql(f"list_transform(list_sort({pairs}), {lambda_(['e'], field(element, 'v'))})")


def as_map(keys: Sql, values: Sql, result_type: str) -> Sql:
    """A MAP of two lists of the same length, of the exact type."""
    return Sql(f"CAST({call('map', keys, values)} AS {result_type})")


def same_values(first: Sql, second: Sql, type_: TrinoType) -> Sql:
    """Whether one is not distinct from the other."""
    return operation("IS NOT DISTINCT FROM", key_form(first, type_), key_form(second, type_))
