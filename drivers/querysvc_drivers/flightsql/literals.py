"""Arrow values, bound to `?`, as the SQL literals that the core takes."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.types as arrow

from querysvc.errors import ErrorCode, QueryServiceError

RUNS_MAX: Final = 1000
"""How many rows of parameters one message may bind: each is a run of its own."""


def parameters_of(table: pa.Table) -> tuple[tuple[str, ...], ...]:
    """The literals of each row; NOT_SUPPORTED for more rows than may be bound at once."""
    if table.num_rows > RUNS_MAX:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED,
            f"Parameters for {table.num_rows} runs at once: bind at most {RUNS_MAX} rows.",
        )
    columns = [[literal(scalar) for scalar in column] for column in table.columns]
    return tuple(zip(*columns, strict=True))


def literal(scalar: pa.Scalar) -> str:
    """One value; NOT_SUPPORTED for nested and other types that have no literal."""
    if not scalar.is_valid:
        return "NULL"
    if arrow.is_timestamp(scalar.type):
        return _timestamp(scalar)
    value: Any = scalar.as_py()
    write = _WRITERS.get(type(value))
    if write is None:
        raise QueryServiceError(
            ErrorCode.NOT_SUPPORTED, f"A parameter of Arrow's type {scalar.type} is not supported"
        )
    return write(value)


def _timestamp(scalar: pa.Scalar) -> str:
    zone = scalar.type.tz
    instant: datetime.datetime = scalar.cast(pa.timestamp("us", zone)).as_py()
    text = instant.replace(tzinfo=None).isoformat(" ", "microseconds")
    return f"TIMESTAMP '{text}{f' {zone}' if zone else ''}'"


def _float(value: float) -> str:
    if math.isnan(value):
        return "DOUBLE 'NaN'"
    if math.isinf(value):
        return f"DOUBLE '{'-' if value < 0 else ''}Infinity'"
    return f"DOUBLE '{value!r}'"


def _text(value: str) -> str:
    return "'{}'".format(value.replace("'", "''"))


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    bool: lambda value: "TRUE" if value else "FALSE",
    int: str,
    float: _float,
    decimal.Decimal: lambda value: f"DECIMAL '{value:f}'",
    str: _text,
    bytes: lambda value: f"X'{value.hex()}'",
    datetime.date: lambda value: f"DATE '{value.isoformat()}'",
    datetime.time: lambda value: f"TIME '{value.isoformat('microseconds')}'",
}
