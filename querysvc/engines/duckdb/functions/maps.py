"""Maps, and lambdas over them. https://trino.io/docs/current/functions/map.html and lambda.html"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions import lists
from querysvc.engines.duckdb.functions.lists import INVALID
from querysvc.engines.duckdb.functions.registry import CallSite, ScalarTable
from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    TRUE,
    Sql,
    call,
    case,
    cast,
    fail,
    field,
    identifier,
    lambda_,
    struct,
)
from querysvc.engines.duckdb.lowering.keys import key_form, needs_key
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.types.algebra import Map, TrinoType

_NULL_KEY: Final = fail(INVALID, "map key cannot be null")
_NULL_ENTRY: Final = fail(INVALID, "map entry cannot be null")
_DUPLICATE: Final = fail(INVALID, "Duplicate map keys are not allowed")
_INDETERMINATE: Final = fail(INVALID, "map key cannot be indeterminate")
_ENTRY: Final = Sql('"e"')
_KEY: Final = field(_ENTRY, "key")
_VALUE: Final = field(_ENTRY, "value")


def _map_type(site: CallSite, index: int = 0) -> Map:
    type_ = site.types[index]
    assert isinstance(type_, Map)
    return type_


def build_map(keys: Sql, values: Sql, type_: Map) -> Sql:
    """The map of two bound lists of one length; Trino's errors for NULL and repeated keys."""
    branches = [(lists.has_null(keys), _NULL_KEY)]
    if needs_key(type_.key):  # DuckDB itself refuses what it holds equal
        forms = lists.keys_of(keys, type_.key)
        branches.append((Sql(f"(len(list_distinct({forms})) <> len({keys}))"), _DUPLICATE))
    return case(branches, lists.as_map(keys, values, storage_type(type_)))


def _map(site: CallSite) -> Sql:
    """map(keys, values); map() is empty."""
    if not site.arguments:
        return cast(Sql("MAP {}"), site.result_type)
    type_ = site.type
    assert isinstance(type_, Map)

    def body(keys: Sql, values: Sql) -> Sql:
        unequal = fail(INVALID, "Key and value arrays must be the same length")
        branches = [
            (lists.any_null(keys, values), NULL),
            (Sql(f"(len({keys}) <> len({values}))"), unequal),
        ]
        inner = lists.inner_null(Sql('"n"'), type_.key)
        if inner is not None:
            found = call("list_transform", keys, lambda_(["n"], inner))
            branches.append((call("list_contains", found, TRUE), _INDETERMINATE))
        return case(branches, build_map(keys, values, type_))

    return lists.held(site.arguments, body)


def _entry_columns(entries: Sql) -> tuple[Sql, Sql]:
    first, second = (
        call("list_transform", entries, lambda_(["e"], field(_ENTRY, name)))
        for name in ("f0", "f1")
    )
    return first, second


def _map_from_entries(site: CallSite) -> Sql:
    type_ = site.type
    assert isinstance(type_, Map)

    def body(entries: Sql) -> Sql:
        result = lists.held(_entry_columns(entries), lambda k, v: build_map(k, v, type_))
        return case(
            [(lists.any_null(entries), NULL), (lists.has_null(entries), _NULL_ENTRY)], result
        )

    return lists.held(site.arguments, body)


def multimap(keys: Sql, values: Sql, type_: Map) -> Sql:
    """The map from each distinct key to its values, in their order; two bound lists."""

    def body(distinct: Sql, forms: Sql) -> Sql:
        own = key_form(Sql('"k"'), type_.key)
        same = Sql(f'({forms}["i"] IS NOT DISTINCT FROM {own})')
        picked = call("list_filter", values, lambda_(["v", "i"], same))
        grouped = call("list_transform", distinct, lambda_(["k"], picked))
        return lists.as_map(distinct, grouped, storage_type(type_))

    return lists.held([lists.distinct(keys, type_.key), lists.keys_of(keys, type_.key)], body)


def _multimap_from_entries(site: CallSite) -> Sql:
    type_ = site.type
    assert isinstance(type_, Map)

    def grouped(keys: Sql, values: Sql) -> Sql:
        return case([(lists.has_null(keys), _NULL_KEY)], multimap(keys, values, type_))

    def body(entries: Sql) -> Sql:
        return case(
            [(lists.any_null(entries), NULL), (lists.has_null(entries), _NULL_ENTRY)],
            lists.held(_entry_columns(entries), grouped),
        )

    return lists.held(site.arguments, body)


def _map_entries(site: CallSite) -> Sql:
    pair = struct([("f0", _KEY), ("f1", _VALUE)])
    return call("list_transform", call("map_entries", site.arguments[0]), lambda_(["e"], pair))


def first_of_keys(entries: Sql, key: TrinoType) -> Sql:
    """The entries (`key`, `value`) without those whose key came before."""

    def body(bound: Sql, forms: Sql) -> Sql:
        is_first = Sql(f'(list_position({forms}, {key_form(_KEY, key)}) = "i")')
        return call("list_filter", bound, lambda_(["e", "i"], is_first))

    forms = call("list_transform", entries, lambda_(["e"], key_form(_KEY, key)))
    return lists.held([entries, forms], body)


def _map_concat(site: CallSite) -> Sql:
    """Later maps win; their entries come first, as Trino writes them."""
    type_ = _map_type(site)
    if len(site.arguments) < 2:
        message = "There must be two or more concatenation arguments to map_concat"
        return fail(INVALID, message)

    def body(*maps: Sql) -> Sql:
        joined = call("map_entries", maps[-1])
        for one in reversed(maps[:-1]):
            joined = call("list_concat", joined, call("map_entries", one))
        kept = call("map_from_entries", first_of_keys(joined, type_.key))
        return lists.unless_null(maps, cast(kept, site.result_type))

    return lists.held(site.arguments, body)


def _over_entries(site: CallSite, function: str) -> Sql:
    """list_transform or list_filter of the map's entries by the lambda over key and value."""
    name = lists.parameter_name(site, 1, "w")
    entry = identifier(name)
    result = lists.applied(site, 1, field(entry, "key"), field(entry, "value"))
    return call(function, call("map_entries", site.arguments[0]), lambda_([name], result))


def _map_filter(site: CallSite) -> Sql:
    kept = call("map_from_entries", _over_entries(site, "list_filter"))
    return cast(kept, site.result_type)


def _transform_keys(site: CallSite) -> Sql:
    type_ = site.type
    assert isinstance(type_, Map)
    keys = cast(_over_entries(site, "list_transform"), f"{storage_type(type_.key)}[]")

    def body(bound: Sql) -> Sql:
        values = call("map_values", site.arguments[0])
        return lists.unless_null((bound,), build_map(bound, values, type_))

    return lists.held([keys], body)


def _transform_values(site: CallSite) -> Sql:
    keys = call("map_keys", site.arguments[0])
    values = _over_entries(site, "list_transform")
    made = lists.as_map(keys, values, site.result_type)
    return lists.unless_null((site.arguments[0],), made)


def _map_zip_with(site: CallSite) -> Sql:
    """The first map's keys, then those that only the second has; a missing value is NULL."""
    first_type, second_type = _map_type(site), _map_type(site, 1)
    name = lists.parameter_name(site, 2, "w")
    key = identifier(name)

    def value(of: Sql, type_: Map) -> Sql:
        forms = lists.keys_of(call("map_keys", of), type_.key)
        position = call("list_position", forms, key_form(key, type_.key))
        return Sql(f"map_values({of})[{position}]")

    def body(first: Sql, second: Sql) -> Sql:
        both = call("list_concat", call("map_keys", first), call("map_keys", second))
        result = lists.applied(site, 2, key, value(first, first_type), value(second, second_type))

        def made(keys: Sql) -> Sql:
            values = call("list_transform", keys, lambda_([name], result))
            return lists.as_map(keys, values, site.result_type)

        joined = lists.held([lists.distinct(both, first_type.key)], made)
        return lists.unless_null((first, second), joined)

    return lists.held(site.arguments[:2], body)


SCALARS: Final[ScalarTable] = {
    "map": _map,
    "map_concat": _map_concat,
    "map_entries": _map_entries,
    "map_filter": _map_filter,
    "map_from_entries": _map_from_entries,
    "map_keys": "map_keys({0})",
    "map_values": "map_values({0})",
    "map_zip_with": _map_zip_with,
    "multimap_from_entries": _multimap_from_entries,
    "transform_keys": _transform_keys,
    "transform_values": _transform_values,
}
