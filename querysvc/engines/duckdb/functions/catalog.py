"""All families' tables, and the lookup by key and name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Final

from querysvc.engines.duckdb.functions.registry import (
    AggregateEntry,
    ScalarEntry,
    canonical_name,
    merged,
)

FAMILIES: Final = (
    "addresses",
    "aggregates",
    "approximations",
    "array_lambdas",
    "arrays",
    "bases",
    "binary",
    "collecting",
    "conditional",
    "datetime",
    "datetime_formats",
    "datetime_units",
    "datetime_zones",
    "distributions",
    "fine_timestamps",
    "geospatial",
    "json_functions",
    "maps",
    "math",
    "regexps",
    "refused",
    "sequences",
    "sketch_values",
    "sketches",
    "statistics",
    "strings",
    "vectors",
    "urls",
    "windows",
)
"""The family modules of this package."""


@cache
def scalar_table() -> dict[str, Any]:
    """Every scalar entry, operators too. Built at first use: entries refer to the lowering."""
    operators = import_module("querysvc.engines.duckdb.lowering.operators")
    return merged([operators.OPERATORS, *_tables("SCALARS")])


@cache
def aggregate_table() -> dict[str, Any]:
    """Every aggregate entry."""
    return merged(_tables("AGGREGATES"))


@cache
def window_table() -> dict[str, Any]:
    """Every window function's entry."""
    return merged(_tables("WINDOWS"))


def scalar_entry(name: str, key: str) -> ScalarEntry | None:
    """The entry of a scalar signature's key, else of its canonical name, else of its name."""
    return _find(scalar_table(), name, key)  # type: ignore[no-any-return]  # tables are merged


def aggregate_entry(name: str, key: str) -> AggregateEntry | None:
    """The entry of an aggregate."""
    return _find(aggregate_table(), name, key)  # type: ignore[no-any-return]


def window_entry(name: str, key: str) -> AggregateEntry | None:
    """The entry of a window function; an aggregate's serves too."""
    found = _find(window_table(), name, key)
    return found or _find(aggregate_table(), name, key)  # type: ignore[no-any-return]


def _tables(attribute: str) -> list[dict[str, Any]]:
    package = "querysvc.engines.duckdb.functions"
    modules = (import_module(f"{package}.{family}") for family in FAMILIES)
    return [getattr(module, attribute, {}) for module in modules]


def _find(table: dict[str, Any], name: str, key: str) -> Any:
    for candidate in (key, canonical_name(key), name):
        if candidate in table:
            return table[candidate]
    return None
