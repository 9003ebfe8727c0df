"""Numbers in other bases, and buckets of equal width or between given bounds.

https://trino.io/docs/current/functions/math.html
"""

from __future__ import annotations

import math
import unicodedata
from typing import Final

from querysvc.engines.duckdb.functions.human_readable import saturated
from querysvc.engines.duckdb.functions.registry import ArrowFunction, CallSite, ScalarTable
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.fragments import Sql, bind, case
from querysvc.errors import ErrorCode

_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT
_LONG_MIN: Final = -(2**63)
_LONG_MAX: Final = 2**63 - 1
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def _bucket_of(value: float, first: float, second: float, count: int) -> int:
    """The bucket of a value, where `count` of equal width lie between two bounds."""
    if count <= 0:
        raise failure(_INVALID, "bucketCount must be greater than 0")
    if math.isnan(value):
        raise failure(_INVALID, "operand must not be NaN")
    if not (math.isfinite(first) and math.isfinite(second)):
        raise failure(_INVALID, "bounds must be finite")
    if first == second:
        raise failure(_INVALID, "bounds cannot equal each other")
    low, high = min(first, second), max(first, second)
    if value < low:
        bucket = 0
    elif value > high:
        bucket = count + 1
    else:
        bucket = saturated(count * (value - low) / (high - low) + 1)
    if bucket > _LONG_MAX:
        raise failure(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, "Bucket for value is out of range")
    return bucket if first < second else count - bucket + 1


def _bin_of(value: float, bins: list[float | None]) -> int:
    """How many of the sorted bins' lower bounds the value has reached; not all are looked at.

    Trino reads NULL as the zero that stands in its block.
    """
    if not bins:
        raise failure(_INVALID, "Bins cannot be an empty array")
    if math.isnan(value):
        raise failure(_INVALID, "Operand cannot be NaN")
    low, high = 0, len(bins)
    while low < high:
        if (bins[low] or 0) > (bins[high - 1] or 0):
            raise failure(_INVALID, "Bin values are not sorted in ascending order")
        middle = (low + high) // 2
        bound = bins[middle] or 0
        if not math.isfinite(bound):
            raise failure(_INVALID, "Bin values must be finite")
        low, high = (low, middle) if value < bound else (middle + 1, high)
    return low


def _from_base(text: str, radix: int) -> int:
    _check_radix(radix)
    digits = text[1:] if text[:1] in ("-", "+") else text
    value = 0
    for character in digits:
        digit = unicodedata.decimal(character, None)  # Java takes every script's digits
        if digit is None:
            digit = _DIGITS.find(character.lower()) if character.isascii() else -1
        if not 0 <= digit < radix:
            raise failure(_INVALID, f"Not a valid base-{radix} number: {text}")
        value = value * radix + digit
    value = -value if text[:1] == "-" else value
    if not digits or not _LONG_MIN <= value <= _LONG_MAX:
        raise failure(_INVALID, f"Not a valid base-{radix} number: {text}")
    return value


def _to_base(value: int, radix: int) -> str:
    _check_radix(radix)
    number, digits = abs(value), ""
    while number or not digits:
        number, digit = divmod(number, radix)
        digits = _DIGITS[digit] + digits
    if len(digits) == 64:  # with its sign more than the type's 64 characters
        raise failure(ErrorCode.GENERIC_INTERNAL_ERROR, "Character count exceeds length limit 64")
    return f"-{digits}" if value < 0 else digits


def _native_from_base(site: CallSite) -> Sql:
    """Decimal digits by DuckDB's cast."""

    def body(text: Sql) -> Sql:
        python = site.call_python(
            by_row(_from_base), (text, site.types[0]), (site.arguments[1], site.types[1])
        )
        if not (site.is_constant(1) and site.constant(1) == 10):
            return python
        is_plain = Sql(f"regexp_full_match({text}, '-?[0-9]{{1,18}}')")
        return case([(is_plain, Sql(f"CAST({text} AS BIGINT)"))], python)

    return bind([site.arguments[0]], body)


def _native_to_base(site: CallSite) -> Sql:
    """What is not negative in a constant base by DuckDB's function."""
    radix = site.constant(1) if site.is_constant(1) else None

    def body(value: Sql) -> Sql:
        python = site.call_python(
            by_row(_to_base), (value, site.types[0]), (site.arguments[1], site.types[1])
        )
        if not isinstance(radix, int) or not 2 <= radix <= 36:
            return python
        native = Sql(f"lower(to_base({value}, {radix}))")
        return case([(Sql(f"({value} >= 0 AND {value} < {1 << 62})"), native)], python)

    return bind([site.arguments[0]], body)


def _native_bucket(site: CallSite) -> Sql:
    """Between finite constant bounds in DuckDB's arithmetic, which is IEEE's as Java's is."""
    python = site.call_python(by_row(_bucket_of), *zip(site.arguments, site.types, strict=True))
    constants = [site.constant(i) if site.is_constant(i) else None for i in (1, 2)]
    if not all(isinstance(one, float) and math.isfinite(one) for one in constants):
        return python
    if constants[0] >= constants[1]:  # type: ignore[operator]  # both are floats
        return python

    def body(value: Sql, low: Sql, high: Sql, count: Sql) -> Sql:
        general = site.call_python(
            by_row(_bucket_of), *zip((value, low, high, count), site.types, strict=True)
        )
        inside = Sql(f"({value} >= {low} AND {value} <= {high} AND {count} BETWEEN 1 AND 1000000)")
        bucket = f"CAST(trunc({count} * ({value} - {low}) / ({high} - {low}) + 1) AS BIGINT)"
        return case([(inside, Sql(bucket))], general)

    return bind(site.arguments, body)


def _check_radix(radix: int) -> None:
    if not 2 <= radix <= 36:
        raise failure(_INVALID, "Radix must be between 2 and 36")


SCALARS: Final[ScalarTable] = {
    "from_base": _native_from_base,
    "to_base": _native_to_base,
    "width_bucket(double,array(double))": ArrowFunction(by_row(_bin_of)),
    "width_bucket(double,double,double,bigint)": _native_bucket,
}
