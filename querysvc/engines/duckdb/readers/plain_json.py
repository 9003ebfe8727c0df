"""Types that DuckDB may read from JSON by itself, and expressions that find what it would bend.

DuckDB's reader turns 1.5, "7" and true into integers without a word. But a number that is written
as its type's values are is read exactly, without a text between. So the bytes are watched: where a
key's value is written in any other way the texts are read, and judged one by one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Final

from querysvc.engines.duckdb.readers.nested_json import DOUBLE_DIGITS
from querysvc.types import algebra
from querysvc.types.algebra import TrinoType

_NO_NUMBER: Final = r"[^0-9n\s-]|n[^u]|-[^0-9]"
"""Neither a number nor null; nan and -Infinity are what DuckDB takes too."""
_INTEGER: Final = rf"{_NO_NUMBER}|-?[0-9]+[^0-9,}}\s]"
_NEAR: Final = r"\s{0,8}"
_FAR: Final = r"\s{9}"
"""Odd too: a value that is far from its key may be cut off from it between two reads."""
_DIGITS_OF_DATES: Final = "0000-00-00"


def _no_date() -> str:
    """Neither null nor a string of four, two and two digits."""
    found = '[^"]'
    for expected in reversed(_DIGITS_OF_DATES):
        wanted = "0-9" if expected == "0" else "-"
        found = f"[^{wanted}]|[{wanted}](?:{found})"
    return rf'[^"n\s]|n[^u]|"(?:{found})'


_ODD: Final[dict[TrinoType, str]] = {
    **dict.fromkeys(algebra.INTEGER_TYPES, _INTEGER),
    algebra.DOUBLE: _NO_NUMBER,
    algebra.BOOLEAN: r"[^tfn\s]|n[^u]",
    algebra.DATE: _no_date(),
}


def is_read_typed(type_: TrinoType) -> bool:
    """Whether DuckDB may read a plain key's values as the type where `odd_values` finds none."""
    return _odd(type_) is not None


def odd_values(keys: Iterable[tuple[str, TrinoType]]) -> tuple[str, ...]:
    """Expressions of which one matches wherever a value is not written as its type's are.

    The first one begins with a key, as other spellings' does; the second finds escaped keys.
    """
    by_form: dict[str, list[str]] = {}
    for key, type_ in keys:
        odd = _odd(type_)
        if odd is not None:
            by_form.setdefault(odd, []).append(key)
    if not by_form:
        return ()
    found = (
        f'(?:{"|".join(map(re.escape, names))})"(?:{_FAR}|{_NEAR}:(?:{_FAR}|{_NEAR}(?:{odd})))'
        for odd, names in by_form.items()
    )
    return (f'"(?:{"|".join(found)})', _escaped(itertools.chain(*by_form.values())))


def _escaped(keys: Iterable[str]) -> str:
    """Escapes of what the keys are made of; of letters all, in either case."""
    signs = sorted({ord(one) for one in itertools.chain(*keys) if ord(one) < ord("@")})
    codes = ["[4-7]", *(f"(?i:{sign:02x})" for sign in signs)]
    return rf"\\u(?:00(?:{'|'.join(codes)})|212[aA])"


def _odd(type_: TrinoType) -> str | None:
    if isinstance(type_, algebra.Decimal):
        return _no_decimal(type_.scale)
    return _ODD.get(type_)


def _no_decimal(scale: int) -> str | None:
    """Digits that a double may not keep, more places than the scale, exponents."""
    if scale >= DOUBLE_DIGITS:
        return None
    whole = DOUBLE_DIGITS - scale
    return (
        rf"{_NO_NUMBER}|-?[0-9]{{{whole + 1}}}|-?[0-9]+\.[0-9]{{{scale + 1}}}"
        rf"|-?[0-9]+(?:\.[0-9]+)?[eE]"
    )
