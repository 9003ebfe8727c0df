"""Values out of JSON text: nested ones, and decimals, which must not lose digits."""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text, type_text
from querysvc.engines.duckdb.readers.values import parse_value, text_value
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

DOUBLE_DIGITS: Final = 15
"""What a double keeps of a decimal number's digits."""


def json_value(
    value: str, type_: TrinoType, source: Source, *, is_text: bool = False, depth: int = 0
) -> str:
    """SQL of a value from JSON text, or (`is_text`) from a string that was taken out already."""
    if is_text:
        return parse_value(value, type_, source, f"{value} IS NULL")
    null = f"({value} IS NULL OR json_type({value}) = 'NULL')"
    if isinstance(type_, algebra.Array):
        inner = _nested_array(value, type_, source, depth)
    elif isinstance(type_, algebra.Map):
        inner = _nested_map(value, type_, source, depth)
    elif isinstance(type_, algebra.Row):
        inner = _nested_row(value, type_, source, depth)
    elif isinstance(type_, algebra.Decimal):
        inner = _decimal(value, type_, source)
    else:
        text = f"json_extract_string({value}, '$')"
        as_text = text_value(text, type_)
        inner = as_text or parse_value(text, type_, source, f"{text} IS NULL")
    return (
        f"CASE WHEN {null} THEN NULL {inner if inner.startswith('WHEN') else 'ELSE ' + inner} END"
    )


def _nested_array(value: str, type_: algebra.Array, source: Source, depth: int) -> str:
    item = f"a{depth}"
    element = json_value(item, type_.element, source, depth=depth + 1)
    return (
        f"WHEN json_type({value}) = 'ARRAY' THEN"
        f" list_transform(json_extract({value}, '$[*]'), lambda {item}: {element})"
        f" ELSE {source.failure(value)}"
    )


def _nested_map(value: str, type_: algebra.Map, source: Source, depth: int) -> str:
    item = f"m{depth}"
    key = text_value(f"{item}.key", type_.key) or parse_value(
        f"{item}.key", type_.key, source, "false"
    )
    entry = json_value(f"{item}.value", type_.value, source, depth=depth + 1)
    entries = f"map_entries(json_transform({value}, '\"MAP(VARCHAR, JSON)\"'))"
    return (
        f"WHEN json_type({value}) = 'OBJECT' AND {_are_unique(f'json_keys({value})')}"
        f" THEN map_from_entries(list_transform({entries},"
        f" lambda {item}: struct_pack(k := {key}, v := {entry}))) ELSE {source.failure(value)}"
    )


def _nested_row(value: str, type_: algebra.Row, source: Source, depth: int) -> str:
    fields = []
    for index, field in enumerate(type_.fields):
        name = (field.name or "").lower()
        if '"' in name or "\\" in name:
            raise QueryServiceError(ErrorCode.NOT_SUPPORTED, f"a JSON key with a quote: {name!r}")
        found = _lookup(value, name, depth)
        inner = json_value(found, field.type, source, depth=depth + 1)
        fields.append(f"{quote_name(f'f{index}')} := {inner}")
    folded = f"list_transform(json_keys({value}), lambda n{depth}: lower(n{depth}))"
    return (
        f"WHEN json_type({value}) = 'OBJECT' AND {_are_unique(folded)}"
        f" THEN struct_pack({', '.join(fields)})"
        f" ELSE {source.failure(value)}"
    )


def _are_unique(keys: str) -> str:
    """Of equal keys the last counts: that is for the exact path to see."""
    return f"list_unique({keys}) = len({keys})"


def _lookup(value: str, name: str, depth: int) -> str:
    """A key as it is declared, else in any case."""
    path = quote_text(f'$."{name}"')
    key = f"n{depth}"
    other = f"list_filter(json_keys({value}), lambda {key}: lower({key}) = {quote_text(name)})[1]"
    return (
        f"coalesce(json_extract({value}, {path}), json_extract({value}, '$.\"' || {other} || '\"'))"
    )


def _decimal(value: str, type_: algebra.Decimal, source: Source) -> str:
    text = f"json_extract_string({value}, '$')"
    parsed = parse_value(text, type_, source, "false")
    digits = f"length(regexp_replace({value}, '[^0-9]|^[-0.]+', '', 'g'))"
    is_lossy = f"json_type({value}) = 'DOUBLE' AND {digits} > {DOUBLE_DIGITS}"
    return f"WHEN {is_lossy} THEN {source.failure(value)} ELSE CAST({parsed} AS {type_text(type_)})"
