"""From text to a declared type, strictly: what the type's Java parser refuses is bad data.

DuckDB's own casts take more (' 1', '1.5' and '1e3' are integers to them). So a value is cast with
TRY_CAST, and then accepted by a cheap test that most values pass (the value's text is the text
that was read), else by a pattern; else it fails. That costs less than DuckDB's typed CSV reading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from querysvc.engines.duckdb.readers.physical import Source
from querysvc.engines.duckdb.readers.sqltext import quote_text, type_text
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

INTEGER_PATTERN: Final = "[+-]?[0-9]+"
FLOATING_PATTERN: Final = r"\s*[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)\s*"
_DECIMAL: Final = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DATE: Final = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_TIME: Final = r"[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,9})?)?"


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a type's values are written: a cast, a cheap test and a pattern."""

    cast: Callable[[str, TrinoType], str]
    quick: Callable[[str, str], str]
    pattern: str | None


def try_value(text: str, type_: TrinoType) -> str:
    """SQL of the value that the text may stand for, NULL when it cannot be read."""
    return _form(type_).cast(text, type_)


def checked_value(text: str, value: str, type_: TrinoType, source: Source, null: str) -> str:
    """SQL of the value, given `try_value`'s result; `null` is the condition for NULL."""
    form = _form(type_)
    branches = [
        f"WHEN {form.quick(text, value)} THEN {rounded(value, type_)}",
        f"WHEN {null} THEN NULL",
    ]
    pattern = source.pattern(type_, form.pattern)
    if pattern is not None:
        accepted = f"{value} IS NOT NULL AND regexp_full_match({text}, {quote_text(pattern)})"
        branches.append(f"WHEN {accepted} THEN {rounded(value, type_)}")
    return f"CASE {' '.join(branches)} ELSE {source.rejected(text, type_)} END"


def parse_value(text: str, type_: TrinoType, source: Source, null: str) -> str:
    """SQL of the value in one expression, for elements of nested values."""
    return checked_value(text, f"({try_value(text, type_)})", type_, source, null)


def text_value(text: str, type_: TrinoType) -> str | None:
    """SQL of a character value; None for other types."""
    if isinstance(type_, algebra.Varchar):
        return text if type_.length is None else f"left({text}, {type_.length})"
    if isinstance(type_, algebra.Char):
        return f"rtrim(left({text}, {type_.length}), ' ')"
    return None


def _form(type_: TrinoType) -> TextForm:
    form = _BY_TYPE.get(type_) or _BY_KIND.get(type(type_))
    if form is None:
        raise QueryServiceError(ErrorCode.NOT_SUPPORTED, f"reading {type_} from text")
    return form


def rounded(value: str, type_: TrinoType) -> str:
    """SQL of a timestamp rounded to its type's precision; other values as they are."""
    if not isinstance(type_, algebra.Timestamp) or type_.precision >= 6:
        return value
    unit = 10 ** (6 - type_.precision)
    shifted = f"(epoch_us({value}) + {unit // 2})"
    return f"make_timestamp({shifted} - (({shifted} % {unit}) + {unit}) % {unit})"


def _try_cast(text: str, type_: TrinoType) -> str:
    return f"TRY_CAST({text} AS {type_text(type_)})"


def _boolean(text: str, _type: TrinoType) -> str:
    return f"CASE lower({text}) WHEN 'true' THEN true WHEN 'false' THEN false END"


def _same_text(text: str, value: str) -> str:
    return f"CAST({value} AS VARCHAR) = {text}"


def _same_common_text(text: str, value: str) -> str:
    # DuckDB prints 'infinity', years beyond 9999 and '0044-03-15 (BC)' as it read them.
    is_common = f"{value} >= '0001-01-01' AND {value} < '10000-01-01'"
    return f"{is_common} AND {_same_text(text, value)}"


def _is_finite(text: str, value: str) -> str:
    return f"isfinite({value}) AND NOT contains({text}, '_')"


def _is_there(_text: str, value: str) -> str:
    return f"{value} IS NOT NULL"


_INTEGERS: Final = TextForm(_try_cast, _same_text, INTEGER_PATTERN)
_FLOATINGS: Final = TextForm(_try_cast, _is_finite, FLOATING_PATTERN)
_BY_TYPE: Final[dict[TrinoType, TextForm]] = {
    algebra.BOOLEAN: TextForm(_boolean, _is_there, None),
    algebra.REAL: _FLOATINGS,
    algebra.DOUBLE: _FLOATINGS,
    algebra.DATE: TextForm(_try_cast, _same_common_text, _DATE),
    algebra.VARBINARY: TextForm(lambda text, _: f"TRY(from_base64({text}))", _is_there, None),
    **dict.fromkeys(algebra.INTEGER_TYPES, _INTEGERS),
}
_BY_KIND: Final[dict[type[TrinoType], TextForm]] = {
    algebra.Decimal: TextForm(_try_cast, _same_text, _DECIMAL),
    algebra.Timestamp: TextForm(_try_cast, _same_common_text, f"{_DATE}( {_TIME})?"),
}
