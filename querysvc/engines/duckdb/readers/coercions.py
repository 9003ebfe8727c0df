"""What Trino's Hive connector turns into another type although the types differ.

It does so where an ORC file's type is not the declared one, and where a partition's declared type
is not the table's. A text that is no number becomes NULL, as in Hive; what would need Java's text
of a floating-point number is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final  # DuckDB's type objects are untyped

from querysvc.engines.duckdb.readers.physical import Source, kind
from querysvc.engines.duckdb.readers.sqltext import quote_text, type_text
from querysvc.engines.duckdb.readers.values import FLOATING_PATTERN, INTEGER_PATTERN
from querysvc.types.algebra import TrinoType

_INTEGERS: Final = frozenset({"tinyint", "smallint", "integer", "bigint"})


PARQUET: Final = frozenset(
    {("integer", "varchar"), ("integer", "double"), ("decimal", "varchar"), ("decimal", "decimal")}
)
"""The coercions that Trino's Parquet reader has."""


def coerce(
    value: str,
    physical: Any,
    target: TrinoType,
    source: Source,
    allowed: frozenset[tuple[str, str]] | None = None,
) -> str | None:
    """SQL of the coerced value; None when Trino knows no such coercion (or we do not)."""
    name = "integer" if kind(physical) in _INTEGERS else kind(physical)
    pair = (name, _family(target))
    make = _COERCIONS.get(pair) if allowed is None or pair in allowed else None
    return make(value, target, source) if make is not None else None


def _family(target: TrinoType) -> str:
    return "integer" if target.is_integer else target.base_name


def _plain(value: str, target: TrinoType, _source: Source) -> str:
    return f"CAST({value} AS {type_text(target)})"


def _text(value: str, target: TrinoType, source: Source) -> str:
    text = f"CAST({value} AS VARCHAR)"
    length = getattr(target, "length", None)
    if length is None:
        return text
    # A number must not lose digits.
    return f"CASE WHEN length({text}) > {length} THEN {source.failure(value)} ELSE {text} END"


def _number(pattern: str) -> Callable[[str, TrinoType, Source], str]:
    def make(value: str, target: TrinoType, _source: Source) -> str:
        fits = f"regexp_full_match({value}, {quote_text(pattern)})"
        return f"CASE WHEN {fits} THEN TRY_CAST({value} AS {type_text(target)}) END"

    return make


def _boolean(value: str, _target: TrinoType, _source: Source) -> str:
    fits = f"regexp_full_match({value}, {quote_text(INTEGER_PATTERN)})"
    return f"CASE WHEN {fits} THEN TRY_CAST({value} AS BIGINT) <> 0 END"


def _moment_text(value: str, target: TrinoType, source: Source) -> str:
    micros = f"CAST({value} AS TIMESTAMP)"
    is_finer = f"epoch_ns({value}) % 1000 <> 0"
    text = _text(micros, target, source)
    return f"CASE WHEN {is_finer} THEN {source.failure(value)} ELSE {text} END"


def _truncated(value: str, target: TrinoType, _source: Source) -> str:
    return f"TRY_CAST(trunc({value}) AS {type_text(target)})"


def _rescaled(value: str, target: TrinoType, source: Source) -> str:
    name = type_text(target)
    return (
        f"CASE WHEN {value} IS NULL THEN NULL WHEN TRY_CAST({value} AS {name}) IS NULL"
        f" THEN {source.failure(value)} ELSE TRY_CAST({value} AS {name}) END"
    )


_COERCIONS: Final[dict[tuple[str, str], Callable[[str, TrinoType, Source], str]]] = {
    ("integer", "varchar"): _text,
    ("integer", "double"): _plain,
    ("boolean", "varchar"): _text,
    ("decimal", "varchar"): _text,
    ("timestamp_ns", "varchar"): _moment_text,
    ("timestamp_ns", "date"): _plain,
    ("timestamp", "date"): _plain,
    ("decimal", "integer"): _truncated,
    ("decimal", "double"): _plain,
    ("decimal", "decimal"): _rescaled,
    ("varchar", "integer"): _number(INTEGER_PATTERN),
    ("varchar", "double"): _number(FLOATING_PATTERN),
    ("varchar", "boolean"): _boolean,
}
