"""FOR TIMESTAMP AS OF and FOR VERSION AS OF: which version of a table a query reads.

The pointer is a constant. What is asked for in practice (a literal, now, an interval more or less)
is computed here; anything else is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from querysvc import tree
from querysvc.errors import ErrorCode, StatementError
from querysvc.plan import TableVersion, VersionKind
from querysvc.sql import query_syntax as qs
from querysvc.sql.expressions.datetime_literals import to_local, to_utc
from querysvc.sql.scope import Scope, fail
from querysvc.sql.walk import everything_in
from querysvc.types.algebra import (
    BIGINT,
    DATE,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    UNKNOWN,
    Timestamp,
    TimestampTz,
    Varchar,
)

if TYPE_CHECKING:
    from querysvc.sql.queries import QueryAnalyser

TIMESTAMP: Final = "TIMESTAMP"
_MILLISECOND: Final = 10**9
"""In picoseconds."""
_DAY: Final = 86_400_000 * _MILLISECOND
_EPOCH: Final = date(1970, 1, 1)


def table_version(node: qs.QueryPeriod, queries: QueryAnalyser) -> TableVersion:
    """The version that the pointer means; Trino's errors where it means none."""
    for part in everything_in(node.value):
        if isinstance(part, qs.Query):
            message = "Constant expression cannot contain a subquery"
            raise fail(ErrorCode.EXPRESSION_NOT_CONSTANT, node.value, message)
    typed = queries.expressions.analyse(node.value, Scope())
    if typed.type == UNKNOWN:
        raise fail(ErrorCode.INVALID_ARGUMENTS, node, "Pointer value cannot be NULL")
    if node.kind == TIMESTAMP:
        return _moment(node, typed, queries)
    if typed.type == BIGINT:
        kind = VersionKind.SNAPSHOT
    elif isinstance(typed.type, Varchar):
        kind = VersionKind.REFERENCE
    else:
        message = f"Unsupported type for table version: {typed.type}"
        raise StatementError(ErrorCode.NOT_SUPPORTED, message)
    value = typed.value if isinstance(typed, tree.Literal) else None
    if not isinstance(value, int | str):
        raise _not_constant(node)
    return TableVersion(kind, value)


def _moment(node: qs.QueryPeriod, typed: tree.Expression, queries: QueryAnalyser) -> TableVersion:
    if not isinstance(typed.type, Timestamp | TimestampTz) and typed.type != DATE:
        message = (
            f"Type {typed.type} invalid. Temporal pointers must be of type Timestamp, Timestamp"
            " with Time Zone, or Date."
        )
        raise fail(ErrorCode.TYPE_MISMATCH, node, message)
    session = queries.context.session
    instant = _instant(typed, session.time_zone)
    if instant is None:
        raise _not_constant(node)
    now = session.started_at or datetime.now(UTC)
    milliseconds = instant // _MILLISECOND
    if milliseconds > now.timestamp() * 1000 + 1:  # current_timestamp is rounded
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
        message = f"Pointer value '{moment:%Y-%m-%d %H:%M:%S} UTC' is not in the past"
        raise fail(ErrorCode.INVALID_ARGUMENTS, node, message)
    queries.context.is_deterministic = False  # a snapshot may expire, or come before the moment
    return TableVersion(VersionKind.MOMENT, milliseconds)


def _not_constant(node: qs.QueryPeriod) -> Exception:
    message = (
        f"FOR {node.kind} AS OF an expression is not supported; give a constant"
        " (a time may be current_timestamp or a literal, plus or minus intervals)"
    )
    return fail(ErrorCode.NOT_SUPPORTED, node.value, message)


def _instant(value: tree.Expression, zone: str) -> int | None:
    """Picoseconds since the epoch in UTC; None where the expression is none of the known ones."""
    if isinstance(value, tree.Literal) and value.value is not None:
        return _literal_instant(value, zone)
    if isinstance(value, tree.Cast) and not value.is_try:
        return _instant(value.value, zone)
    if isinstance(value, tree.Call) and value.name in _SIGNS and len(value.arguments) == 2:
        sign = _SIGNS[value.name]
        base, step = value.arguments
        if sign > 0 and base.type in _STEPS:
            base, step = step, base
        instant = _instant(base, zone)
        add = _STEPS.get(step.type)
        if instant is None or add is None or not isinstance(step, tree.Literal):
            return None
        if not isinstance(step.value, int):
            return None
        return add(instant, sign * step.value, _zone_of(base, zone))
    return None


def _literal_instant(value: tree.Literal, zone: str) -> int | None:
    told = value.value
    if isinstance(value.type, TimestampTz) and isinstance(told, tuple):
        return told[0]
    if not isinstance(told, int):
        return None
    if value.type == DATE:
        return to_utc(told * _DAY, zone)
    return to_utc(told, zone) if isinstance(value.type, Timestamp) else None


def _zone_of(value: tree.Expression, zone: str) -> str:
    if isinstance(value, tree.Literal) and isinstance(value.value, tuple):
        told = value.value[1]
        return told if isinstance(told, str) else zone
    return zone


def _milliseconds_later(instant: int, milliseconds: int, _: str) -> int:
    return instant + milliseconds * _MILLISECOND


def _months_later(instant: int, months: int, zone: str) -> int:
    """The same day and time of a later month, or its last day where it is shorter."""
    days, time = divmod(to_local(instant, zone), _DAY)
    day = _EPOCH + timedelta(days=days)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    following = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    moved = first + timedelta(days=min(day.day, (following - first).days) - 1)
    return to_utc((moved - _EPOCH).days * _DAY + time, zone)


_SIGNS: Final = {"+": 1, "-": -1}
_STEPS: Final[Mapping[object, Callable[[int, int, str], int]]] = {
    INTERVAL_DAY_TO_SECOND: _milliseconds_later,
    INTERVAL_YEAR_TO_MONTH: _months_later,
}
