"""Casts from varchar and char: as strict as Trino's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from zoneinfo import available_timezones

from querysvc.engines.duckdb.functions.registry import Macro
from querysvc.engines.duckdb.lowering import zones
from querysvc.engines.duckdb.lowering.casts.numbers import INTEGERS
from querysvc.engines.duckdb.lowering.casts.site import CastBuilder, CastSite, CastTable
from querysvc.engines.duckdb.lowering.casts.to_text import padded
from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    MessagePart,
    Sql,
    bind,
    case,
    fail,
    field,
    part,
    struct,
    text_literal,
)
from querysvc.errors import ErrorCode
from querysvc.types.algebra import Char, Decimal, Time, Timestamp, TimestampTz, TimeTz

_INVALID: Final = ErrorCode.INVALID_CAST_ARGUMENT

_INTEGER_NAMES: Final[Mapping[str, str]] = {
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "integer": "INT",
    "bigint": "BIGINT",
}

_DIGITS = r"'\s*[+-]?[0-9]+\s*'"
_FLOATING = r"'\s*[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)\s*'"
_PLAIN_NUMBER = r"'-?[0-9]{1,15}(\.[0-9]{1,15})?'"
_DECIMAL = r"'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?'"


def _checked(value: Sql, parsed: Sql, pattern: str | None, error: Sql) -> Sql:
    """NULL for NULL, `parsed` where the text matches and it is not NULL, else the error."""
    branches = [(Sql(f"({value} IS NULL)"), NULL)]
    if pattern is not None:
        branches.append((Sql(f"(NOT regexp_full_match({value}, {pattern}))"), error))
    return case([*branches, (Sql(f"({parsed} IS NOT NULL)"), parsed)], error)


def _cannot(value: Sql, what: str) -> Sql:
    return fail(_INVALID, "Cannot cast '", part(value), f"' to {what}")


def _to_integer(site: CastSite) -> Sql:
    def body(value: Sql) -> Sql:
        parsed = Sql(f"TRY_CAST({value} AS {site.target_type})")
        error = _cannot(value, _INTEGER_NAMES[site.target.base_name])
        return _checked(value, parsed, _DIGITS, error)

    return bind([site.value], body)


def _to_floating(site: CastSite) -> Sql:
    def body(value: Sql) -> Sql:
        plain = Sql(f"regexp_full_match({value}, {_PLAIN_NUMBER})")
        digits = f"rtrim(trim({value}), 'fFdD')"
        infinity = Sql(f"replace({value}, 'inity', '')")
        named = case([(Sql(f"contains({value}, 'Inf')"), infinity)], Sql(digits))
        parsed = Sql(f"TRY_CAST({named} AS {site.target_type})")
        checked = _checked(value, parsed, _FLOATING, _cannot(value, site.target.base_name.upper()))
        return case([(plain, Sql(f"CAST({value} AS {site.target_type})"))], checked)

    return bind([site.value], body)


def _to_decimal(site: CastSite) -> Sql:
    target = site.target
    assert isinstance(target, Decimal)

    def message(value: Sql, reason: str) -> tuple[str | MessagePart, ...]:
        name = target.wire_name.upper()
        return ("Cannot cast VARCHAR '", part(value), f"' to {name}. Value {reason}.")

    def body(value: Sql) -> Sql:
        parsed = Sql(f"TRY_CAST({value} AS {site.target_type})")
        not_number = fail(_INVALID, *message(value, "is not a number"))
        return case(
            [
                (Sql(f"({value} IS NULL)"), NULL),
                (Sql(f"(NOT regexp_full_match({value}, {_DECIMAL}))"), not_number),
                (Sql(f"({parsed} IS NOT NULL)"), parsed),
            ],
            fail(_INVALID, *message(value, "too large")),
        )

    return bind([site.value], body)


def _to_boolean(site: CastSite) -> Sql:
    def body(value: Sql) -> Sql:
        return case(
            [
                (Sql(f"({value} IS NULL)"), NULL),
                (Sql(f"(lower({value}) IN ('t', 'true', '1'))"), Sql("true")),
                (Sql(f"(lower({value}) IN ('f', 'false', '0'))"), Sql("false")),
            ],
            _cannot(value, "BOOLEAN"),
        )

    return bind([site.value], body)


DATE_OF_TEXT: Final = Macro(
    # Four-digit years take DuckDB's fast path; others are put together from their parts.
    "date_of_text",
    ("s",),
    r"CASE WHEN regexp_full_match(s, '\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\s*')"
    r" THEN TRY_CAST(s AS DATE)"
    r" WHEN regexp_full_match(s, '\s*[+-]?[0-9]+-[0-9]{1,2}-[0-9]{1,2}\s*')"
    r" THEN TRY(make_date("
    r"TRY_CAST(regexp_extract(s, '([+-]?[0-9]+)-([0-9]+)-([0-9]+)', 1) AS BIGINT),"
    r" CAST(regexp_extract(s, '([+-]?[0-9]+)-([0-9]+)-([0-9]+)', 2) AS BIGINT),"
    r" CAST(regexp_extract(s, '([+-]?[0-9]+)-([0-9]+)-([0-9]+)', 3) AS BIGINT))) END",
)
"""The date of Trino's text, NULL when it is none."""


def _is_same(value: Sql, native: str, length: int) -> str:
    """Whether DuckDB prints what it has read the same way again: then Trino reads it so too.

    Its words for infinity are ruled out by the first character, years before Christ by the length.
    """
    is_usual = f"strlen({value}) <= {length} AND {value} >= '0' AND {value} < ':'"
    return f"{is_usual} AND CAST({native} AS VARCHAR) = {value}"


def _to_date(site: CastSite) -> Sql:
    def body(value: Sql) -> Sql:
        native = f"TRY_CAST({value} AS DATE)"
        parsed = site.call_macro(DATE_OF_TEXT, value)
        error = fail(_INVALID, "Value cannot be cast to date: ", part(value))
        is_same = Sql(f"({_is_same(value, native, 10)})")
        return case([(is_same, Sql(native))], _checked(value, parsed, None, error))

    return bind([site.value], body)


_TIMESTAMP_PATTERN = (
    r"'^\s*([+-]?[0-9]{4,})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?: +([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,12}))?)?)?\s*(\S*)\s*$'"
)
_PARTS = "['y', 'm', 'd', 'h', 'i', 's', 'f', 'z']"

PARTS_OF_TEXT: Final = Macro(
    "timestamp_parts", ("s",), f"regexp_extract(s, {_TIMESTAMP_PATTERN}, {_PARTS})"
)

_OR_ZERO: Final = Macro("or_zero", ("s",), "coalesce(TRY_CAST(s AS BIGINT), 0)")

CLOCK_OF_PARTS: Final = Macro(
    # Whole seconds; an hour of 24 and the like give NULL.
    "clock_of_parts",
    ("p",),
    "TRY(make_timestamp(CAST(p.y AS BIGINT), CAST(p.m AS BIGINT), CAST(p.d AS BIGINT),"
    ' CASE WHEN "or_zero"(p.h) < 24 THEN "or_zero"(p.h) ELSE 99 END,'
    ' CASE WHEN "or_zero"(p.i) < 60 THEN "or_zero"(p.i) ELSE 99 END,'
    ' CASE WHEN "or_zero"(p.s) < 60 THEN CAST("or_zero"(p.s) AS DOUBLE) ELSE 99 END))',
    uses=(_OR_ZERO,),
)

FRACTION_OF_PARTS: Final = Macro(
    "fraction_of_parts",
    ("f", "u"),
    "(CAST(rpad(f, 12, '0') AS BIGINT) + u // 2) // u * u // 1000000",
)
"""Microseconds of a fraction's digits, rounded to units of so many picoseconds."""

_ZONE_NAMES: Final = ", ".join(f"'{name}'" for name in sorted(available_timezones()))

ZONE_OF_TEXT: Final = Macro(
    # Trino prints UTC for its synonyms, and offsets with two digits each.
    "zone_of_text",
    ("z",),
    "CASE WHEN z IN ('UTC', 'Z', 'GMT', 'UT', 'Etc/UTC', 'Etc/GMT', 'UCT', 'Zulu', '+00:00',"
    " '-00:00')"
    " THEN 'UTC'"
    r" WHEN regexp_full_match(z, '[+-][0-9]{1,2}(:?[0-9]{2})?') THEN z[1]"
    r" || lpad(regexp_extract(z, '^.([0-9]{1,2})', 1), 2, '0') || ':'"
    r" || coalesce(nullif(regexp_extract(z, '^.[0-9]{2}:?([0-9]{2})$', 1), ''), '00')"
    f" WHEN z IN ({_ZONE_NAMES}) THEN z END",
)
"""The zone as Trino names it, NULL when there is none such."""


def _clock(site: CastSite, parts: Sql, precision: int) -> Sql:
    """The local time, rounded to the precision."""
    clock = site.call_macro(CLOCK_OF_PARTS, parts)
    unit = Sql(str(10 ** (12 - precision)))
    fraction = site.call_macro(FRACTION_OF_PARTS, field(parts, "f"), unit)
    return Sql(
        f"(CASE WHEN {field(parts, 'f')} = '' THEN {clock}"
        f" ELSE {clock} + to_microseconds({fraction}) END)"
    )


def _parsed_timestamp(site: CastSite, precision: int, *, is_zoned: bool = False) -> Sql:
    what = "timestamp"

    def with_parts(value: Sql, parts: Sql) -> Sql:
        error = fail(_INVALID, f"Value cannot be cast to {what}: ", part(value))
        zone = site.call_macro(ZONE_OF_TEXT, field(parts, "z"))
        clock = _clock(site, parts, precision)
        session_zone = text_literal(site.context.session.time_zone)
        bad = Sql(
            f"({field(parts, 'y')} = '' OR {site.call_macro(CLOCK_OF_PARTS, parts)} IS NULL"
            f" OR ({field(parts, 'z')} <> '' AND {zone} IS NULL))"
        )
        if is_zoned:
            named = Sql(f"(CASE WHEN {field(parts, 'z')} = '' THEN {session_zone} ELSE {zone} END)")
            instant = zones.instant(site.context, clock, named)
            result = struct([("t", instant), ("z", named)])
        else:
            result = clock
        return case([(Sql(f"({value} IS NULL)"), NULL), (bad, error)], result)

    def body(value: Sql) -> Sql:
        return bind([value, site.call_macro(PARTS_OF_TEXT, value)], with_parts)

    return bind([site.value], body)


def _to_timestamp(site: CastSite) -> Sql:
    """The usual form by DuckDB's own cast; any other, and a day that is none, by its parts."""
    assert isinstance(site.target, Timestamp)
    exact = site.target.precision
    precision = min(exact, 6)
    fraction = rf"(\.[0-9]{{1,{precision}}})?" if precision else ""
    length = min(20 + precision, 23) if precision else 19
    usual = text_literal(
        "[1-9][0-9]{3}-[01][0-9]-[0-3][0-9]( ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
        f"{fraction})?"
    )

    def body(value: Sql) -> Sql:
        by_parts = _parsed_timestamp(replace(site, value=value), exact)
        native = f"TRY_CAST({value} AS TIMESTAMP)"
        is_same = f"({_is_same(value, native, length)})"
        return Sql(
            f"(CASE WHEN {is_same} THEN {native} ELSE coalesce("
            f"CASE WHEN regexp_full_match({value}, {usual}) THEN {native} END, {by_parts}) END)"
        )

    return bind([site.value], body)


def _to_timestamp_tz(site: CastSite) -> Sql:
    assert isinstance(site.target, TimestampTz)
    return _parsed_timestamp(site, site.target.precision, is_zoned=True)


_TIME_PATTERN = (
    r"'^\s*([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,12}))?)?"
    r"\s*(?:([+-][0-9]{2}):([0-5][0-9]))?\s*$'"
)

TIME_PARTS: Final = Macro(
    "time_parts", ("s",), f"regexp_extract(s, {_TIME_PATTERN}, ['h', 'i', 's', 'f', 'oh', 'om'])"
)

MICROSECONDS_OF_PARTS: Final = Macro(
    "time_microseconds",
    ("p", "u"),
    'CASE WHEN p.h <> \'\' AND "or_zero"(p.h) < 24 AND "or_zero"(p.i) < 60 AND "or_zero"(p.s) < 60'
    ' THEN (("or_zero"(p.h) * 3600 + "or_zero"(p.i) * 60 + "or_zero"(p.s)) * 1000000'
    " + CASE WHEN p.f = '' THEN 0 ELSE \"fraction_of_parts\"(p.f, u) END) % 86400000000 END",
    uses=(_OR_ZERO, FRACTION_OF_PARTS),
)


def _parsed_time(site: CastSite, precision: int, *, is_zoned: bool) -> Sql:
    what = "time with time zone" if is_zoned else "time"

    def with_parts(value: Sql, parts: Sql) -> Sql:
        unit = Sql(str(10 ** (12 - precision)))
        microseconds = site.call_macro(MICROSECONDS_OF_PARTS, parts, unit)
        time = Sql(f"CAST(TIMESTAMP '1970-01-01' + to_microseconds({microseconds}) AS TIME)")
        hours, minutes = field(parts, "oh"), field(parts, "om")
        sign = f"CASE WHEN {hours}[1] = '-' THEN -1 ELSE 1 END"
        past = f"coalesce(TRY_CAST({minutes} AS INTEGER), 0)"
        total = f"({sign}) * (abs(CAST({hours} AS INTEGER)) * 60 + {past})"
        offset = Sql(f"CAST(CASE WHEN {hours} = '' THEN 0 ELSE {total} END AS SMALLINT)")
        error = fail(_INVALID, f"Value cannot be cast to {what}: ", part(value))
        result = struct([("t", time), ("o", offset)]) if is_zoned else time
        # Only a time with time zone may name an offset, of 14 hours at most.
        wrong_offset = f"{offset} NOT BETWEEN -840 AND 840" if is_zoned else f"{hours} <> ''"
        bad = Sql(f"({microseconds} IS NULL OR {wrong_offset})")
        return case([(Sql(f"({value} IS NULL)"), NULL), (bad, error)], result)

    def body(value: Sql) -> Sql:
        return bind([value, site.call_macro(TIME_PARTS, value)], with_parts)

    return bind([site.value], body)


def _to_time(site: CastSite) -> Sql:
    assert isinstance(site.target, Time)
    return _parsed_time(site, site.target.precision, is_zoned=False)


def _to_time_tz(site: CastSite) -> Sql:
    assert isinstance(site.target, TimeTz)
    return _parsed_time(site, site.target.precision, is_zoned=True)


def _to_uuid(site: CastSite) -> Sql:
    pattern = "'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'"

    def body(value: Sql) -> Sql:
        error = fail(_INVALID, "Cannot cast value to UUID: ", part(value))
        return _checked(value, Sql(f"TRY_CAST({value} AS UUID)"), pattern, error)

    return bind([site.value], body)


def _to_varbinary(site: CastSite) -> Sql:
    return Sql(f"encode({site.value})")


_PARSERS: Final[Mapping[str, CastBuilder]] = {
    **dict.fromkeys(INTEGERS, _to_integer),
    "real": _to_floating,
    "double": _to_floating,
    "decimal": _to_decimal,
    "boolean": _to_boolean,
    "date": _to_date,
    "time": _to_time,
    "time with time zone": _to_time_tz,
    "timestamp": _to_timestamp,
    "timestamp with time zone": _to_timestamp_tz,
    "uuid": _to_uuid,
    "varbinary": _to_varbinary,
}


def _from_char(site: CastSite) -> Sql:
    """Through the padded text, as Trino coerces char to varchar first."""
    source = site.source
    assert isinstance(source, Char)
    text = padded(site.value, source)
    return _PARSERS[site.target.base_name](CastSite(text, site.source, site.target, site.context))


CASTS: Final[CastTable] = {
    **{("varchar", name): parser for name, parser in _PARSERS.items()},
    **{("char", name): _from_char for name in _PARSERS},
}
