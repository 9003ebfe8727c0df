"""Exact decimal arithmetic on DuckDB's decimals and HUGEINT; Python where 128 bits do not do."""

from __future__ import annotations

from decimal import Decimal as DecimalValue
from fractions import Fraction
from typing import Any, Final

from querysvc.engines.duckdb.functions.registry import BatchFunction, CallSite, Macro
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.engines.duckdb.lowering.fragments import (
    Sql,
    bind,
    case,
    cast,
    fail,
    integer_literal,
    operation,
)
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.errors import ErrorCode
from querysvc.types.algebra import DECIMAL_PRECISION_MAX, INTEGER, Decimal

DECIMAL_OVERFLOW: Final = fail(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, "Decimal overflow")
DIVISION_BY_ZERO: Final = fail(ErrorCode.DIVISION_BY_ZERO, "Division by zero")

# DuckDB computes decimals of up to 18 digits in 64 bits, and then caps the result at 18 digits.
_SMALL_WIDTH: Final = 18

DIVIDE_HALF_UP: Final = Macro(
    "decimal_divide",
    ("n", "d"),
    "(n // d) + CASE WHEN abs(n % d) >= abs(d) - abs(n % d) THEN sign(n) * sign(d) ELSE 0 END",
)
"""HUGEINT quotient, halves away from zero."""


def add_decimals(operator: str, site: CallSite) -> Sql:
    """`+` or `-` of decimals."""
    result = _decimal(site.type)
    # One digit less than the result holds either operand, and lets DuckDB infer the result's type.
    width = result.precision - 1 if result.precision < DECIMAL_PRECISION_MAX else result.precision
    width = result.precision if width == _SMALL_WIDTH else width
    operands = [
        _widened(sql, _decimal(type_), Decimal(width, result.scale))
        for sql, type_ in zip(site.arguments, site.types, strict=True)
    ]
    total = operation(operator, *operands)
    return total if width == result.precision - 1 else cast(total, storage_type(result))


def multiply_decimals(site: CallSite) -> Sql:
    """`*` of decimals."""
    first, second = (_decimal(type_) for type_ in site.types)
    wide = Decimal(max(first.precision, _SMALL_WIDTH + 1), first.scale)
    product = operation("*", _widened(site.arguments[0], first, wide), site.arguments[1])
    if wide == first and first.precision + second.precision <= DECIMAL_PRECISION_MAX:
        return product
    return cast(product, storage_type(site.type))


def remainder_decimals(site: CallSite) -> Sql:
    """`%` of decimals."""
    first, second = (_decimal(type_) for type_ in site.types)
    scale = max(first.scale, second.scale)
    digits = max(first.precision - first.scale, second.precision - second.scale)
    if digits + scale > DECIMAL_PRECISION_MAX:
        return _in_python(remainder, site, scale)
    common = Decimal(digits + scale, scale)
    operands = (
        _widened(site.arguments[0], first, common),
        _widened(site.arguments[1], second, common),
    )

    def body(a: Sql, b: Sql) -> Sql:
        zero = Sql(f"({b} = 0 AND {a} IS NOT NULL)")
        return case([(zero, DIVISION_BY_ZERO)], cast(operation("%", a, b), site.result_type))

    return bind(operands, body)


def divide_decimals(site: CallSite) -> Sql:
    """`/` of decimals: the result's scale, halves away from zero."""
    result = _decimal(site.type)
    first, second = (_decimal(type_) for type_ in site.types)
    shift = result.scale - first.scale + second.scale
    if first.precision + shift > DECIMAL_PRECISION_MAX:
        return _in_python(quotient, site, result.scale)

    def body(n: Sql, d: Sql) -> Sql:
        scaled = operation("*", n, Sql(f"CAST('1{'0' * shift}' AS HUGEINT)")) if shift else n
        divided = from_unscaled(site.call_macro(DIVIDE_HALF_UP, scaled, d), result)
        return case([(Sql(f"({d} = 0 AND {n} IS NOT NULL)"), DIVISION_BY_ZERO)], divided)

    return bind(
        [unscaled(sql, _decimal(t)) for sql, t in zip(site.arguments, site.types, strict=True)],
        body,
    )


def unscaled(value: Sql, type_: Decimal) -> Sql:
    """A decimal's digits as a HUGEINT."""
    precision, scale = type_.precision, type_.scale
    if scale == 0:
        return cast(value, "HUGEINT")
    if precision + scale + 1 <= DECIMAL_PRECISION_MAX:
        wide = cast(value, f"DECIMAL({max(precision, _SMALL_WIDTH + 1)},{scale})")
        power = Sql(f"CAST('1{'0' * scale}' AS DECIMAL({scale + 1},0))")
        return cast(operation("*", wide, power), "HUGEINT")
    return Sql(f"CAST(replace(CAST({value} AS VARCHAR), '.', '') AS HUGEINT)")


def from_unscaled(value: Sql, type_: Decimal) -> Sql:
    """The decimal with a HUGEINT's digits; Trino's error beyond 38 of them."""

    def body(digits: Sql) -> Sql:
        whole = cast(digits, f"DECIMAL({DECIMAL_PRECISION_MAX},0)")
        scale = type_.scale
        if scale:
            unit = Sql(f"CAST('0.{'1'.zfill(scale)}' AS DECIMAL({scale},{scale}))")
            whole = operation("*", whole, unit)
        limit = Sql(f"(abs({digits}) >= CAST('1{'0' * type_.precision}' AS HUGEINT))")
        return case([(limit, DECIMAL_OVERFLOW)], cast(whole, storage_type(type_)))

    return bind([value], body)


def quotient(dividends: Any, divisors: Any, scales: Any) -> list[DecimalValue | None]:
    """Quotients of any size with the given scale, halves away from zero."""
    rows = zip(dividends.to_pylist(), divisors.to_pylist(), scales.to_pylist(), strict=True)
    return [None if n is None or d is None else _quotient(n, d, scale) for n, d, scale in rows]


def remainder(dividends: Any, divisors: Any, scales: Any) -> list[DecimalValue | None]:
    """Remainders with the dividend's sign, of operands that have no common decimal type."""
    rows = zip(dividends.to_pylist(), divisors.to_pylist(), scales.to_pylist(), strict=True)
    return [None if n is None or d is None else _remainder(n, d, scale) for n, d, scale in rows]


def _quotient(n: DecimalValue, d: DecimalValue, scale: int) -> DecimalValue:
    if not d:
        raise failure(ErrorCode.DIVISION_BY_ZERO, "Division by zero")
    ratio = Fraction(n) / Fraction(d) * 10**scale
    digits = int(abs(ratio) + Fraction(1, 2))
    if digits >= 10**DECIMAL_PRECISION_MAX:
        raise failure(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, "Decimal overflow")
    return _scaled(digits if ratio > 0 else -digits, scale)


def _remainder(n: DecimalValue, d: DecimalValue, scale: int) -> DecimalValue:
    if not d:
        raise failure(ErrorCode.DIVISION_BY_ZERO, "Division by zero")
    first, second = abs(Fraction(n) * 10**scale), abs(Fraction(d) * 10**scale)
    digits = int(first % second)
    return _scaled(digits if n > 0 else -digits, scale)


def _scaled(digits: int, scale: int) -> DecimalValue:
    sign = 1 if digits < 0 else 0
    return DecimalValue((sign, tuple(map(int, str(abs(digits)))), -scale))


def _in_python(function: BatchFunction, site: CallSite, scale: int) -> Sql:
    return site.call_python(
        function,
        *zip(site.arguments, site.types, strict=True),
        (integer_literal(scale, "INTEGER"), INTEGER),
    )


def _widened(value: Sql, source: Decimal, target: Decimal) -> Sql:
    return value if source == target else cast(value, storage_type(target))


def _decimal(type_: object) -> Decimal:
    assert isinstance(type_, Decimal)
    return type_
