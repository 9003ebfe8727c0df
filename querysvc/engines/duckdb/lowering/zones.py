"""Time zones: between the instant and the local clock.

A zone is a name of the IANA database, `UTC`, or an offset `+05:30`, which DuckDB does not know.
DuckDB takes the later instant of an ambiguous local time, Java the earlier one.
"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import Macro, call_macro
from querysvc.engines.duckdb.lowering.context import Context
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, field, struct

OFFSET_MINUTES: Final = Macro(
    "offset_minutes",
    ("z",),
    "(CASE WHEN z[1] = '-' THEN -1 ELSE 1 END)"
    " * (CAST(z[2:3] AS BIGINT) * 60 + CAST(z[5:6] AS BIGINT))",
)
"""Minutes east of UTC of an offset's text."""

OFFSET_TEXT: Final = Macro(
    "offset_text",
    ("o",),
    "format('{}{:02d}:{:02d}', CASE WHEN o < 0 THEN '-' ELSE '+' END, abs(o) // 60, abs(o) % 60)",
)
"""`+05:30` of minutes."""

ZONE_LOCAL: Final = Macro(
    "zone_local",
    ("t", "z"),
    "CASE WHEN z = 'UTC' THEN t"
    " WHEN z[1] IN ('+', '-') THEN t + to_minutes(\"offset_minutes\"(z))"
    " ELSE timezone(z, CAST(t AS TIMESTAMPTZ)) END",
    uses=(OFFSET_MINUTES,),
)
"""The local clock of a zone at an instant."""

_ZONE_LATER: Final = Macro(
    "zone_later", ("l", "z"), "CAST(timezone(z, CAST(l AS TIMESTAMP)) AS TIMESTAMP)"
)

_ZONE_BEFORE: Final = Macro(
    # The instant by the offset that was in force a day before.
    "zone_before",
    ("l", "u", "z"),
    "l - (timezone(z, CAST(u - INTERVAL 1 DAY AS TIMESTAMPTZ)) - (u - INTERVAL 1 DAY))",
)

_ZONE_PICK: Final = Macro(
    "zone_pick",
    ("l", "u", "b", "z"),
    "CASE WHEN timezone(z, CAST(b AS TIMESTAMPTZ)) = l THEN b ELSE u END",
)

ZONE_INSTANT: Final = Macro(
    "zone_instant",
    ("l", "z"),
    "CASE WHEN z = 'UTC' THEN l"
    " WHEN z[1] IN ('+', '-') THEN l - to_minutes(\"offset_minutes\"(z))"
    ' ELSE "zone_pick"(l, "zone_later"(l, z), "zone_before"(l, "zone_later"(l, z), z), z) END',
    uses=(OFFSET_MINUTES, _ZONE_LATER, _ZONE_BEFORE, _ZONE_PICK),
)
"""The instant at which a zone's clock shows the local time."""


def local_time(context: Context, value: Sql) -> Sql:
    """The local TIMESTAMP of a timestamp with time zone."""

    def body(bound: Sql) -> Sql:
        return call_macro(context, ZONE_LOCAL, field(bound, "t"), field(bound, "z"))

    return bind([value], body)


def instant(context: Context, local: Sql, zone: Sql) -> Sql:
    """The UTC TIMESTAMP of a local time in a zone."""
    return call_macro(context, ZONE_INSTANT, local, zone)


def zoned(instant_: Sql, zone: Sql) -> Sql:
    """A timestamp with time zone of its instant and zone; NULL when the instant is."""

    def body(bound: Sql) -> Sql:
        value = struct([("t", bound), ("z", zone)])
        return Sql(f"(CASE WHEN {bound} IS NOT NULL THEN {value} END)")

    return bind([instant_], body)
