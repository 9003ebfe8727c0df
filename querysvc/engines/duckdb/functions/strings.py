"""Character strings. https://trino.io/docs/current/functions/string.html"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite, ScalarTable
from querysvc.engines.duckdb.lowering.casts.to_text import padded
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, integer_literal, template
from querysvc.types.algebra import Char


def _length(site: CallSite) -> Sql:
    kind = site.types[0]
    if isinstance(kind, Char):
        text = f"CASE WHEN {{0}} IS NOT NULL THEN {integer_literal(kind.length)} END"
        return template(text, *site.arguments)
    return template("CAST(length({0}) AS BIGINT)", *site.arguments)


def _substring(site: CallSite) -> Sql:
    """1-based; below 1 counts from the end, and then a start before the text gives ''."""
    kind = site.types[0]
    source = padded(site.arguments[0], kind) if isinstance(kind, Char) else site.arguments[0]

    def body(text: Sql, start: Sql, *length: Sql) -> Sql:
        first = Sql(f"(CASE WHEN {start} < 0 THEN length({text}) + {start} + 1 ELSE {start} END)")
        size = f", greatest({length[0]}, 0)" if length else ""
        unknown = " OR ".join(f"{value} IS NULL" for value in (text, start, *length))
        empty = Sql(f"({first} < 1 OR {first} > length({text}))")
        return case(
            [(Sql(f"({unknown})"), Sql("NULL")), (empty, Sql("''"))],
            Sql(f"substring({text}, {first}{size})"),
        )

    return bind([source, *site.arguments[1:]], body)


SCALARS: Final[ScalarTable] = {
    "length(varchar(x))": _length,
    "length(char(x))": _length,
    "lower": "lower({0})",
    "strpos(varchar(x),varchar(y))": "CAST(strpos({0}, {1}) AS BIGINT)",
    "substring": _substring,
    "upper": "upper({0})",
}
