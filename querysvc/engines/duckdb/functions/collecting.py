"""Aggregates that collect values: arrays, maps, texts, and folds of them.

https://trino.io/docs/current/functions/aggregate.html
"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions import lists
from querysvc.engines.duckdb.functions.lists import INVALID
from querysvc.engines.duckdb.functions.maps import first_of_keys, multimap
from querysvc.engines.duckdb.functions.registry import (
    AggregateBuilder,
    AggregateSite,
    AggregateTable,
)
from querysvc.engines.duckdb.lowering.fragments import (
    FALSE,
    NULL,
    Sql,
    call,
    case,
    cast,
    fail,
    field,
    identifier,
    integer_literal,
    lambda_,
    struct,
    typed_null,
)
from querysvc.engines.duckdb.lowering.keys import key_form, needs_key
from querysvc.engines.duckdb.lowering.types import not_supported, storage_type
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.tree import (
    ArrayConstructor,
    Cast,
    Expression,
    Lambda,
    LambdaReference,
    Literal,
)
from querysvc.types.algebra import Decimal, Map, TrinoType

LISTAGG_BYTES_MAX: Final = 1_048_576
EXTREME_COUNT_MAX: Final = 10_000
_SHORT_DECIMAL: Final = 18

_ENTRY: Final = Sql('"e"')


def _array_agg(site: AggregateSite) -> Sql:
    """NULLs are kept; with DISTINCT, too."""
    value, kind = site.arguments[0], site.types[0]
    if site.is_distinct and needs_key(kind):
        if site.has_order or site.is_window:
            raise not_supported(f"array_agg(DISTINCT {kind}) with an order")
        everything = site.aggregate("list", value, distinct=False)
        return lists.held([everything], lambda values: lists.distinct(values, kind))
    return site.aggregate("list", value)


def _pairs(site: AggregateSite) -> Sql:
    """The list of the entries (`key`, `value`) whose key is not NULL."""
    key, value = site.arguments
    pair = struct([("key", key), ("value", value)])
    return site.aggregate("list", pair, condition=Sql(f"({key} IS NOT NULL)"))


def _unique_map(entries: Sql, type_: Map) -> Sql:
    """The map of bound entries: the first value of each key stays; NULL without entries."""
    keys = call(
        "list_transform", entries, lambda_(["e"], key_form(field(_ENTRY, "key"), type_.key))
    )
    is_unique = Sql(f"(list_unique({keys}) = len({entries}))")
    kept = case([(is_unique, entries)], first_of_keys(entries, type_.key))
    return cast(call("map_from_entries", kept), storage_type(type_))


def _map_agg(site: AggregateSite) -> Sql:
    type_ = site.type
    assert isinstance(type_, Map)
    return lists.held([_pairs(site)], lambda entries: _unique_map(entries, type_))


def _multimap_agg(site: AggregateSite) -> Sql:
    type_ = site.type
    assert isinstance(type_, Map)

    def body(entries: Sql) -> Sql:
        keys, values = (
            call("list_transform", entries, lambda_(["e"], field(_ENTRY, name)))
            for name in ("key", "value")
        )
        grouped = lists.held([keys, values], lambda k, v: multimap(k, v, type_))
        return case([(Sql(f"({entries} IS NULL)"), NULL)], grouped)

    return lists.held([_pairs(site)], body)


def _map_union(site: AggregateSite) -> Sql:
    type_ = site.type
    assert isinstance(type_, Map)
    value = site.arguments[0]
    entries = call("map_entries", value)
    everything = site.aggregate("list", entries, condition=Sql(f"({value} IS NOT NULL)"))

    def body(bound: Sql) -> Sql:  # of empty maps only it is NULL
        return case([(Sql(f"(len({bound}) > 0)"), _unique_map(bound, type_))])

    return lists.held([call("flatten", everything)], body)


def _histogram(site: AggregateSite) -> Sql:
    """DuckDB's own loses count of NaN, and does not know equal instants."""
    value, kind = site.arguments[0], site.types[0]
    if lists.is_plain(kind) and not needs_key(kind):
        return cast(site.aggregate("histogram", value), site.result_type)
    values = site.aggregate("list", value, condition=Sql(f"({value} IS NOT NULL)"))

    def body(some: Sql) -> Sql:
        same = lists.same_values(Sql('"y"'), Sql('"x"'), kind)
        number = Sql(f"len({call('list_filter', some, lambda_(['y'], same))})")
        counted = lists.held(
            [lists.distinct(some, kind)],
            lambda keys: lists.as_map(
                keys, call("list_transform", keys, lambda_(["x"], number)), site.result_type
            ),
        )
        return case([(Sql(f"({some} IS NULL)"), NULL)], counted)

    return lists.held([values], body)


def fixed_argument(site: AggregateSite, index: int, *, is_first: bool = False) -> Sql:
    """An argument that should be the same for all rows of a group: itself, or one row's value.

    Where it sizes the state, that is the first one that is not NULL, else the last.
    """
    value = site.arguments[index]
    if _is_constant(site.nodes[index]):
        return value
    if is_first:
        return site.aggregate("first", value, condition=Sql(f"({value} IS NOT NULL)"))
    return site.aggregate("last", value)


def _is_constant(node: Expression) -> bool:
    if isinstance(node, Cast):
        return _is_constant(node.value)
    if isinstance(node, ArrayConstructor):
        return all(map(_is_constant, node.items))
    return isinstance(node, Literal)


def is_null(node: Expression) -> bool:
    """Whether the node is NULL, of whatever type."""
    if isinstance(node, Cast):
        return is_null(node.value)
    return isinstance(node, Literal) and node.value is None


def _applied(site: AggregateSite, index: int, *arguments: Sql) -> Sql:
    node = site.nodes[index]
    assert isinstance(node, Lambda)
    values: dict[Expression, Sql] = {
        LambdaReference(type=type_, parameter=parameter): argument
        for (parameter, type_), argument in zip(node.parameters, arguments, strict=True)
    }
    return site.context.with_substitutions(values).lower(node.body)


def _reduce_agg(site: AggregateSite) -> Sql:
    """A fold from the initial state over the values that are not NULL, in one piece."""
    is_long_decimal = isinstance(site.type, Decimal) and site.type.precision > _SHORT_DECIMAL
    if site.type.children or is_long_decimal:  # Trino refuses them too
        message = f"State type not supported for reduce_agg: {site.type}"
        raise QueryServiceError(ErrorCode.NOT_SUPPORTED, message)
    value = site.arguments[0]
    node = site.nodes[2]
    assert isinstance(node, Lambda)
    number = node.parameters[0][0]
    left, right = f"w{number}", f"y{number}"
    state_type = storage_type(site.type)
    element = identifier(right, "x")
    following = cast(_applied(site, 2, identifier(left, "s"), element), state_type)
    fold = lambda_([left, right], struct([("x", element), ("s", following)]))
    values = site.aggregate("list", value, condition=Sql(f"({value} IS NOT NULL)"))
    start = fixed_argument(site, 1)

    def body(bound: Sql, state: Sql) -> Sql:
        item = struct([("x", _ENTRY), ("s", typed_null(state_type))])
        items = call("list_transform", bound, lambda_(["e"], item))
        none = typed_null(storage_type(site.types[0]))
        first = struct([("x", none), ("s", cast(state, state_type))])
        end = field(call("list_reduce", items, fold, first), "s")
        return case([(Sql(f"({bound} IS NULL)"), typed_null(state_type))], end)

    return lists.held([values, start], body)


def _listagg(site: AggregateSite) -> Sql:
    """Up to a mebibyte; what does not fit is an error here even where Trino would cut it."""
    value, separator = site.arguments[:2]
    joined = site.aggregate("string_agg", value, separator)
    is_error = dict(site.options).get("overflow", "ERROR") == "ERROR"
    refusal = (
        fail(ErrorCode.EXCEEDED_FUNCTION_MEMORY_LIMIT, "Concatenated string is too large")
        if is_error
        else fail(ErrorCode.NOT_SUPPORTED, "LISTAGG that truncates is not supported")
    )

    def body(text: Sql) -> Sql:
        return case([(Sql(f"(strlen({text}) > {LISTAGG_BYTES_MAX})"), refusal)], text)

    return lists.held([joined], body)


def _extreme_n(name: str) -> AggregateBuilder:
    """max(x, n) and min(x, n): NaN comes after all numbers in both."""

    def build(site: AggregateSite) -> Sql:
        value, kind = site.arguments[0], site.types[0]
        if is_null(site.nodes[1]):
            return site.aggregate("any_value", typed_null(site.result_type))
        limit = _limit(site, 1, f"second argument of {name}_n")
        is_native = lists.is_plain(kind) and not needs_key(kind)
        if is_native and _is_constant(site.nodes[1]):  # DuckDB nests no aggregates
            return refuse_inner_nulls(site, 0, site.aggregate(name, value, limit))
        return _ranked(site, name, limit)

    return build


def _extreme_by_n(site: AggregateSite, name: str) -> Sql:
    if is_null(site.nodes[2]):
        return site.aggregate("any_value", typed_null(site.result_type))
    limit = _limit(site, 2, f"third argument of {name}_by")
    return _ranked(site, name, limit)


def _ranked(site: AggregateSite, name: str, limit: Sql) -> Sql:
    """The values of the first keys in order; of equal keys the earlier row comes first.

    The last argument is the limit; the key stands before it, and is the value when alone.
    """
    value, key, kind = site.arguments[0], site.arguments[-2], site.types[-2]
    entry = struct([("k", key), ("v", value)])
    entries = site.aggregate("list", entry, condition=Sql(f"({key} IS NOT NULL)"))
    own = field(_ENTRY, "k")
    rank = lists.order_key(own, kind)
    is_nan = Sql(f"isnan({own})") if kind.is_floating else FALSE
    number = Sql('"i"') if name == "min" else Sql('(- "i")')
    bad_last = is_nan if name == "min" else Sql(f"(NOT {is_nan})")
    keyed = struct([("b", bad_last), ("k", rank), ("i", number), ("v", field(_ENTRY, "v"))])
    order = "'ASC'" if name == "min" else "'DESC'"

    def body(bound: Sql, most: Sql) -> Sql:
        listed = call("list_transform", bound, lambda_(["e", "i"], keyed))
        first = Sql(f"list_sort({listed}, {order}, 'NULLS LAST')[1:{most}]")
        return call("list_transform", first, lambda_(["e"], field(_ENTRY, "v")))

    return refuse_inner_nulls(site, len(site.arguments) - 2, lists.held([entries, limit], body))


def _limit(site: AggregateSite, index: int, what: str) -> Sql:
    """The count, checked."""
    if site.is_constant(index):
        value = site.constant(index)
        if isinstance(value, int) and 0 < value <= EXTREME_COUNT_MAX:
            return integer_literal(value)
        if isinstance(value, int):
            return _bad_limit(integer_literal(value), what)
    return _bad_limit(fixed_argument(site, index, is_first=True), what)


def _bad_limit(count: Sql, what: str) -> Sql:
    def body(bound: Sql) -> Sql:
        most = f"less than or equal to {EXTREME_COUNT_MAX}"
        return case(
            [
                (Sql(f"({bound} <= 0)"), fail(INVALID, f"{what} must be positive")),
                (Sql(f"({bound} > {EXTREME_COUNT_MAX})"), fail(INVALID, f"{what} must be {most}")),
            ],
            bound,
        )

    return lists.held([count], body)


def refuse_inner_nulls(site: AggregateSite, index: int, result: Sql) -> Sql:
    """The result; Trino's refusal when it must compare values that contain NULL."""
    kind, value = site.types[index], site.arguments[index]
    inner = lists.inner_null(value, kind)
    if inner is None:
        return result
    found = site.aggregate("bool_or", inner, condition=Sql(f"({value} IS NOT NULL)"))
    some = site.aggregate("count", value)
    bad = Sql(f"({some} > 1 AND {found})")
    return case([(bad, lists.refuse_null_parts(kind))], result)


def extreme_by(name: str) -> AggregateBuilder:
    """max_by and min_by: NULL keys do not count, NULL values do."""

    def build(site: AggregateSite) -> Sql:
        if len(site.arguments) == 3:
            return _extreme_by_n(site, name)
        value, key = site.arguments
        kind = site.types[1]
        boxed = struct([("v", value)])
        rank = _without_nan(lists.order_key(key, kind), kind, name)
        best = field(site.aggregate(f"arg_{name}", boxed, rank), "v")
        return refuse_inner_nulls(site, 1, best)

    return build


def _without_nan(key: Sql, kind: TrinoType, name: str) -> Sql:
    """A key by which NaN loses to every number."""
    if not kind.is_floating:
        return key
    is_worst = Sql(f"(NOT isnan({key}))" if name == "max" else f"isnan({key})")
    return case([(Sql(f"({key} IS NOT NULL)"), struct([("n", is_worst), ("k", key)]))])


def extreme(name: str) -> AggregateBuilder:
    """max and min. NaN never wins over a number."""

    def build(site: AggregateSite) -> Sql:
        if len(site.arguments) == 2:
            return _extreme_n(name)(site)
        value, kind = site.arguments[0], site.types[0]
        rank = lists.order_key(value, kind)
        if rank != value:
            return refuse_inner_nulls(site, 0, site.aggregate(f"arg_{name}", value, rank))
        if kind.is_floating:
            numbers = site.aggregate(name, value, condition=Sql(f"(NOT isnan({value}))"))
            return Sql(f"coalesce({numbers}, {site.aggregate(name, value)})")
        return refuse_inner_nulls(site, 0, site.aggregate(name, value))

    return build


AGGREGATES: Final[AggregateTable] = {
    "array_agg": _array_agg,
    "histogram": _histogram,
    "listagg": _listagg,
    "map_agg": _map_agg,
    "map_union": _map_union,
    "max": extreme("max"),
    "max_by": extreme_by("max"),
    "min": extreme("min"),
    "min_by": extreme_by("min"),
    "multimap_agg": _multimap_agg,
    "reduce_agg": _reduce_agg,
}
