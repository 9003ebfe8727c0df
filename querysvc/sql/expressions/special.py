"""CAST, EXTRACT, TRIM, FORMAT, and what the session knows: CURRENT_TIMESTAMP and its kin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from querysvc import tree
from querysvc.errors import ErrorCode
from querysvc.sql import syntax
from querysvc.sql.expressions import datetime_literals as texts
from querysvc.sql.expressions.arguments import typed_call
from querysvc.sql.expressions.coercion import coerce
from querysvc.sql.expressions.errors import fail, located_at, mismatch
from querysvc.sql.functions.resolve import resolve
from querysvc.types.algebra import (
    DATE,
    DATETIME_PRECISION_DEFAULT,
    DATETIME_PRECISION_MAX,
    INTERVAL_DAY_TO_SECOND,
    INTERVAL_YEAR_TO_MONTH,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    Array,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    TrinoType,
    Varchar,
)
from querysvc.types.coercion import can_cast
from querysvc.types.parse import parse_type

if TYPE_CHECKING:
    from querysvc.sql.expressions.analyser import Analyser
    from querysvc.sql.scope import Scope


def cast(analyser: Analyser, node: syntax.Cast, scope: Scope) -> tree.Expression:
    """CAST and TRY_CAST."""
    with located_at(node):
        type_ = parse_type(node.type.text)
    value = analyser.analyse(node.value, scope)
    if value.type != UNKNOWN and not can_cast(value.type, type_):
        raise mismatch(node, f"Cannot cast {value.type} to {type_}")
    if isinstance(value, tree.Literal) and value.value is None:
        return tree.Literal(type_, None)
    if value.type == type_:
        return value
    return tree.Cast(type_, value, node.is_try)


_DATE_LIKE: Final = ("date", "timestamp", "timestamp with time zone")
_CLOCK: Final = (
    *("time", "time with time zone", "timestamp", "timestamp with time zone"),
    INTERVAL_DAY_TO_SECOND.name,
)
_ZONED: Final = ("time with time zone", "timestamp with time zone")
_FIELDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "YEAR": ("year", (*_DATE_LIKE, INTERVAL_YEAR_TO_MONTH.name)),
    "QUARTER": ("quarter", _DATE_LIKE),
    "MONTH": ("month", (*_DATE_LIKE, INTERVAL_YEAR_TO_MONTH.name)),
    "WEEK": ("week", _DATE_LIKE),
    "DAY": ("day", (*_DATE_LIKE, INTERVAL_DAY_TO_SECOND.name)),
    "DAY_OF_MONTH": ("day", _DATE_LIKE),
    "DAY_OF_WEEK": ("day_of_week", _DATE_LIKE),
    "DOW": ("day_of_week", _DATE_LIKE),
    "DAY_OF_YEAR": ("day_of_year", _DATE_LIKE),
    "DOY": ("day_of_year", _DATE_LIKE),
    "YEAR_OF_WEEK": ("year_of_week", _DATE_LIKE),
    "YOW": ("year_of_week", _DATE_LIKE),
    "HOUR": ("hour", _CLOCK),
    "MINUTE": ("minute", _CLOCK),
    "SECOND": ("second", _CLOCK),
    "TIMEZONE_MINUTE": ("timezone_minute", _ZONED),
    "TIMEZONE_HOUR": ("timezone_hour", _ZONED),
}
"""By field: the function that it is, and the base names of the types that have it."""


def extract(analyser: Analyser, node: syntax.Extract, scope: Scope) -> tree.Expression:
    """EXTRACT(field FROM value): the function of that name."""
    known = _FIELDS.get(node.field)
    if known is None:
        message = f"Invalid EXTRACT field {node.field}, valid fields are: {', '.join(_FIELDS)}"
        raise fail(ErrorCode.SYNTAX_ERROR, node, message)
    name, bases = known
    value = analyser.analyse(node.value, scope)
    if value.type.base_name not in bases:
        raise mismatch(node.value, f"Cannot extract {node.field} from {value.type}")
    return function(name, node, (value,))


def function(
    name: str, node: syntax.Node, arguments: tuple[tree.Expression, ...]
) -> tree.Expression:
    """The scalar function's call, arguments coerced; Trino's error at the node for none."""
    with located_at(node):
        resolution = resolve(name, tuple(argument.type for argument in arguments))
    coerced = tuple(map(coerce, arguments, resolution.argument_types))
    return typed_call(resolution.signature.name, resolution, coerced)


_TRIMS: Final = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}


def trim(analyser: Analyser, node: syntax.Trim, scope: Scope) -> tree.Expression:
    """TRIM: the functions trim, ltrim and rtrim."""
    nodes = [node.value] if node.characters is None else [node.value, node.characters]
    arguments = tuple(analyser.analyse(item, scope) for item in nodes)
    return function(_TRIMS[node.specification], node, arguments)


FORMAT_KEY: Final = "format(varchar,...)"
"""The key of FORMAT's calls: a varchar, then any values, which keep their types."""

_UNFORMATTED: Final = frozenset(
    {VARBINARY.name, "array", "map", "row", "HyperLogLog", "P4HyperLogLog", "SetDigest"}
    | {"tdigest", "qdigest", "color", "Geometry", "SphericalGeography", "BingTile", "KdbTree"}
)


def format_(analyser: Analyser, node: syntax.FunctionCall, scope: Scope) -> tree.Expression:
    """FORMAT(text, values): Java's formatter."""
    if len(node.arguments) < 2:
        message = "The 'format' function must have at least two arguments"
        raise fail(ErrorCode.SYNTAX_ERROR, node, message)
    template, *values = (analyser.analyse(item, scope) for item in node.arguments)
    if not isinstance(template.type, Varchar):
        raise mismatch(
            node.arguments[0],
            f"Type of first argument to format() must be VARCHAR (actual: {template.type})",
        )
    for item, value in zip(node.arguments[1:], values, strict=True):
        if value.type.base_name in _UNFORMATTED:
            message = f"Type not supported for formatting: {value.type}"
            raise fail(ErrorCode.NOT_SUPPORTED, item, message)
    return tree.Call(VARCHAR, "format", FORMAT_KEY, (template, *values))


def current_time(analyser: Analyser, node: syntax.CurrentTime, _: Scope) -> tree.Expression:
    """CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP, LOCALTIME, LOCALTIMESTAMP as constants."""
    precision = DATETIME_PRECISION_DEFAULT if node.precision is None else node.precision
    if precision > DATETIME_PRECISION_MAX:
        kind = _PRECISE_KINDS[node.kind]
        message = f"{kind} precision must be in range [0, {DATETIME_PRECISION_MAX}]: {precision}"
        raise fail(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, node, message)
    return session_time(analyser, node.kind, precision)


_PRECISE_KINDS: Final = {
    "CURRENT_TIME": "TIME WITH TIME ZONE",
    "CURRENT_TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "LOCALTIME": "TIME",
    "LOCALTIMESTAMP": "TIMESTAMP",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = texts.SECONDS_PER_DAY * texts.PICOSECONDS_PER_SECOND
_MINUTE: Final = 60 * texts.PICOSECONDS_PER_SECOND


def session_time(analyser: Analyser, kind: str, precision: int) -> tree.Expression:
    """The session's start, as the constant of this kind; the statement is then time-dependent."""
    context = analyser.context
    context.is_deterministic = False
    session = context.session
    started = session.started_at or datetime.now(UTC)
    micros = (started - _EPOCH) // timedelta(microseconds=1)
    instant = _rounded(micros * 10**6, precision)
    local = texts.to_local(instant, session.time_zone)
    make = _SESSION_TIMES[kind]
    return make(precision, instant, local, session.time_zone)


def _rounded(picoseconds: int, precision: int) -> int:
    unit: int = 10 ** (12 - precision)
    return (picoseconds + unit // 2) // unit * unit


def _time_with_zone(precision: int, instant: int, local: int, _: str) -> tree.Expression:
    return tree.Literal(TimeTz(precision), (local % _DAY, (local - instant) // _MINUTE))


_SESSION_TIMES: Final[dict[str, Callable[[int, int, int, str], tree.Expression]]] = {
    "CURRENT_DATE": lambda _, __, local, ___: tree.Literal(DATE, local // _DAY),
    "CURRENT_TIME": _time_with_zone,
    "CURRENT_TIMESTAMP": lambda p, instant, _, zone: tree.Literal(TimestampTz(p), (instant, zone)),
    "LOCALTIME": lambda p, _, local, __: tree.Literal(Time(p), local % _DAY),
    "LOCALTIMESTAMP": lambda p, _, local, __: tree.Literal(Timestamp(p), local),
}


def current_identity(analyser: Analyser, node: syntax.CurrentIdentity, _: Scope) -> tree.Expression:
    """CURRENT_USER, CURRENT_CATALOG, CURRENT_SCHEMA, CURRENT_PATH."""
    session = analyser.context.session
    values = {
        "CURRENT_USER": session.user,
        "CURRENT_CATALOG": session.catalog,
        "CURRENT_SCHEMA": session.database,
        "CURRENT_PATH": session.properties.get("path", ""),
    }
    return tree.Literal(VARCHAR, values[node.kind])


def _now(analyser: Analyser) -> tree.Expression:
    return session_time(analyser, "CURRENT_TIMESTAMP", DATETIME_PRECISION_DEFAULT)


def _time_zone(analyser: Analyser) -> tree.Expression:
    return tree.Literal(VARCHAR, analyser.context.session.time_zone)


SESSION_FUNCTIONS: Final[dict[str, Callable[[Analyser], tree.Expression]]] = {
    "now()": _now,
    "current_timezone()": _time_zone,
    "current_groups()": lambda _: tree.ArrayConstructor(Array(VARCHAR), ()),
}
"""Functions without arguments that are constants of the session, by their signatures' keys."""


def type_text(type_: TrinoType) -> tree.Expression:
    """typeof(…): the type's name as a constant."""
    return tree.Literal(VARCHAR, str(type_))


HANDLERS: Final[dict[type[syntax.Node], Callable[..., Any]]] = {  # each takes its own node type
    syntax.Cast: cast,
    syntax.Extract: extract,
    syntax.Trim: trim,
    syntax.CurrentTime: current_time,
    syntax.CurrentIdentity: current_identity,
}
