"""LazySimpleSerDe's arrays, maps and structs: a delimiter for each depth of nesting."""

from __future__ import annotations

from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.splitting import MARK, delimiter_letters, marked
from querysvc.engines.duckdb.readers.sqltext import quote_name, quote_text, type_text
from querysvc.engines.duckdb.readers.values import parse_value, text_value
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType
from querysvc_catalog.serde_options import TextOptions


def nested_value(
    text: str, type_: TrinoType, source: Source, options: TextOptions, depth: int = 1
) -> str:
    """SQL of a value of any type whose parts are separated by the delimiter of `depth`."""
    null = f"({text} IS NULL OR {text} = {quote_text(marked(options.null_format, options))})"
    if isinstance(type_, algebra.Array):
        return _array(text, type_, source, options, depth, null=null)
    if isinstance(type_, algebra.Map):
        return _map(text, type_, source, options, depth, null=null)
    if isinstance(type_, algebra.Row):
        return _row(text, type_, source, options, depth, null=null)
    text = _unmarked(text, options)
    as_text = text_value(text, type_)
    if as_text is not None:
        return f"CASE WHEN {null} THEN NULL ELSE {as_text} END"
    return parse_value(text, type_, source, f"({null} OR {text} = '')")


def _array(
    text: str, type_: algebra.Array, source: Source, options: TextOptions, depth: int, *, null: str
) -> str:
    item = f"e{depth}"
    element = nested_value(item, type_.element, source, options, depth + 1)
    parts = _split(text, options, depth)
    return (
        f"CASE WHEN {null} THEN NULL WHEN {text} = '' THEN CAST([] AS {type_text(type_)})"
        f" ELSE list_transform({parts}, lambda {item}: {element}) END"
    )


def _map(
    text: str, type_: algebra.Map, source: Source, options: TextOptions, depth: int, *, null: str
) -> str:
    item = f"e{depth}"
    separator = _delimiter(options, depth + 1)
    # Only the first delimiter parts key and value.
    at = f"strpos({item}, {separator})"
    key_text = f"CASE WHEN {at} = 0 THEN {item} ELSE left({item}, {at} - 1) END"
    value_text = f"CASE WHEN {at} = 0 THEN NULL ELSE substring({item}, {at} + 1) END"
    key, value = f"k{depth}", f"w{depth}"
    pair = (
        f"struct_pack(k := {nested_value(f'{key}.k', type_.key, source, options, depth + 2)},"
        f" v := {nested_value(f'{key}.v', type_.value, source, options, depth + 2)})"
    )
    texts = (
        f"list_transform({_split(text, options, depth)}, lambda {item}:"
        f" struct_pack(k := {key_text}, v := {value_text}))"
    )
    pairs = f"list_transform({texts}, lambda {key}: {pair})"
    # Hive drops entries whose key is NULL and keeps the first of equal keys.
    kept = f"list_filter({pairs}, lambda {value}: {value}.k IS NOT NULL)"
    return (
        f"CASE WHEN {null} THEN NULL WHEN {text} = '' THEN CAST(MAP {{}} AS {type_text(type_)})"
        f" ELSE map_from_entries({kept}) END"
    )


def _row(
    text: str, type_: algebra.Row, source: Source, options: TextOptions, depth: int, *, null: str
) -> str:
    parts = _split(text, options, depth)
    fields = [
        f"{quote_name(f'f{index}')} :="
        f" {nested_value(f'({parts})[{index + 1}]', field.type, source, options, depth + 1)}"
        for index, field in enumerate(type_.fields)
    ]
    return f"CASE WHEN {null} THEN NULL ELSE struct_pack({', '.join(fields)}) END"


def _unmarked(text: str, options: TextOptions) -> str:
    """SQL of a value without its escapes (`splitting.marked`)."""
    if options.escape is None:
        return text
    for delimiter, letter in delimiter_letters(options).items():
        text = f"replace({text}, {quote_text(MARK + MARK + letter)}, {quote_text(delimiter)})"
    return f"replace({text}, {quote_text(MARK)}, '')"


def _split(text: str, options: TextOptions, depth: int) -> str:
    return f"string_split({text}, {_delimiter(options, depth)})"


def _delimiter(options: TextOptions, depth: int) -> str:
    if depth >= len(options.nested_delimiters):
        raise QueryServiceError(ErrorCode.NOT_SUPPORTED, "text nested this deep is not supported")
    return quote_text(options.nested_delimiters[depth])
