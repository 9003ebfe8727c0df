"""format(): Java's Formatter over Trino's values.

https://docs.oracle.com/en/java/javase/24/docs/api/java.base/java/util/Formatter.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from querysvc.engines.duckdb.functions import java_numbers, java_times
from querysvc.engines.duckdb.functions.java_numbers import FormatError, Specifier
from querysvc.engines.duckdb.functions.native_printf import native_format
from querysvc.engines.duckdb.functions.registry import CallSite
from querysvc.engines.duckdb.functions.vectorised import failure
from querysvc.engines.duckdb.lowering.casts.convert import convert
from querysvc.engines.duckdb.lowering.casts.to_text import padded
from querysvc.engines.duckdb.lowering.fragments import Sql, struct, text_literal
from querysvc.errors import ErrorCode
from querysvc.types.algebra import JSON, Char, Row, RowField, TrinoType, Varchar

_UNBOUNDED: Final = Varchar(None)

_SPECIFIER: Final = re.compile(r"%(\d+\$)?([-#+ 0,(<]*)(\d+)?(\.\d+)?([tT])?([a-zA-Z%])")
_NATIVE: Final = frozenset(
    {
        "boolean",
        "tinyint",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double",
        "decimal",
        "date",
        "time",
        "time with time zone",
        "timestamp",
        "timestamp with time zone",
        "varchar",
        "unknown",
    }
)
"""Types whose Java value the Formatter sees; others are cast to varchar."""


def lower_format(site: CallSite) -> Sql:
    """The call: the arguments packed, in forms that Python tells apart by the kinds beside them."""
    types = site.types[1:]
    items = [
        _argument(site, value, kind) for value, kind in zip(site.arguments[1:], types, strict=True)
    ]
    forms = Row(tuple(RowField(None, kind if _is_native(kind) else _UNBOUNDED) for kind in types))
    kinds = ",".join(kind.base_name if _is_native(kind) else "varchar" for kind in types)
    general = site.call_python(
        format_rows,
        (site.arguments[0], _UNBOUNDED),
        (text_literal(kinds), _UNBOUNDED),
        (struct([(f"f{i}", item) for i, item in enumerate(items)]), forms),
    )
    pattern = site.constant(0) if site.is_constant(0) else None
    if not isinstance(pattern, str):
        return general
    try:
        pieces = _parse(pattern)
    except FormatError:
        return general
    arguments = list(zip(site.arguments[1:], types, strict=True))
    return native_format(pieces, arguments, general) or general


def _is_native(kind: TrinoType) -> bool:
    return kind.base_name in _NATIVE


def _argument(site: CallSite, value: Sql, kind: TrinoType) -> Sql:
    if isinstance(kind, Char):
        return padded(value, kind)
    if kind == JSON:
        return value
    return value if _is_native(kind) else convert(site.context, value, kind, _UNBOUNDED)


def format_rows(patterns: Any, kinds: Any, rows: Any) -> list[str | None]:
    """The batch form."""
    results: list[str | None] = []
    names = kinds[0].as_py().split(",") if len(kinds) else []
    try:
        values = rows.to_pylist()
    except OverflowError as error:
        message = "format() of a date outside of the years 1 to 9999"
        raise failure(ErrorCode.NOT_SUPPORTED, message) from error
    for pattern, row in zip(patterns.to_pylist(), values, strict=True):
        if pattern is None or row is None:
            results.append(None)
            continue
        try:
            results.append(format_row(pattern, list(zip(names, row.values(), strict=True))))
        except FormatError as error:
            message = f"Invalid format string: {pattern} ({error})"
            raise failure(ErrorCode.INVALID_FUNCTION_ARGUMENT, message) from error
    return results


def format_row(pattern: str, arguments: Sequence[tuple[str, Any]]) -> str:
    """The pattern with each specifier replaced by its argument's text."""
    pieces: list[str] = []
    ordinary, last = 0, -1
    for piece in _parse(pattern):
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        if piece.conversion in "%n":
            pieces.append(_text(piece))
            continue
        if piece.is_relative:
            if last < 0:
                raise FormatError("MissingFormatArgument")
        elif piece.index is not None:
            last = piece.index - 1
        else:
            last, ordinary = ordinary, ordinary + 1
        if not 0 <= last < len(arguments):
            raise FormatError("MissingFormatArgument")
        pieces.append(_format(piece, *arguments[last]))
    return "".join(pieces)


@lru_cache(maxsize=256)
def _parse(pattern: str) -> tuple[str | Specifier, ...]:
    """The pattern's literal texts and specifiers, all checked before anything is printed."""
    pieces: list[str | Specifier] = []
    at = 0
    while (start := pattern.find("%", at)) >= 0:
        match = _SPECIFIER.match(pattern, start)
        if match is None:
            raise FormatError("UnknownFormatConversion: Conversion = '%'")
        pieces += [pattern[at:start], _specifier(match)]
        at = match.end()
    return (*pieces, pattern[at:])


def _specifier(match: re.Match[str]) -> Specifier:
    index, flags, width, precision, time, letter = match.groups()
    if len(set(flags)) < len(flags):
        raise FormatError("DuplicateFormatFlags")
    specifier = Specifier(
        conversion=("t" if time else "") + (letter if time else letter.lower()),
        flags=frozenset(flags) - {"<"},
        width=None if width is None else _number(width),
        precision=None if precision is None else _number(precision[1:]),
        index=None if index is None else _number(index[:-1]),
        is_relative="<" in flags,
        is_upper=time == "T" or (time is None and letter.isupper()),
    )
    if specifier.index == 0:
        raise FormatError("IllegalFormatArgumentIndex")
    _check(specifier, letter)
    return specifier


def _number(digits: str) -> int:
    number = int(digits)
    if number > 2**31 - 1:
        raise FormatError("IllegalFormatWidth")
    if number > _WIDTH_MAX:
        raise FormatError(f"a width or precision beyond {_WIDTH_MAX} is not supported")
    return number


_WIDTH_MAX: Final = 10_000_000
"""Java tries, and runs out of memory."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a conversion allows."""

    flags: str
    has_precision: bool


_GENERAL: Final = _Rule("-", has_precision=True)
_RULES: Final[Mapping[str, _Rule]] = {
    "b": _GENERAL,
    "h": _GENERAL,
    "s": _GENERAL,
    "c": _Rule("-", has_precision=False),
    "d": _Rule("-+ 0,(", has_precision=False),
    "o": _Rule("-#+ 0(", has_precision=False),
    "x": _Rule("-#+ 0(", has_precision=False),
    "e": _Rule("-#+ 0(", has_precision=True),
    "f": _Rule("-#+ 0,(", has_precision=True),
    "g": _Rule("-+ 0,(", has_precision=True),
    "a": _Rule("-#+ 0", has_precision=True),
    "t": _Rule("-", has_precision=False),
    "%": _Rule("-", has_precision=False),
    "n": _Rule("", has_precision=False),
}
_UPPER: Final = "BHSCXEGA"


def _check(specifier: Specifier, letter: str) -> None:
    is_time = specifier.conversion[0] == "t" and len(specifier.conversion) == 2
    rule = _RULES.get("t" if is_time else specifier.conversion)
    if rule is None or (is_time and specifier.conversion[1] not in java_times.CONVERSIONS):
        raise FormatError(f"UnknownFormatConversion: Conversion = '{letter}'")
    if not is_time and specifier.is_upper and letter not in _UPPER:
        raise FormatError(f"UnknownFormatConversion: Conversion = '{letter}'")
    if specifier.precision is not None and not rule.has_precision:
        raise FormatError("IllegalFormatPrecision")
    if specifier.flags - set(rule.flags):
        raise FormatError("FormatFlagsConversionMismatch")
    if {"-", "0"} <= specifier.flags or {"+", " "} <= specifier.flags:
        raise FormatError("IllegalFormatFlags")
    if specifier.flags & {"-", "0"} and specifier.width is None:
        raise FormatError("MissingFormatWidth")
    if specifier.conversion == "n" and specifier.width is not None:
        raise FormatError("IllegalFormatWidth")


def _text(specifier: Specifier) -> str:
    return "\n" if specifier.conversion == "n" else justify(specifier, "%")


def _format(specifier: Specifier, kind: str, value: Any) -> str:
    if value is None:
        text = _cut("false" if specifier.conversion == "b" else "null", specifier.precision)
    else:
        text = _FORMS[specifier.conversion[0]](specifier, kind, value)
    return justify(specifier, text.upper() if specifier.is_upper else text)


def justify(specifier: Specifier, text: str) -> str:
    """The text in the specifier's width, which counts UTF-16 units."""
    missing = (specifier.width or 0) - len(text.encode("utf-16-le", "replace")) // 2
    if missing <= 0:
        return text
    return text + " " * missing if "-" in specifier.flags else " " * missing + text


def _cut(text: str, precision: int | None) -> str:
    if precision is None:
        return text
    # Half a surrogate pair is written as a question mark.
    units = text.encode("utf-16-le")[: 2 * precision]
    decoded = units.decode("utf-16-le", "replace")
    return decoded.replace("\ufffd", "?") if "\ufffd" not in text else decoded


def _boolean(specifier: Specifier, kind: str, value: Any) -> str:
    text = "false" if kind == "boolean" and not value else "true"
    return _cut(text, specifier.precision)


def _string(specifier: Specifier, kind: str, value: Any) -> str:
    return _cut(_java_text(kind, value), specifier.precision)


def _java_text(kind: str, value: Any) -> str:
    if kind == "varchar":
        return str(value)
    if kind == "boolean":
        return "true" if value else "false"
    if kind in ("real", "double"):
        return java_numbers.floating_text(value, is_real=kind == "real")
    if kind in java_times.KINDS:
        return java_times.iso_text(kind, value)
    return str(value)  # whole numbers and decimals print alike in both


def _hash(specifier: Specifier, kind: str, value: Any) -> str:
    return _cut(f"{java_numbers.hash_code(kind, value):x}", specifier.precision)


def _character(_specifier: Specifier, kind: str, _value: Any) -> str:
    raise FormatError(f"IllegalFormatConversion: c != {kind}")  # Trino has no such values


_FORMS: Final[Mapping[str, Callable[[Specifier, str, Any], str]]] = {
    "b": _boolean,
    "s": _string,
    "h": _hash,
    "c": _character,
    "d": java_numbers.whole,
    "o": java_numbers.unsigned,
    "x": java_numbers.unsigned,
    "f": java_numbers.floating,
    "e": java_numbers.floating,
    "g": java_numbers.floating,
    "a": java_numbers.floating,
    "t": java_times.formatted,
}
