"""Texts of numbers and strings as Java and Jackson write them."""

from __future__ import annotations

import math
import re
import struct
from typing import Final

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n"} | {
    "\r": "\\r",
    "\t": "\\t",
}
_ESCAPED = re.compile(r'["\\\x00-\x1f\ud800-\udfff\U00010000-\U0010ffff]')


def double_text(value: float) -> str:
    """CAST(double AS varchar): `1.0E10`."""
    if value == 0:
        return "-0E0" if math.copysign(1, value) < 0 else "0E0"
    if not math.isfinite(value):
        return _special(value)
    sign = "-" if value < 0 else ""
    digits, exponent = _digits(repr(abs(value)))
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def java_number(value: float, *, is_real: bool) -> str:
    """Double.toString and Float.toString: plain from 10^-3 to 10^7, else with an exponent."""
    if not math.isfinite(value):
        return _special(value)
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    sign = "-" if value < 0 else ""
    digits, exponent = _digits(_shortest_real(abs(value)) if is_real else repr(abs(value)))
    if not -3 <= exponent < 7:
        return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return f"{sign}{whole}.{digits[exponent + 1 :] or '0'}"


def json_number(value: float, *, is_real: bool) -> str:
    """A JSON number; what JSON has not, as a string."""
    text = java_number(value, is_real=is_real)
    return text if math.isfinite(value) else f'"{text}"'


def json_string(value: str) -> str:
    """A JSON string as Jackson escapes it."""

    return f'"{_ESCAPED.sub(_escape, value)}"'


def _escape(match: re.Match[str]) -> str:
    known = _ESCAPES.get(match[0])
    if known is not None:
        return known
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04X}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04X}\\u{0xDC00 + (code & 0x3FF):04X}"


def java_order(text: str) -> bytes:
    """A key by which texts sort as Java's strings do."""
    return text.encode("utf-16-be", "surrogatepass")


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _digits(text: str) -> tuple[str, int]:
    """Significant digits and the power of ten of the first, of Python's shortest text."""
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    joined = whole + fraction
    stripped = joined.lstrip("0")
    if joined == "5" and exponent in ("-323", "-324"):
        joined = stripped = "49"  # Java: the nearest of two digits, where these are least doubles
    power = len(whole) - 1 - (len(joined) - len(stripped)) + int(exponent or 0)
    return stripped.rstrip("0") or "0", power


def _shortest_real(value: float) -> str:
    """The shortest digits that give the same 32-bit number."""
    packed = struct.pack("f", value)
    for precision in range(1, 10):
        text = f"{value:.{precision}g}"
        if struct.pack("f", float(text)) == packed:
            return text
    return repr(value)
