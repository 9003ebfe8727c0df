"""From DuckDB's exceptions to Trino's errors.

Our own failures carry code and message (`fragments.fail`, `functions.vectorised.failure`); what
DuckDB itself raises is recognised by its text, in one table. The rest is GENERIC_INTERNAL_ERROR.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from querysvc.engines.duckdb.lowering.fragments import FAILURE_MARK
from querysvc.errors import ErrorCode, QueryServiceError

_Message: TypeAlias = str | Callable[[re.Match[str]], str]

_OWN = re.compile(
    re.escape(FAILURE_MARK) + r"(?P<code>[A-Z_0-9]+)\|(?P<message>.*?)"
    r"(?:' to INT64(?:\n|$| when casting).*|\n\nAt:\n.*|$)",
    re.DOTALL,
)

_TYPES: Final = {
    "INT8": "tinyint",
    "INT16": "smallint",
    "INT32": "integer",
    "INT64": "bigint",
    "INT128": "bigint",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
}
_ARITHMETIC: Final = {"addition": "+", "subtraction": "-", "multiplication": "*", "division": "/"}

_RANGE = ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE
_CAST = ErrorCode.INVALID_CAST_ARGUMENT


def _java_double(text: str) -> str:
    """A number's text as Java prints doubles in messages."""
    if text in ("nan", "inf", "-inf"):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text]
    mantissa, _, exponent = f"{float(text):.16e}".partition("e")
    plain = repr(float(mantissa))
    return f"{plain}E{int(exponent)}" if abs(int(exponent)) >= 7 else repr(float(text))


def _arithmetic_overflow(match: re.Match[str]) -> str:
    name = _TYPES.get(match["type"], "bigint")
    return f"{name} {match['what']} overflow: {match['operands']}"


# Patterns over DuckDB 1.5's messages, first match wins.
_TABLE: Final[tuple[tuple[re.Pattern[str], ErrorCode, _Message], ...]] = (
    (
        re.compile(r"Overflow in (?P<what>\w+) of (?P<type>INT\d+) \((?P<operands>[^)]*)\)"),
        _RANGE,
        _arithmetic_overflow,
    ),
    (re.compile(r"Overflow in \w+ of DECIMAL"), _RANGE, "Decimal overflow"),
    (
        re.compile(r"Overflow in division of (?P<operands>-9223372036854775808 / -1)"),
        _RANGE,
        lambda match: f"bigint division overflow: {match['operands']}",
    ),
    (
        re.compile(r"Overflow in division of (?P<operands>.*)"),
        # Trino's own range check of the narrower types has no better name for it.
        ErrorCode.GENERIC_INTERNAL_ERROR,
        lambda match: f"Value of {match['operands']} exceeds the type's maximum",
    ),
    (re.compile(r"Overflow in negation"), _RANGE, "negation overflow"),
    (
        re.compile(r"Type (?:FLOAT|DOUBLE) with value (?P<value>\S+) can't be cast .*type INT64"),
        _CAST,
        lambda match: f"Unable to cast {_java_double(match['value'])} to bigint",
    ),
    (
        re.compile(
            r"Type (?P<from>FLOAT|DOUBLE) with value nan can't be cast .*type (?P<type>\w+)"
        ),
        _CAST,
        lambda match: f"Cannot cast {match['from'].lower()} NaN to {_TYPES[match['type']]}",
    ),
    (
        re.compile(r"Type INT128 with value (?P<value>\S+) can't be cast .*type INT64"),
        _RANGE,
        lambda match: f"bigint addition overflow: {match['value']}",
    ),
    (
        re.compile(r"Type \w+ with value (?P<value>\S+) can't be cast .*type (?P<type>U?INT\d+)"),
        _RANGE,
        lambda match: (
            f"Out of range for {_TYPES.get(match['type'], match['type'])}: {match['value']}"
        ),
    ),
    (
        re.compile(r"Failed to cast decimal value (?P<value>\S+) to type (?P<type>\w+)"),
        _CAST,
        lambda match: f"Cannot cast '{match['value']}' to {match['type']}",
    ),
    (
        re.compile(
            r"(?:Could not cast value|Casting value|Could not convert string)"
            r" \"?(?P<value>[^\" ]*)\"? to (?:type )?DECIMAL\((?P<p>\d+),(?P<s>\d+)\)"
        ),
        _CAST,
        lambda match: f"Cannot cast '{match['value']}' to DECIMAL({match['p']}, {match['s']})",
    ),
    (re.compile(r"Could not convert string '.*' to INT128", re.DOTALL), _RANGE, "Decimal overflow"),
    (
        re.compile(r"Overflow in HUGEINT|HUGEINT.*out of range|Overflow in .*HUGEINT", re.I),
        _RANGE,
        "Decimal overflow",
    ),
    (
        re.compile(r"More than one row returned by a subquery"),
        ErrorCode.SUBQUERY_MULTIPLE_ROWS,
        "Scalar sub-query has returned multiple rows",
    ),
    (
        re.compile(r"In a DISTINCT aggregate, ORDER BY"),
        ErrorCode.NOT_SUPPORTED,
        "an aggregate with DISTINCT over a window, in another order than its arguments'",
    ),
    (
        re.compile(r"Cannot perform non-inner join on subquery"),
        ErrorCode.NOT_SUPPORTED,
        "a subquery in the condition of an outer join",
    ),
    (
        re.compile(r"Map keys must be unique"),
        ErrorCode.INVALID_FUNCTION_ARGUMENT,
        "Duplicate map keys are not allowed",
    ),
    (
        re.compile(r"Map keys can not be NULL"),
        ErrorCode.INVALID_FUNCTION_ARGUMENT,
        "map key cannot be null",
    ),
    (
        re.compile(r"map key list does not align"),
        ErrorCode.INVALID_FUNCTION_ARGUMENT,
        "Key and value arrays must be the same length",
    ),
    (
        re.compile(r"Unknown TimeZone '(?P<zone>[^']*)'"),
        ErrorCode.INVALID_FUNCTION_ARGUMENT,
        lambda match: f"'{match['zone']}' is not a valid time zone",
    ),
    (
        re.compile(
            r"[Tt]imestamp.*out of range|Date out of range|not in timestamp range"
            r"|Date and time not in|out of range for (?:date|timestamp)"
            r"|date field value out of range",
            re.DOTALL,
        ),
        _RANGE,
        "timestamp out of range",
    ),
    (re.compile(r"^Out of Range Error: (?P<text>[^\n]*)"), _RANGE, lambda match: match["text"]),
    (
        re.compile(r"Out of Memory Error|failed to allocate|could not allocate", re.I),
        ErrorCode.EXCEEDED_LOCAL_MEMORY_LIMIT,
        "Query exceeded per-node memory limit",
    ),
    (
        re.compile(r"temp.*(?:full|size|space)|No space left", re.I),
        ErrorCode.EXCEEDED_SPILL_LIMIT,
        "Query exceeded the limit of its spill space",
    ),
    (re.compile(r"^INTERRUPT|Interrupted!"), ErrorCode.USER_CANCELED, "Query was canceled"),
    (
        re.compile(r"[Mm]aximum recursion depth|expression depth limit|Max expression depth"),
        ErrorCode.STACK_OVERFLOW,
        "statement is too deeply nested",
    ),
    (re.compile(r"^Conversion Error: (?P<text>[^\n]*)"), _CAST, lambda match: match["text"]),
)


def to_query_error(exception: BaseException) -> QueryServiceError:
    """The error that a client is told for an exception of DuckDB's."""
    if isinstance(exception, QueryServiceError):
        return exception
    text = str(exception)
    own = _OWN.search(text)
    if own is not None and own["code"] in ErrorCode.__members__:
        return QueryServiceError(ErrorCode[own["code"]], own["message"])
    for pattern, code, message in _TABLE:
        match = pattern.search(text)
        if match is not None:
            return QueryServiceError(code, message if isinstance(message, str) else message(match))
    # Where in our sources a Python function failed is for nobody outside.
    return QueryServiceError(ErrorCode.GENERIC_INTERNAL_ERROR, text.partition("\n\nAt:\n")[0])
