"""Casts to varchar and char: Trino's exact text of every type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from querysvc.engines.duckdb.functions.registry import Macro
from querysvc.engines.duckdb.lowering import zones
from querysvc.engines.duckdb.lowering.casts.site import CastBuilder, CastSite, CastTable
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    call,
    case,
    cast,
    fail,
    field,
    part,
    template,
)
from querysvc.errors import ErrorCode
from querysvc.types.algebra import (
    DECIMAL_PRECISION_MAX,
    Char,
    Decimal,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    Varchar,
)

_SCIENTIFIC: Final = Macro(
    # From DuckDB's shortest text without exponent: digits d of "int.frac", first digit's power e.
    "scientific",
    ("d", "e"),
    "d[1] || '.' || coalesce(nullif(rtrim(d[2:], '0'), ''), '0') || 'E' || CAST(e AS VARCHAR)",
)

_PLAIN_TEXT: Final = Macro(
    "plain_scientific",
    ("s",),
    "\"scientific\"(ltrim(replace(s, '.', ''), '0'),"
    " strpos(s || '.', '.') - 2"
    " - (length(replace(s, '.', '')) - length(ltrim(replace(s, '.', ''), '0'))))",
    uses=(_SCIENTIFIC,),
)

_EXPONENT_TEXT: Final = Macro(
    "exponent_scientific",
    ("s",),
    "split_part(s, 'e', 1) || CASE WHEN contains(s, '.') THEN '' ELSE '.0' END"
    " || 'E' || CAST(CAST(split_part(s, 'e', 2) AS INTEGER) AS VARCHAR)",
)

_WHOLE_SCIENTIFIC: Final = Macro(
    # Digits of a whole number: '1370' to '1.37E3'.
    "whole_scientific",
    ("s",),
    "s[1] || '.' || coalesce(nullif(rtrim(s[2:], '0'), ''), '0') || 'E' || (strlen(s) - 1)",
)

_POSITIVE_TEXT: Final = Macro(
    # DuckDB's text has the shortest digits too, from 1e-4 to 1e15 without an exponent.
    "positive_text",
    ("x",),
    "CASE WHEN x >= 1 AND x < 1e15 AND x <> trunc(x) THEN"
    r" regexp_replace(CAST(x AS VARCHAR), '^(\d)(\d*)\.', '\1.\2') || 'E'"
    " || (strlen(CAST(CAST(trunc(x) AS BIGINT) AS VARCHAR)) - 1)"
    ' WHEN x >= 1 AND x < 1e15 THEN "whole_scientific"(CAST(CAST(x AS BIGINT) AS VARCHAR))'
    " WHEN x >= 1e-4 AND x < 1 THEN regexp_replace(regexp_replace("
    r"CAST(x AS VARCHAR), '^0\.0*(\d)(\d*)$', '\1.\2'), '\.$', '.0') || 'E-'"
    " || CASE WHEN x >= 0.1e0 THEN 1 WHEN x >= 0.01e0 THEN 2 WHEN x >= 0.001e0 THEN 3 ELSE 4 END"
    " WHEN contains(CAST(x AS VARCHAR), 'e') THEN \"exponent_scientific\"(CAST(x AS VARCHAR))"
    ' ELSE "plain_scientific"(CAST(x AS VARCHAR)) END',
    uses=(_PLAIN_TEXT, _EXPONENT_TEXT, _WHOLE_SCIENTIFIC),
)

DOUBLE_TEXT: Final = Macro(
    "double_text",
    ("x",),
    "CASE WHEN isnan(x) THEN 'NaN' WHEN x = 0 THEN CASE WHEN signbit(x) THEN '-0E0' ELSE '0E0' END"
    " WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END"
    # Java prints two digits of the smallest number.
    " WHEN abs(x) < 1e-323 THEN CASE WHEN x > 0 THEN '4.9E-324' ELSE '-4.9E-324' END"
    ' WHEN x > 0 THEN "positive_text"(x) ELSE \'-\' || "positive_text"(-x) END',
    uses=(_POSITIVE_TEXT,),
)
"""Trino's text of a double: `1.0E10`."""

_SIX_DIGITS: Final = Macro(
    "six_digits",
    ("s",),
    # '1.234500e+05' to '1.2345E5'
    "regexp_replace(split_part(s, 'e', 1), '0{1,5}$', '') || 'E'"
    " || CAST(CAST(split_part(s, 'e', 2) AS INTEGER) AS VARCHAR)",
)

REAL_TEXT: Final = Macro(
    "real_text",
    ("x",),
    "CASE WHEN isnan(x) THEN 'NaN' WHEN x = 0 THEN CASE WHEN signbit(x) THEN '-0E0' ELSE '0E0' END"
    " WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END"
    # Java prints two digits of the smallest number.
    " WHEN abs(x) < 2e-45 THEN CASE WHEN x > 0 THEN '1.4E-45' ELSE '-1.4E-45' END"
    " ELSE \"six_digits\"(format('{:.6e}', CAST(CAST(x AS VARCHAR) AS DOUBLE))) END",
    uses=(_SIX_DIGITS,),
)
"""Trino's text of a real: at most seven digits."""

DATE_TEXT: Final = Macro(
    "date_text",
    ("d",),
    "CASE WHEN year(d) BETWEEN 1 AND 9999 THEN CAST(d AS VARCHAR)"
    " ELSE CASE WHEN year(d) < 0 THEN '-' ELSE '' END"
    " || lpad(CAST(abs(year(d)) AS VARCHAR),"
    " CAST(greatest(4, length(CAST(abs(year(d)) AS VARCHAR))) AS INTEGER), '0')"
    " || format('-{:02d}-{:02d}', month(d), day(d)) END",
)

TIMESTAMP_TEXT: Final = Macro(
    # Years of more than four digits carry a plus, unlike a date's.
    "timestamp_text",
    ("t",),
    "CASE WHEN year(t) BETWEEN 1 AND 9999 THEN strftime(t, '%Y-%m-%d %H:%M:%S.%f')"
    " ELSE CASE WHEN year(t) > 9999 THEN '+' ELSE '' END || \"date_text\"(CAST(t AS DATE))"
    " || strftime(t, ' %H:%M:%S.%f') END",
    uses=(DATE_TEXT,),
)
"""The text with six digits of fraction; callers cut what they do not want."""

DAYS_TEXT: Final = Macro(
    "days_text",
    ("i",),
    "format('{}{} {:02d}:{:02d}:{:02d}.{:03d}', CASE WHEN i < 0 THEN '-' ELSE '' END,"
    " abs(i) // 86400000, abs(i) // 3600000 % 24, abs(i) // 60000 % 60, abs(i) // 1000 % 60,"
    " abs(i) % 1000)",
)
"""`2 03:04:05.678` of milliseconds."""

MONTHS_TEXT: Final = Macro(
    "months_text",
    ("i",),
    "format('{}{}-{}', CASE WHEN i < 0 THEN '-' ELSE '' END, abs(i) // 12, abs(i) % 12)",
)
"""`1-2` of months."""


def _by_macro(macro: Macro) -> CastBuilder:
    def build(site: CastSite) -> Sql:
        return site.call_macro(macro, site.value)

    return build


def _plain(site: CastSite) -> Sql:
    return cast(site.value, "VARCHAR")


def _decimal(site: CastSite) -> Sql:
    """DuckDB leaves out the zero of 0.5 where the type has no whole digits."""
    source = site.source
    assert isinstance(source, Decimal)
    if source.precision > source.scale:
        return _plain(site)
    if source.precision < DECIMAL_PRECISION_MAX:
        return cast(cast(site.value, f"DECIMAL({source.precision + 1},{source.scale})"), "VARCHAR")
    return template(r"regexp_replace({0}, '^(-?)\.', '\10.')", _plain(site))


def cut_fraction(text: Sql, precision: int) -> Sql:
    """A text that ends in six digits of fraction, cut to the precision."""
    cut = 6 - precision if precision else 7
    return Sql(f"({text})[:{-cut - 1}]") if cut else text


def _timestamp(site: CastSite) -> Sql:
    assert isinstance(site.source, Timestamp)
    return cut_fraction(site.call_macro(TIMESTAMP_TEXT, site.value), site.source.precision)


def _timestamp_tz(site: CastSite) -> Sql:
    source = site.source
    assert isinstance(source, TimestampTz)

    def body(value: Sql) -> Sql:
        local = zones.local_time(site.context, value)
        text = cut_fraction(site.call_macro(TIMESTAMP_TEXT, local), source.precision)
        return Sql(f"({text} || ' ' || {field(value, 'z')})")

    return bind([site.value], body)


def _time_text(value: Sql, precision: int) -> Sql:
    text = Sql(
        f"strftime(TIMESTAMP '1970-01-01' + to_microseconds(epoch_us({value})), '%H:%M:%S.%f')"
    )
    return cut_fraction(text, precision)


def _time(site: CastSite) -> Sql:
    assert isinstance(site.source, Time)
    return _time_text(site.value, site.source.precision)


def _time_tz(site: CastSite) -> Sql:
    source = site.source
    assert isinstance(source, TimeTz)

    def body(value: Sql) -> Sql:
        text = _time_text(field(value, "t"), source.precision)
        return Sql(f"({text} || {site.call_macro(zones.OFFSET_TEXT, field(value, 'o'))})")

    return bind([site.value], body)


_TEXTS: Final[Mapping[str, CastBuilder]] = {
    "boolean": _plain,
    "tinyint": _plain,
    "smallint": _plain,
    "integer": _plain,
    "bigint": _plain,
    "decimal": _decimal,
    "uuid": _plain,
    "double": _by_macro(DOUBLE_TEXT),
    "real": _by_macro(REAL_TEXT),
    "date": _by_macro(DATE_TEXT),
    "timestamp": _timestamp,
    "timestamp with time zone": _timestamp_tz,
    "time": _time,
    "time with time zone": _time_tz,
    "interval day to second": _by_macro(DAYS_TEXT),
    "interval year to month": _by_macro(MONTHS_TEXT),
}


# Trino tells a text that is too long for these; the others' reach an internal check.
_CHECKED: Final = frozenset(
    {"tinyint", "smallint", "integer", "bigint", "decimal", "real", "double", "date"}
)


def text_of(site: CastSite) -> Sql:
    """The value's text, of any length."""
    return _TEXTS[site.source.base_name](site)


def _bounded(site: CastSite) -> Sql:
    """The text, which must fit a bounded varchar."""
    target = site.target
    assert isinstance(target, Varchar)
    text = text_of(site)
    if target.length is None:
        return text
    limit = target.length
    is_checked = site.source.base_name in _CHECKED
    code = ErrorCode.INVALID_CAST_ARGUMENT if is_checked else ErrorCode.GENERIC_INTERNAL_ERROR

    def body(bound: Sql) -> Sql:
        message = fail(code, "Value ", part(bound), f" cannot be represented as {target}")
        return case([(Sql(f"(length({bound}) > {limit})"), message)], bound)

    return bind([text], body)


def _varchar_to_varchar(site: CastSite) -> Sql:
    source, target = site.source, site.target
    assert isinstance(source, Varchar)
    assert isinstance(target, Varchar)
    fits = target.length is None or (source.length is not None and source.length <= target.length)
    return site.value if fits else call("left", site.value, Sql(str(target.length)))


def padded(value: Sql, type_: Char) -> Sql:
    """A char's text with its trailing spaces."""
    return call("rpad", value, Sql(str(type_.length)), Sql("' '"))


def _char_to_varchar(site: CastSite) -> Sql:
    source, target = site.source, site.target
    assert isinstance(source, Char)
    assert isinstance(target, Varchar)
    text = padded(site.value, source)
    fits = target.length is None or source.length <= target.length
    return text if fits else call("left", text, Sql(str(target.length)))


def _to_char(site: CastSite) -> Sql:
    source, target = site.source, site.target
    assert isinstance(target, Char)
    if isinstance(source, Char) and source.length <= target.length:
        return site.value
    return template("rtrim(left({0}, " + str(target.length) + "), ' ')", site.value)


CASTS: Final[CastTable] = {
    **{(name, "varchar"): _bounded for name in _TEXTS},
    ("varchar", "varchar"): _varchar_to_varchar,
    ("char", "varchar"): _char_to_varchar,
    ("varchar", "char"): _to_char,
    ("char", "char"): _to_char,
}
