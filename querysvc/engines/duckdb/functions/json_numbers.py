"""Numbers in SQL/JSON: SQL's types, their arithmetic and texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from querysvc.engines.duckdb.lowering.casts.java_text import double_text, json_number

_BITS: Final[Mapping[str, int]] = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}
_WHOLE: Final = tuple(_BITS)
_DIGITS: Final[Mapping[str, int]] = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
_DECIMAL_DIGITS_MAX: Final = 38


class ComputationError(ValueError):
    """Overflow, or a division by zero."""


@dataclass(frozen=True, slots=True)
class Numeric:
    """A number of an SQL type; a decimal's scale is its value's."""

    kind: str
    value: int | float | Decimal

    @property
    def is_whole(self) -> bool:
        """Whether it is of one of the integer types."""
        return self.kind in _BITS

    @property
    def is_floating(self) -> bool:
        """Whether it is a double or real."""
        return self.kind in ("double", "real")

    def as_decimal(self) -> Decimal:
        """The number as a decimal, exactly."""
        return self.value if isinstance(self.value, Decimal) else Decimal(self.value)

    def json_text(self) -> str:
        """As in a JSON text."""
        if self.is_floating:
            return json_number(float(self.value), is_real=self.kind == "real")
        return f"{self.value:f}" if isinstance(self.value, Decimal) else str(self.value)

    def varchar_text(self) -> str:
        """As CAST(… AS varchar) writes it."""
        if self.is_floating:
            value = float(self.value)
            return "-0E0" if value == 0 and math.copysign(1, value) < 0 else double_text(value)
        return self.json_text()


def whole_number(value: int) -> Numeric:
    """An integer, or a bigint when it is too large for one."""
    return Numeric("integer" if -(2**31) <= value < 2**31 else "bigint", value)


def decimal_number(value: Decimal) -> Numeric:
    """A decimal."""
    return Numeric("decimal", value)


def _checked(kind: str, value: int) -> Numeric:
    if not -(2 ** _BITS[kind]) <= value < 2 ** _BITS[kind]:
        raise ComputationError("overflow")
    return Numeric(kind, value)


def negated(number: Numeric) -> Numeric:
    """Minus the number."""
    if number.is_whole:
        return _checked(number.kind, -int(number.value))
    return Numeric(number.kind, -number.value)


def absolute(number: Numeric) -> Numeric:
    """abs()."""
    if number.is_whole:
        return _checked(number.kind, abs(int(number.value)))
    return negated(number) if number.value < 0 else number


def rounded(number: Numeric, *, up: bool) -> Numeric:
    """ceiling() and floor()."""
    if number.is_whole:
        return number
    if isinstance(number.value, Decimal):
        rounding = ROUND_CEILING if up else ROUND_FLOOR
        return decimal_number(number.value.quantize(Decimal(1), rounding))
    value = float(number.value)
    if math.isfinite(value):
        value = float(math.ceil(value) if up else math.floor(value))
    return Numeric(number.kind, value)


def arithmetic(operator: str, left: Numeric, right: Numeric) -> Numeric:
    """`+ - * / %` of SQL's types."""
    if left.is_floating or right.is_floating:
        value = _FLOATING[operator](float(left.value), float(right.value))
        both_real = {left.kind, right.kind} == {"real"}
        return Numeric("real" if both_real else "double", value)
    if left.is_whole and right.is_whole:
        kind = max(left.kind, right.kind, key=_WHOLE.index)
        return _checked(kind, _WHOLE_OPERATIONS[operator](int(left.value), int(right.value)))
    return _decimal_arithmetic(operator, left, right)


def _truncated(left: int, right: int) -> int:
    if right == 0:
        raise ComputationError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


_WHOLE_OPERATIONS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _truncated,
    "%": lambda a, b: a - b * _truncated(a, b),
}


def _float_division(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _float_remainder(left: float, right: float) -> float:
    if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.fmod(left, right)


_FLOATING: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _float_division,
    "%": _float_remainder,
}


def _scale(number: Numeric) -> int:
    value = number.value
    if not isinstance(value, Decimal):
        return 0
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def _decimal_arithmetic(operator: str, left: Numeric, right: Numeric) -> Numeric:
    a, b = left.as_decimal(), right.as_decimal()
    scale = max(_scale(left), _scale(right))
    with localcontext() as context:
        context.prec = 120
        if operator in ("/", "%") and b == 0:
            raise ComputationError("division by zero")
        if operator == "*":
            scale = _scale(left) + _scale(right)
            value = a * b
        elif operator == "/":
            value = a / b
        elif operator == "%":
            value = a - b * (a / b).quantize(Decimal(1), ROUND_DOWN)
        else:
            value = a + b if operator == "+" else a - b
        value = value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    if len(value.as_tuple().digits) > _DECIMAL_DIGITS_MAX:
        raise ComputationError("overflow")
    return decimal_number(value)


def compared(left: Numeric, right: Numeric) -> int | None:
    """-1, 0 or 1; None when one is not a number."""
    if left.is_floating or right.is_floating:
        a, b = float(left.value), float(right.value)
        if math.isnan(a) or math.isnan(b):
            return None
        return (a > b) - (a < b)
    c, d = left.as_decimal(), right.as_decimal()
    return (c > d) - (c < d)
