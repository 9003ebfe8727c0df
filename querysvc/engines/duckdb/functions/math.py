"""Numbers. https://trino.io/docs/current/functions/math.html and bitwise.html"""

from __future__ import annotations

from typing import Any, Final

from querysvc.engines.duckdb.functions.registry import (
    ArrowFunction,
    CallSite,
    Macro,
    ScalarTable,
)
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.comparisons import compare
from querysvc.engines.duckdb.lowering.fragments import (
    NULL,
    Sql,
    bind,
    case,
    cast,
    fail,
    part,
    template,
)
from querysvc.engines.duckdb.lowering.types import storage_type
from querysvc.errors import ErrorCode
from querysvc.types.algebra import Decimal

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LONG_MIN: Final = -(2**63)
_LONG_MAX: Final = 2**63 - 1
_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT


def _abs(site: CallSite) -> Sql:
    if not site.type.is_integer:
        return template("abs({0})", *site.arguments)

    def body(value: Sql) -> Sql:
        lowest = {"tinyint": -128, "smallint": -(2**15), "integer": -(2**31)}
        limit = lowest.get(str(site.type), _LONG_MIN)
        message = ("Value ", part(value), f" is out of range for abs({site.type})")
        is_lowest = Sql(f"({value} = {limit})")
        return case(
            [(is_lowest, fail(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, *message))],
            Sql(f"abs({value})"),
        )

    return bind(site.arguments, body)


def _whole(name: str) -> Any:
    """ceiling and floor: integers stay, decimals get scale 0."""

    def build(site: CallSite) -> Sql:
        if site.type.is_integer:
            return site.arguments[0]
        rounded = Sql(f"{name}({site.arguments[0]})")
        return cast(rounded, site.result_type) if isinstance(site.type, Decimal) else rounded

    return build


def _round(site: CallSite) -> Sql:
    """Half away from zero. Integers change only with negative digits."""
    if len(site.arguments) == 1:
        if site.type.is_integer:
            return site.arguments[0]
        if isinstance(site.type, Decimal):
            return cast(site.arguments[0], site.result_type)
        return template("round({0})", *site.arguments)
    if isinstance(site.type, Decimal):
        return _round_decimal(site)
    if site.type.is_integer:
        return _round_integer(site)
    factor = Sql(f"power(CAST(10 AS DOUBLE), {site.arguments[1]})")
    rounded = site.call_macro(ROUND_FLOATING, cast(site.arguments[0], "DOUBLE"), factor)
    return cast(rounded, site.result_type)


def _round_integer(site: CallSite) -> Sql:
    def body(value: Sql, digits: Sql) -> Sql:
        unit = Sql(f"CAST(power(10::DOUBLE, -{digits}) AS HUGEINT)")
        half = Sql(f"({unit} // 2 * CASE WHEN {value} < 0 THEN -1 ELSE 1 END)")
        rounded = Sql(f"(({value} + {half}) // {unit} * {unit})")
        return case(
            [
                (Sql(f"({digits} >= 0)"), value),
                (Sql(f"({digits} < -18)"), Sql("0")),
                (Sql(f"({value} IS NOT NULL)"), cast(rounded, site.result_type)),
            ]
        )

    return cast(bind(site.arguments, body), site.result_type)


def _round_decimal(site: CallSite) -> Sql:
    """round(decimal(p,s), n): the same scale; digits after n are zero."""
    source = site.types[0]
    assert isinstance(source, Decimal)
    wide = cast(site.arguments[0], site.result_type)

    def body(value: Sql, digits: Sql) -> Sql:
        # DuckDB's round of a decimal wants constant digits: one branch per scale.
        branches = [(Sql(f"({digits} >= {source.scale})"), value)]
        for n in range(source.scale - 1, -(source.precision - source.scale) - 1, -1):
            rounded = cast(Sql(f"round({value}, {n})"), site.result_type)
            branches.append((Sql(f"({digits} = {n})"), rounded))
        return case(branches, cast(Sql("0"), site.result_type))

    if site.is_constant(1) and isinstance(site.constant(1), int):
        n = int(site.constant(1))  # type: ignore[arg-type]  # an int, as just seen
        if n >= source.scale:
            return wide
        if n >= 0:
            return cast(Sql(f"round({wide}, {n})"), site.result_type)
    return bind([wide, site.arguments[1]], body)


ROUND_FLOATING: Final = Macro(
    # Trino rounds the scaled binary number, and leaves alone what has no fraction to round.
    "round_floating",
    ("x", "f"),
    "CASE WHEN isfinite(x) AND abs(x * f) < 4503599627370496"
    " THEN sign(x) * (round(abs(x) * f) / f) ELSE x END",
)


def _truncate(site: CallSite) -> Sql:
    if not isinstance(site.type, Decimal):
        return template("trunc({0})", *site.arguments)
    source = site.types[0]
    assert isinstance(source, Decimal)
    if len(site.arguments) == 1:
        return cast(Sql(f"trunc({site.arguments[0]})"), site.result_type)

    def body(value: Sql, digits: Sql) -> Sql:
        branches = [(Sql(f"({digits} >= {source.scale})"), value)]
        for n in range(source.scale - 1, -(source.precision - source.scale) - 1, -1):
            # The remainder by a power of ten is what goes.
            wide = Decimal(min(38, source.precision + 1), source.scale)
            unit = f"CAST('1e{-n}' AS {storage_type(wide)})"
            branches.append(
                (
                    Sql(f"({digits} = {n})"),
                    cast(Sql(f"({value} - {value} % {unit})"), site.result_type),
                )
            )
        return case(branches, cast(Sql("0"), site.result_type))

    return bind(site.arguments, body)


def _sign(site: CallSite) -> Sql:
    if site.type.is_floating:
        text = "CASE WHEN isnan({0}) THEN {0} ELSE CAST(sign({0}) AS " + site.result_type + ") END"
        return template(text, *site.arguments)
    return cast(template("sign({0})", *site.arguments), site.result_type)


def _extreme(name: str, operator: str) -> Any:
    """greatest and least: NULL when any argument is, unlike DuckDB's."""

    def build(site: CallSite) -> Sql:
        if site.type.children or site.type.is_floating or "STRUCT" in site.result_type:
            return bind(site.arguments, lambda *values: _pairwise(values, operator, site))
        unknown = " OR ".join(f"{{{i}}} IS NULL" for i in range(len(site.arguments)))
        slots = ", ".join(f"{{{i}}}" for i in range(len(site.arguments)))
        return template(f"CASE WHEN {unknown} THEN NULL ELSE {name}({slots}) END", *site.arguments)

    return build


def _pairwise(values: tuple[Sql, ...], operator: str, site: CallSite) -> Sql:
    result = values[0]
    for value in values[1:]:
        result = bind([result, value], lambda a, b: _better(a, b, operator, site))
    return result


def _better(first: Sql, second: Sql, operator: str, site: CallSite) -> Sql:
    """The greater or lesser of two values; NaN is neither greatest nor least."""
    branches = [(Sql(f"({first} IS NULL OR {second} IS NULL)"), NULL)]
    if site.type.is_floating:
        branches.append((Sql(f"isnan({first})"), second))
    branches.append((compare(operator, second, first, site.type), second))
    return case(branches, first)


def _natural(site: CallSite) -> Sql:
    """random(n), random(m, n): a whole number of the argument's type."""
    if not site.arguments:
        return Sql("random()")
    low = site.arguments[0] if len(site.arguments) == 2 else Sql("0")
    high = site.arguments[-1]
    text = f"CAST(floor(random() * ({high} - {low})) AS BIGINT) + {low}"
    return cast(Sql(f"({text})"), site.result_type)


LOGARITHM = Macro(
    # DuckDB fails where Java answers NaN or -Infinity.
    "natural_logarithm",
    ("x",),
    "CASE WHEN x > 0 THEN ln(x) WHEN x = 0 THEN CAST('-inf' AS DOUBLE)"
    " WHEN x IS NOT NULL THEN CAST('nan' AS DOUBLE) END",
)


def _logarithm(name: str) -> str:
    return (
        f"CASE WHEN {{0}} > 0 THEN {name}({{0}}) WHEN {{0}} = 0 THEN CAST('-inf' AS DOUBLE)"
        " WHEN {0} IS NOT NULL THEN CAST('nan' AS DOUBLE) END"
    )


def _within(name: str) -> str:
    """A function of -1 to 1, NaN elsewhere."""
    return _or_nan("abs({0}) <= 1", name)


def _finite(name: str) -> str:
    """A function that DuckDB refuses for infinity, where Java answers NaN."""
    return _or_nan("isfinite({0})", name)


def _or_nan(condition: str, name: str) -> str:
    return (
        f"CASE WHEN {condition} THEN {name}({{0}})"
        " WHEN {0} IS NOT NULL THEN CAST('nan' AS DOUBLE) END"
    )


def _shift(direction: str) -> Any:
    """bitwise_left_shift and bitwise_right_shift (logical) in the type's own width."""

    def build(site: CallSite) -> Sql:
        width = {"tinyint": 8, "smallint": 16, "integer": 32}.get(str(site.type), 64)
        mask = (1 << width) - 1

        def body(value: Sql, count: Sql) -> Sql:
            bits = f"(CAST({value} AS HUGEINT) & {mask}::HUGEINT)"
            moved = f"(({bits} * CAST(power(2::DOUBLE, {count}) AS HUGEINT)) & {mask}::HUGEINT)"
            if direction == "right":
                moved = f"({bits} // CAST(power(2::DOUBLE, {count}) AS HUGEINT))"
            negative = Sql(f"({moved} - {mask + 1}::HUGEINT)")
            signed = case([(Sql(f"({moved} > {mask >> 1})"), negative)], Sql(moved))
            shifted = cast(signed, site.result_type)
            return case(
                [
                    (Sql(f"({count} >= {width} OR {count} < 0)"), cast(Sql("0"), site.result_type)),
                    (Sql(f"({value} IS NOT NULL AND {count} IS NOT NULL)"), shifted),
                ]
            )

        return bind(site.arguments, body)

    return build


def _from_base(text: str, radix: int) -> int:
    _check_radix(radix)
    digits = text[1:] if text[:1] in ("-", "+") else text
    allowed = _DIGITS[:radix]
    value = 0
    for digit in digits.lower():
        value = value * radix + allowed.find(digit) if digit in allowed else _LONG_MAX + 1
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
    return f"-{digits}" if value < 0 else digits


def _check_radix(radix: int) -> None:
    if not 2 <= radix <= 36:
        raise failure(_INVALID, "Radix must be between 2 and 36")


SCALARS: Final[ScalarTable] = {
    "abs": _abs,
    "acos": _within("acos"),
    "asin": _within("asin"),
    "atan": "atan({0})",
    "atan2": "atan2({0}, {1})",
    "bitwise_and": "({0} & {1})",
    "bitwise_left_shift": _shift("left"),
    "bitwise_not": "(~ {0})",
    "bitwise_or": "({0} | {1})",
    "bitwise_right_shift": _shift("right"),
    "bitwise_right_shift_arithmetic": (
        "CASE WHEN {1} > 63 OR {1} < 0 THEN CASE WHEN {0} < 0 THEN -1 ELSE 0 END"
        " ELSE {0} >> CAST({1} AS BIGINT) END"
    ),
    "bitwise_xor": "xor({0}, {1})",
    "cbrt": "cbrt({0})",
    "ceiling": _whole("ceil"),
    "cos": _finite("cos"),
    "cosh": "cosh({0})",
    "degrees": "degrees({0})",
    "e": "CAST('2.718281828459045' AS DOUBLE)",
    "exp": "exp({0})",
    "floor": _whole("floor"),
    "from_base": ArrowFunction(by_row(_from_base)),
    "greatest": _extreme("greatest", ">"),
    "infinity": "CAST('inf' AS DOUBLE)",
    "is_finite": "isfinite({0})",
    "is_infinite": "isinf({0})",
    "is_nan": "isnan({0})",
    "least": _extreme("least", "<"),
    "ln": LOGARITHM,
    "log": lambda site: Sql(
        f"({site.call_macro(LOGARITHM, site.arguments[1])}"
        f" / {site.call_macro(LOGARITHM, site.arguments[0])})"
    ),
    "log10": _logarithm("log10"),
    "log2": _logarithm("log2"),
    "nan": "CAST('nan' AS DOUBLE)",
    "pi": "pi()",
    "power": "power({0}, {1})",
    "radians": "radians({0})",
    "random": _natural,
    "round": _round,
    "sign": _sign,
    "sin": _finite("sin"),
    "sinh": "sinh({0})",
    "sqrt": "CASE WHEN {0} < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt({0}) END",
    "tan": _finite("tan"),
    "tanh": "tanh({0})",
    "to_base": ArrowFunction(by_row(_to_base)),
    "truncate": _truncate,
}
