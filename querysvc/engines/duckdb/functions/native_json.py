"""JSON by DuckDB's own functions, where they are sure to answer as Jackson does.

DuckDB's grammar is wider than JSON (a comma at the end, NaN, Infinity): `is_strict` rules that out.
Of equal names DuckDB takes the first: `is_once` tells that there is one only. What DuckDB prints
otherwise than Jackson (fractions, exponents, escapes) is found by `is_rewritten`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from querysvc.engines.duckdb.lowering.fragments import Sql, conjunction, text_literal

PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_COMMA_AT_END: Final = text_literal(r",[ \t\n\r]*[\]}]")
_WORD: Final = text_literal(r"(^|[:\[,])[ \t\n\r]*-?[nNiI][aAnN]")
_REWRITTEN: Final = text_literal(r"[0-9][.eE]|\\|-0|[0-9]{18}|[\x{10000}-\x{10FFFF}]")
"""Numbers and characters whose text Jackson changes, or DuckDB; some others too."""

TEXT_KINDS: Final = "('VARCHAR', 'UBIGINT', 'BOOLEAN', 'NULL')"
"""Values whose text DuckDB gives as it was written."""


def is_strict(text: Sql) -> Sql:
    """Whether the text is JSON by the strict grammar; no other text passes, a few others fail."""
    lower = f"lower({text})"
    has_no_word = f"NOT contains({lower}, 'nan') AND NOT contains({lower}, 'inf')"
    return Sql(
        f"(json_valid({text}) AND NOT regexp_matches({text}, {_COMMA_AT_END})"
        f" AND (({has_no_word}) OR NOT regexp_matches({text}, {_WORD})))"
    )


def kind(text: Sql, path: Sql, *, condition: Sql | None = None) -> Sql:
    """DuckDB's name of the kind of what is at the path, 'MISSING' when nothing is.

    NULL unless the text is strict JSON and the further condition holds.
    """
    known = conjunction([is_strict(text), *([condition] if condition else [])])
    return Sql(f"(CASE WHEN {known} THEN coalesce(json_type({text}, {path}), 'MISSING') END)")


def is_once(text: Sql, names: Iterable[str]) -> Sql:
    """Whether no member is named so twice: no escapes, and each name in quotes once at most."""
    terms = [
        Sql(f"(len(string_split({text}, {text_literal(f'{chr(34)}{name}{chr(34)}')})) <= 2)")
        for name in dict.fromkeys(names)
    ]
    return conjunction([Sql(f"(NOT contains({text}, '\\'))"), *terms])


def is_rewritten(json: Sql) -> Sql:
    """Whether Jackson may print the value otherwise."""
    return Sql(f"regexp_matches({json}, {_REWRITTEN})")


def path(steps: Iterable[str | int]) -> Sql:
    """A path of plain names and indexes, as DuckDB writes it."""
    pieces = (f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in steps)
    return text_literal("$" + "".join(pieces))
