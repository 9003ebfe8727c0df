"""Numbers, spans and sizes as people write them."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

from querysvc.engines.duckdb.functions.registry import CallSite
from querysvc.engines.duckdb.functions.vectorised import by_row, failure
from querysvc.engines.duckdb.lowering.fragments import Sql
from querysvc.errors import ErrorCode

_LONG_MIN: Final = -(2**63)
_LONG_MAX: Final = 2**63 - 1
_INVALID: Final = ErrorCode.INVALID_FUNCTION_ARGUMENT

_SPANS: Final = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_SIZE: Final = re.compile(r"(?=\.?[0-9])([0-9]*)\.?([0-9]*)([kMGTPEZY]?B)")
_SIZE_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")


def saturated(value: float) -> int:
    """Java's cast of a double to a long."""
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return _LONG_MAX if value > 0 else _LONG_MIN
    return max(_LONG_MIN, min(_LONG_MAX, int(value)))


def number_text(value: float) -> str:
    """A whole number with a unit: `1.23M`."""
    number = value if isinstance(value, int) else saturated(value)
    scaled, unit = float(number), 0
    while abs(scaled) >= 1000 and unit < 5:
        scaled /= 1000
        unit += 1
    # The lowest long has no absolute value in Java, which makes it small.
    size = abs(scaled) if number != _LONG_MIN else scaled
    digits = 2 if size < 10 else 1 if size < 100 else 0
    rounded = Decimal(scaled).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    text = f"{rounded:f}"
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{short}{'KMBTQ'[unit - 1] if unit else ''}"


_NUMBER_TEXT: Final = by_row(number_text)


def lower_format_number(site: CallSite) -> Sql:
    """format_number of a bigint or a double."""
    return site.call_python(_NUMBER_TEXT, (site.arguments[0], site.types[0]))


def seconds_text(value: float) -> str:
    """A span in weeks to seconds: `1 hour, 2 minutes`."""
    if not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        raise failure(_INVALID, f"Invalid argument found: {name}")
    left = min(_LONG_MAX, math.floor(Fraction(abs(value)) + Fraction(1, 2)))
    words = []
    for unit, seconds in _SPANS:
        count, left = divmod(left, seconds)
        if count:
            words.append(f"{count} {unit}{'s' if count != 1 else ''}")
    return ", ".join(words) or "0 seconds"


def data_size(text: str) -> Decimal:
    """The bytes of a size like `2.3MB`, without their fraction."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise failure(_INVALID, f"Invalid data size: '{text}'")
    whole, fraction, unit = match.groups()
    scale = 1024 ** _SIZE_UNITS.index(unit)
    size = int(whole + fraction) * scale // 10 ** len(fraction)
    if size >= 10**38:
        message = f"Value out of range: '{text}' ('{size}B')"
        raise failure(ErrorCode.NUMERIC_VALUE_OUT_OF_RANGE, message)
    return Decimal(size)
