"""Timestamps finer than a microsecond: a coarse value and the picoseconds that it leaves out.

Without a zone they are STRUCT(t, p), with one STRUCT(t, p, z); p is 0 to 999,999.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from querysvc.engines.duckdb.lowering.casts.site import CastSite
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    case,
    cast,
    field,
    struct,
    template,
)
from querysvc.engines.duckdb.lowering.types import MICROSECOND_PRECISION, is_fine, not_supported
from querysvc.types.algebra import VARCHAR, Char, Timestamp, TimestampTz, TrinoType, Varchar

_PICOSECOND_PRECISION: Final = 12
_MICROSECOND: Final = 10 ** (_PICOSECOND_PRECISION - MICROSECOND_PRECISION)
_TEXT_LENGTH_MIN: Final = 64

Convert: TypeAlias = Callable[[CastSite], Sql]


def coarse_type(type_: TrinoType) -> TrinoType:
    """The type to the microsecond; other types as they are."""
    if not is_fine(type_):
        return type_
    assert isinstance(type_, Timestamp | TimestampTz)
    return type(type_)(MICROSECOND_PRECISION)


def coarse(value: Sql, type_: TrinoType) -> Sql:
    """The fine value without its picoseconds."""
    if isinstance(type_, Timestamp):
        return field(value, "t")

    def body(bound: Sql) -> Sql:
        zoned = struct([("t", field(bound, "t")), ("z", field(bound, "z"))])
        return case([(Sql(f"({bound} IS NOT NULL)"), zoned)])

    return bind([value], body)


def fine(value: Sql, picoseconds: Sql, type_: TrinoType) -> Sql:
    """The fine value of a coarse one and its picoseconds."""

    def body(bound: Sql) -> Sql:
        if isinstance(type_, Timestamp):
            parts = [("t", bound), ("p", picoseconds)]
        else:
            parts = [("t", field(bound, "t")), ("p", picoseconds), ("z", field(bound, "z"))]
        return case([(Sql(f"({bound} IS NOT NULL)"), struct(parts))])

    return bind([value], body)


def picoseconds_constant(picoseconds: int) -> Sql:
    """The part of a literal below its microsecond."""
    return cast(Sql(str(picoseconds % _MICROSECOND)), "INTEGER")


def convert_fine(site: CastSite, convert: Convert) -> Sql:
    """A cast from or to a fine timestamp."""
    if is_fine(site.source):
        return bind([site.value], lambda value: _from_fine(replace(site, value=value), convert))
    target = coarse_type(site.target)
    if isinstance(site.source, Varchar):
        return bind([site.value], lambda text: _from_text(site, text, convert))
    return fine(convert(replace(site, target=target)), picoseconds_constant(0), site.target)


def text_of(site: CastSite, convert: Convert) -> Sql:
    """The fine value's text, with as many digits as its precision."""
    value = coarse(site.value, site.source)
    inner = replace(site, value=value, source=coarse_type(site.source), target=VARCHAR)
    return with_digits(convert(inner), site.value, site.source)


def with_digits(text: Sql, value: Sql, type_: TrinoType) -> Sql:
    """The coarse value's text, with the fine one's further digits behind its six."""
    assert isinstance(type_, Timestamp | TimestampTz)
    digits = type_.precision - MICROSECOND_PRECISION
    unit = 10 ** (MICROSECOND_PRECISION - digits)
    more = f"lpad(CAST({field(value, 'p')} // {unit} AS VARCHAR), {digits}, '0')"
    place = "strpos({0}, '.')"
    return template(f"substr({{0}}, 1, {place} + 6) || {more} || substr({{0}}, {place} + 7)", text)


def _from_fine(site: CastSite, convert: Convert) -> Sql:
    source, target = site.source, site.target
    if isinstance(target, Varchar | Char):
        if isinstance(target, Char) or (target.length or _TEXT_LENGTH_MIN) < _TEXT_LENGTH_MIN:
            raise not_supported(f"cast from {source} to {target}")
        return text_of(site, convert)
    if target.base_name == "json":
        return Sql(f"('\"' || {text_of(site, convert)} || '\"')")
    picoseconds = field(site.value, "p")
    unit = _MICROSECOND
    if is_fine(target):
        assert isinstance(target, Timestamp | TimestampTz)
        unit = 10 ** (_PICOSECOND_PRECISION - target.precision)
    rounded = Sql(f"(({picoseconds} + {unit // 2}) // {unit} * {unit})")
    # Halves of coarser units are whole microseconds: what is below does not move them.
    precision = getattr(target, "precision", 0)
    carries = precision >= MICROSECOND_PRECISION
    value = coarse(site.value, source)
    if carries:
        value = _carried(value, rounded, source)
    inner = replace(site, value=value, source=coarse_type(source), target=coarse_type(target))
    if not is_fine(target):
        return convert(inner)
    return fine(convert(inner), Sql(f"({rounded} % {_MICROSECOND})"), target)


def _carried(value: Sql, rounded: Sql, type_: TrinoType) -> Sql:
    """The coarse value, a microsecond later where the picoseconds were rounded up to one."""
    later = f"to_microseconds(CAST({rounded} // {_MICROSECOND} AS BIGINT))"
    if isinstance(type_, Timestamp):
        return Sql(f"({value} + {later})")

    def body(bound: Sql) -> Sql:
        moved = Sql(f"({field(bound, 't')} + {later})")
        zoned = struct([("t", moved), ("z", field(bound, "z"))])
        return case([(Sql(f"({bound} IS NOT NULL)"), zoned)])

    return bind([value], body)


def _from_text(site: CastSite, text: Sql, convert: Convert) -> Sql:
    """The text's first six digits and the next six, rounded to the precision."""
    assert isinstance(site.target, Timestamp | TimestampTz)
    unit = 10 ** (_PICOSECOND_PRECISION - site.target.precision)
    cut = Sql(f"regexp_replace({text}, '(\\.[0-9]{{6}})[0-9]+', '\\1')")
    digits = f"regexp_extract({text}, '\\.[0-9]{{6}}([0-9]{{1,6}})', 1)"
    picoseconds = Sql(f"CAST(rpad({digits}, 6, '0') AS INTEGER)")
    rounded = Sql(f"(({picoseconds} + {unit // 2}) // {unit} * {unit})")
    target = coarse_type(site.target)
    value = _carried(convert(replace(site, value=cut, target=target)), rounded, target)
    return fine(value, Sql(f"({rounded} % {_MICROSECOND})"), site.target)
