"""What a SQL/JSON path gives, as one text with a tag: the batch functions behind the forms.

Tags: `T` and `F` of JSON_EXISTS; `E` nothing was found; `X` and a letter for what failed; of
JSON_VALUE `Z` for null and `s i d r n b` before the text of a scalar; of JSON_QUERY `v` before a
JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal as Exact
from typing import Any, Final

from querysvc.engines.duckdb.functions.json_evaluation import (
    Evaluation,
    Huge,
    Opaque,
    Padded,
    PathError,
    json_text,
    read_input,
)
from querysvc.engines.duckdb.functions.json_numbers import Numeric
from querysvc.engines.duckdb.functions.json_path import parse_path
from querysvc.engines.duckdb.functions.json_text import MalformedError, varchar_text
from querysvc.engines.duckdb.functions.vectorised import by_row


def _parameter(tagged: str | None) -> Any:
    if tagged is None:
        return None
    kind, _, text = tagged.partition(":")
    if kind in _PARAMETERS:
        return _PARAMETERS[kind](text)
    return Opaque(kind, text)


_PARAMETERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "char": Padded,
    "boolean": lambda text: text == "true",
    "json": read_input,
    "decimal": lambda text: Numeric("decimal", Exact(text)),
    "double": lambda text: Numeric("double", float(text)),
    "real": lambda text: Numeric("real", float(text)),
    **{
        kind: (lambda text, kind=kind: Numeric(kind, int(text)))  # type: ignore[misc]  # bound now
        for kind in ("tinyint", "smallint", "integer", "bigint")
    },
}


def _evaluated(text: str, path: str, parameters: Mapping[str, str | None], mode: str) -> str:
    try:
        root = read_input(text)
        passed = {name: _parameter(value) for name, value in parameters.items()}
    except MalformedError:
        return "XI"
    is_lax, tree = parse_path(path)
    try:
        items = Evaluation(root, passed, is_lax).items(tree)
    except PathError:
        return "XP"
    kind, *options = mode.split()
    return _RESULTS[kind](items, options)


@by_row
def path_result(text: str, path: str, mode: str) -> str:
    """The tagged result of a path without parameters."""
    return _evaluated(text, path, {}, mode)


@by_row
def path_result_with(
    text: str, path: str, names: list[str], values: list[str | None], mode: str
) -> str:
    """The tagged result of a path with parameters."""
    return _evaluated(text, path, dict(zip(names, values, strict=True)), mode)


def _exists_result(items: list[Any], _: list[str]) -> str:
    return "T" if items else "F"


def _value_result(items: list[Any], _: list[str]) -> str:
    if not items:
        return "E"
    item = items[0]
    if len(items) > 1 or isinstance(item, list | dict | Huge):
        return "XV"
    if item is None:
        return "Z"
    if isinstance(item, bool):
        return "btrue" if item else "bfalse"
    if isinstance(item, Opaque):
        return "s" + item.text
    if isinstance(item, str):
        return "s" + varchar_text(item)
    return _NUMBER_TAGS.get(item.kind, "i") + str(item.value)


_NUMBER_TAGS: Final = {"double": "d", "real": "r", "decimal": "n"}


def _query_result(items: list[Any], options: list[str]) -> str:
    wrapper, quotes = options
    if not items:
        return "E"
    try:
        is_structure = len(items) == 1 and isinstance(items[0], list | dict)
        if wrapper == "UNCONDITIONAL" or (wrapper == "CONDITIONAL" and not is_structure):
            return "v" + json_text(items)
        if len(items) > 1:
            return "XO"
        if quotes == "OMIT" and isinstance(items[0], str):
            return "v" + varchar_text(items[0])
        return "v" + json_text(items[0])
    except PathError:
        return "XO"


_RESULTS: Final = {"exists": _exists_result, "value": _value_result, "query": _query_result}


@by_row
def decoded_json(data: bytes, encoding: str) -> str:
    """The text of a varbinary; what cannot be decoded is no JSON either."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return "\x01"


@by_row
def encoded_json(text: str, encoding: str) -> bytes:
    """The text as varbinary."""
    return text.encode(encoding)
