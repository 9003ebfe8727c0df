"""Window functions. https://trino.io/docs/current/functions/window.html"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import (
    AggregateBuilder,
    AggregateSite,
    AggregateTable,
)
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case, fail
from querysvc.errors import ErrorCode

_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT


_NULL_OFFSET: Final = fail(_INVALID, "Offset must not be null")


def _is_null(value: Sql) -> Sql:
    return Sql(f"({value} IS NULL)")


def _neighbour(name: str) -> AggregateBuilder:
    """lag and lead: the offset must not be negative."""

    def build(site: AggregateSite) -> Sql:
        value, *rest = site.arguments
        if not rest:
            return site.aggregate(name, value)
        given = bind([rest[0]], lambda value: case([(_is_null(value), _NULL_OFFSET)], value))
        if site.is_constant(1) and site.constant(1) is not None:
            given = rest[0]
        offset = _at_least(site, given, 0, "Offset must be at least 0")
        return site.aggregate(name, value, offset, *rest[1:])

    return build


def _nth_value(site: AggregateSite) -> Sql:
    offset = _at_least(site, site.arguments[1], 1, "Offset must be at least 1")
    return site.aggregate("nth_value", site.arguments[0], offset)


def _ntile(site: AggregateSite) -> Sql:
    buckets = _at_least(site, site.arguments[0], 1, "Buckets must be greater than 0", index=0)
    return site.aggregate("ntile", buckets)


def _at_least(site: AggregateSite, value: Sql, low: int, message: str, *, index: int = 1) -> Sql:
    if site.is_constant(index):
        constant = site.constant(index)
        if isinstance(constant, int) and constant >= low:
            return value

    def body(bound: Sql) -> Sql:
        return case([(Sql(f"({bound} < {low})"), fail(_INVALID, message))], bound)

    return bind([value], body)


WINDOWS: Final[AggregateTable] = {
    "cume_dist": "cume_dist",
    "dense_rank": "dense_rank",
    "first_value": "first_value",
    "lag": _neighbour("lag"),
    "last_value": "last_value",
    "lead": _neighbour("lead"),
    "nth_value": _nth_value,
    "ntile": _ntile,
    "percent_rank": "percent_rank",
    "rank": "rank",
    "row_number": "row_number",
}
