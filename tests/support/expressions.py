"""Analysing expressions without tables, and printing constants as Trino's wire does."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from querysvc import tree
from querysvc.model import Session
from querysvc.sql import query_syntax as qs
from querysvc.sql.context import AnalysisContext
from querysvc.sql.expressions import Analyser
from querysvc.sql.expressions.datetime_literals import SECONDS_PER_DAY, to_local
from querysvc.sql.metadata import MemoryMetadata
from querysvc.sql.parser import parse_expression, parse_query
from querysvc.sql.scope import Scope
from querysvc.types import algebra
from querysvc.types.algebra import DATE, INTERVAL_DAY_TO_SECOND, INTERVAL_YEAR_TO_MONTH, VARBINARY

STARTED_AT = datetime(2024, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)
_SECOND = 10**12
_DAY = SECONDS_PER_DAY * _SECOND


def make_analyser(session: Session | None = None, parameters: tuple[str, ...] = ()) -> Analyser:
    """An analyser whose queries are SELECTs of expressions only."""
    context = AnalysisContext(
        session or Session(started_at=STARTED_AT),
        MemoryMetadata(),
        tuple(map(parse_expression, parameters)),
    )
    analyser = Analyser(context)

    def analyse_query(query: qs.Query, outer: Scope) -> tree.Query:
        assert isinstance(query.body, qs.QuerySpecification)
        items = []
        fields = []
        for item in query.body.items:
            assert isinstance(item, qs.SingleColumn)
            typed = analyser.analyse(item.expression, Scope(parent=outer))
            items.append(typed)
            fields.append(tree.Field(item.alias.name if item.alias else None, typed.type))
        return tree.Query(tuple(fields), tree.Select(tuple(items)))

    context.analyse_query = analyse_query
    return analyser


def select(sql: str, *, session: Session | None = None) -> tuple[tree.Expression, ...]:
    """The items of `SELECT expression, …`."""
    query = make_analyser(session).context.analyse_query(parse_query(sql), Scope())
    assert isinstance(query.body, tree.Select)
    return query.body.items


def expression(
    sql: str,
    scope: Scope | None = None,
    *,
    session: Session | None = None,
    parameters: tuple[str, ...] = (),
) -> tree.Expression:
    """One expression, typed."""
    return make_analyser(session, parameters).analyse(parse_expression(sql), scope or Scope())


def wire_value(literal: tree.Literal) -> object:
    """The constant as Trino's protocol writes it."""
    value: Any = literal.value  # its form follows from the type
    if value is None:
        return None
    print_ = _PRINTERS.get(type(literal.type))
    if print_ is not None:
        return print_(literal)
    if literal.type == DATE:
        return _date(value)
    if literal.type == VARBINARY:
        return base64.b64encode(value).decode()
    if literal.type in (INTERVAL_DAY_TO_SECOND, INTERVAL_YEAR_TO_MONTH):
        return _interval(literal)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("-" if value < 0 else "") + "Infinity"
    return value


def _date(days: int) -> str:
    shifted = days + 719_468
    era, day = divmod(shifted, 146_097)
    year = (day - day // 1460 + day // 36524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month = month + 3 if month < 10 else month - 9
    year += era * 400 + (month <= 2)
    text = f"{year:04}" if 0 <= year <= 9999 else f"{year:+}" if year > 0 else f"-{-year:04}"
    return f"{text}-{month:02}-{day:02}"


def _clock(picoseconds: int, precision: int) -> str:
    seconds, fraction = divmod(picoseconds, _SECOND)
    minutes, second = divmod(seconds, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"
    return text + (f".{fraction:012}"[: precision + 1] if precision else "")


def _offset(minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _moment(picoseconds: int, precision: int) -> str:
    return f"{_date(picoseconds // _DAY)} {_clock(picoseconds % _DAY, precision)}"


def _interval(literal: tree.Literal) -> str:
    assert isinstance(literal.value, int)
    sign, rest = "-" * (literal.value < 0), abs(literal.value)
    if literal.type == INTERVAL_YEAR_TO_MONTH:
        return f"{sign}{rest // 12}-{rest % 12}"
    days, rest = divmod(rest, 86_400_000)
    return f"{sign}{days} {_clock(rest * 10**9, 3)}"


_PRINTERS: dict[type[algebra.TrinoType], Callable[[Any], str]] = {  # any literal of the type
    algebra.Decimal: lambda literal: format(literal.value, "f"),
    algebra.Time: lambda literal: _clock(literal.value, literal.type.precision),
    algebra.TimeTz: lambda literal: (
        _clock(literal.value[0], literal.type.precision) + _offset(literal.value[1])
    ),
    algebra.Timestamp: lambda literal: _moment(literal.value, literal.type.precision),
    algebra.TimestampTz: lambda literal: (
        _moment(to_local(*literal.value), literal.type.precision) + " " + literal.value[1]
    ),
}
