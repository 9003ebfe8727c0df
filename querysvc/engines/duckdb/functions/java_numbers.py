"""Numbers as Java's Formatter prints them."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any, Final

from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.errors import ErrorCode

_WHOLE: Final = frozenset({"tinyint", "smallint", "integer", "bigint"})
_FLOATING: Final = frozenset({"real", "double", "decimal"})
_EXACT: Final = Context(prec=1200, rounding=ROUND_HALF_UP)


class FormatError(ValueError):
    """A pattern that Java refuses, or an argument that does not fit it."""


@dataclass(frozen=True, slots=True)
class Specifier:
    """A format specifier: `%[index$][flags][width][.precision]conversion`."""

    conversion: str
    flags: frozenset[str]
    width: int | None
    precision: int | None
    index: int | None
    is_relative: bool
    is_upper: bool


def floating_text(value: float, *, is_real: bool) -> str:
    """Java's Double.toString and Float.toString."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    sign, digits, exponent = shortest(value, is_real=is_real)
    magnitude = len(digits) + exponent  # 0.digits * 10^magnitude
    if -3 < magnitude <= 7:
        text = f"{Decimal((0, tuple(map(int, digits)), exponent)):f}"
        return sign + (text if "." in text else text + ".0")
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{magnitude - 1}"


def shortest(value: float, *, is_real: bool) -> tuple[str, str, int]:
    """Sign, digits and exponent of the shortest decimal that reads back as the number."""
    if is_real:
        import numpy

        text = numpy.format_float_scientific(numpy.float32(value), trim="-")
    else:
        text = repr(value)
    _, digits, exponent = Decimal(text).normalize(_EXACT).as_tuple()
    assert isinstance(exponent, int)
    return "-" if value < 0 else "", "".join(map(str, digits)), exponent


def hash_code(kind: str, value: Any) -> int:
    """Java's hashCode, as 32 bits."""
    if kind == "boolean":
        return 1231 if value else 1237
    if kind == "real":
        return 0x7FC00000 if math.isnan(value) else _bits(value, "f")
    if kind == "varchar":
        return _hash_text(value)
    if kind == "double":
        bits = 0x7FF8000000000000 if math.isnan(value) else _bits(value, "d")
    elif kind in _WHOLE:
        bits = int(value) & 0xFFFFFFFFFFFFFFFF
    else:
        raise failure(ErrorCode.NOT_SUPPORTED, f"format() with %h of {kind} is not supported")
    return (bits ^ (bits >> 32)) & 0xFFFFFFFF


def _hash_text(value: str) -> int:
    units = value.encode("utf-16-be")
    result = 0
    for i in range(0, len(units), 2):
        result = (31 * result + (units[i] << 8 | units[i + 1])) & 0xFFFFFFFF
    return result


def _bits(value: float, code: str) -> int:
    return int.from_bytes(struct.pack(f">{code}", value), "big")


def whole(specifier: Specifier, kind: str, value: Any) -> str:
    """%d of a whole number."""
    if kind not in _WHOLE:
        raise FormatError(f"IllegalFormatConversion: d != {kind}")
    digits = f"{abs(value):,}" if "," in specifier.flags else str(abs(value))
    return _signed(specifier, digits, is_negative=value < 0)


def unsigned(specifier: Specifier, kind: str, value: Any) -> str:
    """%x and %o: the 64 bits of a whole number."""
    if kind not in _WHOLE:
        raise FormatError(f"IllegalFormatConversion: {specifier.conversion} != {kind}")
    if specifier.flags & {"(", " ", "+"}:
        raise FormatError("FormatFlagsConversionMismatch")
    digits = format(value & 0xFFFFFFFFFFFFFFFF, specifier.conversion)
    prefix = {"x": "0x", "o": "0"}[specifier.conversion] if "#" in specifier.flags else ""
    if "0" in specifier.flags:
        digits = digits.rjust((specifier.width or 0) - len(prefix), "0")
    return prefix + digits


def _signed(specifier: Specifier, digits: str, *, is_negative: bool) -> str:
    before, after = _sign(specifier, is_negative=is_negative)
    if "0" in specifier.flags:
        digits = digits.rjust((specifier.width or 0) - len(before) - len(after), "0")
    return before + digits + after


def _sign(specifier: Specifier, *, is_negative: bool) -> tuple[str, str]:
    if is_negative:
        return ("(", ")") if "(" in specifier.flags else ("-", "")
    return ("+" if "+" in specifier.flags else " " if " " in specifier.flags else "", "")


def floating(specifier: Specifier, kind: str, value: Any) -> str:
    """%f, %e, %g and %a of a real, double or decimal."""
    conversion = specifier.conversion
    if kind not in _FLOATING or (conversion == "a" and kind == "decimal"):
        raise FormatError(f"IllegalFormatConversion: {conversion} != {kind}")
    if conversion == "a":
        return _hexadecimal(specifier, value)
    if kind != "decimal":
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            before, after = _sign(specifier, is_negative=value < 0)
            return f"{before}Infinity{after}"
    is_negative = value < 0 or (kind != "decimal" and math.copysign(1, value) < 0)
    exact = value.copy_abs() if kind == "decimal" else _exact(abs(value))
    precision = 6 if specifier.precision is None else specifier.precision
    with localcontext(_EXACT):
        digits = _DIGITS[conversion](exact, precision, "," in specifier.flags)
    if "#" in specifier.flags and "." not in digits:
        mantissa, mark, exponent = digits.partition("e")
        digits = f"{mantissa}.{mark}{exponent}"
    return _signed(specifier, digits, is_negative=is_negative)


def _exact(value: float) -> Decimal:
    return Decimal(repr(value)) if value else Decimal(0)


def _plain(value: Decimal, precision: int, is_grouped: bool) -> str:
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and precision <= -exponent:  # zeros alone need no rounding
        value = value.quantize(Decimal(1).scaleb(-precision), ROUND_HALF_UP)
    return f"{value:,.{precision}f}" if is_grouped else f"{value:.{precision}f}"


def _scientific(value: Decimal, precision: int, _is_grouped: bool) -> str:
    if not value:
        scale = -int(value.as_tuple().exponent)  # Java keeps a zero's scale
        return f"{_plain(value, precision, False)}e{'-' if scale else '+'}{scale:02d}"
    rounded = value.quantize(Decimal(1).scaleb(value.adjusted() - precision), ROUND_HALF_UP)
    exponent = rounded.adjusted()
    mantissa = _plain(rounded.scaleb(-exponent), precision, False)
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _general(value: Decimal, precision: int, is_grouped: bool) -> str:
    digits = precision or 1
    if not value:
        has_scale = value.as_tuple().exponent != 0
        return (_scientific if has_scale else _plain)(value, digits - 1, is_grouped)
    rounded = value.quantize(Decimal(1).scaleb(value.adjusted() - digits + 1), ROUND_HALF_UP)
    if Decimal("0.0001") <= rounded < Decimal(10) ** digits:
        return _plain(rounded, max(0, digits - rounded.adjusted() - 1), is_grouped)
    return _scientific(value, digits - 1, is_grouped)


_DIGITS: Final = {"f": _plain, "e": _scientific, "g": _general}


def _hexadecimal(specifier: Specifier, value: float) -> str:
    if specifier.precision is not None or specifier.flags - {"-"} or not math.isfinite(value):
        raise failure(ErrorCode.NOT_SUPPORTED, "format() with flags of %a is not supported")
    mantissa, exponent = abs(value).hex().split("p")
    whole_, _, fraction = mantissa.partition(".")
    sign = "-" if math.copysign(1, value) < 0 else ""
    return f"{sign}{whole_}.{fraction.rstrip('0') or '0'}p{int(exponent)}"
