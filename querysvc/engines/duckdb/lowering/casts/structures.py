"""Casts of arrays, maps and rows: by their elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from querysvc.engines.duckdb.lowering.casts.site import CastSite
from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    Sql,
    bind,
    call,
    case,
    fail,
    field,
    lambda_,
    struct,
)
from querysvc.errors import ErrorCode
from querysvc.types.algebra import Array, Map, Row

Convert: TypeAlias = Callable[[CastSite], Sql]


def cast_array(site: CastSite, convert: Convert) -> Sql:
    """The array with its elements cast."""
    source, target = site.source, site.target
    assert isinstance(source, Array)
    assert isinstance(target, Array)
    name = _depth_name(source)
    element = CastSite(Sql(f'"{name}"'), source.element, target.element, site.context)
    return call("list_transform", site.value, lambda_([name], convert(element)))


def cast_map(site: CastSite, convert: Convert) -> Sql:
    """The map with its keys and values cast; two equal keys then are an error."""
    source, target = site.source, site.target
    assert isinstance(source, Map)
    assert isinstance(target, Map)
    name = _depth_name(source)
    entry = Sql(f'"{name}"')
    key = convert(CastSite(field(entry, "key"), source.key, target.key, site.context))
    value = convert(CastSite(field(entry, "value"), source.value, target.value, site.context))
    pair = struct([("key", key), ("value", value)])

    def checked(entries: Sql) -> Sql:
        keys = Sql(f'list_transform({entries}, lambda "e": "e"."key")')
        twice = Sql(f"(len(list_distinct({keys})) <> len({entries}))")
        error = fail(ErrorCode.INVALID_CAST_ARGUMENT, "duplicate keys")
        return case([(twice, error)], call("map_from_entries", entries))

    transformed = call("list_transform", call("map_entries", site.value), lambda_([name], pair))
    if source.key == target.key:
        return call("map_from_entries", transformed)
    return bind([transformed], checked)


def cast_row(site: CastSite, convert: Convert) -> Sql:
    """The row with its fields cast by position."""
    source, target = site.source, site.target
    assert isinstance(source, Row)
    assert isinstance(target, Row)

    def body(value: Sql) -> Sql:
        fields = [
            (f"f{i}", convert(CastSite(field(value, f"f{i}"), old.type, new.type, site.context)))
            for i, (old, new) in enumerate(zip(source.fields, target.fields, strict=True))
        ]
        return case([(Sql(f"({value} IS NULL)"), NULL)], struct(fields))

    return bind([site.value], body)


def _depth_name(type_: Array | Map) -> str:
    """A lambda parameter that no inner cast's shadows."""
    depth, inner = 0, list(type_.children)
    while inner:
        depth += 1
        inner = [child for item in inner for child in item.children]
    return f"e{depth}"
