"""What DuckDB formats and parses natively just as Trino does, and a guard that says when.

A constant pattern of common elements is DuckDB's strftime for the years 1000 to 9999, and its
strptime for texts that a strict expression matches; all else is left to Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from querysvc.engines.duckdb.functions.joda import Element
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, text_literal

_PRINTED: Final[Mapping[tuple[Any, ...], str]] = {
    ("year", "year", 4): "%Y",
    ("year", "week year", 4): "%G",
    ("number", "month", 2): "%m",
    ("number", "month", 1): "%-m",
    ("number", "day", 2): "%d",
    ("number", "day", 1): "%-d",
    ("number", "hour", 2): "%H",
    ("number", "hour", 1): "%-H",
    ("number", "clock hour of half", 2): "%I",
    ("number", "minute", 2): "%M",
    ("number", "second", 2): "%S",
    ("number", "day of year", 3): "%j",
    ("number", "week", 2): "%V",
    ("text", "month", True): "%b",
    ("text", "month", False): "%B",
    ("text", "day of week", True): "%a",
    ("text", "day of week", False): "%A",
    ("text", "half", False): "%p",
    ("fraction", 3, 3): "%g",
    ("fraction", 6, 9): "%g000",
}

_PARSED: Final[Mapping[tuple[Any, ...], tuple[str, str]]] = {
    ("year", "year", 4): ("%Y", "[1-9][0-9]{3}"),
    ("number", "month", 2): ("%m", "(0[1-9]|1[0-2])"),
    ("number", "day", 2): ("%d", "(0[1-9]|[12][0-9]|3[01])"),
    ("number", "hour", 2): ("%H", "([01][0-9]|2[0-3])"),
    ("number", "minute", 2): ("%M", "[0-5][0-9]"),
    ("number", "second", 2): ("%S", "[0-5][0-9]"),
}
_NEEDED: Final = ("%Y", "%m", "%d")
_PLAIN_LITERAL: Final = re.compile(r"[-0-9A-Za-z /:.,_]*")

_ISO_INSTANT: Final = (
    r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,3})?Z?"
)
_ISO_DATE: Final = r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


def _key(element: Element) -> tuple[Any, ...]:
    return element if element[0] == "fraction" else element[:3]


def printed(elements: tuple[Element, ...], clock: Sql, otherwise: Sql) -> Sql:
    """The clock, a TIMESTAMP, formatted natively where that is exact."""
    pieces = []
    for element in elements:
        is_literal = element[0] == "literal"
        piece = element[1].replace("%", "%%") if is_literal else _PRINTED.get(_key(element))
        if piece is None or "\0" in piece:
            return otherwise
        pieces.append(piece)
    pattern = text_literal("".join(pieces))

    def body(value: Sql) -> Sql:
        within = Sql(f"({value} BETWEEN TIMESTAMP '1000-01-01' AND TIMESTAMP '9999-12-31')")
        return case([(within, Sql(f"strftime({value}, {pattern})"))], otherwise)

    return bind([clock], body)


def parsed(elements: tuple[Element, ...], text: Sql) -> Sql | None:
    """The text as a TIMESTAMP, NULL where Python must decide; None when it always must."""
    formats, expressions = [], []
    for element in elements:
        if element[0] == "literal":
            if not _PLAIN_LITERAL.fullmatch(element[1]):
                return None
            pair = (element[1], re.escape(element[1]))
        elif (found := _PARSED.get(_key(element))) is None:
            return None
        else:
            pair = found
        formats.append(pair[0])
        expressions.append(pair[1])
    if any(formats.count(name) != 1 for name in _NEEDED) or len(set(formats)) < len(
        [name for name in formats if name.startswith("%")]
    ):
        return None
    pattern, format_ = text_literal("".join(expressions)), text_literal("".join(formats))
    matches = Sql(f"regexp_full_match({text}, {pattern})")
    return case([(matches, Sql(f"try_strptime({text}, {format_})"))])


def parsed_iso_timestamp(text: Sql) -> Sql:
    """A plain ISO text as the TIMESTAMP in UTC, NULL where Python must decide."""
    matches = Sql(f"regexp_full_match({text}, {text_literal(_ISO_INSTANT)})")
    return case([(matches, Sql(f"TRY_CAST(rtrim({text}, 'Z') AS TIMESTAMP)"))])


def parsed_iso_date(text: Sql) -> Sql:
    """A plain ISO date, NULL where Python must decide."""
    matches = Sql(f"regexp_full_match({text}, {text_literal(_ISO_DATE)})")
    return case([(matches, Sql(f"TRY_CAST({text} AS DATE)"))])
