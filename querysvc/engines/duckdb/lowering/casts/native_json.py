"""Casts to and from JSON in SQL, where DuckDB's text is Jackson's; Python has the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from querysvc.engines.duckdb.lowering.casts.site import CastSite
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, cast, text_literal
from querysvc.types.algebra import (
    BIGINT,
    BOOLEAN,
    INTEGER,
    INTEGER_TYPES,
    VARCHAR,
    Array,
    Decimal,
    TrinoType,
    Varchar,
)

_ESCAPED: Final = text_literal(r'["\\\x00-\x1f\x{10000}-\x{10FFFF}]')
_REWRITTEN: Final = text_literal(r"\\|[\x{10000}-\x{10FFFF}]")
"""What Jackson escapes, or DuckDB otherwise: in a text, and in a JSON text."""


def written(site: CastSite, general: Sql) -> Sql:
    """The JSON text of the value; `general` where Python must write it."""
    type_ = site.source
    if type_ in INTEGER_TYPES or type_ == BOOLEAN or _is_plain_decimal(type_):
        return cast(site.value, "VARCHAR")
    if isinstance(type_, Varchar):
        quoted = Sql(f"concat('\"', {site.value}, '\"')")
        has_escapes = f"regexp_matches({site.value}, {_ESCAPED})"
        return case([(Sql(f"(NOT {has_escapes})"), quoted)], general)
    if isinstance(type_, Array) and _is_plain_array(type_):
        text = cast(Sql(f"to_json({site.value})"), "VARCHAR")
        is_same = Sql(f"({site.value} IS NOT NULL AND NOT regexp_matches({text}, {_REWRITTEN}))")
        return case([(is_same, text)], general)
    return general


def _is_plain_decimal(type_: TrinoType) -> bool:
    # DuckDB leaves out the zero of 0.5 where the type has no whole digits.
    return isinstance(type_, Decimal) and type_.precision > type_.scale


def _is_plain_array(type_: TrinoType) -> bool:
    if isinstance(type_, Array):
        return _is_plain_array(type_.element)
    return type_ in INTEGER_TYPES or type_ == BOOLEAN or isinstance(type_, Varchar)


_WHOLE: Final = "(0|-?[1-9][0-9]{{0,{}}})"
_ITEMS: Final[Mapping[TrinoType, tuple[str, str]]] = {
    BIGINT: (_WHOLE.format(17), "BIGINT"),
    INTEGER: (_WHOLE.format(8), "INTEGER"),
    VARCHAR: (r'"[^"\\\x00-\x1f]*"', "VARCHAR"),
}
"""Elements that DuckDB reads as Trino does: their canonical JSON, and their type."""


def read(site: CastSite, general: Sql) -> Sql:
    """The value of the JSON text; `general` where Python must read it."""
    target = site.target
    if not isinstance(target, Array) or target.element not in _ITEMS:
        return general
    item, kind = _ITEMS[target.element]
    array = text_literal(rf"\[({item}(,{item})*)?\]")

    def body(text: Sql) -> Sql:
        items = Sql(f"from_json({text}, '[\"{kind}\"]')")
        return case([(Sql(f"regexp_full_match({text}, {array})"), items)], general)

    return bind([site.value], body)
