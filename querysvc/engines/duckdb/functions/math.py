"""Numbers. https://trino.io/docs/current/functions/math.html and bitwise.html"""

from __future__ import annotations

from typing import Any, Final

from querysvc.engines.duckdb.functions.registry import (
    CallSite,
    Macro,
    ScalarTable,
)
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

_LIMITS: Final = {"tinyint": 127, "smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_PRECISION_MAX: Final = 38
_SHORT_PRECISION: Final = 18
_LONG_MIN: Final = -(2**63)
_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT


def _abs(site: CallSite) -> Sql:
    if not site.type.is_integer:
        return cast(template("abs({0})", *site.arguments), site.result_type)

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
        # A zero loses its sign, a rounded number does not.
        return template("CASE WHEN {0} = 0 THEN abs({0}) ELSE round({0}) END", *site.arguments)
    if isinstance(site.type, Decimal):
        return _round_decimal(site)
    if site.type.is_integer:
        return _round_integer(site)
    factor = Sql(f"power(CAST(10 AS DOUBLE), {site.arguments[1]})")
    rounded = site.call_macro(ROUND_FLOATING, cast(site.arguments[0], "DOUBLE"), factor)
    return cast(rounded, site.result_type)


def _round_integer(site: CallSite) -> Sql:
    overflow = ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE
    is_integer = str(site.type) == "integer"  # whose overflow Trino does not name

    def body(value: Sql, digits: Sql) -> Sql:
        unit = Sql(f"CAST(power(10::DOUBLE, -{digits}) AS HUGEINT)")
        half = Sql(f"({unit} // 2 * CASE WHEN {value} < 0 THEN -1 ELSE 1 END)")
        rounded = Sql(f"(({value} + {half}) // {unit} * {unit})")
        limit = _LIMITS[str(site.type)]
        over = fail(
            ErrorCode.GENERIC_INTERNAL_ERROR if is_integer else overflow,
            f"{site.type} overflow: ",
            part(value),
        )
        return case(
            [
                (Sql(f"({value} IS NULL OR {digits} IS NULL)"), NULL),
                (Sql(f"({digits} >= 0)"), value),
                (Sql(f"({digits} < -18)"), fail(overflow, "numerical overflow: ", part(value))),
                (Sql(f"({rounded} NOT BETWEEN -{limit + 1}::HUGEINT AND {limit})"), over),
            ],
            cast(rounded, site.result_type),
        )

    return cast(bind(site.arguments, body), site.result_type)


def _round_decimal(site: CallSite) -> Sql:
    """round(decimal(p,s), n): the same scale; digits after n are zero."""
    source = site.types[0]
    assert isinstance(source, Decimal)
    wide = cast(site.arguments[0], site.result_type)
    overflow = fail(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, "decimal overflow")

    def rounded(value: Sql, n: int) -> Sql:
        result = cast(Sql(f"round({value}, {n})"), site.result_type)
        if source.precision < _PRECISION_MAX:
            return result
        nines = f"{'9' * (38 - source.scale)}.{'9' * source.scale}"
        limit = f"CAST('{nines}' AS {site.result_type})"
        return bind([result], lambda r: case([(Sql(f"(abs({r}) > {limit})"), overflow)], r))

    def body(value: Sql, digits: Sql) -> Sql:
        # DuckDB's round of a decimal wants constant digits: one branch per scale.
        branches = [
            (Sql(f"({value} IS NULL OR {digits} IS NULL)"), NULL),
            (Sql(f"({digits} >= {source.scale})"), value),
        ]
        branches += [
            (Sql(f"({digits} = {n})"), rounded(value, n))
            for n in range(source.scale - 1, -(source.precision - source.scale) - 1, -1)
        ]
        if source.precision > _SHORT_PRECISION:  # Trino has no larger power of ten
            branches.append((Sql(f"({digits} < {source.scale - 38})"), overflow))
        return case(branches, cast(Sql("0"), site.result_type))

    if site.is_constant(1) and isinstance(site.constant(1), int):
        n = int(site.constant(1))  # type: ignore[arg-type]  # an int, as just seen
        if n >= source.scale:
            return wide
        if n >= 0:
            return rounded(wide, n)
    return bind([wide, site.arguments[1]], body)


ROUND_FLOATING: Final = Macro(
    # Trino rounds the scaled binary number, and leaves alone what has no fraction to round.
    "round_floating",
    ("x", "f"),
    "CASE WHEN f IS NULL THEN NULL WHEN isfinite(x) AND abs(x * f) < 4503599627370496"
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
        branches = [
            (Sql(f"({value} IS NULL OR {digits} IS NULL)"), NULL),
            (Sql(f"({digits} >= {source.scale})"), value),
        ]
        wide = storage_type(Decimal(min(_PRECISION_MAX, source.precision + 1), source.scale))
        for n in range(source.scale - 1, source.scale - source.precision, -1):
            # The remainder by a power of ten is what goes.
            power = f"1{'0' * -n}" if n <= 0 else f"0.{'0' * (n - 1)}1"
            rest = Sql(f"({value} - {value} % CAST('{power}' AS {wide}))")
            branches.append((Sql(f"({digits} = {n})"), cast(rest, site.result_type)))
        return case(branches, cast(Sql("0"), site.result_type))

    return bind(site.arguments, body)


def _sign(site: CallSite) -> Sql:
    if site.type.is_floating:
        text = (
            "CASE WHEN isnan({0}) OR {0} = 0 THEN {0} ELSE CAST(sign({0}) AS "
            + site.result_type
            + ") END"
        )
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
    is_range = len(site.arguments) == 2

    def body(*bounds: Sql) -> Sql:
        low, high = bounds if is_range else (Sql("0"), bounds[0])
        message = "start value must be less than stop value"
        if not is_range:
            message = "bound must be positive"
        number = Sql(f"(CAST(floor(random() * ({high} - {low})) AS BIGINT) + {low})")
        return case([(Sql(f"({low} >= {high})"), fail(_INVALID, message))], number)

    return cast(bind(site.arguments, body), site.result_type)


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

        def body(value: Sql, given: Sql) -> Sql:
            # Java takes a shift by its last six bits.
            count = Sql(f"(CASE WHEN {given} < 0 THEN {given} & 63 ELSE {given} END)")
            bits = f"(CAST({value} AS HUGEINT) & {mask}::HUGEINT)"
            moved = f"(({bits} * CAST(power(2::DOUBLE, {count}) AS HUGEINT)) & {mask}::HUGEINT)"
            if direction == "right":
                moved = f"({bits} // CAST(power(2::DOUBLE, {count}) AS HUGEINT))"
            negative = Sql(f"({moved} - {mask + 1}::HUGEINT)")
            signed = case([(Sql(f"({moved} > {mask >> 1})"), negative)], Sql(moved))
            shifted = cast(signed, site.result_type)
            return case(
                [
                    (Sql(f"({value} IS NULL OR {given} IS NULL)"), NULL),
                    (Sql(f"({count} >= {width})"), cast(Sql("0"), site.result_type)),
                ],
                shifted,
            )

        return bind(site.arguments, body)

    return build


def _remainder(site: CallSite) -> Sql:
    """mod of whole numbers, which Trino does not check for zero as it does `%`."""

    def body(value: Sql, divisor: Sql) -> Sql:
        is_zero = Sql(f"({divisor} = 0 AND {value} IS NOT NULL)")
        error = fail(ErrorCode.GENERIC_INTERNAL_ERROR, "/ by zero")
        # By -1 the lowest number overflows in DuckDB.
        by_minus_one = (Sql(f"({divisor} = -1)"), Sql(f"({value} - {value})"))
        return case([(is_zero, error), by_minus_one], Sql(f"({value} % {divisor})"))

    return bind(site.arguments, body)


def _bit_count(site: CallSite) -> Sql:
    def body(value: Sql, bits: Sql) -> Sql:
        power = f"(1::HUGEINT << {bits})"
        half = f"(1::HUGEINT << ({bits} - 1))"
        ones = Sql(
            f"bit_count(CASE WHEN {bits} = 64 THEN {value}"
            f" ELSE {value} & CAST({power} - 1 AS BIGINT) END)"
        )
        return case(
            [
                (Sql(f"({value} IS NULL OR {bits} IS NULL)"), NULL),
                (
                    Sql(f"({bits} NOT BETWEEN 2 AND 64)"),
                    fail(_INVALID, "Bits specified in bit_count must be between 2 and 64"),
                ),
                (
                    Sql(f"({value} >= {half} OR {value} < -{half})"),
                    fail(_INVALID, "Number must be representable with the bits specified"),
                ),
            ],
            cast(ones, "BIGINT"),
        )

    return bind(site.arguments, body)


SCALARS: Final[ScalarTable] = {
    "abs": _abs,
    "acos": _within("acos"),
    "asin": _within("asin"),
    "atan": "atan({0})",
    "atan2": "atan2({0}, {1})",
    "bit_count": _bit_count,
    "bitwise_and": "({0} & {1})",
    "bitwise_left_shift": _shift("left"),
    "bitwise_not": "(~ {0})",
    "bitwise_or": "({0} | {1})",
    "bitwise_right_shift": _shift("right"),
    "bitwise_right_shift_arithmetic": (
        "CASE WHEN {0} IS NULL THEN NULL WHEN {1} > 63 THEN CASE WHEN {0} < 0 THEN -1 ELSE 0 END"
        " ELSE {0} >> CAST({1} & 63 AS BIGINT) END"
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
    **{f"mod({kind},{kind})": _remainder for kind in _LIMITS},
    "nan": "CAST('nan' AS DOUBLE)",
    "pi": "pi()",
    "power": (
        "CASE WHEN {0} IS NULL THEN NULL"
        " WHEN isnan({1}) OR (isinf({1}) AND abs({0}) = 1) THEN CAST('nan' AS DOUBLE)"
        " ELSE power({0}, {1}) END"
    ),
    "radians": "radians({0})",
    "random": _natural,
    "round": _round,
    "sign": _sign,
    "sin": _finite("sin"),
    "sinh": "sinh({0})",
    "sqrt": "CASE WHEN {0} < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt({0}) END",
    "tan": _finite("tan"),
    "tanh": "tanh({0})",
    "truncate": _truncate,
}
