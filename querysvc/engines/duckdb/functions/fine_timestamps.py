"""Functions of timestamps finer than a microsecond.

Most look at no more than microseconds, and some move a timestamp without touching what is finer:
both are the functions of coarse timestamps. The others are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from querysvc.engines.duckdb.functions.registry import (
    CallSite,
    ScalarEntry,
    ScalarTable,
    apply_scalar,
)
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.casts.convert import convert
from querysvc.engines.duckdb.lowering.casts.picoseconds import (
    coarse,
    coarse_type,
    fine,
    with_digits,
)
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    case,
    field,
    struct,
    text_literal,
)
from querysvc.engines.duckdb.lowering.types import is_fine, not_supported
from querysvc.errors import ErrorCode
from querysvc.tree import Cast
from querysvc.types.algebra import BIGINT, VARCHAR, TrinoType

_LOOKING: Final = frozenset(
    {
        *("date", "date_diff", "date_format", "day", "day_of_month", "day_of_week", "day_of_year"),
        *("dow", "doy", "format_datetime", "hour", "last_day_of_month", "millisecond", "minute"),
        *("month", "quarter", "second", "timezone", "timezone_hour", "timezone_minute"),
        *("to_iso8601", "to_unixtime", "week", "week_of_year", "year", "year_of_week", "yow"),
    }
)
_MOVING: Final = frozenset({"+", "-", "at_timezone", "date_add", "with_timezone"})
_FINISHES: Final[Mapping[str, Callable[[Sql, Sql, TrinoType], Sql]]] = {
    "to_iso8601": with_digits,
    "to_unixtime": lambda seconds, value, _: Sql(f"({seconds} + {field(value, 'p')} / 1e12)"),
}
"""What some results still take of the picoseconds."""

_KEY: Final = "timestamp(p)"


def is_fine_call(site: CallSite) -> bool:
    """Whether the call's signature is about timestamps, and one of them is fine."""
    return _KEY in site.key and any(map(is_fine, site.types))


def apply_fine(entry: ScalarEntry | None, site: CallSite) -> Sql:
    """The call of coarse timestamps, with the picoseconds that it keeps."""
    is_truncation = site.name == "date_trunc"
    if site.name not in _LOOKING | _MOVING and not is_truncation:
        raise not_supported(f"function {site.key} of timestamps finer than microseconds")
    place = next(i for i, type_ in enumerate(site.types) if is_fine(type_))

    def body(*arguments: Sql) -> Sql:
        result = apply_scalar(entry, _coarse_site(site, arguments))
        if not is_fine(site.type):
            finish = _FINISHES.get(site.name)
            return result if finish is None else finish(result, arguments[place], site.types[place])
        kept = Sql("CAST(0 AS INTEGER)") if is_truncation else field(arguments[place], "p")
        return fine(result, kept, site.type)

    return bind(site.arguments, body)


def _coarse_site(site: CallSite, arguments: tuple[Sql, ...]) -> CallSite:
    values, nodes = [], []
    for value, node in zip(arguments, site.nodes, strict=True):
        finer = is_fine(node.type)
        values.append(coarse(value, node.type) if finer else value)
        nodes.append(Cast(coarse_type(node.type), node) if finer else node)
    return replace(site, arguments=tuple(values), nodes=tuple(nodes), type=coarse_type(site.type))


# Nanoseconds.

_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1)  # a clock of UTC


@by_row
def nanosecond_instant(text: str) -> str:
    """from_iso8601_timestamp_nanos: `nanoseconds|zone`; UTC where the text has none."""
    match = _ISO.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        local = datetime.fromisoformat(f"{match[1]} {match[2]}:{match[3] or '00'}")
    except ValueError as error:
        message = f"Text '{text}' could not be parsed"
        raise failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message) from error
    offset = match[5] or "Z"
    minutes = 0 if offset == "Z" else int(offset[:3]) * 60 + int(offset[0] + offset[4:])
    seconds = (local - _EPOCH) // timedelta(seconds=1) - minutes * 60
    nanoseconds = seconds * 10**9 + int((match[4] or "0").ljust(9, "0"))
    return f"{nanoseconds}|{offset if minutes else 'UTC'}"


def _of_nanoseconds(nanoseconds: Sql, zone: Sql) -> Sql:
    def body(value: Sql) -> Sql:
        below = f"(({value} % 1000 + 1000) % 1000)"
        earlier = f"CASE WHEN {value} % 1000 < 0 THEN 1 ELSE 0 END"
        parts = [
            ("t", Sql(f"make_timestamp(CAST({value} // 1000 - {earlier} AS BIGINT))")),
            ("p", Sql(f"CAST({below} * 1000 AS INTEGER)")),
            ("z", zone),
        ]
        return case([(Sql(f"({value} IS NOT NULL)"), struct(parts))])

    return bind([nanoseconds], body)


def _from_unixtime_nanos(site: CallSite) -> Sql:
    nanoseconds = convert(site.context, site.arguments[0], site.types[0], BIGINT)
    return _of_nanoseconds(nanoseconds, text_literal(site.context.session.time_zone))


def _from_iso8601_timestamp_nanos(site: CallSite) -> Sql:
    if site.context.session.time_zone != "UTC":
        raise not_supported("from_iso8601_timestamp_nanos outside of UTC")
    marked = site.call_python(nanosecond_instant, (site.arguments[0], VARCHAR), result=VARCHAR)

    def body(text: Sql) -> Sql:
        number = Sql(f"CAST(split_part({text}, '|', 1) AS BIGINT)")
        return _of_nanoseconds(number, Sql(f"split_part({text}, '|', 2)"))

    return bind([marked], body)


SCALARS: Final[ScalarTable] = {
    "from_iso8601_timestamp_nanos": _from_iso8601_timestamp_nanos,
    "from_unixtime_nanos": _from_unixtime_nanos,
}
