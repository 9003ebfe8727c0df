"""LazySimpleSerDe's way with texts that are no plain value of their type, as Trino reads them.

What cannot be read is NULL. What Java's lenient parsers take is taken: `1.7` is the integer 1,
February's 30th the first of March, hour 24 the next day. Most values never come here: `values`
tries the plain forms first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.sqltext import quote_text, type_text
from querysvc.engines.duckdb.readers.values import FLOATING_PATTERN, rounded
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

_WHOLE_PART: Final = r"[+-]?[0-9]+\.[0-9]*"
_SUFFIXED: Final = FLOATING_PATTERN.removesuffix(r"\s*") + r"[dDfF]?\s*"
_HEXADECIMAL: Final = r"\s*[+-]?0[xX].*"
_DAY: Final = r"[0-9]{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"([01]?[0-9]|2[0-4]):[0-5]?[0-9]:[0-5]?[0-9](\.[0-9]{1,9})?"


@dataclass(frozen=True, slots=True)
class HiveTextSource(Source):
    """A source whose values are read as Hive reads text, and are NULL where they cannot be."""

    def rejected(self, text: str, type_: TrinoType) -> str:
        """SQL of what a text is that has none of the plain forms."""
        make = _LENIENT.get("integer" if type_.is_integer else type_.base_name)
        return make(text, type_, self) if make is not None else "NULL"

    def pattern(self, type_: TrinoType, usual: str | None) -> str | None:
        """Timestamps have one plain form only."""
        return None if isinstance(type_, algebra.Timestamp) else usual


def rolled_date(text: str) -> str:
    """SQL of a date whose day may be the 31st of any month; NULL for other texts."""
    plain = f"trim({text})"
    year, month, day = (f"CAST(string_split({plain}, '-')[{n}] AS INTEGER)" for n in (1, 2, 3))
    return (
        f"CASE WHEN regexp_full_match({plain}, {quote_text(_DAY)})"
        f" THEN make_date({year}, {month}, 1) + ({day} - 1) END"
    )


def _integer(text: str, type_: TrinoType, _source: Source) -> str:
    whole = f"TRY_CAST(string_split({text}, '.')[1] AS {type_text(type_)})"
    return f"CASE WHEN regexp_full_match({text}, {quote_text(_WHOLE_PART)}) THEN {whole} END"


def _floating(text: str, type_: TrinoType, source: Source) -> str:
    name = type_text(type_)
    number = f"rtrim(trim({text}), 'dDfF')"
    # A number that is too large is infinite.
    infinite = f"CAST(CASE WHEN starts_with({number}, '-') THEN '-inf' ELSE 'inf' END AS {name})"
    return (
        f"CASE WHEN regexp_full_match({text}, {quote_text(_HEXADECIMAL)}) THEN"
        f" {source.failure(text)} WHEN regexp_full_match({text}, {quote_text(_SUFFIXED)})"
        f" THEN coalesce(TRY_CAST({number} AS {name}), {infinite}) END"
    )


def _date(text: str, _type: TrinoType, _source: Source) -> str:
    return rolled_date(text)


def _timestamp(text: str, type_: TrinoType, _source: Source) -> str:
    parts = f"string_split_regex(trim({text}), '[ T]')"
    clock = f"string_split({parts}[2], ':')"
    seconds = (
        f"CAST({clock}[1] AS INTEGER) * 3600 + CAST({clock}[2] AS INTEGER) * 60"
        f" + CAST(string_split({clock}[3], '.')[1] AS INTEGER)"
    )
    fraction = f"rpad(left(coalesce(string_split({clock}[3], '.')[2], ''), 6), 6, '0')"
    moment = (
        f"make_timestamp(epoch_us(CAST({rolled_date(f'{parts}[1]')} AS TIMESTAMP))"
        f" + CAST({seconds} AS BIGINT) * 1000000 + CAST({fraction} AS BIGINT))"
    )
    fits = f"regexp_full_match(trim({text}), {quote_text(f'{_DAY}[ T]{_CLOCK}')})"
    return f"CASE WHEN {fits} THEN {rounded(moment, type_)} END"


def _failure(text: str, _type: TrinoType, source: Source) -> str:
    return source.failure(text)


_LENIENT: Final[dict[str, Callable[[str, TrinoType, Source], str]]] = {
    "integer": _integer,
    "real": _floating,
    "double": _floating,
    "date": _date,
    "timestamp": _timestamp,
    "varbinary": _failure,
}
